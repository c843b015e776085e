//! Singular values of a matrix: eigenvalues of its Gram matrix by Householder reduction to tridiagonal form and implicit QL steps
//! (Golub and Van Loan, *Matrix Computations*, §8.3). Squaring costs half of the digits of small values, which statistics do not need.

use rayon::prelude::*;

/// QL steps an eigenvalue may take; it hardly ever takes more than two.
const MAX_STEPS: usize = 60;

/// Singular values of a row-major matrix, largest first. Sums are taken in one order, on any number of threads.
pub fn singular_values(values: &[f32], columns: usize) -> Vec<f64> {
    let rows = values.len().checked_div(columns).unwrap_or(0);
    let vectors = if columns <= rows { transposed(values, columns) } else { values.iter().map(|&v| f64::from(v)).collect() };
    let size = columns.min(rows);
    let length = columns.max(rows);
    let vector = |i: usize| &vectors[i * length..(i + 1) * length];
    let gram: Vec<Vec<f64>> = (0..size).into_par_iter().map(|i| (0..=i).map(|j| dot(vector(i), vector(j))).collect()).collect();
    let mut eigenvalues = eigenvalues(gram);
    eigenvalues.sort_by(|a, b| b.total_cmp(a));
    eigenvalues.into_iter().map(|v| v.max(0.0).sqrt()).collect()
}

fn transposed(values: &[f32], columns: usize) -> Vec<f64> {
    (0..columns).flat_map(|j| values.iter().skip(j).step_by(columns).map(|&v| f64::from(v))).collect()
}

/// Eight sums side by side, so that the compiler can vectorise them, then their sum.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a.remainder().iter().zip(b.remainder()).map(|(x, y)| x * y).sum();
    for (a, b) in a.zip(b) {
        for k in 0..8 {
            sums[k] += a[k] * b[k];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// Eigenvalues of a symmetric matrix, given by its lower triangle.
fn eigenvalues(mut lower: Vec<Vec<f64>>) -> Vec<f64> {
    let (mut diagonal, mut off) = tridiagonal(&mut lower);
    ql(&mut diagonal, &mut off);
    diagonal
}

/// Diagonal and the elements beside it (the first of which is unused) of a similar tridiagonal matrix; works from the last row up.
fn tridiagonal(a: &mut [Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let n = a.len();
    let (mut diagonal, mut off) = (vec![0.0; n], vec![0.0; n]);
    for i in (1..n).rev() {
        let (above, row) = a.split_at_mut(i);
        let row = &mut row[0];
        diagonal[i] = row[i];
        let norm = row[..i].iter().map(|x| x * x).sum::<f64>().sqrt();
        let corner = if row[i - 1] > 0.0 { -norm } else { norm };
        off[i] = corner;
        // v = row − corner·e; H = 1 − v·vᵀ/h
        let h = norm * norm - row[i - 1] * corner;
        if h == 0.0 {
            continue;
        }
        let v = &mut row[..i];
        v[i - 1] -= corner;
        // p = A·v/h with A symmetric and lower stored; then A ← A − v·wᵀ − w·vᵀ with w = p − (vᵀp / 2h)·v
        let mut w = vec![0.0; i];
        for j in 0..i {
            let line = &above[j][..=j];
            w[j] += line.iter().zip(&*v).map(|(x, y)| x * y).sum::<f64>();
            for (w, x) in w[..j].iter_mut().zip(line) {
                *w += x * v[j];
            }
        }
        w.iter_mut().for_each(|x| *x /= h);
        let half = w.iter().zip(&*v).map(|(x, y)| x * y).sum::<f64>() / (2.0 * h);
        w.iter_mut().zip(&*v).for_each(|(w, v)| *w -= half * v);
        for j in 0..i {
            for (k, x) in above[j][..=j].iter_mut().enumerate() {
                *x -= v[j] * w[k] + w[j] * v[k];
            }
        }
    }
    if n > 0 {
        diagonal[0] = a[0][0];
    }
    (diagonal, off)
}

/// Turns the diagonal of a tridiagonal matrix into its eigenvalues.
fn ql(diagonal: &mut [f64], off: &mut [f64]) {
    let n = diagonal.len();
    off.rotate_left(usize::from(n > 0));
    for l in 0..n {
        for _ in 0..MAX_STEPS {
            let small = |m: &usize| off[*m].abs() <= f64::EPSILON * (diagonal[*m].abs() + diagonal[m + 1].abs());
            let m = (l..n - 1).find(small).unwrap_or(n - 1);
            if m == l {
                break;
            }
            let shape = (diagonal[l + 1] - diagonal[l]) / (2.0 * off[l]);
            let root = shape.hypot(1.0);
            let mut g = diagonal[m] - diagonal[l] + off[l] / (shape + root.copysign(shape));
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            let mut whole = true;
            for i in (l..m).rev() {
                let (f, b) = (s * off[i], c * off[i]);
                let r = f.hypot(g);
                off[i + 1] = r;
                if r == 0.0 {
                    diagonal[i + 1] -= p;
                    off[m] = 0.0;
                    whole = false;
                    break;
                }
                (s, c) = (f / r, g / r);
                g = diagonal[i + 1] - p;
                let t = (diagonal[i] - g) * s + 2.0 * c * b;
                p = s * t;
                diagonal[i + 1] = g + p;
                g = c * t - b;
            }
            if whole {
                diagonal[l] -= p;
                off[l] = g;
                off[m] = 0.0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighbridge::sample;

    #[test]
    fn known_matrices_have_their_singular_values() {
        let close = |found: &[f64], expected: &[f64]| found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 1e-6 * expected[0]);
        // diag(3, 1, 2), wide and tall forms of a rank-one matrix, and one whose values are (√45, √5).
        assert!(close(&singular_values(&[3.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 2.0], 3), &[3.0, 2.0, 1.0]));
        assert!(close(&singular_values(&[1.0, 2.0, 2.0, 2.0, 4.0, 4.0], 3), &[45f64.sqrt(), 0.0]));
        assert!(close(&singular_values(&[1.0, 2.0, 2.0, 4.0, 2.0, 4.0], 2), &[45f64.sqrt(), 0.0]));
        assert!(close(&singular_values(&[3.0, 0.0, 4.0, 5.0], 2), &[45f64.sqrt(), 5f64.sqrt()]));
        assert_eq!(singular_values(&[], 4), Vec::<f64>::new());
    }

    #[test]
    fn squares_and_fourth_powers_add_up_as_traces_say() {
        for (rows, columns) in [(70, 31), (24, 90)] {
            let matrix = sample::gaussian(rows * columns, 1.0, 5);
            let values = singular_values(&matrix, columns);
            assert!(values.is_sorted_by(|a, b| a >= b) && values.len() == rows.min(columns));
            let square: f64 = matrix.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
            assert!((values.iter().map(|v| v * v).sum::<f64>() / square - 1.0).abs() < 1e-12);
            let row = |i: usize| matrix[i * columns..(i + 1) * columns].iter().map(|&x| f64::from(x));
            let pairs = (0..rows).flat_map(|i| (0..rows).map(move |j| (i, j)));
            let fourth: f64 = pairs.map(|(i, j)| row(i).zip(row(j)).map(|(x, y)| x * y).sum::<f64>().powi(2)).sum();
            assert!((values.iter().map(|v| v.powi(4)).sum::<f64>() / fourth - 1.0).abs() < 1e-11);
        }
    }
}
