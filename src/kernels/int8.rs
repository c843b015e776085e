//! Symmetric 8-bit quantisation with one scale a row, as in the vector-wise quantisation of LLM.int8() (arXiv 2208.07339, section 3.1).
//!
//! The tensor is a matrix of first dimension (output features) × the rest. Step s = max|w| / 127 over a row; code = round(w / s), ties away
//! from zero, within ±127. Parts: `scales`, one f32 a row; `codes`, one i8 a weight, row-major. The error of each weight is at most s/2.

use super::raw::NoConfig;
use super::rows::Row;
use super::scale::{Rounding, largest_magnitude, round_away};
use crate::error::{DecodeError, Refusal};
use crate::kernel::{Context, Info, Kernel, Parts, Promise};
use crate::spec::Parameter;
use crate::weights::{TensorInfo, Weights};

/// Largest code.
const LARGEST: f32 = 127.0;

/// The 8-bit kernel.
#[derive(Debug)]
pub struct Int8(NoConfig);

impl Kernel for Int8 {
    const INFO: Info = Info {
        id: "int8",
        version: 1,
        summary: "8-bit codes with an f32 scale for each row",
        source: "symmetric vector-wise quantisation, arXiv 2208.07339",
        lossless: false,
    };
    const PARAMETERS: &'static [Parameter] = &[];
    const ROWS_APART: bool = true;
    type Config = NoConfig;

    fn new(config: NoConfig) -> Result<Self, String> {
        Ok(Self(config))
    }

    fn config(&self) -> &NoConfig {
        &self.0
    }

    fn encode(&self, weights: &Weights, _: &Context<'_>) -> Result<Parts, Refusal> {
        let (parts, rounding) = row(weights.info()).pack(&weights.to_f32(), encode_row);
        rounding.check(f64::from(LARGEST))?;
        Ok(parts)
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, _: &Context<'_>) -> Result<Weights, DecodeError> {
        row(info).unpack(parts, info, decode_row)
    }

    fn promise(&self, weights: &Weights) -> Promise {
        let values = weights.to_f32();
        let rows = values.chunks(weights.info().rows_cols().1.max(1));
        Promise::Elementwise(rows.flat_map(|row| std::iter::repeat_n(largest_magnitude(row) / LARGEST / 2.0, row.len())).collect())
    }
}

fn row(info: &TensorInfo) -> Row {
    let (_, cols) = info.rows_cols();
    Row { cols, code_bytes: cols, scale_bytes: 4 }
}

fn encode_row(values: &[f32], codes: &mut [u8], scale: &mut [u8]) -> Rounding {
    let largest = largest_magnitude(values);
    let mut step = largest / LARGEST;
    if !(step * LARGEST).is_finite() {
        // Rounded up for a weight close to the largest f32: one unit less decodes to a finite value.
        step = step.next_down();
    }
    scale.copy_from_slice(&step.to_le_bytes());
    if step > 0.0 {
        for (code, x) in codes.iter_mut().zip(values) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within ±127; the byte holds two's complement")]
            let byte = round_away(x / step).clamp(-127, 127) as u8;
            *code = byte;
        }
    }
    Rounding::of(f64::from(largest) / f64::from(LARGEST), step)
}

fn decode_row(codes: &[u8], scale: &[u8], values: &mut [f32]) -> bool {
    let step = scale.first_chunk().map_or(f32::NAN, |bytes| f32::from_le_bytes(*bytes));
    for (x, code) in values.iter_mut().zip(codes) {
        *x = f32::from(code.cast_signed()) * step;
    }
    // 128 because damaged codes may hold −128.
    (step * 128.0).is_finite() || (step * LARGEST).is_finite() && !codes.contains(&0x80)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{assert_relative_error, matrix};

    #[test]
    fn gaussian_error() {
        assert_relative_error("int8", 0.0087);
    }

    #[test]
    fn the_layout_is_as_documented() {
        let kernel = Int8::new(NoConfig {}).unwrap();
        let parts = Kernel::encode(&kernel, &matrix(2, vec![127.0, -2.5, 0.4, 0.0, 0.0, 0.0]), &Context::default()).unwrap();
        assert_eq!(parts.get("scales").unwrap(), [1f32.to_le_bytes(), 0f32.to_le_bytes()].as_flattened());
        assert_eq!(parts.get("codes").unwrap(), [127, 253, 0, 0, 0, 0]);
    }

    #[test]
    fn the_largest_weights_stay_finite() {
        let kernel = Int8::new(NoConfig {}).unwrap();
        let mut largest = f32::MAX;
        for _ in 0..64 {
            let weights = matrix(1, vec![largest, -largest, 1.0]);
            let parts = Kernel::encode(&kernel, &weights, &Context::default()).unwrap();
            let decoded = Kernel::decode(&kernel, &parts, weights.info(), &Context::default()).unwrap();
            assert_eq!(decoded.first_non_finite(), None);
            largest = largest.next_down();
        }
    }
}
