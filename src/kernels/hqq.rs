//! Half-quadratic quantisation (HQQ, Badri and Shaji 2023; `hqq` 0.2.8): 4-bit codes in groups with a zero point found without data.
//!
//! The tensor is a matrix of first dimension × the rest; each row is cut into groups of `group` consecutive weights, the last of which may
//! be short. Step s = (max − min) / 15; code = clamp(round(w / s + z), 0, 15), ties to even; decoded (code − z)·s. The zero point starts at
//! −min / s. Each of up to 20 rounds takes e = w − decoded, shrinks it by the proximal operator of the ℓp norm (p = 0.7, β = 10, growing by
//! κ = 1.01 a round), and sets z to the mean of code − (w − e)/s; rounds end when the mean |e| over the tensor no longer falls. Steps stay.
//!
//! Parts: `scales`, for each group s and z as f16; `codes`, each row from a whole byte on, two a byte, the first in the low nibble. Bits a
//! weight: 4 + 32 / group.
//!
//! The zero point starts unrounded, as from `Quantizer.quantize`; the `round_zero` that `hqq` sets for whole models ends at an error of
//! 0.0870 on Gaussian weights, this at 0.0860. Differences from `hqq`, which keep the result from depending on the weights' scale: β is per
//! weight^1.3, so errors are shrunk in units in which the tensor's root mean square is 1/64 to 1/32, as in a trained layer, by a power of
//! two; and steps have a least value relative to the group's largest magnitude rather than an absolute one. z never leaves the group's
//! exact zero point by more than 1, which bounds each error.

use half::f16;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::rows::Row;
use super::scale::{Rounding, larger, largest_magnitude, reciprocal};
use crate::error::{DecodeError, Refusal};
use crate::kernel::{Context, Info, Kernel, Parts, Promise};
use crate::spec::Parameter;
use crate::weights::{TensorInfo, Weights};

/// Largest code.
const LARGEST: f32 = 15.0;
/// Weight of the quadratic term at the start.
const BETA: f64 = 10.0;
/// Growth of β a round.
const KAPPA: f64 = 1.01;
/// Most rounds.
const ROUNDS: usize = 20;
/// Largest zero point, and the most steps that a weight has: a group that lies further from zero than this gets larger steps.
const FURTHEST: f32 = 256.0;
/// Errors, in units of the shrinkage, that any β up to 10 · 1.01²⁰ shrinks to nothing: 0.12 · 0.12^0.3 < 1 / 12.3.
const NOTHING: f64 = 0.12;
/// Sizes a group may have.
const GROUPS: [usize; 3] = [32, 64, 128];

/// Configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Weights that share a step and a zero point.
    pub group: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { group: 64 }
    }
}

/// The HQQ kernel.
#[derive(Debug)]
pub struct Hqq(Config);

impl Kernel for Hqq {
    const INFO: Info = Info {
        id: "hqq",
        version: 1,
        summary: "4-bit codes by groups with a zero point from half-quadratic optimisation",
        source: "HQQ, mobiusml.github.io/hqq_blog, hqq 0.2.8",
        lossless: false,
    };
    const PARAMETERS: &'static [Parameter] =
        &[Parameter { name: "group", doc: "weights of a row that share a step and a zero point", values: "32, 64 or 128" }];
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        if GROUPS.contains(&config.group) { Ok(Self(config)) } else { Err(format!("group is {}; it must be 32, 64 or 128", config.group)) }
    }

    fn config(&self) -> &Config {
        &self.0
    }

    fn encode(&self, weights: &Weights, _: &Context<'_>) -> Result<Parts, Refusal> {
        let row = self.row(weights.info());
        let values = weights.to_f32();
        let (mut grids, rounding) = self.start(&values, row.cols);
        rounding.check(f64::from(FURTHEST))?;
        self.optimise(&values, row.cols, &mut grids);

        let mut codes = vec![0; values.len() / row.cols * row.code_bytes];
        let rows =
            values.par_chunks(row.cols).zip(codes.par_chunks_mut(row.code_bytes)).zip(grids.par_chunks(row.cols.div_ceil(self.0.group)));
        rows.for_each(|((values, codes), grids)| {
            let groups = values.chunks(self.0.group).zip(codes.chunks_mut(self.0.group / 2)).zip(grids);
            groups.for_each(|((values, codes), grid)| encode_group(values, codes, grid));
        });
        let halves = grids.iter().flat_map(|grid| [f16::from_f32(grid.step), f16::from_f32(grid.zero)]);
        let scales = halves.flat_map(f16::to_le_bytes).collect();
        Ok(Parts::new().with("scales", scales).with("codes", codes))
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, _: &Context<'_>) -> Result<Weights, DecodeError> {
        self.row(info).unpack(parts, info, |codes, scales, values| {
            let mut groups = codes.chunks(self.0.group / 2).zip(scales.as_chunks().0).zip(values.chunks_mut(self.0.group));
            groups.all(|((codes, scale), values)| decode_group(codes, *scale, values))
        })
    }

    fn promise(&self, weights: &Weights) -> Promise {
        let values = weights.to_f32();
        let rows = values.chunks(weights.info().rows_cols().1.max(1));
        let bounds = rows.flat_map(|row| row.chunks(self.0.group)).flat_map(|group| {
            let (grid, exact) = Grid::start(group);
            // A whole step where z is furthest off; where f16 rounded the step down the range has a rest, and z is rounded as well. A step
            // that f16 has no value for leaves zeros.
            let rest = LARGEST * (exact - grid.step).abs();
            let near = grid.step + rest + (grid.exact_zero.abs() + 1.0) * grid.step / 2048.0;
            let bound = if grid.step > 0.0 { near } else { largest_magnitude(group) };
            std::iter::repeat_n(bound, group.len())
        });
        Promise::Elementwise(bounds.collect())
    }
}

