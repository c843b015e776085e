//! From weights to codebooks and codes: k-means, the second-order pass, the residual's k-means and a second pass with both.

use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use super::config::{Book, Config, Layout};
use super::kmeans::{Vectors, kmeans};
use super::nearest::{Codebook, Scratch};
use crate::kernels::second_order::{Factor, propagate};

/// Rows that one task takes through all columns, at least.
const ROWS: usize = 64;

/// Weights in the stored order of columns.
#[derive(Debug, Clone, Copy)]
pub struct Problem<'a> {
    /// Sizes.
    pub layout: &'a Layout,
    /// Row-major, at most 1 in magnitude.
    pub values: &'a [f32],
    /// Column of the tensor for each stored column.
    pub order: &'a [usize],
    /// diag(H), by columns of the tensor.
    pub diagonal: &'a [f64],
}

/// Codebooks, as they are stored.
#[derive(Debug)]
pub struct Codebooks {
    /// For all columns but the outliers.
    pub main: Codebook,
    /// For what `main` leaves.
    pub residual: Option<Codebook>,
    /// For outliers.
    pub outlier: Option<Codebook>,
}

/// What a pass gives.
#[derive(Debug, Default)]
pub struct Codes {
    /// A word for each vector: row of vectors by row of vectors, column by column.
    pub main: Vec<u32>,
    /// The same for outliers.
    pub outlier: Vec<u32>,
    /// What is left of each vector when it is quantised, and its weight.
    left: (Vec<f32>, Vec<f32>),
}

/// Learns the codebooks; needs a pass of its own where there is a residual one.
pub fn learn(problem: Problem<'_>, config: &Config, factor: Option<&Factor>) -> Codebooks {
    let Layout { main, outlier, .. } = *problem.layout;
    let first = problem.gather(&main, outlier.columns);
    let second = problem.gather(&outlier, 0);
    let learn = |length, (values, weights): &(Vec<f32>, Vec<f32>), count, seed| {
        stored(kmeans(Vectors { length, values, weights }, count, seed, config.iterations), length)
    };
    let mut books = Codebooks {
        main: learn(main.vector, &first, main.centroids, config.seed),
        residual: None,
        outlier: (outlier.columns > 0).then(|| learn(outlier.vector, &second, outlier.centroids, config.seed.wrapping_add(1))),
    };
    drop((first, second));
    if main.residual > 0 {
        let left = pass(problem, &books, factor).left;
        books.residual = Some(learn(main.vector, &left, main.residual, config.seed.wrapping_add(2)));
    }
    books
}

/// A codebook whose values are what f16 keeps of them.
fn stored(mut centroids: Vec<f32>, vector: usize) -> Codebook {
    for c in &mut centroids {
        *c = f16::from_f32(c.clamp(-f16::MAX.to_f32(), f16::MAX.to_f32())).to_f32();
    }
    Codebook::new(centroids, vector)
}

/// A codebook's bytes.
pub fn codebook_bytes(codebook: &Codebook) -> Vec<u8> {
    let mut halves = vec![f16::ZERO; codebook.centroids.len()];
    halves.convert_from_f32_slice(&codebook.centroids);
    halves.into_iter().flat_map(f16::to_le_bytes).collect()
}

