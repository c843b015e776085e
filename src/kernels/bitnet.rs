//! BitNet b1.58 (arXiv 2402.17764): ternary weights under one scale, or under one for each row or group.
//!
//! γ = mean|W|, at least 1e-5; q = clamp(round(W / γ), −1, 1), ties to even, which is +1 above γ/2, −1 below −γ/2, else 0; decoded γ·q.
//! With `scale=row` or `scale=group` each row, or each `group` weights of the flattened tensor, has a γ of its own. That is the usual
//! improvement, not the paper's method, and has no smallest γ. Parts: `blocks` in one of the packings of [`ternary`] and
//! [`tl2`], and `scales` where the packing has no room for them.
//!
//! | packing | scale of the tensor | of rows | of groups |
//! |---|---|---|---|
//! | `i2_s` | f32 in the 32 bytes after the digits | `scales`, f32 each; no 32 bytes | `scales`, f16 each; no 32 bytes |
//! | `tl2` | `scales`, one f32 | `scales`, f32 each | `scales`, f16 each |
//! | `tq1_0`, `tq2_0` | f16 in each block, all equal | refused: blocks run over the ends of rows | f16 in each block; 256 alone |
//!
//! The scale field of `tq1_0` and `tq2_0` holds γ where ggml's own encoder puts the block's absolute maximum: the same layout, another
//! value.
//!
//! It is a training method. As post-training quantisation it has a relative error of 0.513 on Gaussian weights, and reports should show
//! it. A tensor whose mean magnitude is below 1e-5 without being zero is refused under `scale=tensor`: the method's clamp would change it
//! beyond recognition.

use half::f16;
use half::slice::HalfFloatSliceExt;
use rayon::prelude::*;

use super::bitnet_config::{Config, Layout, PARAMETERS, Scale, TQ_BLOCK};
use super::blocks::TASK;
use super::scale::{Rounding, into_dtype, through_f16};
use super::ternary::{self, Packing};
use super::{spans, tl2};
use crate::error::{DecodeError, Refusal};
use crate::kernel::{Context, Info, Kernel, Parts, Promise};
use crate::spec::Parameter;
use crate::weights::{TensorInfo, Weights};

/// Smallest scale of a tensor, the paper's ε.
const SMALLEST_SCALE: f32 = 1e-5;
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
    const PARAMETERS: &'static [Parameter] = PARAMETERS;
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self(config.checked()?))
    }

    fn config(&self) -> &Config {
        &self.0
    }

    fn encode(&self, weights: &Weights, _: &Context<'_>) -> Result<Parts, Refusal> {
        let values = weights.to_f32();
        let (span, cols) = (self.span(weights.info()), weights.info().rows_cols().1);
        let mut scales =
            if self.0.scale == Scale::Tensor { vec![mean_magnitude(&values)] } else { spans::of_each(&values, span, mean_magnitude) };
        if let (Scale::Tensor, [mean]) = (self.0.scale, scales.as_mut_slice()) {
            if *mean > 0.0 && *mean < SMALLEST_SCALE {
                return Err(Refusal::new(format!("mean magnitude {mean:.3e} is below the method's smallest scale, 1e-5")));
            }
            *mean = mean.max(SMALLEST_SCALE);
        }
        let rounding = |rounding: Rounding, &scale: &f32| rounding.merge(Rounding::of(f64::from(scale), self.stored(scale)));
        scales.iter().fold(Rounding::default(), rounding).check(1.0)?;
        let parts = Parts::new();
        if let (Scale::Tensor, Some(packing), [scale]) = (self.0.scale, self.packing(), scales.as_slice()) {
            return Ok(parts.with("blocks", packing.pack(&values, scale / 2.0, *scale)));
        }
        let mut values = values.into_owned();
        spans::apply(&mut values, span, &scales, ternary_weight);
        let blocks = match self.0.packing {
            Layout::I2S => ternary::pack_i2_s(&values, 0.5),
            Layout::Tl2 => tl2::pack(&values, cols),
            Layout::Tq10 => return Ok(parts.with("blocks", pack_with(Packing::Tq10, &values, &scales))),
            Layout::Tq20 => return Ok(parts.with("blocks", pack_with(Packing::Tq20, &values, &scales))),
        };
        Ok(parts.with("blocks", blocks).with("scales", self.scale_bytes(&scales)))
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, _: &Context<'_>) -> Result<Weights, DecodeError> {
        let (count, (rows, cols)) = (info.elements(), info.rows_cols());
        let corrupt = |message| move || DecodeError::corrupt("blocks", message);
        let values = match (self.packing(), self.0.scale) {
            (Some(packing), scale) if scale == Scale::Tensor || packing != Packing::I2S => {
                let values = packing.unpack(parts.exact("blocks", packing.packed_bytes(count))?, count);
                values.ok_or_else(corrupt("a digit is 3 or a scale is not finite"))?
            }
            (packing, _) => {
                let span = self.span(info);
                let scales = self.scales_of(parts, count.div_ceil(span))?;
                let values = if packing.is_some() {
                    let blocks = parts.exact("blocks", ternary::i2_s_bytes(count))?;
                    ternary::unpack_i2_s(blocks, count, 1.0)
                } else {
                    tl2::unpack(parts.exact("blocks", tl2::packed_bytes(rows, cols))?, rows, cols)
                };
                let mut values = values.ok_or_else(corrupt("a code stands for no weights"))?;
                spans::apply(&mut values, span, &scales, |weight, scale| weight * scale);
                values
            }
        };
        into_dtype(info, values)
    }

    fn promise(&self, weights: &Weights) -> Promise {
        let values = weights.to_f32();
        let bounds = values.chunks(self.span(weights.info())).flat_map(|span| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a mean of f32 fits an f32")]
            let mean = (span.iter().map(|&x| f64::from(x.abs())).sum::<f64>() / span.len().max(1) as f64) as f32;
            let scale = if self.0.scale == Scale::Tensor { mean.max(SMALLEST_SCALE) } else { mean };
            let scale_error = (self.stored(scale) - scale).abs() + scale * 1e-6;
            span.iter().map(move |x| {
                let (x, away) = (x.abs(), (x.abs() - scale).abs() + scale_error);
                // Close to the decision the order of the sum may tip it either way.
                let margin = scale * 1e-5;
                match x - scale / 2.0 {
                    above if above > margin => away,
                    above if above < -margin => x,
                    _ => x.max(away),
                }
            })
        });
        Promise::Elementwise(bounds.collect())
    }
}

