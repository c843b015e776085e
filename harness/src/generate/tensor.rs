//! Rows of a tensor, each made alone: Gaussian cells, a low-rank part with a power-law spectrum, scales of rows and columns, rare outliers.
//!
//! With i a row and j a column, both scales of mean square 1, g, n and t standard normal:
//!
//! ```text
//! w[i,j] = row[i]·col[j]·( √(1−ρ)·n[i,j]·tail[t[i,j]] + √ρ·Σ_k g[i,k]·d[k]·h[k,j] )      d[k] ∝ (k + offset)^−decay
//! ```
//!
//! The directions h are rows of a Hadamard matrix with random signs of its columns, so a row's low-rank part is one fast transform. Then
//! a common row is mixed in, a share of cells is overwritten by outliers, half of them in hot columns, and all is scaled to the standard
//! deviation. What normalisation needs is known from the parameters and from the scales of rows and columns: no pass over the cells.

use std::ops::Range;

use rayon::prelude::*;
use weighbridge::weights::TensorInfo;

use super::draw::{Draw, Stream, below, exponential, high, normal, normals, poisson, uniform};
use super::hadamard;
use super::layer::Layer;

/// Magnitude at which outliers begin, in standard deviations.
const OUTLIER_FLOOR: f64 = 6.0;
/// One column in so many is hot.
const HOT_COLUMNS: usize = 128;
/// Steps of the table of heavy-tail factors: quantiles of their distribution.
const TAIL_STEPS: usize = 1024;
/// Standard deviation, between tensors of a kind, of the logarithm of their standard deviation.
const STD_VARIES: f64 = 0.10;
/// The same for the spread of scales of rows, and of columns.
const SCALES_VARY: f64 = 0.12;
/// The same for the share of outliers, and for the magnitude of the massive weight.
const OUTLIERS_VARY: f64 = 0.4;
/// Rows that one task makes at a time hold about this many elements.
const TASK_ELEMENTS: usize = 1 << 16;

/// What a tensor is filled with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Content {
    /// Weights of a kind of layer.
    Layer(&'static Layer),
    /// Independent Gaussian values: biases, and gains of normalisation layers.
    Gaussian {
        /// Mean.
        mean: f64,
        /// Standard deviation.
        std: f64,
    },
}

/// A tensor to make.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorSpec {
    /// Name, shape, dtype.
    pub info: TensorInfo,
    /// What it is filled with.
    pub content: Content,
}

/// All that the rows of one tensor share.
#[derive(Debug)]
pub struct Prepared {
    draw: Draw,
    rows: usize,
    columns: usize,
    cells: Cells,
}

#[derive(Debug)]
enum Cells {
    Gaussian { mean: f32, std: f32 },
    Layer(Box<LayerCells>),
}

#[derive(Debug)]
struct LayerCells {
    /// Scale, sign and common value of each column; the first holds √(1−common), the last is 0 without a common row.
    column_scales: Vec<f32>,
    column_signs: Vec<f32>,
    common: Vec<f32>,
    /// √ρ·d of each direction, and its place in the transform.
    spectrum: Vec<f32>,
    directions: Vec<usize>,
    transform_length: usize,
    /// √(1−ρ)·exp(tail·t) at the quantiles of t.
    tails: Vec<f32>,
    row_spread: f64,
    /// 1/RMS of all row scales.
    row_normaliser: f64,
    /// From units of one standard deviation to values.
    unit: f64,
    outliers: Outliers,
}

#[derive(Debug)]
struct Outliers {
    /// Expected number in a row.
    per_row: f64,
    /// Mean excess over the floor.
    excess: f64,
    hot_share: f64,
    hot_columns: Vec<usize>,
    /// Row, column and value, in standard deviations, of the massive weight.
    massive: Option<(usize, usize, f64)>,
}

impl Prepared {
    /// Prepares a tensor; depends on version, seed and the specification only.
    pub fn new(version: u32, seed: u64, spec: &TensorSpec) -> Self {
        let draw = Draw::new(version, seed, &spec.info.name);
        let (rows, columns) = spec.info.rows_cols();
        let cells = match spec.content {
            Content::Gaussian { mean, std } => Cells::Gaussian { mean: to_f32(mean), std: to_f32(std) },
            Content::Layer(layer) => Cells::Layer(Box::new(LayerCells::new(draw, layer, rows, columns))),
        };
        Self { draw, rows, columns, cells }
    }

