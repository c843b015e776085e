//! The bound of square bases, which reach every block: what rounding the coefficients costs at the least.
//!
//! With residual r = U(t − t̂), each coefficient's rounding error is (U⁻¹r)ₚ, so ‖r‖ ≥ |tₚ − t̂ₚ| / ‖row p of U⁻¹‖ for every p. The score is the
//! largest of these, for the grid of all multiples of 2ᵉ, of which the sixteen codes are a few. Everything is in units of those row norms,
//! where an error in f32 stays small however badly conditioned the basis is. Where the exponent may be one of two, the score takes the
//! lower, whose grid contains the other's. Bases that lose rank do not reach every block: their score is |n·w| for a unit vector n that is
//! orthogonal to all columns. Those that nearly do, where f64 says nothing certain of U⁻¹, have a score of 0.

use super::basis::{Factors, Matrix};
use super::bound::{Bound, CHUNK, Scaled, Scores, Scratch, multiply_add, put};
use super::lfsr::PERIOD;

/// What rounding may add to a score for a block with norm up to 1: about 1.2·10⁻⁶ at C = 8, from nine roundings of a sum up to 1.
const SLACK: f64 = 4e-6;

/// The norm of U⁻¹ from which on its rounding may matter: below it, its rows times U are off by at most 10⁻¹⁴, steps are at most 10⁷ and
/// what that adds to a score is below 10⁻⁶.
const HARD: f64 = 1e7;

/// Tables of the bound.
#[derive(Debug)]
pub struct Rounding {
    /// Offsets of the bases with a good inverse.
    full: Vec<u16>,
    /// U⁻¹ by rows of norm 1, the norms, their reciprocals, and the largest norm.
    rows: Vec<Scores>,
    /// Offsets of the other bases.
    flat: Vec<u16>,
    /// Vectors n of the bases of lower rank; zeros for the rest of these.
    normals: Vec<Scores>,
}

/// Rows of a chunk in the tables.
const fn width(c: usize, p: usize) -> usize {
    p * c + 2 * p + 1
}

impl<const C: usize, const P: usize> Bound<C, P> for Rounding {
    /// One: every chunk holds seeds that are worth an evaluation, and its tables are best read twice in a row.
    const SPAN: usize = 1;

    fn build(factors: &dyn Fn(usize) -> Factors<C, P>) -> Self {
        let mut tables = Self { full: Vec::new(), rows: Vec::new(), flat: Vec::new(), normals: Vec::new() };
        #[expect(clippy::cast_possible_truncation, reason = "offsets are below 65535")]
        for offset in 0..PERIOD {
            let factors = factors(offset);
            if factors.full_rank() && factors.inverse_norm() < HARD {
                tables.put_full(&factors.pseudo_inverse());
                tables.full.push(offset as u16);
            } else {
                let at = tables.flat.len();
                tables.normals.resize((at / CHUNK + 1) * C, Scores::ZERO);
                if !factors.full_rank() {
                    let normal = normal(&factors.q);
                    (0..C).for_each(|c| put(&mut tables.normals, C, at, c, normal[c]));
                }
                tables.flat.push(offset as u16);
            }
        }
        tables
    }

    fn chunks(&self) -> usize {
        self.full.len().div_ceil(CHUNK) + self.flat.len().div_ceil(CHUNK)
    }

    fn offset(&self, chunk: usize, index: usize) -> Option<u16> {
        match chunk.checked_sub(self.full.len().div_ceil(CHUNK)) {
            Some(chunk) => self.flat.get(chunk * CHUNK + index).copied(),
            None => self.full.get(chunk * CHUNK + index).copied(),
        }
    }

    #[inline(always)]
    fn score<const FMA: bool>(&self, chunk: usize, block: &Scaled<C>, scratch: &mut Scratch) {
        let scores = &mut scratch.scores;
        match chunk.checked_sub(self.full.len().div_ceil(CHUNK)) {
            Some(chunk) => score_flat::<C, FMA>(&self.normals[chunk * C..][..C], block, scores),
            None => score_full::<C, P, FMA>(&self.rows[chunk * width(C, P)..][..width(C, P)], block, scores),
        }
    }

