//! The basis of a seed, U = (V − 2ᴷ⁻¹) / (2ᴷ⁻¹ − 1) with C·P consecutive states filled row by row into C × P, and its QR factors.
//!
//! Everything is in f64: the condition of a basis reaches 5·10⁵, which the normal equations would square.

use super::lfsr::{UNIT, cycle};

/// A matrix of C rows and P columns.
pub type Matrix<const C: usize, const P: usize> = [[f64; P]; C];

/// The C × P basis at an offset into the cycle.
pub fn basis<const C: usize, const P: usize>(offset: usize) -> Matrix<C, P> {
    let states = &cycle()[offset..][..C * P];
    std::array::from_fn(|c| std::array::from_fn(|p| f64::from(states[c * P + p]) / UNIT))
}

/// A column that orthogonalisation leaves no more of than this counts as a combination of those before it. Bases of 8 × 3 and 12 × 4 all
/// have full rank and keep 5·10⁻⁶; of 8 × 4, 45 lose rank; of 8 × 8, some two thousand lose rank and others come as near as rounding lets tell.
const DEPENDENT: f64 = 1.0 / 8_388_608.0;

/// Factors of a basis U = Q·R: Q has orthonormal columns, R is upper triangular. Some bases lose rank: a column that depends on those before
/// it has a column of zeros in Q and a row of zeros in R.
#[derive(Debug, Clone)]
pub struct Factors<const C: usize, const P: usize> {
    /// Orthonormal basis of the columns.
    pub q: Matrix<C, P>,
    /// R, upper triangular.
    pub r: Matrix<P, P>,
    /// R⁻¹, upper triangular, of the rows and columns that are not dependent; zeros in the others.
    pub r_inverse: Matrix<P, P>,
}

impl<const C: usize, const P: usize> Factors<C, P> {
    /// Factors by Gram–Schmidt, each column orthogonalised twice, which is enough (Giraud, Langou and Rozložník 2005).
    pub fn of(u: &Matrix<C, P>) -> Self {
        let norm = |q: &Matrix<C, P>, p: usize| q.iter().map(|row| row[p] * row[p]).sum::<f64>().sqrt();
        let (mut q, mut r) = (*u, [[0.0; P]; P]);
        for p in 0..P {
            let before_norm = norm(&q, p);
            for _ in 0..2 {
                for before in 0..p {
                    let along: f64 = q.iter().map(|row| row[before] * row[p]).sum();
                    r[before][p] += along;
                    q.iter_mut().for_each(|row| row[p] -= along * row[before]);
                }
            }
            let rest = norm(&q, p);
            let kept = rest > before_norm * DEPENDENT;
            r[p][p] = if kept { rest } else { 0.0 };
            q.iter_mut().for_each(|row| row[p] = if kept { row[p] / rest } else { 0.0 });
        }
        Self { q, r_inverse: invert_upper(&r), r }
    }

    /// Whether the columns are independent.
    pub fn full_rank(&self) -> bool {
        (0..P).all(|p| self.r[p][p] > 0.0)
    }

    /// The pseudo-inverse U⁺, transposed: C × P. R⁻¹·Qᵀ where the rank is full; else with Rᵀ = Q₂·R₂ it is Q₂·R₂⁻ᵀ·Qᵀ.
    pub fn pseudo_inverse(&self) -> Matrix<C, P> {
        let middle = if self.full_rank() {
            self.r_inverse
        } else {
            let second = Factors::of(&transpose(&self.r));
            let r_inverse = transpose(&second.r_inverse);
            std::array::from_fn(|i| std::array::from_fn(|j| (0..P).map(|k| second.q[i][k] * r_inverse[k][j]).sum()))
        };
        std::array::from_fn(|c| std::array::from_fn(|p| (0..P).map(|k| middle[p][k] * self.q[c][k]).sum()))
    }

    /// ‖R⁻¹‖ (Frobenius norm), at least 1 / the smallest singular value of the basis.
    pub fn inverse_norm(&self) -> f64 {
        self.r_inverse.iter().flatten().map(|x| x * x).sum::<f64>().sqrt()
    }
}

fn transpose<const P: usize>(matrix: &Matrix<P, P>) -> Matrix<P, P> {
    std::array::from_fn(|i| std::array::from_fn(|j| matrix[j][i]))
}

/// Inverse of an upper triangular matrix, by back-substitution, as if rows and columns with a 0 on the diagonal were not there.
fn invert_upper<const P: usize>(r: &Matrix<P, P>) -> Matrix<P, P> {
    let mut inverse = [[0.0; P]; P];
    for column in (0..P).filter(|&p| r[p][p] > 0.0) {
        for row in (0..=column).rev().filter(|&p| r[p][p] > 0.0) {
            let rest: f64 = (row + 1..=column).map(|k| r[row][k] * inverse[k][column]).sum();
            inverse[row][column] = (f64::from(u8::from(row == column)) - rest) / r[row][row];
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::super::lfsr::PERIOD;
    use super::*;

    /// Holds each U⁺, as far as its norm lets f64 tell, to U·U⁺·U = U and to symmetric U⁺·U, which with the like of U·U⁺ define it; gives how many bases lose rank.
    fn check<const C: usize, const P: usize>() -> usize {
        let (mut lost, mut largest, mut worst) = (0, 0.0f64, 0.0f64);
        for offset in 0..PERIOD {
            let u = basis::<C, P>(offset);
            let factors = Factors::of(&u);
            lost += usize::from(!factors.full_rank());
            largest = largest.max(factors.inverse_norm());
            let inverse = factors.pseudo_inverse();
            let product: Matrix<P, P> = std::array::from_fn(|i| std::array::from_fn(|j| (0..C).map(|c| inverse[c][i] * u[c][j]).sum()));
            let mut off = 0.0f64;
            for i in 0..P {
                for (j, row) in product.iter().enumerate() {
                    let expected = if factors.full_rank() { f64::from(u8::from(i == j)) } else { product[i][j] };
                    off = off.max((row[i] - expected).abs());
                }
                for row in &u {
                    let again: f64 = row.iter().zip(&product).map(|(x, product)| x * product[i]).sum();
                    off = off.max((again - row[i]).abs());
                }
            }
            worst = worst.max(off / factors.inverse_norm().max(1.0));
        }
        println!("{C} x {P}: {lost} bases of lower rank, norms of inverses up to {largest:.3e}, relative deviation {worst:.3e}");
        // Up to what counts as a dependent column is lost where the rank is.
        assert!(worst < if lost == 0 { 1e-14 } else { 2.0 * DEPENDENT }, "{C} x {P}: {worst}");
        lost
    }

    #[test]
    fn inverses_are_good_and_few_bases_lose_rank() {
        assert_eq!((check::<8, 3>(), check::<12, 4>(), check::<8, 4>(), check::<8, 8>()), (0, 0, 46, 3040));
    }

    #[test]
    fn neighbouring_offsets_share_columns() {
        let (a, b) = (basis::<8, 3>(40), basis::<8, 3>(41));
        for c in 0..8 {
            assert_eq!(a[c][1..], b[c][..2]);
        }
    }
}
