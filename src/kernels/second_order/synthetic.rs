//! Correlated layer inputs for tests, and what a layer's output loses on them.

use crate::kernel::{Context, Gram};
use crate::registry::Registry;
use crate::sample;
use crate::weights::Weights;

/// Inputs X: samples × size, row-major.
pub struct Inputs {
    size: usize,
    values: Vec<f32>,
}

/// Inputs that share a quarter as many hidden causes, beside a little noise of their own: strongly correlated.
pub fn inputs(samples: usize, size: usize, seed: u64) -> Inputs {
    let causes = (size / 4).max(1);
    let mixing = sample::gaussian(causes * size, 1.0, 1);
    let (hidden, noise) = (sample::gaussian(samples * causes, 1.0, seed), sample::gaussian(samples * size, 0.3, seed + 100));
    let mut values = noise;
    for (row, hidden) in values.chunks_mut(size).zip(hidden.chunks(causes)) {
        for (mixing, h) in mixing.chunks(size).zip(hidden) {
            row.iter_mut().zip(mixing).for_each(|(x, m)| *x += h * m / (causes as f32).sqrt());
        }
    }
    Inputs { size, values }
}

/// Statistics of `size` inputs, an even number, of which each odd one is 0.07 times its even neighbour: what an odd column can do about its
/// neighbour's error takes seven times that error.
pub fn pairs(size: usize) -> Gram {
    let entry = |i: usize, j: usize| if i / 2 == j / 2 { 0.07f32.powi(i32::from(i % 2 == 1) + i32::from(j % 2 == 1)) } else { 0.0 };
    Gram { size, values: (0..size * size).map(|k| entry(k / size, k % size)).collect(), samples: size }
}

impl Inputs {
    /// XᵀX.
    pub fn gram(&self) -> Gram {
        let n = self.size;
        let mut sums = vec![0f64; n * n];
        for row in self.values.chunks(n) {
            for (sums, &x) in sums.chunks_mut(n).zip(row) {
                sums.iter_mut().zip(row).for_each(|(sum, &y)| *sum += f64::from(x) * f64::from(y));
            }
        }
        #[expect(clippy::cast_possible_truncation, reason = "a Gram matrix is f32")]
        let values = sums.into_iter().map(|x| x as f32).collect();
        Gram { size: n, values, samples: self.values.len() / n }
    }

    /// ‖X(W − Ŵ)ᵀ‖ / ‖XWᵀ‖.
    pub fn output_error(&self, original: &[f32], decoded: &[f32]) -> f64 {
        let (mut noise, mut signal) = (0.0, 0.0);
        for x in self.values.chunks(self.size) {
            for (w, q) in original.chunks(self.size).zip(decoded.chunks(self.size)) {
                let (mut difference, mut output) = (0f64, 0f64);
                for ((x, w), q) in x.iter().zip(w).zip(q) {
                    difference += f64::from(x * (w - q));
                    output += f64::from(x * w);
                }
                noise += difference * difference;
                signal += output * output;
            }
        }
        (noise / signal).sqrt()
    }
}

/// Decoded weights after a kernel, with or without statistics of the inputs, and the bytes of the parts.
pub fn round_trip(spec: &str, weights: &Weights, gram: Option<&Gram>) -> (Vec<f32>, usize) {
    let kernel = Registry::default().parse(spec).unwrap();
    let parts = kernel.encode(weights, &Context { gram, ..Context::default() }).unwrap();
    let decoded = kernel.decode(&parts, weights.info(), &Context::default()).unwrap();
    crate::conformance::promise_kept(&kernel.promise(weights), 1.0, weights, &decoded).unwrap();
    (decoded.to_f32().into_owned(), parts.size_bytes())
}
