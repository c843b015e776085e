//! ggml's Q8_0 (ggml-quants.c, `quantize_row_q8_0_ref`): 32 weights in 34 bytes, 8.5 bits a weight.
//!
//! Step d = max|w| / 127; code = round(w · (1/d)), ties away from zero. A block is d as f16, then 32 codes as i8. One part, `blocks`, over
//! the flattened tensor; the last block is padded with zeros. The bytes are ggml's wherever ggml can encode the tensor at all, that is where
//! columns are a multiple of 32.

use half::f16;

use super::blocks::{pack, packed_bytes, unpack};
use super::raw::NoConfig;
use super::scale::{Rounding, into_dtype, largest_magnitude, reciprocal, round_away, through_f16};
use crate::error::{DecodeError, Refusal};
use crate::kernel::{Context, Info, Kernel, Parts, Promise};
use crate::spec::Parameter;
use crate::weights::{TensorInfo, Weights};

/// Weights in a block.
const BLOCK: usize = 32;
/// Bytes of a block.
const BYTES: usize = 2 + BLOCK;

/// The Q8_0 kernel.
#[derive(Debug)]
pub struct Q8_0(NoConfig);

impl Kernel for Q8_0 {
    const INFO: Info = Info {
        id: "q8_0",
        version: 1,
        summary: "8-bit codes with an f16 scale for 32 weights, ggml's bytes",
        source: "ggml, quantize_row_q8_0_ref",
        lossless: false,
    };
    const PARAMETERS: &'static [Parameter] = &[];
    type Config = NoConfig;

    fn new(config: NoConfig) -> Result<Self, String> {
        Ok(Self(config))
    }

    fn config(&self) -> &NoConfig {
        &self.0
    }

    fn encode(&self, weights: &Weights, _: &Context<'_>) -> Result<Parts, Refusal> {
        let (blocks, rounding) = pack(&weights.to_f32(), pack_block);
        rounding.check(127.0)?;
        Ok(Parts::new().with("blocks", blocks))
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, _: &Context<'_>) -> Result<Weights, DecodeError> {
        let count = info.elements();
        let blocks = parts.exact("blocks", packed_bytes::<BLOCK, BYTES>(count))?;
        let values = unpack(blocks, count, unpack_block);
        into_dtype(info, values.ok_or_else(|| DecodeError::corrupt("blocks", "a scale is not finite"))?)
    }

    fn promise(&self, weights: &Weights) -> Promise {
        let values = weights.to_f32();
        let bounds = values.chunks(BLOCK).flat_map(|block| {
            let step = largest_magnitude(block) / 127.0;
            // Half a step, and what the scale's own rounding moves the largest code.
            let bound = step / 2.0 + 127.0 * (through_f16(step) - step).abs();
            std::iter::repeat_n(bound, block.len())
        });
        Promise::Elementwise(bounds.collect())
    }
}

#[inline]
fn pack_block(values: &[f32; BLOCK], bytes: &mut [u8; BYTES]) -> Rounding {
    let step = largest_magnitude(values) / 127.0;
    let inverse = reciprocal(step);
    let stored = f16::from_f32(step);
    let (scale, codes) = bytes.split_at_mut(2);
    scale.copy_from_slice(&stored.to_le_bytes());
    for (code, x) in codes.iter_mut().zip(values) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within ±127; the byte holds two's complement")]
        let byte = round_away(x * inverse) as u8;
        *code = byte;
    }
    Rounding::of(f64::from(step), stored.to_f32())
}

#[inline]
fn unpack_block(bytes: &[u8; BYTES], values: &mut [f32; BLOCK]) -> bool {
    let step = f16::from_le_bytes([bytes[0], bytes[1]]).to_f32();
    for (x, code) in values.iter_mut().zip(&bytes[2..]) {
        *x = f32::from(code.cast_signed()) * step;
    }
    step.is_finite()
}

#[cfg(test)]
mod tests {
    use crate::kernels::testing::{assert_golden, assert_refuses, assert_relative_error};

    #[test]
    fn golden_bytes_are_those_of_ggml() {
        assert_golden("q8_0", "8a4f76d4d14710a9");
    }

    #[test]
    fn gaussian_error() {
        assert_relative_error("q8_0", 0.00535);
    }

    #[test]
    fn scales_beyond_f16_are_refused() {
        assert_refuses("q8_0", &[1e-30, 1e-6, 1e12]);
    }
}
