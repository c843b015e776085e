//! Each centroid's neighbours: a faster search for vectors whose nearest centroid hardly ever changes, as in k-means.
//!
//! A centroid further from c than twice the distance from x to c is further from x than c is. So where c was the nearest in the last round,
//! a few neighbours of c are all that need a look. They stand in blocks of 16, nearest first. Exact, like [`Codebook`]'s own search, to
//! which it turns where the list ends too soon.

use super::nearest::{Codebook, LANES, Lanes, MARGIN, Nearest, Scratch};

/// Blocks of neighbours that are kept.
const BLOCKS: usize = 3;

/// Neighbours of every centroid of a codebook.
#[derive(Debug)]
pub struct Neighbours {
    lanes: Lanes,
    /// For each centroid the distances to the first of each block and to the first that is in none.
    starts: Vec<[f32; BLOCKS + 1]>,
}

impl Neighbours {
    /// Whether lists are worth making, for so many searches.
    pub const fn pay(centroids: usize, searches: usize) -> bool {
        centroids > 2 * LANES && centroids.saturating_mul(centroids) <= searches.saturating_mul(16)
    }

    /// Lists for a codebook.
    pub fn new(codebook: &Codebook) -> Self {
        let count = codebook.centroids.len() / codebook.vector;
        let mut lanes = Lanes::new(count * BLOCKS, codebook.vector);
        let mut starts = vec![[f32::INFINITY; BLOCKS + 1]; count];
        for (home, (centre, starts)) in codebook.centroids.chunks_exact(codebook.vector).zip(&mut starts).enumerate() {
            let distance = |other: &[f32]| centre.iter().zip(other).fold(0f32, |sum, (a, b)| sum + (a - b) * (a - b));
            let others = (0u32..).zip(codebook.centroids.chunks_exact(codebook.vector).map(distance));
            let mut others: Vec<(f32, u32)> = others.filter(|&(id, _)| id as usize != home).map(|(id, d)| (d, id)).collect();
            let order = |a: &(f32, u32), b: &(f32, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
            let kept = others.len().min(BLOCKS * LANES);
            if kept < others.len() {
                let (_, next, _) = others.select_nth_unstable_by(kept, order);
                starts[BLOCKS] = next.0.sqrt();
            }
            others[..kept].sort_unstable_by(order);
            for (block, members) in others[..kept].chunks(LANES).enumerate() {
                starts[block] = members[0].0.sqrt();
                for (lane, &(_, id)) in members.iter().enumerate() {
                    lanes.set(home * BLOCKS + block, lane, id, codebook.centroid(id));
                }
            }
        }
        Self { lanes, starts }
    }

    /// The nearest centroid, given the one that was.
    pub fn nearest(&self, codebook: &Codebook, x: &[f32], last: u32, scratch: &mut Scratch) -> Nearest {
        let mut best = codebook.at(x, last);
        let reach = 2.0 * best.distance.sqrt() * (1.0 + MARGIN);
        for (block, &start) in self.starts[last as usize].iter().enumerate() {
            if start * (1.0 - MARGIN) > reach {
                return best;
            }
            if block < BLOCKS {
                self.lanes.visit(last as usize * BLOCKS + block, x, &mut best);
            }
        }
        codebook.nearest_from(x, best.index, scratch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_the_answer_of_the_full_search(vector in 1usize..9, count in 1usize..200, seed: u64, grid: bool, wrong: u32) {
            let shape = |x: f32| if grid { x.round() } else { x };
            let centroids: Vec<f32> = sample::gaussian(vector * count, 1.0, seed).into_iter().map(shape).collect();
            let codebook = Codebook::new(centroids, vector);
            let neighbours = Neighbours::new(&codebook);
            let mut scratch = Scratch::default();
            for x in sample::gaussian(vector * 40, 1.2, seed ^ 1).into_iter().map(shape).collect::<Vec<_>>().chunks(vector) {
                let expected = codebook.nearest(x, &mut scratch);
                #[expect(clippy::cast_possible_truncation, reason = "a test")]
                for last in [expected.index, wrong % count as u32] {
                    prop_assert_eq!(neighbours.nearest(&codebook, x, last, &mut scratch), expected);
                }
            }
        }
    }
}
