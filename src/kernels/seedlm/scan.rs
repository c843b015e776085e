//! The fast exhaustive search: all seeds chunk by chunk, all blocks of a task against each chunk, with an evaluation only where the
//! [bound](super::bound) allows a win. Same candidates as the [reference](super::reference), bit for bit.

use super::basis::{Factors, Matrix, basis};
use super::bound::{Bound, CHUNK, Scaled};
use super::candidate::{Candidate, EXPONENTS, ceil_log2, energy, evaluate, power_of_two};
use super::lfsr::{PERIOD, cycle};

/// Seeds whose scores are looked at together; a divisor of a chunk.
const GROUP: usize = 64;

/// What a search needs of all seeds of a shape; depends on nothing else.
#[derive(Debug)]
pub struct Tables<const C: usize, const P: usize, B> {
    /// Transposed pseudo-inverse by offset.
    inverse: Vec<Matrix<C, P>>,
    bound: B,
}

impl<const C: usize, const P: usize, B: Bound<C, P>> Tables<C, P, B> {
    /// Tables of all offsets: a few hundredths of a second, 14 to 53 MB.
    pub fn build() -> Self {
        let factors = |offset| Factors::of(&basis::<C, P>(offset));
        let inverse = (0..PERIOD).map(|offset| factors(offset).pseudo_inverse()).collect();
        Self { inverse, bound: B::build(&factors) }
    }

    /// The candidate at an offset.
    #[inline(always)]
    fn evaluate(&self, block: &[f64; C], offset: u16, lowest: i32) -> Candidate<P> {
        let at = usize::from(offset);
        evaluate(&self.inverse[at], &cycle()[at..], block, offset, lowest)
    }
}

/// A block for the bounds, and the power of two by which that scaled squared errors.
#[inline(always)]
#[expect(clippy::cast_possible_truncation, reason = "bounds are f32")]
fn scale<const C: usize>(block: &[f64; C], lowest: i32) -> (Scaled<C>, f64) {
    let shift = -(ceil_log2(energy(block)) + 1).div_euclid(2);
    let scale = power_of_two(shift);
    let highest = power_of_two((lowest + EXPONENTS - 1 + shift).clamp(-100, 100));
    let block = block.map(|x| x * scale);
    (Scaled { block: block.map(|x| x as f32), energy: energy(&block) as f32, highest: highest as f32 }, scale * scale)
}

/// The best candidate of all seeds for each block. `FMA` where the processor has fused operations at hand.
#[inline(always)]
pub fn search<const C: usize, const P: usize, B: Bound<C, P>, const FMA: bool>(
    tables: &Tables<C, P, B>,
    blocks: &[[f64; C]],
    lowest: i32,
    best: &mut [Candidate<P>],
) {
    let mut scaled = Vec::with_capacity(blocks.len());
    for (block, best) in blocks.iter().zip(&mut *best) {
        *best = Candidate::zero(block, lowest);
        scaled.push(scale(block, lowest));
    }
    let mut scores = [0.0; CHUNK];
    for chunk in 0..tables.bound.chunks() {
        for ((block, (scaled, square)), best) in blocks.iter().zip(&scaled).zip(&mut *best) {
            // Nothing beats zeros on a block of zeros.
            if best.error == 0.0 && best.coefficients == [0; P] {
                continue;
            }
            tables.bound.score::<FMA>(chunk, scaled, &mut scores);
            let mut limit = key(B::limit(best.error * square));
            for (group, scores) in scores.as_chunks::<GROUP>().0.iter().enumerate() {
                if scores.iter().fold(i32::MAX, |least, &score| least.min(key(score))) > limit {
                    continue;
                }
                for (i, &score) in scores.iter().enumerate() {
                    if key(score) <= limit
                        && let Some(offset) = tables.bound.offset(chunk, group * GROUP + i)
                    {
                        best.improve(tables.evaluate(block, offset, lowest));
                        limit = key(B::limit(best.error * square));
                    }
                }
            }
        }
    }
}

/// A number in the order of scores, as far as one of the two compared is above zero. Integers have a minimum that vectorises.
#[inline(always)]
fn key(score: f32) -> i32 {
    score.to_bits().cast_signed()
}
