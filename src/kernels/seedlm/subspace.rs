//! The bound of bases with fewer columns than rows: the squared distance of the block to the space that the columns span.
//!
//! With U = Q·R the error is (‖w‖² − ‖Qᵀw‖²) + ‖Qᵀw − R·t̂‖², and the score is the first term. Qᵀw = R⁻ᵀ(Uᵀw), and because column p of the
//! basis at an offset is column p − 1 at the next, (Uᵀw)ₚ at offset s is `Y[s + p]` with `Y[j] = Σ u[j + c·P]·w꜀`: C multiplications a seed.
//! For the few *hard* seeds, bases so close to losing rank that f32 says nothing of R⁻ᵀ, Qᵀw is computed as it stands.

use super::basis::Factors;
use super::bound::{BEYOND, Bound, CHUNK, Scaled, Scores, Scratch, Window, key, multiply_add, put};
use super::lfsr::{PERIOD, UNIT, cycle};

/// What rounding may add to a score of a block with norm up to 1, of a seed that is not hard.
pub const SLACK: f64 = 5e-4;
/// Chunks of the cycle.
const CHUNKS: usize = PERIOD.div_ceil(CHUNK);

/// Tables of the bound.
#[derive(Debug)]
pub struct Subspace {
    /// The cycle as f32, scaled as in a basis: for each chunk C windows, the c-th from c·P states after the chunk's first on. Copies,
    /// because in one table most of them would lie across cache lines.
    states: Vec<Window>,
    /// R⁻ᵀ by rows, its lower triangle only. Zeros for hard seeds.
    whitening: Vec<Scores>,
    /// Offsets of the hard seeds.
    hard: Vec<u16>,
    /// Their Q, by rows.
    hard_q: Vec<Scores>,
}

/// Coefficients of a lower triangle.
const fn triangle(p: usize) -> usize {
    p * (p + 1) / 2
}

/// Whether f32 arithmetic may move the score of a seed by more than [`SLACK`].
///
/// With ε = 2⁻²⁴, each (Uᵀw)ₚ is off by at most (C + 3)·ε·√C, and Qᵀw by ‖R⁻¹‖·√(PC)·(C + P + 4)·ε, its rounding and that of R⁻ᵀ included;
/// the score, by twice that and the rounding of the squares.
fn is_hard<const C: usize, const P: usize>(factors: &Factors<C, P>) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let (size, terms) = ((P * C) as f64, (C + P + 4) as f64);
    2.0 * factors.inverse_norm() * size.sqrt() * terms * f64::from(f32::EPSILON / 2.0) + 1e-5 > SLACK
}

impl<const C: usize, const P: usize> Bound<C, P> for Subspace {
    /// All of them: a few chunks hold a seed that is worth an evaluation once the first of these was found.
    const SPAN: usize = usize::MAX;

