//! Measuring: from a plan of cases to a run file, one case after the other, each in worker processes of its own.

mod case;
pub mod cost;
mod evaluation;
pub mod plan;
mod runner;
mod sample;

pub use runner::{Event, MeasureError, Options, calibration, run};