    fn limit(best: f64) -> f32 {
        #[expect(clippy::cast_possible_truncation, reason = "rounding is a small part of the slack")]
        let limit = (best.sqrt() + SLACK) as f32;
        limit
    }
}

impl Rounding {
    fn put_full<const C: usize, const P: usize>(&mut self, inverse: &Matrix<C, P>) {
        let at = self.full.len();
        self.rows.resize((at / CHUNK + 1) * width(C, P), Scores::ZERO);
        let mut put = |row: usize, x: f64| put(&mut self.rows, width(C, P), at, row, x);
        let mut largest = 0.0f64;
        for p in 0..P {
            let norm = inverse.iter().map(|row| row[p] * row[p]).sum::<f64>().sqrt();
            (0..C).for_each(|c| put(p * C + c, inverse[c][p] / norm));
            put(P * C + p, norm);
            put(P * C + P + p, 1.0 / norm);
            largest = largest.max(norm);
        }
        put(P * C + 2 * P, largest);
    }
}

/// A unit vector orthogonal to the columns, which span less than the whole space: what is left of the axis that has most left.
fn normal<const C: usize, const P: usize>(q: &Matrix<C, P>) -> [f64; C] {
    let mut best = ([0.0; C], 0.0);
    for axis in 0..C {
        let mut rest: [f64; C] = std::array::from_fn(|c| f64::from(u8::from(c == axis)));
        for _ in 0..2 {
            for p in 0..P {
                let along: f64 = q.iter().zip(&rest).map(|(row, x)| row[p] * x).sum();
                rest.iter_mut().zip(q).for_each(|(x, row)| *x -= along * row[p]);
            }
        }
        let norm = rest.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm > best.1 {
            best = (rest.map(|x| x / norm), norm);
        }
    }
    best.0
}

#[inline(always)]
fn score_flat<const C: usize, const FMA: bool>(normals: &[Scores], block: &Scaled<C>, scores: &mut Scores) {
    let mut sums = Scores::ZERO;
    for i in 0..CHUNK {
        let mut sum = 0.0f32;
        for (normals, &w) in normals.iter().zip(&block.block) {
            sum = multiply_add::<FMA>(normals.0[i], w, sum);
        }
        sums.0[i] = sum.abs();
    }
    *scores = sums;
}

#[inline(always)]
fn score_full<const C: usize, const P: usize, const FMA: bool>(rows: &[Scores], block: &Scaled<C>, scores: &mut Scores) {
    /// 1.5 · 2²³: adding and subtracting it rounds to an integer.
    const SHIFT: f32 = 12_582_912.0;
    let (inverse, norms) = rows.split_at(P * C);
    let (norms, rest) = norms.split_at(P);
    let (reciprocals, largest_norm) = rest.split_at(P);
    // Into a variable of its own: the compiler then knows that nothing it reads changes, and vectorises.
    let mut bounds = Scores::ZERO;
    for i in 0..CHUNK {
        let mut scaled = [0.0; P];
        let mut largest = 0.0f32;
        for p in 0..P {
            let mut sum = 0.0;
            for c in 0..C {
                sum = multiply_add::<FMA>(inverse[p * C + c].0[i], block.block[c], sum);
            }
            scaled[p] = sum;
            let t = (sum * norms[p].0[i]).abs();
            largest = if t > largest { t } else { largest };
        }
        // Not above the true maximum, so that the step is not above the true one.
        let largest = (largest * (1.0 - 1e-6) - largest_norm[0].0[i] * 2e-6) * (1.0 / 7.5);
        let largest = if largest > f32::MIN_POSITIVE { largest } else { f32::MIN_POSITIVE };
        let step = f32::from_bits((largest.to_bits() + 0x007F_FFFF) & 0x7F80_0000);
        let step = if step < block.highest { step } else { block.highest };
        let inverse_step = f32::from_bits((254 << 23) - step.to_bits());
        let mut worst = 0.0f32;
        for p in 0..P {
            let x = scaled[p] * (norms[p].0[i] * inverse_step);
            let error = (x - ((x + SHIFT) - SHIFT)).abs() * (step * reciprocals[p].0[i]);
            worst = if error > worst { error } else { worst };
        }
        bounds.0[i] = worst;
    }
    *scores = bounds;
}
