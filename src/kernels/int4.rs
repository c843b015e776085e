//! Symmetric 4-bit quantisation in groups with an f16 scale, the 'int4 absmax' row of the comparison tables (as weight-only int4 in
//! torchao and compressed-tensors).
//!
//! The tensor is a matrix of first dimension (output features) × the rest. Each row is cut into groups of `group` consecutive weights; the
//! last group of a row may be short. Step s = max|w| / 7, rounded to f16; code = round(w / s), ties away from zero, within ±7. Parts:
//! `scales`, one f16 a group, row by row; `codes`, each row from a whole byte on, two codes a byte, the first in the low nibble, each stored
//! as code + 8 (0 is never written). Bits a weight: 4 + 16 / group.

use half::f16;
use serde::{Deserialize, Serialize};

use super::rows::Row;
use super::scale::{Rounding, largest_magnitude, reciprocal, round_away, through_f16};
use crate::error::{DecodeError, Refusal};
use crate::kernel::{Context, Info, Kernel, Parts, Promise};
use crate::spec::Parameter;
use crate::weights::{TensorInfo, Weights};

/// Largest code.
pub(super) const LARGEST: f32 = 7.0;
/// Sizes a group may have.
const GROUPS: [usize; 3] = [32, 64, 128];

/// Configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Weights that share a scale.
    pub group: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { group: 128 }
    }
}

/// The 4-bit kernel.
#[derive(Debug)]
pub struct Int4(Config);

impl Kernel for Int4 {
    const INFO: Info = Info {
        id: "int4",
        version: 1,
        summary: "4-bit codes with an f16 scale for each group of a row",
        source: "symmetric absmax quantisation by groups",
        lossless: false,
    };
    const PARAMETERS: &'static [Parameter] =
        &[Parameter { name: "group", doc: "weights of a row that share a scale", values: "32, 64 or 128" }];
    const ROWS_APART: bool = true;
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        if GROUPS.contains(&config.group) { Ok(Self(config)) } else { Err(format!("group is {}; it must be 32, 64 or 128", config.group)) }
    }

    fn config(&self) -> &Config {
        &self.0
    }

    fn encode(&self, weights: &Weights, _: &Context<'_>) -> Result<Parts, Refusal> {
        let (parts, rounding) = self.row(weights.info()).pack(&weights.to_f32(), |values, codes, scales| {
            let groups = values.chunks(self.0.group).zip(codes.chunks_mut(self.0.group / 2)).zip(scales.as_chunks_mut().0);
            groups.fold(Rounding::default(), |rounding, ((values, codes), scale)| rounding.merge(encode_group(values, codes, scale)))
        });
        rounding.check(f64::from(LARGEST))?;
        Ok(parts)
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, _: &Context<'_>) -> Result<Weights, DecodeError> {
        self.row(info).unpack(parts, info, |codes, scales, values| {
            let mut groups = codes.chunks(self.0.group / 2).zip(scales.as_chunks().0).zip(values.chunks_mut(self.0.group));
            groups.all(|((codes, scale), values)| decode_group(codes, *scale, values))
        })
    }

    fn promise(&self, weights: &Weights) -> Promise {
        Promise::Elementwise(self.bounds(weights))
    }
}

impl Int4 {
    /// The most that each weight moves.
    pub(super) fn bounds(&self, weights: &Weights) -> Vec<f32> {
        let values = weights.to_f32();
        let rows = values.chunks(weights.info().rows_cols().1.max(1));
        let bounds = rows.flat_map(|row| row.chunks(self.0.group)).flat_map(|group| {
            // Half a step; where f16 rounded the step down, the largest weights also lie a little beyond code 7.
            let step = through_f16(largest_magnitude(group) / LARGEST);
            group.iter().map(move |x| (step / 2.0).max(x.abs() - LARGEST * step))
        });
        bounds.collect()
    }

    /// Sizes of a row.
    pub(super) fn row(&self, info: &TensorInfo) -> Row {
        let (_, cols) = info.rows_cols();
        Row { cols, code_bytes: cols.div_ceil(2), scale_bytes: 2 * cols.div_ceil(self.0.group) }
    }
}

/// The stored code of a weight, 1 to 15, by the reciprocal of its step. Weights far beyond the step's reach take the last code.
#[inline]
pub(super) fn code(x: f32, inverse: f32) -> u8 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 1 to 15")]
    let code = (round_away((x * inverse).clamp(-LARGEST, LARGEST)) + 8) as u8;
    code
}

fn encode_group(values: &[f32], codes: &mut [u8], scale: &mut [u8; 2]) -> Rounding {
    let exact = largest_magnitude(values) / LARGEST;
    let stored = f16::from_f32(exact);
    *scale = stored.to_le_bytes();
    let step = stored.to_f32();
    let inverse = reciprocal(step);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within 1 to 15")]
    let code = |x: f32| (round_away(x * inverse).clamp(-7, 7) + 8) as u8;
    let (pairs, last) = values.as_chunks::<2>();
    for (byte, [low, high]) in codes.iter_mut().zip(pairs) {
        *byte = code(*low) | code(*high) << 4;
    }
    if let ([low], Some(byte)) = (last, codes.last_mut()) {
        *byte = code(*low) | 8 << 4;
    }
    Rounding::of(f64::from(exact), step)
}

fn decode_group(codes: &[u8], scale: [u8; 2], values: &mut [f32]) -> bool {
    let step = f16::from_le_bytes(scale).to_f32();
    let weight = |nibble: u8| f32::from(nibble.cast_signed() - 8) * step;
    let (pairs, last) = values.as_chunks_mut::<2>();
    for (byte, [low, high]) in codes.iter().zip(pairs) {
        *low = weight(byte & 15);
        *high = weight(byte >> 4);
    }
    if let ([low], Some(byte)) = (last, codes.last()) {
        *low = weight(byte & 15);
    }
    step.is_finite()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{assert_refuses, assert_relative_error, matrix};

    #[test]
    fn gaussian_errors() {
        assert_relative_error("int4:group=32", 0.0971);
        assert_relative_error("int4:group=64", 0.1077);
        assert_relative_error("int4", 0.1174);
    }

    #[test]
    fn other_groups_are_refused() {
        assert_eq!(Int4::new(Config { group: 7 }).unwrap_err(), "group is 7; it must be 32, 64 or 128");
    }

    #[test]
    fn the_layout_is_as_documented() {
        let kernel = Int4::new(Config { group: 32 }).unwrap();
        // Two rows of 33: a group of 32 and one of 1, so 17 bytes and 2 scales a row.
        let mut values = vec![0.0; 66];
        (values[0], values[1], values[32]) = (7.0, -3.5, -14.0);
        let parts = Kernel::encode(&kernel, &matrix(2, values), &Context::default()).unwrap();
        let scales: Vec<f32> = parts.get("scales").unwrap().as_chunks::<2>().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect();
        assert_eq!(scales, [1.0, 2.0, 0.0, 0.0]);
        let codes = parts.get("codes").unwrap();
        assert_eq!(codes.len(), 34);
        // Codes 7 and −4 (a tie, away from zero), then −7 alone in the low nibble.
        assert_eq!((codes[0], codes[1], codes[16]), (0x4F, 0x88, 0x81));
    }

    #[test]
    fn scales_beyond_f16_are_refused() {
        assert_refuses("int4", &[1e-30, 1e-6, 1e8]);
    }
}
