//! What `nf4` and `fp4` share: 4-bit indices into 16 fixed values under one scale a block, byte for byte as bitsandbytes 0.50.2 packs them
//! on a CPU (`functional.quantize_4bit`; method: QLoRA, arXiv 2305.14314).
//!
//! The flattened tensor is cut into blocks of `block` weights; the last may be short. A block's scale is its largest magnitude, and each
//! weight over the scale gets the number of midpoints between neighbouring values that are below it. Parts:
//! - `codes`: two nibbles a byte, the first weight in the high one; an odd tensor's last low nibble stands for zero;
//! - `absmax`: the scales, one f32 a block. With `double-quant` one byte a block in the code of [`dynamic8`], beside
//!   `nested-absmax`, one f32 for each 256 blocks, and `offset`, one f32.
//!
//! bitsandbytes' arithmetic is kept: a whole block is multiplied by 1 / scale, a short last one divided by the scale, and both take at
//! least 1e-38 for the scale (a short block also stores that). Bits a weight: 4 + 32 / block, or 4 + 8 / block + 32 / (256 · block).
//!
//! A tensor that is tiny as a whole, below 1e-38, is refused: bitsandbytes turns most of it into zeros. Double quantisation moves a block's
//! scale by up to 0.7 % of its group's spread, so blocks that are tiny beside others of their group may lose what they held.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::blocks::TASK;
use super::dynamic8;
use super::scale::{Rounding, into_dtype, largest_magnitude};
use crate::error::{DecodeError, Refusal};
use crate::kernel::{Parts, Promise};
use crate::spec::Parameter;
use crate::weights::{TensorInfo, Weights};

/// Sizes a block may have: those bitsandbytes takes, all divisors of [`TASK`].
const BLOCKS: [usize; 8] = [32, 64, 128, 256, 512, 1024, 2048, 4096];
/// Smallest scale that weights are divided by.
const SMALLEST: f32 = 1e-38;
/// Weights that are compared with the midpoints at once.
const LANES: usize = 16;

/// Configuration of both kernels.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Weights that share a scale.
    pub block: usize,
    /// Whether scales are stored in 8 bits.
    pub double_quant: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { block: 64, double_quant: false }
    }
}

impl Config {
    /// The configuration, or what is allowed.
    pub fn checked(self) -> Result<Self, String> {
        let allowed = "it must be a power of two from 32 to 4096";
        if BLOCKS.contains(&self.block) { Ok(self) } else { Err(format!("block is {}; {allowed}", self.block)) }
    }
}

/// Parameters of both kernels.
pub const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "block",
        doc: "weights of the flattened tensor that share a scale",
        values: "32, 64, 128, 256, 512, 1024, 2048 or 4096",
    },
    Parameter { name: "double-quant", doc: "scales in 8 bits each, with an f32 for 256 of them", values: "true or false" },
];

/// Sixteen values and the way to them.
#[derive(Debug)]
pub struct Codebook {
    /// Value of each nibble.
    values: [f32; 16],
    /// Nibbles by ascending value.
    order: [u8; 16],
    /// Midpoints between neighbours, ascending.
    midpoints: [f32; 15],
    /// Values of each byte's two nibbles, the high one first.
    pairs: [[f32; 2]; 256],
}

impl Codebook {
    /// The code with these values for nibbles 0 to 15, which `order` brings into ascending order.
    pub const fn new(values: [f32; 16], order: [u8; 16]) -> Self {
        let mut midpoints = [0.0; 15];
        let mut i = 0;
        while i < 15 {
            midpoints[i] = f32::midpoint(values[order[i] as usize], values[order[i + 1] as usize]);
            i += 1;
        }
        let mut pairs = [[0.0; 2]; 256];
        i = 0;
        while i < 256 {
            pairs[i] = [values[i >> 4], values[i & 15]];
            i += 1;
        }
        Self { values, order, midpoints, pairs }
    }

