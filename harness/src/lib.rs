//! Harness: runs compression kernels over model fixtures, measures them, and gates changes against committed baselines.

pub mod evaluate;
pub mod fixture;
