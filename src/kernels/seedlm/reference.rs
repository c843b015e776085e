//! The slow, obvious search: every seed, in order. What the fast ones are tested against.

use super::basis::{Factors, basis};
use super::candidate::{Candidate, evaluate};
use super::lfsr::{PERIOD, cycle};

/// The best candidate of all seeds for each block.
pub fn search<const C: usize, const P: usize>(blocks: &[[f64; C]], lowest: i32) -> Vec<Candidate<P>> {
    let mut best: Vec<Candidate<P>> = blocks.iter().map(|block| Candidate::zero(block, lowest)).collect();
    for offset in 0..PERIOD {
        let inverse = Factors::of(&basis::<C, P>(offset)).pseudo_inverse();
        for (block, best) in blocks.iter().zip(&mut best) {
            #[expect(clippy::cast_possible_truncation, reason = "below 65535")]
            best.improve(evaluate(&inverse, &cycle()[offset..], block, offset as u16, lowest));
        }
    }
    best
}
