//! BitNet b1.58 (arXiv 2402.17764): ternary weights under one scale for the tensor.
//!
//! γ = mean|W|, at least 1e-5; q = clamp(round(W / γ), −1, 1), ties to even, which is +1 above γ/2, −1 below −γ/2, else 0; decoded γ·q.
//! One part, `blocks`, in one of the packings of [`ternary`](super::ternary). In `tq1_0` and `tq2_0` each block's scale field holds γ,
//! where ggml's own encoder puts the block's absolute maximum: the same layout, another value.
//!
//! It is a training method. As post-training quantisation it has a relative error of 0.513 on Gaussian weights, and reports should show it.
//! A tensor whose mean magnitude is below 1e-5 without being zero is refused: the method's clamp would change it beyond recognition.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::blocks::TASK;
use super::scale::{Rounding, into_dtype};
use super::ternary::Packing;
use crate::error::{DecodeError, Refusal};
use crate::kernel::{Context, Info, Kernel, Parts, Promise};
use crate::spec::Parameter;
use crate::weights::{TensorInfo, Weights};

/// Smallest scale, the paper's ε.
const SMALLEST_SCALE: f32 = 1e-5;

/// Configuration.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Byte layout.
    pub packing: Packing,
}

/// The BitNet b1.58 kernel.
#[derive(Debug)]
pub struct Bitnet(Config);

impl Kernel for Bitnet {
    const INFO: Info = Info {
        id: "bitnet",
        version: 1,
        summary: "ternary weights under the tensor's mean magnitude",
        source: "BitNet b1.58, arXiv 2402.17764",
        lossless: false,
    };
    const PARAMETERS: &'static [Parameter] = &[Parameter {
        name: "packing",
        doc: "byte layout: 2, 1.6875 or 2.0625 bits a weight",
        values: "i2_s (bitnet.cpp), tq1_0 or tq2_0 (ggml)",
    }];
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self(config))
    }

    fn config(&self) -> &Config {
        &self.0
    }

    fn encode(&self, weights: &Weights, _: &Context<'_>) -> Result<Parts, Refusal> {
        let values = weights.to_f32();
        let mean = mean_magnitude(&values);
        if mean > 0.0 && mean < SMALLEST_SCALE {
            return Err(Refusal::new(format!("mean magnitude {mean:.3e} is below the method's smallest scale, 1e-5")));
        }
        let scale = mean.max(SMALLEST_SCALE);
        Rounding::of(f64::from(scale), self.0.packing.stored_scale(scale)).check(1.0)?;
        Ok(Parts::new().with("blocks", self.0.packing.pack(&values, scale / 2.0, scale)))
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, _: &Context<'_>) -> Result<Weights, DecodeError> {
        let count = info.elements();
        let blocks = parts.exact("blocks", self.0.packing.packed_bytes(count))?;
        let values = self.0.packing.unpack(blocks, count);
        into_dtype(info, values.ok_or_else(|| DecodeError::corrupt("blocks", "a digit is 3 or a scale is not finite"))?)
    }

    fn promise(&self, weights: &Weights) -> Promise {
        let values = weights.to_f32();
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a mean of f32 fits an f32")]
        let mean = (values.iter().map(|&x| f64::from(x.abs())).sum::<f64>() / values.len().max(1) as f64) as f32;
        let scale = mean.max(SMALLEST_SCALE);
        let scale_error = (self.0.packing.stored_scale(scale) - scale).abs() + scale * 1e-6;
        let bound = |x: &f32| {
            let (x, away) = (x.abs(), (x.abs() - scale).abs() + scale_error);
            // Close to the decision the order of the sum may tip it either way.
            let margin = scale * 1e-5;
            match x - scale / 2.0 {
                above if above > margin => away,
                above if above < -margin => x,
                _ => x.max(away),
            }
        };
        Promise::Elementwise(values.iter().map(bound).collect())
    }
}

/// Mean |w|, summed in f64 in a fixed order: eight lanes within each run of [`TASK`] weights, then run by run.
fn mean_magnitude(values: &[f32]) -> f32 {
    let run = |values: &[f32]| {
        let (groups, rest) = values.as_chunks::<8>();
        let mut lanes = [0f64; 8];
        for group in groups {
            for (lane, x) in lanes.iter_mut().zip(group) {
                *lane += f64::from(x.abs());
            }
        }
        lanes.iter().sum::<f64>() + rest.iter().map(|x| f64::from(x.abs())).sum::<f64>()
    };
    let sums: Vec<f64> = if values.len() <= TASK { vec![run(values)] } else { values.par_chunks(TASK).map(run).collect() };
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a mean of f32 fits an f32; counts are below 2^53")]
    let mean = (sums.iter().sum::<f64>() / values.len().max(1) as f64) as f32;
    mean
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{assert_refuses, assert_relative_error, matrix};

    #[test]
    fn gaussian_error() {
        for spec in ["bitnet", "bitnet:packing=tq1_0", "bitnet:packing=tq2_0"] {
            assert_relative_error(spec, 0.513);
        }
    }

    #[test]
    fn decodes_to_the_published_formula() {
        let values = vec![0.1, -0.3, 0.9, -1.2, 0.0, 0.5];
        let scale = values.iter().map(|x: &f32| x.abs()).sum::<f32>() / 6.0;
        let weights = matrix(2, values);
        for packing in [Packing::I2S, Packing::Tq10, Packing::Tq20] {
            let kernel = Bitnet::new(Config { packing }).unwrap();
            let parts = Kernel::encode(&kernel, &weights, &Context::default()).unwrap();
            let decoded = Kernel::decode(&kernel, &parts, weights.info(), &Context::default()).unwrap();
            for (x, y) in weights.to_f32().iter().zip(decoded.to_f32().iter()) {
                let expected = (x / scale).round_ties_even().clamp(-1.0, 1.0) * scale;
                assert!((y - expected).abs() <= scale / 2048.0, "{x}: {y}, not {expected}");
            }
        }
    }

    #[test]
    fn tiny_and_huge_tensors_are_refused_where_their_scale_is_lost() {
        assert_refuses("bitnet", &[1e-30, 1e-4]);
        assert_refuses("bitnet:packing=tq1_0", &[1e-30, 1e-4, 1e8]);
        assert_refuses("bitnet:packing=tq2_0", &[1e-30, 1e-4, 1e8]);
    }

    #[test]
    fn long_tensors_sum_in_one_order() {
        let values = crate::sample::gaussian(3 * TASK + 5, 0.02, 9);
        let mean = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| mean_magnitude(&values)).to_bits()
        };
        assert_eq!(mean(1), mean(3));
    }
}