    /// Packs weights.
    pub fn encode(&self, config: &Config, weights: &Weights) -> Result<Parts, Refusal> {
        let values = weights.to_f32();
        let (mut codes, mut scales) = (vec![0; values.len().div_ceil(2)], vec![0.0; values.len().div_ceil(config.block)]);
        let span = |((values, codes), scales): ((&[f32], &mut [u8]), &mut [f32])| {
            let blocks = values.chunks(config.block).zip(codes.chunks_mut(config.block / 2)).zip(scales);
            let pack = |rounding: Rounding, ((values, codes), scale): ((&[f32], &mut [u8]), &mut f32)| {
                let (stored, of_block) = self.pack_block(values, codes, values.len() == config.block);
                *scale = stored;
                rounding.merge(of_block)
            };
            blocks.fold(Rounding::default(), pack)
        };
        let rounding = if values.len() <= TASK {
            span(((&values, &mut codes), &mut scales))
        } else {
            let tasks = values.par_chunks(TASK).zip(codes.par_chunks_mut(TASK / 2)).zip(scales.par_chunks_mut(TASK / config.block));
            tasks.map(span).reduce(Rounding::default, Rounding::merge)
        };
        rounding.check(1.0)?;
        let parts = Parts::new().with("codes", codes);
        if !config.double_quant {
            return Ok(parts.with("absmax", bytes_of(&scales)));
        }
        let nested = dynamic8::pack(&scales);
        let parts = parts.with("absmax", nested.codes).with("nested-absmax", bytes_of(&nested.scales));
        Ok(parts.with("offset", nested.offset.to_le_bytes().to_vec()))
    }

    /// Packs a block; also gives its scale, and a rounding that says whether the scale was too small to divide by.
    fn pack_block(&self, values: &[f32], codes: &mut [u8], whole: bool) -> (f32, Rounding) {
        let largest = largest_magnitude(values);
        let divisor = largest.max(SMALLEST);
        let inverse = 1.0 / divisor;
        let scaled = |x: f32| if whole { x * inverse } else { x / divisor };
        let (runs, rest) = values.as_chunks::<LANES>();
        let (packed, last) = codes.as_chunks_mut::<{ LANES / 2 }>();
        for (run, bytes) in runs.iter().zip(&mut *packed) {
            *bytes = self.pack_run(run.map(scaled));
        }
        if !rest.is_empty() {
            let mut padded = [0.0; LANES];
            padded[..rest.len()].copy_from_slice(rest);
            let bytes = self.pack_run(padded.map(scaled));
            // A rest that ends in half a byte less than eight fills the eight.
            let into = if last.is_empty() { packed.last_mut().map_or(last, |bytes| bytes.as_mut_slice()) } else { last };
            into.copy_from_slice(&bytes[..into.len()]);
        }
        let usable = if largest < SMALLEST { 0.0 } else { largest };
        (if whole { largest } else { divisor }, Rounding::of(f64::from(largest), usable))
    }

    #[inline]
    fn pack_run(&self, scaled: [f32; LANES]) -> [u8; LANES / 2] {
        let mut below = [0i32; LANES];
        for midpoint in self.midpoints {
            for (below, x) in below.iter_mut().zip(scaled) {
                *below += i32::from(x > midpoint);
            }
        }
        let nibble = |lane: usize| self.order[below[lane].cast_unsigned() as usize & 15];
        std::array::from_fn(|i| nibble(2 * i) << 4 | nibble(2 * i + 1))
    }

    /// Unpacks weights.
    pub fn decode(&self, config: &Config, parts: &Parts, info: &TensorInfo) -> Result<Weights, DecodeError> {
        let count = info.elements();
        let codes = parts.exact("codes", count.div_ceil(2))?;
        let blocks = count.div_ceil(config.block);
        let scales = if config.double_quant {
            let nested = floats_of(parts.exact("nested-absmax", 4 * blocks.div_ceil(dynamic8::GROUP))?);
            let offset = floats_of(parts.exact("offset", 4)?)[0];
            let scales = dynamic8::unpack(parts.exact("absmax", blocks)?, &nested, offset);
            scales.ok_or_else(|| DecodeError::corrupt("nested-absmax", "a scale or the offset is not finite"))?
        } else {
            let scales = floats_of(parts.exact("absmax", blocks.saturating_mul(4))?);
            if scales.iter().any(|scale| !scale.is_finite()) {
                return Err(DecodeError::corrupt("absmax", "a scale is not finite"));
            }
            scales
        };
        let mut values = vec![0.0; count];
        let span = |((codes, scales), values): ((&[u8], &[f32]), &mut [f32])| {
            let blocks = codes.chunks(config.block / 2).zip(scales).zip(values.chunks_mut(config.block));
            blocks.for_each(|((codes, scale), values)| self.unpack_block(codes, *scale, values));
        };
        if count <= TASK {
            span(((codes, &scales), &mut values));
        } else {
            let tasks = codes.par_chunks(TASK / 2).zip(scales.par_chunks(TASK / config.block)).zip(values.par_chunks_mut(TASK));
            tasks.for_each(span);
        }
        into_dtype(info, values)
    }

