//! Simulated gates: false alarms and power of the very decision code that judges real ones, under noise that is known.
//!
//! Each gate has unchanged cases and cases of known slow-downs. A source of noise gives the log times of single processes, in the order in which they
//! would run; blocks, looks, confirmation and Holm are those of [`super::trial`]. `cargo run --release --example simulated_gates` prints the table.

mod gates;
mod noise;
mod scenario;
mod table;
#[cfg(test)]
mod tests;

pub use gates::{EFFECTS_PERCENT, Row, simulate};
pub use noise::Noise;
pub use scenario::{SCENARIOS, Scenario};
pub use table::markdown;