    fn build(factors: &dyn Fn(usize) -> Factors<C, P>) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "tables are f32")]
        let state = |at: usize| (f64::from(cycle()[at]) / UNIT) as f32;
        let window = |row: usize| Window(std::array::from_fn(|i| state(row / C * CHUNK + row % C * P + i)));
        let states = (0..CHUNKS * C).map(window).collect();
        let mut tables = Self { states, whitening: vec![Scores::ZERO; CHUNKS * triangle(P)], hard: Vec::new(), hard_q: Vec::new() };
        for offset in 0..PERIOD {
            let factors = factors(offset);
            if is_hard(&factors) {
                let at = tables.hard.len();
                tables.hard_q.resize((at / CHUNK + 1) * C * P, Scores::ZERO);
                for (row, &q) in factors.q.iter().flatten().enumerate() {
                    put(&mut tables.hard_q, C * P, at, row, q);
                }
                #[expect(clippy::cast_possible_truncation, reason = "offsets are below 65535")]
                tables.hard.push(offset as u16);
                continue;
            }
            for row in 0..P {
                for column in 0..=row {
                    put(&mut tables.whitening, triangle(P), offset, triangle(row) + column, factors.r_inverse[column][row]);
                }
            }
        }
        tables
    }

    fn chunks(&self) -> usize {
        CHUNKS + self.hard.len().div_ceil(CHUNK)
    }

    fn offset(&self, chunk: usize, index: usize) -> Option<u16> {
        let at = chunk * CHUNK + index;
        match chunk.checked_sub(CHUNKS) {
            Some(chunk) => self.hard.get(chunk * CHUNK + index).copied(),
            None => u16::try_from(at).ok().filter(|_| at < PERIOD),
        }
    }

    #[inline(always)]
    fn score<const FMA: bool>(&self, chunk: usize, block: &Scaled<C>, scratch: &mut Scratch) {
        if let Some(chunk) = chunk.checked_sub(CHUNKS) {
            return score_hard::<C, P, FMA>(&self.hard_q[chunk * C * P..][..C * P], block, &mut scratch.scores);
        }
        let whitening = self.whiten::<C, P, FMA>(chunk, block, &mut scratch.dots);
        for i in 0..CHUNK {
            scratch.scores.0[i] = rest::<P, FMA>(whitening, &scratch.dots, i, block.energy);
        }
    }

    #[inline(always)]
    fn least<const FMA: bool>(&self, chunk: usize, block: &Scaled<C>, scratch: &mut Scratch) -> i32 {
        if chunk >= CHUNKS {
            Bound::<C, P>::score::<FMA>(self, chunk, block, scratch);
            return scratch.scores.least();
        }
        let whitening = self.whiten::<C, P, FMA>(chunk, block, &mut scratch.dots);
        (0..CHUNK).fold(i32::MAX, |least, i| least.min(key(rest::<P, FMA>(whitening, &scratch.dots, i, block.energy))))
    }

    fn limit(best: f64) -> f32 {
        #[expect(clippy::cast_possible_truncation, reason = "rounding is a small part of the slack")]
        let limit = (best + SLACK) as f32;
        limit
    }
}

impl Subspace {
    /// Writes the dot products Y of a chunk, and gives the chunk's R⁻ᵀ.
    #[inline(always)]
    fn whiten<const C: usize, const P: usize, const FMA: bool>(&self, chunk: usize, block: &Scaled<C>, dots: &mut Window) -> &[Scores] {
        let states = &self.states[chunk * C..][..C];
        for i in 0..CHUNK + BEYOND {
            let mut sum = 0.0;
            for (states, &w) in states.iter().zip(&block.block) {
                sum = multiply_add::<FMA>(states.0[i], w, sum);
            }
            dots.0[i] = sum;
        }
        &self.whitening[chunk * triangle(P)..][..triangle(P)]
    }
}

/// ‖w‖² − ‖Qᵀw‖² of a chunk's i-th seed.
#[inline(always)]
fn rest<const P: usize, const FMA: bool>(whitening: &[Scores], dots: &Window, i: usize, energy: f32) -> f32 {
    let mut rest = energy;
    for row in 0..P {
        let mut y = 0.0;
        for column in 0..row + 1 {
            y = multiply_add::<FMA>(whitening[triangle(row) + column].0[i], dots.0[i + column], y);
        }
        rest = multiply_add::<FMA>(-y, y, rest);
    }
    rest
}

#[inline(always)]
fn score_hard<const C: usize, const P: usize, const FMA: bool>(q: &[Scores], block: &Scaled<C>, scores: &mut Scores) {
    for i in 0..CHUNK {
        let mut rest = block.energy;
        for p in 0..P {
            let mut y = 0.0;
            for c in 0..C {
                y = multiply_add::<FMA>(q[c * P + p].0[i], block.block[c], y);
            }
            rest = multiply_add::<FMA>(-y, y, rest);
        }
        scores.0[i] = rest;
    }
}
