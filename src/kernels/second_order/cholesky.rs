//! Upper Cholesky factor of the inverse of a symmetric positive definite matrix, f64, row-major.
//!
//! Plain code, no crate: everything is row updates `row −= factor · other row`, which the compiler vectorises without reordering a sum, so
//! the bits are the same on every processor and any number of threads. A BLAS-like crate would be faster on thousands of inputs and would
//! choose its own order of summation by processor.
//!
//! With J the reversal of rows and columns and JHJ = RᵀR, H⁻¹ = UᵀU holds for U = J R⁻ᵀ J: one factorisation and one triangular inverse.

use rayon::prelude::*;

use super::{Factor, subtract};

/// Rows of a panel, and columns of the inverse that one task takes.
const PANEL: usize = 64;

/// The factor of the inverse of an n × n matrix given by its reversal `reversed` = JHJ (upper half); `None` where it is not positive
/// definite.
pub fn factor_of_inverse(mut reversed: Vec<f64>, n: usize) -> Option<Factor> {
    decompose(&mut reversed, n)?;
    Some(Factor { size: n, values: invert(&reversed, n) })
}

/// Replaces the upper half of A by R, A = RᵀR: by panels, each applied to all rows below at once, in the order of the unblocked form.
fn decompose(a: &mut [f64], n: usize) -> Option<()> {
    for start in (0..n).step_by(PANEL) {
        let end = (start + PANEL).min(n);
        let (panel, below) = a[start * n..].split_at_mut((end - start) * n);
        for k in start..end {
            let (above, rest) = panel.split_at_mut((k + 1 - start) * n);
            let row = &mut above[(k - start) * n..];
            let root = row[k].sqrt();
            if !(root.is_finite() && root > 0.0) {
                return None;
            }
            row[k..].iter_mut().for_each(|x| *x /= root);
            for (i, other) in (k + 1..).zip(rest.chunks_exact_mut(n)) {
                subtract(&mut other[i..], row[i], &row[i..]);
            }
        }
        let panel = &*panel;
        below.par_chunks_exact_mut(n).enumerate().for_each(|(i, other)| {
            let i = end + i;
            for row in panel.chunks_exact(n) {
                subtract(&mut other[i..], row[i], &row[i..]);
            }
        });
    }
    Some(())
}

/// J R⁻ᵀ J as f32. Column c of R⁻¹ is its row n − 1 − c, backwards; tasks take [`PANEL`] columns and solve for them from the last row up.
fn invert(r: &[f64], n: usize) -> Vec<f32> {
    let mut values = vec![0f32; n * n];
    values.par_chunks_mut(PANEL * n).enumerate().for_each(|(task, rows)| {
        let width = rows.len() / n;
        let end = n - task * PANEL;
        let first = end - width;
        let mut solution = vec![0f64; end * width];
        for i in (0..end).rev() {
            let (above, below) = solution.split_at_mut((i + 1) * width);
            let row = &mut above[i * width..];
            if i >= first {
                row[i - first] = 1.0;
            }
            for (k, other) in (i + 1..end).zip(below.chunks_exact(width)) {
                subtract(row, r[i * n + k], other);
            }
            let pivot = r[i * n + i];
            row.iter_mut().for_each(|x| *x /= pivot);
        }
        for (row, values) in rows.chunks_exact_mut(n).enumerate() {
            for i in 0..end - row {
                #[expect(clippy::cast_possible_truncation, reason = "the pass works in f32")]
                let value = solution[i * width + (width - 1 - row)] as f32;
                values[n - 1 - i] = value;
            }
        }
    });
    values
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn the_factor_squares_to_the_inverse() {
        for n in [1, 2, 7, 63, 64, 65, 130, 200] {
            let x = sample::gaussian(2 * n * n, 1.0, 5);
            let entry = |i: usize, j: usize| x.chunks(n).map(|row| f64::from(row[i]) * f64::from(row[j])).sum::<f64>();
            let mut h = vec![0.0; n * n];
            for i in 0..n {
                for j in 0..n {
                    h[i * n + j] = entry(i, j) / (2.0 * n as f64) + if i == j { 0.1 } else { 0.0 };
                }
            }
            let reversed = h.iter().rev().copied().collect();
            let factor = factor_of_inverse(reversed, n).unwrap();
            assert!((0..n).all(|i| factor.row(i)[..i].iter().all(|&x| x == 0.0) && factor.row(i)[i] > 0.0));
            // UᵀU H = I.
            for i in 0..n {
                let inverse: Vec<f64> =
                    (0..n).map(|j| (0..n).map(|k| f64::from(factor.row(k)[i]) * f64::from(factor.row(k)[j])).sum()).collect();
                for j in 0..n {
                    let found: f64 = (0..n).map(|k| inverse[k] * h[k * n + j]).sum();
                    assert!((found - f64::from(u8::from(i == j))).abs() < 1e-4, "{n}: ({i}, {j}) is {found}");
                }
            }
        }
    }

    #[test]
    fn indefinite_and_broken_matrices_have_no_factor() {
        assert!(factor_of_inverse(vec![1.0, 2.0, 2.0, 1.0], 2).is_none());
        assert!(factor_of_inverse(vec![f64::NAN], 1).is_none());
        assert!(factor_of_inverse(vec![0.0], 1).is_none());
    }
}
