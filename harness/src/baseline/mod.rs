//! Baselines: accepted metric values as text made for review. One record a line, in a stable order, shortest round-trip numbers, so that
//! a refresh changes only the lines whose numbers changed.
//!
//! `SUITE.jsonl` holds exact metrics, which any machine may be compared with; `SUITE-times.jsonl` holds sampled ones, with the machine
//! they were sampled on and the commit of each. Both begin with a header line. `baseline accept` alone writes them, both or neither; `baseline
//! merge` joins those of two branches.

pub mod accept;
mod conflict;
mod error;
mod folder;
pub mod merge;
mod text;
mod values;

pub use conflict::{CONFLICT_END, CONFLICT_MIDDLE, CONFLICT_START, Conflicted, parse_conflicted};
pub use error::BaselineError;
pub use folder::{Texts, exact_path, finish_pending, part_text, read_part, times_path};
pub use text::{Part, Unknown, VERSION, lines, parse, render};
pub use values::{Baseline, Row};
