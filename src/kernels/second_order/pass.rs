//! The pass itself, by blocks of 128 columns.

use super::{Factor, subtract};

/// Columns of a block: later blocks hear of a block's errors when it is done.
const BLOCK: usize = 128;

/// Quantises the columns of some rows in order, propagating each column's error to the later ones.
///
/// `weights` holds column after column of `rows` values, which change as errors arrive. `quantise` is given the column's number, all columns
/// as they stand (those up to it no longer change) and the place for its decoded values. Without a factor nothing is propagated. Rows do
/// not see each other, so a caller may split a matrix by rows; nor does blocking change any bit, because each value takes its updates in
/// the order of the columns.
pub fn propagate(factor: Option<&Factor>, weights: &mut [f32], rows: usize, mut quantise: impl FnMut(usize, &[f32], &mut [f32])) {
    let count = weights.len() / rows;
    let mut decoded = vec![0f32; rows];
    let mut errors = vec![0f32; rows * BLOCK];
    for start in (0..count).step_by(BLOCK) {
        let end = (start + BLOCK).min(count);
        for j in start..end {
            quantise(j, weights, &mut decoded);
            let Some(factor) = factor else { continue };
            let factors = factor.row(j);
            let (done, later) = weights.split_at_mut((j + 1) * rows);
            let error = &mut errors[(j - start) * rows..][..rows];
            for ((error, w), q) in error.iter_mut().zip(&done[j * rows..]).zip(&decoded) {
                *error = (w - q) / factors[j];
            }
            for (column, &factor) in later.chunks_exact_mut(rows).zip(&factors[j + 1..end]) {
                subtract(column, factor, error);
            }
        }
        let Some(factor) = factor else { continue };
        for (l, column) in (end..).zip(weights[end * rows..].chunks_exact_mut(rows)) {
            for (j, error) in (start..end).zip(errors.chunks_exact(rows)) {
                subtract(column, factor.row(j)[l], error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Context;
    use crate::kernels::second_order::{Curvature, synthetic};
    use crate::sample;
    use crate::simd::Level;
    use crate::weights::{Dtype, TensorInfo};

    /// Rounds to multiples of a quarter.
    fn coarse(x: f32) -> f32 {
        (x * 4.0).round() / 4.0
    }

    /// Optimal brain quantisation as written, for one row: after each input its row and column leave H⁻¹ by a step of Gaussian elimination.
    fn obq(mut inverse: Vec<f64>, mut w: Vec<f64>) -> Vec<f64> {
        let n = w.len();
        let mut out = vec![0.0; n];
        for q in 0..n {
            #[expect(clippy::cast_possible_truncation, reason = "a test")]
            let decoded = f64::from(coarse(w[q] as f32));
            out[q] = decoded;
            let (error, pivot) = (w[q] - decoded, inverse[q * n + q]);
            let row: Vec<f64> = inverse[q * n..][..n].to_vec();
            for l in q..n {
                w[l] -= error / pivot * row[l];
            }
            for i in q..n {
                for l in q..n {
                    inverse[i * n + l] -= row[i] * row[l] / pivot;
                }
            }
        }
        out
    }

    /// Gauss–Jordan inverse.
    fn inverse(mut a: Vec<f64>, n: usize) -> Vec<f64> {
        let mut out = vec![0.0; n * n];
        (0..n).for_each(|i| out[i * n + i] = 1.0);
        for k in 0..n {
            let pivot = a[k * n + k];
            for j in 0..n {
                a[k * n + j] /= pivot;
                out[k * n + j] /= pivot;
            }
            for i in (0..n).filter(|&i| i != k) {
                let factor = a[i * n + k];
                for j in 0..n {
                    a[i * n + j] -= factor * a[k * n + j];
                    out[i * n + j] -= factor * out[k * n + j];
                }
            }
        }
        out
    }

    #[test]
    fn the_blocked_pass_is_optimal_brain_quantisation_in_order() {
        // 300 inputs: two whole blocks and one of 44.
        let (rows, n) = (6, 300);
        let gram = synthetic::inputs(600, n, 3).gram();
        let info = TensorInfo { name: "w".into(), shape: vec![rows, n], dtype: Dtype::F32 };
        let curvature = Curvature::new(&Context { simd: Level::Scalar, gram: Some(&gram), ..Context::default() }, &info).unwrap();
        let order: Vec<usize> = (0..n).collect();
        let factor = curvature.factor(&order).unwrap();
        let weights = sample::gaussian(rows * n, 1.0, 4);

        let mut columns: Vec<f32> = (0..rows * n).map(|i| weights[i % rows * n + i / rows]).collect();
        let mut found = vec![0f32; rows * n];
        propagate(factor.as_ref(), &mut columns, rows, |j, weights, decoded| {
            for (i, decoded) in decoded.iter_mut().enumerate() {
                *decoded = coarse(weights[j * rows + i]);
                found[i * n + j] = *decoded;
            }
        });

        let mean = (0..n).map(|i| f64::from(gram.values[i * n + i])).sum::<f64>() / n as f64;
        let h = (0..n * n).map(|i| f64::from(gram.values[i]) + if i % (n + 1) == 0 { 0.01 * mean } else { 0.0 }).collect();
        let inverse = inverse(h, n);
        for row in 0..rows {
            let expected = obq(inverse.clone(), weights[row * n..][..n].iter().map(|&x| f64::from(x)).collect());
            let differ = expected.iter().zip(&found[row * n..]).filter(|&(&a, &b)| a != f64::from(b)).count();
            assert_eq!(differ, 0, "row {row}");
        }
        assert!(found.iter().zip(&weights).any(|(&a, &b)| a != coarse(b)));
    }

    #[test]
    fn without_a_factor_each_column_is_quantised_as_it_is() {
        let weights = sample::gaussian(5 * 200, 1.0, 4);
        let mut columns = weights.clone();
        let mut seen = Vec::new();
        propagate(None, &mut columns, 5, |j, weights, _| seen.extend_from_slice(&weights[j * 5..][..5]));
        assert_eq!(seen, weights);
    }
}
