//! Loops compiled for the widest vectors of the processor they run on.
//!
//! Neither the compiler nor this fuses a product and a sum that are written apart, and lanes are those of the loop as written, so results have
//! the same bits on every processor. What `work` calls must be inlined into it to take part.

/// Runs `work`, compiled for each instruction set, with the best one there is.
#[inline(always)]
pub fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}
