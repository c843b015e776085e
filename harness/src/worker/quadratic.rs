//! Quadratic forms vᵀGv of several vectors at once: they read G together.
//!
//! Each is Σᵢ vᵢ·(Σⱼ vⱼGⱼᵢ) with both sums in order, in f64, products rounded before they are added, so that it has the same bits however
//! wide the processor's vectors are and whichever vectors stand beside it.

use pulp::{Arch, Simd, WithSimd};

/// Vectors at once: as many as the widest registers hold.
pub const VECTORS: usize = 8;
/// Columns of G at a time: as many sums as registers hold.
const COLUMNS: usize = 8;

/// vᵀGv of vectors that lie side by side; `matrix` is G in rows, as many as there are places in `vectors`.
pub fn quadratic_forms(vectors: &[[f64; VECTORS]], matrix: &[f32]) -> [f64; VECTORS] {
    Arch::new().dispatch(Forms { vectors, matrix })
}

struct Forms<'a> {
    vectors: &'a [[f64; VECTORS]],
    matrix: &'a [f32],
}

impl Forms<'_> {
    /// Σⱼ vⱼGⱼᵢ for `N` columns i.
    #[inline(always)]
    fn products<S: Simd, const N: usize>(&self, simd: S, from: usize) -> [[f64; VECTORS]; N] {
        let registers = VECTORS / S::F64_LANES;
        let mut sums = [[simd.splat_f64s(0.0); VECTORS]; N];
        for (v, row) in self.vectors.iter().zip(self.matrix.chunks_exact(self.vectors.len())) {
            let Some(row) = row[from..].first_chunk::<N>() else { break };
            let (v, _) = S::as_simd_f64s(v);
            for (sums, &g) in sums.iter_mut().zip(row) {
                let g = simd.splat_f64s(f64::from(g));
                for r in 0..registers {
                    sums[r] = simd.add_f64s(sums[r], simd.mul_f64s(v[r], g));
                }
            }
        }
        let mut out = [[0.0; VECTORS]; N];
        for (out, sums) in out.iter_mut().zip(&sums) {
            S::as_mut_simd_f64s(out).0.copy_from_slice(&sums[..registers]);
        }
        out
    }
}

impl WithSimd for Forms<'_> {
    type Output = [f64; VECTORS];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [f64; VECTORS] {
        let size = self.vectors.len();
        let whole = size - size % COLUMNS;
        let mut sums = [0.0; VECTORS];
        let mut add = |products: &[[f64; VECTORS]], from: usize| {
            for (product, v) in products.iter().zip(&self.vectors[from..]) {
                sums.iter_mut().zip(product.iter().zip(v)).for_each(|(sum, (p, v))| *sum += p * v);
            }
        };
        for from in (0..whole).step_by(COLUMNS) {
            add(&self.products::<S, COLUMNS>(simd, from), from);
        }
        for from in whole..size {
            add(&self.products::<S, 1>(simd, from), from);
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighbridge::sample::gaussian;

    /// As defined, one vector at a time.
    fn plain(v: &[f64], matrix: &[f32]) -> f64 {
        let product = |i: usize| v.iter().zip(matrix.chunks_exact(v.len())).fold(0.0, |sum, (x, row)| sum + x * f64::from(row[i]));
        v.iter().enumerate().fold(0.0, |sum, (i, x)| sum + product(i) * x)
    }

    #[test]
    fn vectors_of_every_width_give_the_bits_of_the_definition() {
        for size in [1, 2, 7, 8, 9, 40, 67] {
            let matrix = gaussian(size * size, 1.0, 3);
            let values = gaussian(size * VECTORS, 0.1, 4);
            let vectors: Vec<[f64; VECTORS]> = values.as_chunks().0.iter().map(|v: &[f32; VECTORS]| v.map(f64::from)).collect();
            let expected: [f64; VECTORS] =
                std::array::from_fn(|i| plain(&vectors.iter().map(|v| v[i]).collect::<Vec<_>>(), &matrix)).map(|x| x + 0.0);
            assert_eq!(quadratic_forms(&vectors, &matrix), expected, "{size}");
            let scalar = Forms { vectors: &vectors, matrix: &matrix }.with_simd(pulp::Scalar::new());
            assert_eq!(scalar, expected, "{size}, without vectors");
        }
    }
}