/// Quantises all columns in the stored order: the nearest centroid, then the nearest residual centroid to what it leaves.
pub fn pass(problem: Problem<'_>, books: &Codebooks, factor: Option<&Factor>) -> Codes {
    let Layout { rows, main, outlier, .. } = *problem.layout;
    let multiple = if outlier.columns > 0 { least_common_multiple(main.vector, outlier.vector) } else { main.vector };
    let height = multiple * ROWS.div_ceil(multiple);
    let tasks = (0..rows.div_ceil(height)).into_par_iter().map(|task| {
        let start = task * height;
        let mut weights = problem.columns(start, height);
        let bands = |book: &Book| (height / book.vector).min(book.bands - start / book.vector);
        let (main_bands, outlier_bands) = (bands(&main), bands(&outlier));
        let mut codes = Codes {
            main: vec![0; main_bands * main.columns],
            outlier: vec![0; outlier_bands * outlier.columns],
            left: (Vec::new(), Vec::new()),
        };
        let mut scratch = Scratch::default();
        propagate(factor, &mut weights, height, |j, weights, decoded| {
            let column = &weights[j * height..][..height];
            // Rows of padding beyond the last vector are right as they are.
            decoded.copy_from_slice(column);
            if let Some(book) = books.outlier.as_ref().filter(|_| j < outlier.columns) {
                let vectors = column.chunks_exact(book.vector).zip(decoded.chunks_exact_mut(book.vector));
                for (band, (x, decoded)) in vectors.take(outlier_bands).enumerate() {
                    let index = book.nearest(x, &mut scratch).index;
                    decoded.copy_from_slice(book.centroid(index));
                    codes.outlier[band * outlier.columns + j] = index;
                }
                return;
            }
            let at = j - outlier.columns;
            let vectors = column.chunks_exact(main.vector).zip(decoded.chunks_exact_mut(main.vector));
            for (band, (x, decoded)) in vectors.take(main_bands).enumerate() {
                let mut word = books.main.nearest(x, &mut scratch).index;
                decoded.copy_from_slice(books.main.centroid(word));
                if main.residual > 0 {
                    let left: Vec<f32> = x.iter().zip(&*decoded).map(|(x, c)| x - c).collect();
                    if let Some(residual) = &books.residual {
                        let index = residual.nearest(&left, &mut scratch).index;
                        decoded.iter_mut().zip(residual.centroid(index)).for_each(|(x, r)| *x += r);
                        word |= index << main.index_bits();
                    } else {
                        codes.left.0.extend(left);
                        codes.left.1.push(problem.weight(j));
                    }
                }
                codes.main[band * main.columns + at] = word;
            }
        });
        codes
    });
    let tasks: Vec<Codes> = tasks.collect();
    let mut all = Codes::default();
    for codes in tasks {
        all.main.extend(codes.main);
        all.outlier.extend(codes.outlier);
        all.left.0.extend(codes.left.0);
        all.left.1.extend(codes.left.1);
    }
    all
}

impl Problem<'_> {
    /// Weight of a stored column in k-means.
    fn weight(&self, stored: usize) -> f32 {
        #[expect(clippy::cast_possible_truncation, reason = "in units of the mean")]
        let weight = self.diagonal[self.order[stored]] as f32;
        weight
    }

    /// Column after column of `height` rows from `start` on, zeros beyond the tensor's.
    fn columns(&self, start: usize, height: usize) -> Vec<f32> {
        let Layout { rows, columns, .. } = *self.layout;
        let mut out = vec![0.0; columns * height];
        for i in 0..height.min(rows - start) {
            let row = &self.values[(start + i) * columns..][..columns];
            for (column, &from) in out.chunks_exact_mut(height).zip(self.order) {
                column[i] = row[from];
            }
        }
        out
    }

    /// The vectors of a book's columns, which start at stored column `from`, and their weights.
    fn gather(&self, book: &Book, from: usize) -> (Vec<f32>, Vec<f32>) {
        let Layout { rows, columns, .. } = *self.layout;
        let mut values = Vec::with_capacity(book.columns * book.bands * book.vector);
        let mut weights = Vec::with_capacity(book.columns * book.bands);
        for stored in from..from + book.columns {
            let column = self.order[stored];
            values.extend((0..book.bands * book.vector).map(|i| if i < rows { self.values[i * columns + column] } else { 0.0 }));
            weights.extend(std::iter::repeat_n(self.weight(stored), book.bands));
        }
        (values, weights)
    }
}

fn least_common_multiple(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y > 0 {
        (x, y) = (y, x % y);
    }
    a / x * b
}
