//! The method's own error rates on this machine: how often a gate of times calls what did not change, and how small a slow-down it sees.
//!
//! A trial is one comparison of a program with itself, of which one side does a known share of real extra work, or none. What is stored of it is raw: its
//! blocks. What the gate would have said of it, on each clock, is replayed from them, by the same [`trial`](crate::stats::trial) that gates; the
//! table counts that.

mod class;
mod measure;
pub mod record;
mod replay;
mod show;
mod store;
mod table;

pub use class::{CLASSES, Class};
pub use measure::{Setting, asked, measure, times};
pub use show::{json, markdown, terminal};
pub use store::Trials;
pub use table::{CLOCKS, Row, rows};
