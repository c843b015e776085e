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
/// What a bound may compute beyond a chunk: what the last seeds need, to fill a vector.
pub const BEYOND: usize = 16;

/// A number for each seed of a chunk. Vectors that cross cache lines load at half the speed, so it starts at one.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub struct Scores(pub [f32; CHUNK]);

/// As [`Scores`], with some more.
#[derive(Debug, Clone, Copy)]
#[repr(align(64))]
pub struct Window(pub [f32; CHUNK + BEYOND]);

impl Scores {
    /// Zeros.
    pub const ZERO: Self = Self([0.0; CHUNK]);

    /// The [key] of the smallest.
    #[inline(always)]
    pub fn least(&self) -> i32 {
        self.0.iter().fold(i32::MAX, |least, &score| least.min(key(score)))
    }
}

/// A score in an order of integers, which have a minimum that vectorises: the order of scores, as far as one of the two compared is above zero.
#[inline(always)]
pub fn key(score: f32) -> i32 {
    score.to_bits().cast_signed()
}

/// Where bounds write. It is kept from call to call, as clearing it took a tenth of the time.
#[derive(Debug)]
pub struct Scratch {
    /// Scores of a chunk.
    pub scores: Scores,
    /// What they are computed from.
    pub dots: Window,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { scores: Scores::ZERO, dots: Window([0.0; CHUNK + BEYOND]) }
    }
}

/// Tables for a bound over all seeds, in chunks.
pub trait Bound<const C: usize, const P: usize>: Send + Sync + Sized + 'static {
    /// Chunks whose smallest scores a search looks at before it evaluates seeds of any of them.
    const SPAN: usize;

    /// The tables.
    fn build(factors: &dyn Fn(usize) -> Factors<C, P>) -> Self;

    /// Number of chunks. Each seed is in one or more of them.
    fn chunks(&self) -> usize;

    /// The offset of a chunk's seed; `None` where a chunk is not full, or the seed has its score in another chunk.
    fn offset(&self, chunk: usize, index: usize) -> Option<u16>;

    /// Writes the scores of a chunk's seeds to the scratch.
    fn score<const FMA: bool>(&self, chunk: usize, block: &Scaled<C>, scratch: &mut Scratch);

    /// The [key] of the smallest score of a chunk. Leaves the scratch in any state.
    #[inline(always)]
    fn least<const FMA: bool>(&self, chunk: usize, block: &Scaled<C>, scratch: &mut Scratch) -> i32 {
        self.score::<FMA>(chunk, block, scratch);
        scratch.scores.least()
    }

    /// The largest score, above zero, that a seed can have whose squared error is at most `best`, with room for all rounding.
    fn limit(best: f64) -> f32;
}

/// Writes a seed's value into a table by chunks: `width` rows a chunk, one value a seed in each.
pub fn put(table: &mut [Scores], width: usize, at: usize, row: usize, value: f64) {
    #[expect(clippy::cast_possible_truncation, reason = "tables are f32")]
    let value = value as f32;
    table[at / CHUNK * width + row].0[at % CHUNK] = value;
}