impl Bitnet {
    /// Weights that share a scale.
    fn span(&self, info: &TensorInfo) -> usize {
        let span = match self.0.scale {
            Scale::Tensor => info.elements(),
            Scale::Row => info.rows_cols().1,
            Scale::Group => self.0.group,
        };
        span.max(1)
    }

    /// The packing of `ternary`; `None` for `tl2`.
    fn packing(&self) -> Option<Packing> {
        match self.0.packing {
            Layout::I2S => Some(Packing::I2S),
            Layout::Tq10 => Some(Packing::Tq10),
            Layout::Tq20 => Some(Packing::Tq20),
            Layout::Tl2 => None,
        }
    }

    /// A scale as it is stored.
    fn stored(&self, scale: f32) -> f32 {
        match (self.0.scale, self.packing()) {
            (Scale::Group, _) => through_f16(scale),
            (_, Some(packing)) => packing.stored_scale(scale),
            (_, None) => scale,
        }
    }

    fn scale_bytes(&self, scales: &[f32]) -> Vec<u8> {
        if self.0.scale != Scale::Group {
            return bytemuck::cast_slice(scales).to_vec();
        }
        let mut halves = vec![f16::ZERO; scales.len()];
        halves.convert_from_f32_slice(scales);
        bytemuck::cast_slice(&halves).to_vec()
    }

    /// The part `scales`, which must hold `count` finite ones.
    fn scales_of(&self, parts: &Parts, count: usize) -> Result<Vec<f32>, DecodeError> {
        let scales: Vec<f32> = if self.0.scale == Scale::Group {
            let halves: Vec<f16> = bytemuck::allocation::pod_collect_to_vec(parts.exact("scales", count.saturating_mul(2))?);
            halves.to_f32_vec()
        } else {
            bytemuck::allocation::pod_collect_to_vec(parts.exact("scales", count.saturating_mul(4))?)
        };
        if scales.iter().all(|scale| scale.is_finite()) { Ok(scales) } else { Err(DecodeError::corrupt("scales", "a scale is not finite")) }
    }
}

/// −1, 0 or 1: a weight over its scale, rounded, ties to even.
#[inline]
fn ternary_weight(x: f32, scale: f32) -> f32 {
    f32::from(i8::from(x > scale / 2.0) - i8::from(x < -scale / 2.0))
}

