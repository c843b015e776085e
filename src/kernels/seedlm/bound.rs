//! Lower bounds of a seed's error, cheap and for many seeds at once: a search only evaluates seeds whose bound is not above the best error.
//!
//! They are computed in f32, in whatever order suits the processor. That moves them by less than [`Bound::limit`] adds, so no seed that
//! could win is ever skipped, and results do not depend on them.

use super::basis::Factors;

/// `a · b + c`, fused where `FMA`. For bounds only: results would depend on it.
#[inline(always)]
pub fn multiply_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// A block in a search, scaled by a power of two to a norm above 1/2 and at most 1.
#[derive(Debug)]
pub struct Scaled<const C: usize> {
    /// The weights.
    pub block: [f32; C],
    /// Their squared norm.
    pub energy: f32,
    /// Largest step 2ᵉ of a coefficient.
    pub highest: f32,
}

/// Seeds that have scores together.
pub const CHUNK: usize = 256;
/// A score for each seed of a chunk.
pub type Scores = [f32; CHUNK];

/// Tables for a bound over all seeds, in chunks.
pub trait Bound<const C: usize, const P: usize>: Send + Sync + Sized + 'static {
    /// The tables.
    fn build(factors: &dyn Fn(usize) -> Factors<C, P>) -> Self;

    /// Number of chunks. Each seed is in one or more of them.
    fn chunks(&self) -> usize;

    /// The offset of a chunk's seed; `None` where a chunk is not full, or the seed has its score in another chunk.
    fn offset(&self, chunk: usize, index: usize) -> Option<u16>;

    /// Scores of the seeds of a chunk.
    fn score<const FMA: bool>(&self, chunk: usize, block: &Scaled<C>, scores: &mut Scores);

    /// The largest score, above zero, that a seed can have whose squared error is at most `best`, with room for all rounding.
    fn limit(best: f64) -> f32;
}

/// Writes a seed's value into a table by chunks: `width` rows a chunk, one value a seed in each.
pub fn put(table: &mut [Scores], width: usize, at: usize, row: usize, value: f64) {
    #[expect(clippy::cast_possible_truncation, reason = "tables are f32")]
    let value = value as f32;
    table[at / CHUNK * width + row][at % CHUNK] = value;
}