    /// Number of rows: of elements for a vector.
    pub fn row_count(&self) -> usize {
        self.rows
    }

    /// Values of a range of rows, row-major, before they are rounded to the tensor's dtype. The same on any number of threads.
    pub fn rows(&self, range: Range<usize>) -> Vec<f32> {
        let mut values = vec![0.0; range.len() * self.columns];
        match &self.cells {
            Cells::Gaussian { mean, std } => {
                for (out, row) in values.chunks_exact_mut(self.columns.max(1)).zip(range) {
                    out.iter_mut().enumerate().for_each(|(j, value)| {
                        // A vector is a column: its elements are neighbours in one stream.
                        let (row, at) = if self.columns == 1 { (0, row) } else { (row, j) };
                        *value = mean + std * normal(high(self.draw.word(Stream::Cells, row, at)));
                    });
                }
            }
            Cells::Layer(cells) => {
                let task_rows = (TASK_ELEMENTS / self.columns.max(1)).max(1);
                let tasks = values.par_chunks_mut((task_rows * self.columns).max(1)).enumerate();
                tasks.for_each(|(task, out)| {
                    let mut scratch = Scratch::new(cells, self.columns);
                    for (k, out) in out.chunks_exact_mut(self.columns).enumerate() {
                        cells.row(self.draw, range.start + task * task_rows + k, out, &mut scratch);
                    }
                });
            }
        }
        values
    }
}

/// Buffers that rows of a task share.
struct Scratch {
    transform: Vec<f32>,
    bits: Vec<u32>,
    tails: Vec<u16>,
}

impl Scratch {
    fn new(cells: &LayerCells, columns: usize) -> Self {
        Self { transform: vec![0.0; cells.transform_length], bits: vec![0; columns], tails: vec![0; columns] }
    }
}

impl LayerCells {
    fn new(draw: Draw, layer: &Layer, rows: usize, columns: usize) -> Self {
        let vary = |index: usize, by: f64| libm::exp(by * draw.normal(Stream::Tensor, 0, index));
        let std = layer.std * vary(0, STD_VARIES);
        let (row_spread, column_spread) = (layer.row_spread * vary(1, SCALES_VARY), layer.column_spread * vary(2, SCALES_VARY));
        let outlier_share = layer.outliers * vary(3, OUTLIERS_VARY);
        let massive_std = layer.massive * vary(4, OUTLIERS_VARY);

        let (rank, spectrum) = spectrum(layer, rows.min(columns));
        let transform_length = columns.next_power_of_two();
        let places = draw.block(Stream::Tensor, 0, 2);
        let (step, start) = (below(places[0], transform_length) | 1, below(places[1], transform_length));
        let directions = (0..rank.min(transform_length)).map(|k| (k.wrapping_mul(step) + start) % transform_length).collect();

        let blocks: Vec<_> = (0..columns).map(|j| draw.block(Stream::Columns, 0, j)).collect();
        let common = |block: &[u64; 4]| {
            let (value, tail) = (normal(high(block[1])), normal(high(block[2])));
            f64::from(value) * libm::exp(layer.common_tail * f64::from(tail))
        };
        let common = normalised(blocks.iter().map(common).collect(), layer.common.sqrt());
        let gain = if layer.common > 0.0 { layer.common_gain / layer.common } else { 0.0 };
        let scale = |(block, &common): (&[u64; 4], &f32)| {
            let silent = uniform(block[3]) < layer.silent;
            let wider = 1.0 + gain * f64::from(common) * f64::from(common);
            if silent { 0.0 } else { wider * libm::exp(column_spread * f64::from(normal(high(block[0])))) }
        };
        let scales = normalised(blocks.iter().zip(&common).map(scale).collect(), (1.0 - layer.common).sqrt());
        let mean_square = |sum: f64, n: usize| sum / to_f64(n.max(1));
        let row_squares = (0..rows).map(|i| libm::exp(2.0 * row_spread * row_normal(draw, i))).sum();

        let elements = to_f64(rows) * to_f64(columns);
        let (floor, excess) = (OUTLIER_FLOOR, layer.excess);
        let outlier_square = floor * floor + 2.0 * floor * excess + 2.0 * excess * excess;
        let square = 1.0 + outlier_share * (outlier_square - 1.0) + massive_std * massive_std / elements.max(1.0);
        let massive = (massive_std > 0.0).then(|| {
            let sign = if places[2] & 1 == 0 { 1.0 } else { -1.0 };
            (below(places[2], rows), below(places[3], columns), sign * massive_std)
        });
        let hot_columns = (0..(columns / HOT_COLUMNS).max(1)).map(|k| below(draw.word(Stream::Tensor, 1, k), columns)).collect();
        Self {
            column_scales: scales,
            column_signs: blocks.iter().map(|b| if b[3] & 1 == 0 { 1.0 } else { -1.0 }).collect(),
            common,
            spectrum,
            directions,
            transform_length,
            tails: tails(layer),
            row_spread,
            row_normaliser: 1.0 / mean_square(row_squares, rows).sqrt(),
            unit: std / square.sqrt(),
            outliers: Outliers { per_row: outlier_share * to_f64(columns), excess, hot_share: layer.hot, hot_columns, massive },
        }
    }

