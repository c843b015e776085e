//! Scores: what a candidate's outputs say of it, beside the original's.
//!
//! Every score is a mean over rows, a function of one, a quantile, or a statistic of all, in f64 and in the data's order. Standard errors:
//!
//! - What depends on each other (a window's characters, a clip's chunks) is one unit: `sample` says how.
//! - Where two models are compared, the same items go through both and the differences are what is averaged: the error is a paired one.
//! - Functions of a mean (perplexity) use the delta method, quantiles Woodruff's. A maximum has none.
//! - Rank correlations, areas and ratios of sums are no means: their errors come from the paired `bootstrap`.
//!
//! [`score`] gives `accuracy_loss_percent` (original − candidate, in points) for every task that can be right or wrong, `same_top1` and the table
//! of `kl_divergence` for every task that gives distributions, and the scores of the task itself.

mod agreement;
mod bootstrap;
mod classes;
mod compare;
mod distribution;
mod edits;
mod embedding;
mod pitch;
mod pronunciation;
mod rank;
mod reading;
mod sample;
#[cfg(test)]
mod tests;

use compare::percent;
pub use compare::{Score, score};
pub(super) use distribution::argmax;
