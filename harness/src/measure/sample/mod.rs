//! Samples of models that are too large for slow kernels: which units are drawn, the file they go to, and what is stored of them.

mod draw;
mod measure;
mod model;

pub use measure::Samples;
