//! The fast exhaustive search, with an evaluation only where the [bound](super::bound) allows a win. Same candidates as the
//! [reference](super::reference), bit for bit.
//!
//! First the smallest score of each chunk is found, for all blocks of a task against a chunk while its tables are in the cache. Then each
//! block takes chunks from the smallest score up, so that it has a good candidate early and few evaluations. Scores of the few chunks taken
//! are computed a second time: to store those of all would cost more.

use super::basis::{Factors, Matrix, basis};
use super::bound::{Bound, CHUNK, Scaled, Scratch, key};
use super::candidate::{Candidate, EXPONENTS, ceil_log2, energy, evaluate, power_of_two};
use super::lfsr::{PERIOD, cycle};
use super::simd;

/// What a search needs of all seeds of a shape; depends on nothing else.
#[derive(Debug)]
pub struct Tables<const C: usize, const P: usize, B> {
    /// Transposed pseudo-inverse by offset.
    inverse: Vec<Matrix<C, P>>,
    bound: B,
}

impl<const C: usize, const P: usize, B: Bound<C, P>> Tables<C, P, B> {
    /// Tables of all offsets: a few hundredths of a second, 16 to 54 MB.
    pub fn build() -> Self {
        let factors = |offset| Factors::of(&basis::<C, P>(offset));
        let inverse = (0..PERIOD).map(|offset| factors(offset).pseudo_inverse()).collect();
        Self { inverse, bound: B::build(&factors) }
    }

    /// The candidate at an offset.
    #[inline(always)]
    pub fn evaluate(&self, block: &[f64; C], offset: u16, lowest: i32) -> Candidate<P> {
        let at = usize::from(offset);
        evaluate(&self.inverse[at], &cycle()[at..], block, offset, lowest)
    }

    /// Asks for what [`evaluate`](Self::evaluate) will read.
    #[inline(always)]
    pub fn prefetch(&self, offset: u16) {
        let inverse = self.inverse[usize::from(offset)].as_flattened();
        inverse.iter().step_by(8).chain(inverse.last()).for_each(simd::prefetch);
    }
}

/// A block that is searched for.
struct Sought<'a, const C: usize> {
    block: &'a [f64; C],
    /// Lowest exponent.
    lowest: i32,
    /// The block for the bounds.
    scaled: Scaled<C>,
    /// What that multiplied squared errors by, a power of two.
    square: f64,
}

impl<'a, const C: usize> Sought<'a, C> {
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "bounds are f32")]
    fn new(block: &'a [f64; C], lowest: i32) -> Self {
        let shift = -(ceil_log2(energy(block)) + 1).div_euclid(2);
        let scale = power_of_two(shift);
        let highest = power_of_two((lowest + EXPONENTS - 1 + shift).clamp(-100, 100)) as f32;
        let scaled = block.map(|x| x * scale);
        let scaled = Scaled { block: scaled.map(|x| x as f32), energy: energy(&scaled) as f32, highest };
        Self { block, lowest, scaled, square: scale * scale }
    }
}

/// The best candidate of all seeds for each block. `FMA` where the processor has fused operations at hand.
#[inline(always)]
pub fn search<const C: usize, const P: usize, B: Bound<C, P>, const FMA: bool>(
    tables: &Tables<C, P, B>,
    blocks: &[[f64; C]],
    lowest: i32,
    best: &mut [Candidate<P>],
) {
    for (block, best) in blocks.iter().zip(&mut *best) {
        *best = Candidate::zero(block, lowest);
    }
    improve::<C, P, B, FMA>(tables, blocks, lowest, best);
}

/// Improves candidates to the best of all seeds.
#[inline(always)]
pub fn improve<const C: usize, const P: usize, B: Bound<C, P>, const FMA: bool>(
    tables: &Tables<C, P, B>,
    blocks: &[[f64; C]],
    lowest: i32,
    best: &mut [Candidate<P>],
) {
    let sought: Vec<_> = blocks.iter().map(|block| Sought::new(block, lowest)).collect();
    let chunks = tables.bound.chunks();
    let span = B::SPAN.min(chunks);
    let mut least = vec![i32::MAX; sought.len() * span];
    let mut scratch = Scratch::default();
    for first in (0..chunks).step_by(span) {
        let count = span.min(chunks - first);
        for chunk in 0..count {
            for (i, sought) in sought.iter().enumerate() {
                least[i * span + chunk] = tables.bound.least::<FMA>(first + chunk, &sought.scaled, &mut scratch);
            }
        }
        for ((sought, best), least) in sought.iter().zip(&mut *best).zip(least.chunks_exact_mut(span)) {
            descend::<C, P, B, FMA>(tables, sought, best, first, &mut least[..count], &mut scratch);
        }
    }
}

/// Evaluates seeds of the chunks from `first` on where their scores allow a win. `least` holds the smallest score of each chunk.
#[inline(always)]
fn descend<const C: usize, const P: usize, B: Bound<C, P>, const FMA: bool>(
    tables: &Tables<C, P, B>,
    sought: &Sought<'_, C>,
    best: &mut Candidate<P>,
    first: usize,
    least: &mut [i32],
    scratch: &mut Scratch,
) {
    // Nothing beats zeros on a block of zeros.
    if best.error == 0.0 && best.coefficients == [0; P] {
        return;
    }
    let mut limit = key(B::limit(best.error * sought.square));
    while let Some(chunk) = take_least(least, limit) {
        tables.bound.score::<FMA>(first + chunk, &sought.scaled, scratch);
        let mut keys = scratch.scores.0.map(key);
        // The most promising seed first: it lowers the limit for the others.
        let mut next = take_least(&mut keys, limit);
        let mut after = 0;
        while let Some(index) = next {
            if let Some(offset) = tables.bound.offset(first + chunk, index) {
                best.improve(tables.evaluate(sought.block, offset, sought.lowest));
                limit = key(B::limit(best.error * sought.square));
            }
            next = keys[after..].iter().position(|&key| key <= limit).map(|i| i + after);
            after = next.map_or(CHUNK, |i| i + 1);
        }
    }
}

/// Index of the smallest key, unless it is above the limit. It is set so high that it is not found again.
#[inline(always)]
fn take_least(keys: &mut [i32], limit: i32) -> Option<usize> {
    let least = keys.iter().fold(i32::MAX, |least, &key| least.min(key));
    if least > limit {
        return None;
    }
    let found = keys.iter().position(|&key| key == least)?;
    keys[found] = i32::MAX;
    Some(found)
}