    #[inline]
    fn unpack_block(&self, codes: &[u8], scale: f32, values: &mut [f32]) {
        let (pairs, last) = values.as_chunks_mut::<2>();
        for (pair, code) in pairs.iter_mut().zip(codes) {
            *pair = self.pairs[usize::from(*code)].map(|value| value * scale);
        }
        if let ([x], Some(code)) = (last, codes.last()) {
            *x = self.pairs[usize::from(*code)][0] * scale;
        }
    }

    /// What holds for the decoded values: the distance to the nearest of the scaled values, and what double quantisation adds.
    pub fn promise(&self, config: &Config, weights: &Weights) -> Promise {
        let values = weights.to_f32();
        let largest = |block: &[f32]| block.iter().fold(0f32, |largest, x| largest.max(x.abs()));
        let scales: Vec<f32> = values.chunks(config.block).map(largest).collect();
        #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "a mean of f32 fits an f32")]
        let mean = (scales.iter().copied().map(f64::from).sum::<f64>() / scales.len().max(1) as f64) as f32;
        let moved = scales.chunks(dynamic8::GROUP).flat_map(|group| {
            let spread = group.iter().fold(0f32, |spread, scale| spread.max((scale - mean).abs()));
            let moved = if config.double_quant { dynamic8::WORST * spread + mean * 1e-6 + SMALLEST } else { 0.0 };
            std::iter::repeat_n(moved, group.len())
        });
        let bounds = values.chunks(config.block).zip(scales.iter().zip(moved)).flat_map(|(block, (&scale, moved))| {
            block.iter().map(move |&x| {
                if scale < SMALLEST {
                    return x.abs() + SMALLEST + moved;
                }
                let nearest = self.values.iter().fold(f32::MAX, |nearest, value| nearest.min((x - value * scale).abs()));
                // Close to a midpoint rounding may tip it either way.
                nearest + scale * 1e-6 + moved
            })
        });
        Promise::Elementwise(bounds.collect())
    }
}

fn bytes_of(values: &[f32]) -> Vec<u8> {
    bytemuck::cast_slice(values).to_vec()
}

fn floats_of(bytes: &[u8]) -> Vec<f32> {
    bytemuck::allocation::pod_collect_to_vec(bytes)
}

#[cfg(test)]
mod tests {
    use crate::fidelity::Fidelity;
    use crate::kernel::Context;
    use crate::kernels::testing::matrix;
    use crate::registry::Registry;
    use crate::sample;

    #[test]
    fn other_blocks_are_refused() {
        for (spec, found) in [("nf4:block=100", 100), ("fp4:block=16", 16), ("nf4:block=8192", 8192)] {
            let error = Registry::default().parse(spec).err().unwrap().to_string();
            assert!(error.ends_with(&format!("block is {found}; it must be a power of two from 32 to 4096")), "{error}");
        }
    }

    #[test]
    fn the_error_does_not_depend_on_the_scale() {
        for spec in ["nf4", "fp4", "nf4:double-quant=true"] {
            let kernel = Registry::default().parse(spec).unwrap();
            let errors = [1e-30, 1.0, 1e30].map(|factor| {
                let weights = matrix(64, sample::gaussian(64 * 100, 0.02, 5).into_iter().map(|x| x * factor).collect());
                let parts = kernel.encode(&weights, &Context::default()).unwrap();
                let decoded = kernel.decode(&parts, weights.info(), &Context::default()).unwrap();
                Fidelity::of(&weights.to_f32(), &decoded.to_f32()).relative_error()
            });
            assert!(errors.iter().all(|error| (error / errors[1] - 1.0).abs() < 1e-3), "{spec}: {errors:?}");
        }
    }

    #[test]
    fn tensors_that_are_tiny_as_a_whole_are_refused() {
        for spec in ["nf4", "fp4:double-quant=true"] {
            crate::kernels::testing::assert_refuses(spec, &[1e-38, 1e-42]);
        }
    }

    #[test]
    fn tiny_blocks_beside_others_become_small() {
        let kernel = Registry::default().parse("nf4").unwrap();
        let mut values = vec![1.0; 64];
        values.extend([1e-40; 64]);
        let parts = kernel.encode(&matrix(1, values), &Context::default()).unwrap();
        let info = matrix(1, vec![0.0; 128]).info().clone();
        let decoded = kernel.decode(&parts, &info, &Context::default()).unwrap();
        assert!(decoded.to_f32()[64..].iter().all(|&x| (0.0..=1e-40).contains(&x)));
    }
}