/// Packs ternary weights in blocks that hold a scale each.
fn pack_with(packing: Packing, values: &[f32], scales: &[f32]) -> Vec<u8> {
    let mut bytes = vec![0; packing.packed_bytes(values.len())];
    let blocks = values.par_chunks(TQ_BLOCK).zip(scales).zip(bytes.par_chunks_mut(packing.packed_bytes(TQ_BLOCK)));
    blocks.with_min_len(TASK / TQ_BLOCK).for_each(|((values, &scale), bytes)| bytes.copy_from_slice(&packing.pack(values, 0.5, scale)));
    bytes
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
    use crate::kernels::testing::{assert_golden, assert_refuses, assert_relative_error, matrix};
    use crate::registry::Registry;

    #[test]
    fn gaussian_error() {
        let specs = [
            "bitnet",
            "bitnet:packing=tq1_0",
            "bitnet:packing=tq2_0",
            "bitnet:packing=tl2",
            "bitnet:scale=row",
            "bitnet:packing=tl2,scale=row",
        ];
        for spec in specs {
            assert_relative_error(spec, 0.513);
        }
    }

    /// Hashes of version 1, from before rows and groups had scales.
    #[test]
    fn golden_bytes_stay() {
        assert_golden("bitnet", "4e38e2f031a3618b");
        assert_golden("bitnet:packing=tq1_0", "90c8918766e2cec1");
        assert_golden("bitnet:packing=tq2_0", "f3f13ce46caa8c8c");
    }

    #[test]
    fn decodes_to_the_published_formula() {
        let values = vec![0.1, -0.3, 0.9, -1.2, 0.0, 0.5];
        let scale = values.iter().map(|x: &f32| x.abs()).sum::<f32>() / 6.0;
        let weights = matrix(2, values);
        for packing in [Layout::I2S, Layout::Tq10, Layout::Tq20, Layout::Tl2] {
            let kernel = Bitnet::new(Config { packing, ..Config::default() }).unwrap();
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

    fn parts_of(spec: &str, weights: &Weights) -> Parts {
        Registry::default().parse(spec).unwrap().encode(weights, &Context::default()).unwrap()
    }

    #[test]
    fn rows_and_groups_have_the_bytes_of_tensors_of_their_own() {
        // Two rows of 384, the second ten times the first; each by itself is a tensor with the scale of a row, and so is each 128 and 256.
        let values = crate::sample::gaussian(384, 0.02, 8);
        let values: Vec<f32> = values.iter().copied().chain(values.iter().map(|x| x * 10.0)).collect();
        let weights = matrix(2, values.clone());
        for (spec, alone, span) in [
            ("bitnet:scale=row", "bitnet", 384),
            ("bitnet:scale=group", "bitnet", 128),
            ("bitnet:packing=tq1_0,scale=group,group=256", "bitnet:packing=tq1_0", 256),
            ("bitnet:packing=tq2_0,scale=group,group=256", "bitnet:packing=tq2_0", 256),
            ("bitnet:packing=tl2,scale=row", "bitnet:packing=tl2", 384),
        ] {
            let parts = parts_of(spec, &weights);
            let spans: Vec<Parts> = values.chunks(span).map(|span| parts_of(alone, &matrix(1, span.to_vec()))).collect();
            let digits = |parts: &Parts| {
                let blocks = parts.get("blocks").unwrap().to_vec();
                if alone == "bitnet" { blocks[..blocks.len() - 32].to_vec() } else { blocks }
            };
            assert_eq!(parts.get("blocks").unwrap(), spans.iter().flat_map(digits).collect::<Vec<_>>(), "{spec}");
            if spec == "bitnet:scale=row" {
                let scale = |parts: &Parts| parts.get("blocks").unwrap()[96..100].to_vec();
                assert_eq!(parts.get("scales").unwrap(), spans.iter().flat_map(scale).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn rows_of_any_size_keep_their_error_and_groups_refuse_what_f16_loses() {
        let kernel = Registry::default().parse("bitnet:packing=tl2,scale=row").unwrap();
        let row = crate::sample::gaussian(1000, 1.0, 2);
        let weights = matrix(3, [1e-35f32, 1.0, 1e35].iter().flat_map(|factor| row.iter().map(move |x| x * factor)).collect());
        let parts = kernel.encode(&weights, &Context::default()).unwrap();
        let decoded = kernel.decode(&parts, weights.info(), &Context::default()).unwrap();
        for (x, y) in weights.to_f32().chunks(1000).zip(decoded.to_f32().chunks(1000)) {
            let error = crate::fidelity::Fidelity::of(x, y).relative_error();
            assert!((0.48..0.54).contains(&error), "{error}");
        }
        assert_refuses("bitnet:scale=group", &[1e-30, 1e8]);
        assert_refuses("bitnet:packing=tq2_0,scale=group,group=256", &[1e-30, 1e8]);
    }
}
