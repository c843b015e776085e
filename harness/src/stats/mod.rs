//! Statistics of time comparison: pure functions on slices, without input, output or clocks.

pub mod binomial;
pub mod decision;
pub mod distribution;
pub mod hodges_lehmann;
pub mod layout;
pub mod multiplicity;
pub mod power;
pub mod ranks;
#[cfg(test)]
mod reference;
pub mod sequential;
pub mod simulate;
pub mod trial;
pub mod wilcoxon;
