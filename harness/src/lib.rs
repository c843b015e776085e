//! Weighbridge's harness: measures compression kernels over model fixtures, compares with committed baselines, reports, and gates.
//!
//! Data flows one way: [`measure`] runs a plan's cases in [`worker`] processes and appends raw records to a [`store`]d run;
//! [`compare`] derives metrics, joins them with a [`baseline`] and judges them by [`policy`]; [`report`] shows the result.

pub mod baseline;
pub mod bisect;
pub mod builds;
pub mod calibrate;
pub mod cli;
pub mod compare;
pub mod convert;
pub mod doctor;
pub mod error_table;
pub mod evaluate;
pub mod fetch;
mod files;
pub mod filter;
pub mod fixture;
pub mod generate;
mod git;
pub mod golden;
pub mod history;
mod host;
pub mod init;
pub mod journal;
pub mod measure;
pub mod merge;
pub mod model;
pub mod paired;
pub mod policy;
pub mod report;
pub mod scaling;
pub mod seed_lists;
pub mod specification;
pub mod standard;
pub mod stats;
pub mod store;
mod table;
mod vectors;
pub mod waiver;
pub mod worker;
