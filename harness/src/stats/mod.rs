//! Statistics of time comparison: pure functions on slices, without input, output or clocks.
//!
//! Effects are log ratios of candidate to baseline, above zero when the candidate is slower; [`decision::percent`] makes them per cent. An *error level*
//! counts both sides (0.05 for a 95 % interval), a *tail* one. Seconds belong to no function here but [`batch`] and [`warmup`].
//!
//! [`trial`] decides over a whole gate and [`decision`] over one case; what they rest on is [`wilcoxon`], [`hodges_lehmann`], [`layout`], [`sequential`] and
//! [`multiplicity`]. [`simulate`] holds them to their promises under known noise. [`change_points`] reads a history.

pub mod batch;
pub mod binomial;
pub mod change_points;
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
pub mod warmup;
pub mod wilcoxon;