/// Step and zero point of a group.
#[derive(Debug, Clone, Copy)]
struct Grid {
    /// Step, rounded to f16.
    step: f32,
    /// Zero point in steps.
    zero: f32,
    /// Zero point that puts the least weight on code 0.
    exact_zero: f32,
}

impl Grid {
    /// The grid from a group's range, and the step before rounding.
    fn start(values: &[f32]) -> (Self, f32) {
        let (low, high) = values.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &x| (-larger(-low, -x), larger(high, x)));
        let exact = larger(high / LARGEST - low / LARGEST, largest_magnitude(values) / FURTHEST);
        let step = f16::from_f32(exact).to_f32();
        let exact_zero = -low * reciprocal(step);
        (Self { step, zero: exact_zero, exact_zero }, exact)
    }

    /// The code of a weight.
    #[inline]
    fn code(&self, x: f32, inverse: f32) -> f32 {
        (x * inverse + self.zero).round_ties_even().clamp(0.0, LARGEST)
    }

    /// Moves the zero point by one round; gives Σ |w − decoded| before it. Errors are shrunk in units of 1 / `unit`.
    fn round(&mut self, values: &[f32], beta: f64, unit: f64) -> f64 {
        let inverse = reciprocal(self.step);
        let (mut loss, mut zeros) = (0f64, 0f64);
        for &x in values {
            let code = self.code(x, inverse);
            let error = f64::from(x - (code - self.zero) * self.step);
            loss += error.abs();
            let kept = f64::from(x) - shrink(error * unit, beta) / unit;
            zeros += f64::from(code) - kept * f64::from(inverse);
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a mean over at most 128 weights")]
        let zero = (zeros / values.len() as f64) as f32;
        self.zero = zero.clamp(self.exact_zero - 1.0, self.exact_zero + 1.0);
        loss
    }
}

impl Hqq {
    fn row(&self, info: &TensorInfo) -> Row {
        let (_, cols) = info.rows_cols();
        Row { cols, code_bytes: cols.div_ceil(2), scale_bytes: 4 * cols.div_ceil(self.0.group) }
    }

    /// Each group's grid, row by row, from its range.
    fn start(&self, values: &[f32], cols: usize) -> (Vec<Grid>, Rounding) {
        let started = values.par_chunks(cols).flat_map_iter(|row| row.chunks(self.0.group).map(Grid::start));
        let started: Vec<(Grid, f32)> = started.collect();
        let rounding = started.iter().fold(Rounding::default(), |r, (grid, exact)| r.merge(Rounding::of(f64::from(*exact), grid.step)));
        (started.into_iter().map(|(grid, _)| grid).collect(), rounding)
    }

    /// Optimises zero points, and rounds them to f16.
    fn optimise(&self, values: &[f32], cols: usize, grids: &mut [Grid]) {
        let unit = unit(values);
        let (mut beta, mut best) = (BETA, f64::INFINITY);
        for _ in 0..ROUNDS {
            let rows = values.par_chunks(cols).zip(grids.par_chunks_mut(cols.div_ceil(self.0.group)));
            let losses =
                rows.map(|(row, grids)| row.chunks(self.0.group).zip(grids).map(|(values, grid)| grid.round(values, beta, unit)).sum());
            // Summed row by row, in order, whatever the number of threads.
            let loss = losses.collect::<Vec<f64>>().into_iter().sum::<f64>();
            if loss >= best {
                break;
            }
            best = loss;
            beta *= KAPPA;
        }
        grids.iter_mut().for_each(|grid| grid.zero = f16::from_f32(grid.zero).to_f32());
    }
}

