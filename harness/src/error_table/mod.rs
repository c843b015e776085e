//! The error of every kernel on Gaussian weights at its rate, beside what others found and beside what no code can beat.
//!
//! `weighbridge kernels errors` makes it, and docs/kernel-errors.md is what it printed. Same arguments, same text: weights are seeded and
//! kernels give the same bytes everywhere.

mod cases;
mod measure;
mod show;

pub use cases::{CASES, Case};
pub use measure::{ErrorTableError, Outcome, Row, Sample, measure};
pub use show::{json, markdown, terminal};
