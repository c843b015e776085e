//! Softmax over the scores of an attention head.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use super::activations::{exp, values};
use crate::vectors::vectorised;

/// Lanes of a sum: fixed, so that its order is.
const LANES: usize = 8;

/// Softmax of scaled scores over the last dimension.
#[derive(Debug, Clone, Copy)]
pub(super) struct Softmax {
    /// Factor on the scores.
    pub scale: f32,
    /// Whether each run of rows, as many as there are columns, is causal: its row i then sees columns 0 to i.
    pub causal: bool,
}

impl Softmax {
    /// Scores of heads of that width, divided by its root.
    pub fn of_heads(width: usize, causal: bool) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a head's width is far below 2^24")]
        let scale = 1.0 / (width as f64).sqrt() as f32;
        Self { scale, causal }
    }

    /// Attention weights: queries and keys, heads × length × head width → heads × length × length.
    ///
    /// Keys are laid out anew, because the library sums a small product of a transposed matrix in an order that hangs on the processor.
    pub fn of(self, queries: &Tensor, keys: &Tensor) -> Result<Tensor> {
        queries.matmul(&keys.t()?.contiguous()?)?.apply_op1_no_bwd(&self)
    }
}

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let scores = values(storage, layout)?;
        let Some(&length) = layout.dims().last().filter(|&&n| n > 0) else { bail!("scores without columns") };
        let mut out = vec![0.0; scores.len()];
        vectorised(
            #[inline(always)]
            || {
                for (i, (row, out)) in scores.chunks(length).zip(out.chunks_mut(length)).enumerate() {
                    let seen = if self.causal { i % length + 1 } else { length };
                    softmax(&row[..seen], &mut out[..seen], self.scale);
                }
            },
        );
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

#[inline(always)]
fn softmax(row: &[f32], out: &mut [f32], scale: f32) {
    let largest = fold(row, f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
    for (out, &score) in out.iter_mut().zip(row) {
        *out = exp((score - largest) * scale);
    }
    let sum = fold(out, 0.0, |a, b| a + b);
    out.iter_mut().for_each(|x| *x /= sum);
}

/// Folds in lanes, then the lanes in order.
#[inline(always)]
fn fold(values: &[f32], start: f32, f: impl Fn(f32, f32) -> f32) -> f32 {
    let (runs, rest) = values.as_chunks::<LANES>();
    let mut lanes = [start; LANES];
    for run in runs {
        for (lane, &x) in lanes.iter_mut().zip(run) {
            *lane = f(*lane, x);
        }
    }
    rest.iter().chain(&lanes).fold(start, |a, &b| f(a, b))
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn softmax_sums_to_one_and_may_be_causal() {
        let length = 21;
        let scores = (0..2 * length * length).map(|i| ((i * 37) % 101) as f32 / 10.0).collect::<Vec<_>>();
        let tensor = Tensor::from_slice(&scores, (2, length, length), &Device::Cpu).unwrap();
        for causal in [true, false] {
            let out = tensor.apply_op1_no_bwd(&Softmax { scale: 0.5, causal }).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            for (i, (row, scores)) in out.chunks(length).zip(scores.chunks(length)).enumerate() {
                let seen = if causal { i % length + 1 } else { length };
                assert!(row[seen..].iter().all(|&x| x == 0.0));
                let total = scores[..seen].iter().map(|&s| (f64::from(s) * 0.5).exp()).sum::<f64>();
                for (&found, &score) in row[..seen].iter().zip(scores) {
                    assert!((f64::from(found) - (f64::from(score) * 0.5).exp() / total).abs() < 1e-6, "row {i}");
                }
            }
        }
    }
}