    /// Fills one row.
    fn row(&self, draw: Draw, row: usize, out: &mut [f32], scratch: &mut Scratch) {
        scratch.transform.fill(0.0);
        let mut k = 0;
        draw.words(Stream::Factors, row, 0..self.directions.len(), |word| {
            scratch.transform[self.directions[k]] = normal(high(word)) * self.spectrum[k];
            k += 1;
        });
        hadamard::transform(&mut scratch.transform);

        let mut j = 0;
        draw.words(Stream::Cells, row, 0..out.len(), |word| {
            scratch.bits[j] = high(word);
            scratch.tails[j] = u16::try_from(word % TAIL_STEPS as u64).unwrap_or(0);
            j += 1;
        });
        normals(&scratch.bits, out);

        let scale = to_f32(libm::exp(self.row_spread * row_normal(draw, row)) * self.row_normaliser * self.unit);
        let unit = to_f32(self.unit);
        for (j, value) in out.iter_mut().enumerate() {
            let white = *value * self.tails[usize::from(scratch.tails[j])];
            let cell = white + scratch.transform[j] * self.column_signs[j];
            *value = cell * self.column_scales[j] * scale + self.common[j] * unit;
        }
        self.overwrite(draw, row, out);
    }

    /// Puts a row's outliers into it.
    fn overwrite(&self, draw: Draw, row: usize, out: &mut [f32]) {
        let Outliers { per_row, excess, hot_share, hot_columns, massive } = &self.outliers;
        for k in 0..poisson(draw.word(Stream::Row, row, 1), *per_row) {
            let block = draw.block(Stream::Outliers, row, k);
            let hot = uniform(block[0]) < *hot_share;
            let column = if hot { hot_columns[below(block[1], hot_columns.len())] } else { below(block[1], out.len()) };
            let magnitude = OUTLIER_FLOOR + excess * exponential(block[2]);
            let sign = if block[3] & 1 == 0 { 1.0 } else { -1.0 };
            if self.column_scales[column] > 0.0 {
                out[column] = to_f32(sign * magnitude * self.unit);
            }
        }
        if let Some((massive_row, column, magnitude)) = *massive
            && massive_row == row
        {
            out[column] = to_f32(magnitude * self.unit);
        }
    }
}

fn row_normal(draw: Draw, row: usize) -> f64 {
    draw.normal(Stream::Row, row, 0)
}

/// Directions of the low-rank part, and √ρ times the share of each: (k + offset)^−decay, of squares 1 together.
fn spectrum(layer: &Layer, smaller: usize) -> (usize, Vec<f32>) {
    let smaller = to_f64(smaller);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a dimension")]
    let rank = ((layer.rank * smaller).round() as usize).max(1);
    let power = |k: usize| libm::exp(-layer.decay * libm::log(to_f64(k) + (layer.offset * smaller).max(1.0)));
    (rank, normalised_sum((0..rank).map(power).collect(), layer.low_rank.sqrt()))
}

/// √(1−ρ)·exp(tail·t) at the quantiles of t, of mean square 1−ρ.
fn tails(layer: &Layer) -> Vec<f32> {
    let quantile = |k: usize| {
        let middle = u32::try_from((2 * k + 1) << 21).unwrap_or(u32::MAX);
        libm::exp(layer.tail * f64::from(normal(middle)))
    };
    normalised((0..TAIL_STEPS).map(quantile).collect(), (1.0 - layer.low_rank).sqrt())
}

