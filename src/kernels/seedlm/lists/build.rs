//! Builds the lists: for each cell the seeds whose subspaces come nearest to its centre.
//!
//! Distances are scores of the scan's [bound](super::super::subspace), computed without fused operations, so that lists are the same on every
//! instruction set. A list is ordered by squared distance in 65,536ths, rounded down, then by offset.

use rayon::prelude::*;

use super::super::basis::{Factors, basis};
use super::super::bound::{Bound, CHUNK, Scaled, Scratch};
use super::super::candidate::energy;
use super::super::subspace::{SLACK, Subspace};
use super::cells::{CELLS, Cells};
use super::{C, CellLists, GROUP, LENGTH, NEAR, P, rows, simd};
use crate::simd::Level;

/// What a squared distance of 1 is in the units of lists.
pub const WHOLE: f64 = 65_536.0;
/// What the score of the bound may be above the squared distance, in units of lists, rounded up.
const SLACK_UNITS: u16 = 33;
const _: () = assert!(SLACK * WHOLE <= SLACK_UNITS as f64);
/// The squared distance up to which seeds are gathered first; more than a list takes.
const REACH: f32 = 0.27;

impl CellLists {
    /// Builds all lists, on the threads of the current pool: about three seconds of one processor.
    pub fn build() -> Self {
        let bound = <Subspace as Bound<C, P>>::build(&|offset| Factors::of(&basis::<C, P>(offset)));
        let cells = Cells::all();
        let (mut offsets, mut near) = (vec![0; CELLS * LENGTH], vec![0; CELLS * NEAR]);
        let level = Level::current();
        let lists = offsets.par_chunks_mut(LENGTH).zip(near.par_chunks_mut(NEAR)).enumerate();
        lists.for_each_init(
            || (Scratch::default(), Vec::new()),
            |(scratch, found), (cell, (offsets, near))| {
                simd::nearest(level, &bound, &cells.centre(cell), scratch, found);
                fill(found, offsets, near);
            },
        );
        Self { cells, offsets, near, rows: rows::rows() }
    }
}

/// Puts the nearest seeds of a centre into `found`, in the order of lists, more than fit one: squared distance in units in the upper half of
/// each number, offset in the lower half.
#[inline(always)]
pub fn nearest(bound: &Subspace, centre: &[f64; C], scratch: &mut Scratch, found: &mut Vec<u32>) {
    #[expect(clippy::cast_possible_truncation, reason = "bounds are f32")]
    let scaled = Scaled { block: centre.map(|x| x as f32), energy: energy(centre) as f32, highest: 1.0 };
    let chunks = Bound::<C, P>::chunks(bound);
    let mut reach = REACH;
    loop {
        found.clear();
        found.resize((chunks + 1) * CHUNK, 0);
        let mut count = 0;
        for chunk in 0..chunks {
            Bound::<C, P>::score::<false>(bound, chunk, &scaled, scratch);
            let before = count;
            for (index, &score) in (0u32..).zip(&scratch.scores.0) {
                // Always written, and kept or not: a branch would be mispredicted often.
                found[count] = units(score) << 16 | index;
                count += usize::from(score <= reach);
            }
            let mut kept = before;
            for i in before..count {
                let index = (found[i] & 0xFFFF) as usize;
                if let Some(offset) = Bound::<C, P>::offset(bound, chunk, index) {
                    found[kept] = found[i] & 0xFFFF_0000 | u32::from(offset);
                    kept += 1;
                }
            }
            count = kept;
        }
        if count > LENGTH {
            found.truncate(count);
            found.sort_unstable();
            return;
        }
        reach *= 1.1;
    }
}

/// A score in units of lists, rounded down.
#[inline(always)]
fn units(score: f32) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to what a u16 holds")]
    let units = (score.clamp(0.0, 0.999_99) * WHOLE as f32) as u32;
    units
}

/// Takes a list and the smallest distance of each of its groups, and of what no longer fits.
fn fill(found: &[u32], offsets: &mut [u16], near: &mut [u16]) {
    for (offset, &found) in offsets.iter_mut().zip(found) {
        *offset = (found & 0xFFFF) as u16;
    }
    for (near, found) in near.iter_mut().zip(found.iter().step_by(GROUP)) {
        *near = ((found >> 16) as u16).saturating_sub(SLACK_UNITS);
    }
}
