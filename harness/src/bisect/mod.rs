//! Finds the commit that made a metric worse: binary search over commits that are built and measured beside the work tree.

mod question;
mod search;
mod state;

pub use question::{BisectError, Question, Threshold};
pub use search::{Answer, Next, next};
pub use state::{Finding, State};