/// The power of two that brings the weights' root mean square to between 1/64 and 1/32.
fn unit(values: &[f32]) -> f64 {
    let largest = f64::from(largest_magnitude(values));
    if largest == 0.0 {
        return 1.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a number of weights")]
    let mean = values.iter().map(|&x| (f64::from(x) / largest).powi(2)).sum::<f64>() / values.len() as f64;
    let exponent = (mean.sqrt() * largest).to_bits() >> 52;
    f64::from_bits((2 * 1023 - 6 - exponent) << 52)
}

/// The proximal operator of |e|^0.7: |e| − |e|^−0.3 / β, or zero where that is negative, with the sign of e.
fn shrink(error: f64, beta: f64) -> f64 {
    let size = error.abs();
    if size <= NOTHING {
        return 0.0;
    }
    (size - inverse_root(size * size * size) / beta).max(0.0).copysign(error)
}

/// x^−0.1 by Newton's method in plain arithmetic: the standard library's powers differ between machines. For x from 1e-3 on.
fn inverse_root(x: f64) -> f64 {
    // From below the root each step of y ← y·(11 − x·y¹⁰)/10 climbs towards it, by a tenth at first; so does halving bring it below.
    let mut y = 1.0;
    while x * power_of_ten(y) > 1.0 {
        y /= 2.0;
    }
    for _ in 0..40 {
        y *= (11.0 - x * power_of_ten(y)) / 10.0;
    }
    y
}

/// y¹⁰.
fn power_of_ten(y: f64) -> f64 {
    let square = y * y;
    let fourth = square * square;
    fourth * fourth * square
}

fn encode_group(values: &[f32], codes: &mut [u8], grid: &Grid) {
    let inverse = reciprocal(grid.step);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 0 to 15")]
    let code = |x: f32| grid.code(x, inverse) as u8;
    for (byte, pair) in codes.iter_mut().zip(values.chunks(2)) {
        *byte = code(pair[0]) | pair.get(1).map_or(0, |&high| code(high)) << 4;
    }
}

fn decode_group(codes: &[u8], scale: [u8; 4], values: &mut [f32]) -> bool {
    let [step, zero] = [[scale[0], scale[1]], [scale[2], scale[3]]].map(|bytes| f16::from_le_bytes(bytes).to_f32());
    for (byte, pair) in codes.iter().zip(values.chunks_mut(2)) {
        for (x, nibble) in pair.iter_mut().zip([byte & 15, byte >> 4]) {
            *x = (f32::from(nibble) - zero) * step;
        }
    }
    step.is_finite() && zero.is_finite()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fidelity::Fidelity;
    use crate::kernels::testing::{assert_refuses, assert_relative_error, matrix};
    use crate::registry::Registry;
    use crate::sample;

    #[test]
    fn gaussian_error() {
        assert_relative_error("hqq", 0.0861);
    }

    #[test]
    fn the_tenth_root_is_the_standard_library_s() {
        for x in [1e-3, 0.02, 0.5, 1.0, 1.5, 2.0, 1e3, 1e9, 1e30] {
            let (found, expected) = (inverse_root(x), f64::powf(x, -0.1));
            assert!((found / expected - 1.0).abs() < 1e-12, "{x}: {found}, not {expected}");
        }
        assert_eq!(shrink(-0.11, 12.2), 0.0);
        assert!((shrink(-2.0, 10.0) + (2.0 - f64::powf(2.0, -0.3) / 10.0)).abs() < 1e-12);
        // What is taken for nothing is nothing at every β.
        let beta = BETA * KAPPA.powi(20);
        assert!(NOTHING - NOTHING.powf(-0.3) / beta < 0.0);
    }

    #[test]
    fn the_error_does_not_depend_on_the_scale() {
        let values = sample::gaussian(64 * 256, 0.02, 1);
        let kernel = Registry::default().parse("hqq").unwrap();
        let error = |factor: f32| {
            let weights = matrix(64, values.iter().map(|x| x * factor).collect());
            let parts = kernel.encode(&weights, &Context::default()).unwrap();
            let decoded = kernel.decode(&parts, weights.info(), &Context::default()).unwrap();
            Fidelity::of(&weights.to_f32(), &decoded.to_f32()).relative_error()
        };
        for factor in [0.25, 16.0, 4096.0] {
            assert_eq!(error(factor), error(1.0), "{factor}");
        }
    }

    #[test]
    fn the_zero_point_beats_the_range_s() {
        let values = sample::gaussian(64 * 256, 0.02, 1);
        let hqq = Hqq(Config::default());
        let (mut grids, _) = hqq.start(&values, 256);
        let loss = |grids: &[Grid]| -> f64 { values.chunks(64).zip(grids).map(|(v, g)| g.clone().round(v, BETA, 1.0)).sum() };
        let before = loss(&grids);
        hqq.optimise(&values, 256, &mut grids);
        assert!(loss(&grids) < before);
    }

    #[test]
    fn scales_beyond_f16_are_refused() {
        assert_refuses("hqq", &[1e-30, 1e8]);
    }

    #[test]
    fn groups_far_from_zero_keep_their_mean() {
        // The step is 3/256.
        let weights = matrix(1, (0..64).map(|i| 3.0 + i as f32 * 1e-6).collect());
        let kernel = Registry::default().parse("hqq").unwrap();
        let parts = kernel.encode(&weights, &Context::default()).unwrap();
        let decoded = kernel.decode(&parts, weights.info(), &Context::default()).unwrap();
        assert!(decoded.to_f32().iter().all(|x| (x - 3.0).abs() < 0.006), "{:?}", decoded.to_f32());
    }
}