/// Values scaled to this root mean square; sums in order.
fn normalised(values: Vec<f64>, rms: f64) -> Vec<f32> {
    let n = to_f64(values.len().max(1));
    normalised_sum(values, rms * n.sqrt())
}

/// Values scaled to this root of the sum of squares; sums in order. All zeros stay zeros.
fn normalised_sum(values: Vec<f64>, norm: f64) -> Vec<f32> {
    let sum: f64 = values.iter().map(|v| v * v).sum();
    let factor = if sum > 0.0 { norm / sum.sqrt() } else { 0.0 };
    values.into_iter().map(|v| to_f32(v * factor)).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
const fn to_f32(value: f64) -> f32 {
    value as f32
}

#[expect(clippy::cast_precision_loss, reason = "dimensions are far below 2^53")]
const fn to_f64(value: usize) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::VERSION;
    use crate::generate::layer::LAYERS;
    use sha2::{Digest, Sha256};
    use weighbridge::weights::Dtype;

    fn spec(name: &str, shape: &[usize], content: Content) -> TensorSpec {
        TensorSpec { info: TensorInfo { name: name.to_owned(), shape: shape.to_vec(), dtype: Dtype::F32 }, content }
    }

    #[test]
    fn any_rows_can_be_made_alone() {
        for layer in LAYERS {
            let prepared = Prepared::new(VERSION, 3, &spec("w", &[40, 5, 3, 3], Content::Layer(layer)));
            let all = prepared.rows(0..40);
            let (a, b) = (prepared.rows(0..17), prepared.rows(17..40));
            assert!([a, b].concat() == all, "{}", layer.id);
            assert!(all.iter().all(|v| v.is_finite()), "{}", layer.id);
        }
        let vector = Prepared::new(VERSION, 3, &spec("b", &[1000], Content::Gaussian { mean: 0.5, std: 0.1 }));
        let all = vector.rows(0..1000);
        assert_eq!([vector.rows(0..333), vector.rows(333..1000)].concat(), all);
        let mean = all.iter().sum::<f32>() / 1000.0;
        assert!((mean - 0.5).abs() < 0.015, "{mean}");
    }

    #[test]
    fn threads_do_not_matter_and_seeds_and_names_do() {
        let layer = Content::Layer(&LAYERS[0]);
        let make = |seed: u64, name: &str| Prepared::new(VERSION, seed, &spec(name, &[300, 600], layer)).rows(0..300);
        let pool = |n: usize| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
        let all = make(1, "w");
        assert!(pool(1).install(|| make(1, "w")) == all && pool(3).install(|| make(1, "w")) == all);
        let same = |other: &[f32]| other.iter().zip(&all).filter(|(a, b)| a == b).count();
        assert!(same(&make(2, "w")) < 5 && same(&make(1, "v")) < 5);
    }

    #[test]
    fn dimensions_of_one_and_of_no_power_of_two_are_fine() {
        for layer in LAYERS {
            for shape in [[1, 1], [1, 7], [9, 1], [3, 1025]] {
                let values = Prepared::new(VERSION, 1, &spec("w", &shape, Content::Layer(layer))).rows(0..shape[0]);
                assert!(values.len() == shape[0] * shape[1] && values.iter().all(|v| v.is_finite()), "{} {shape:?}", layer.id);
            }
        }
    }

    /// The same bits on every machine, for ever: a change to any of them is a new version of the generator.
    #[test]
    fn version_1_is_pinned() {
        let mut digest = Sha256::new();
        for layer in LAYERS {
            let prepared = Prepared::new(1, 42, &spec(layer.id, &[64, 200], Content::Layer(layer)));
            prepared.rows(0..64).iter().for_each(|v| digest.update(v.to_le_bytes()));
        }
        let vector = Prepared::new(1, 42, &spec("bias", &[100], Content::Gaussian { mean: 0.1, std: 0.2 }));
        vector.rows(0..100).iter().for_each(|v| digest.update(v.to_le_bytes()));
        let found: String = digest.finalize().iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(found, "5440fb6efcc53061f49f22218b6f1789a0bc2449285a47ed80d93f87ecb72a3c");
    }
}
