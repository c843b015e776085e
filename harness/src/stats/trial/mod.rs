//! The decision over a whole gate, as a state machine that the measuring side drives: it says which cases want more blocks, takes the blocks, and
//! says at any time how things stand. Nothing here measures, waits or draws.
//!
//! Each case goes through **search**: pre-set looks, the first of which is the screen. Errors are spent over the looks ([`super::sequential`]), late for
//! differences (O'Brien–Fleming), evenly for equivalence (Pocock), so that most unchanged cases end at the screen. A difference is only a
//! suspicion: it goes to **confirmation**, one look at fresh blocks that are not pooled with those that raised it. As these are independent of the
//! selection, Holm over the suspects alone holds the family's error. A regression fails the gate when its confirmation calls it at the level
//! for one comparison *and* its Holm-adjusted p-value is below the level for the family.
//!
//! Confirmation should draw other links than search did, under indices of their own. Where it does not, layout that misled the search may mislead it
//! again; the level is then the promise for one comparison by itself. Either way the interval has the layouts in it. A case with one link a side is
//! promised nothing about layout: it is confounded with the code.

mod case;
mod outcome;
mod plan;
mod run;
#[cfg(test)]
mod tests;

pub use case::{Case, Stage};
pub use outcome::{CaseOutcome, Doubt, Outcome, Unfit, Verdict};
pub use plan::{Plan, Schedule};
pub use run::{Purpose, Request, Trial, TrialError};
