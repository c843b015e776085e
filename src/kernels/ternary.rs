//! Packings of ternary weights: I2_S of bitnet.cpp (arXiv 2502.11880) and ggml's TQ1_0 and TQ2_0 (ggml-quants.c).
//!
//! A weight above the threshold is +1, below minus the threshold −1, else 0; it is stored as digit 0, 1 or 2 for −1, 0, +1.
//!
//! | packing | block | layout | bits a weight |
//! |---|---|---|---|
//! | `i2_s` | 128 weights, 32 bytes | byte m: digit m in bits 6–7, 32+m in 4–5, 64+m in 2–3, 96+m in 0–1 | 2 |
//! | `tq1_0` | 256 weights, 54 bytes | see below | 1.6875 |
//! | `tq2_0` | 256 weights, 66 bytes | within each 128: byte m has digit m + 32n in bits 2n and 2n+1; then the scale as f16 | 2.0625 |
//!
//! After the last block of `i2_s` stand the scale as f32 and 28 zero bytes, once a tensor. `tq1_0` holds five digits a byte as a fraction
//! of 243 scaled to 256, rounded up: byte = ⌈256 (81a + 27b + 9c + 3d + e) / 243⌉, so that multiplying by 3ⁿ (mod 256), then by 3, and
//! dividing by 256 gives digit n. Bytes 0–31 hold weights m + 32n, bytes 32–47 weights 160 + m + 16n, bytes 48–51 (`qh`) four digits each,
//! weights 240 + m + 4n, then follows the scale as f16. Blocks run over the flattened tensor; the last one is padded with zeros.

use half::f16;
use serde::{Deserialize, Serialize};

use super::blocks;
use super::scale::Rounding;

/// Bytes after the last block of `i2_s`, of which the scale takes the first four.
const I2_S_TAIL: usize = 32;

/// How ternary weights are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Packing {
    /// Two bits a weight and one scale, bitnet.cpp on x86.
    #[default]
    #[serde(rename = "i2_s")]
    I2S,
    /// Five weights a byte, ggml.
    #[serde(rename = "tq1_0")]
    Tq10,
    /// Two bits a weight and a scale for each 256, ggml.
    #[serde(rename = "tq2_0")]
    Tq20,
}

impl Packing {
    /// Bytes that `count` weights take.
    pub const fn packed_bytes(self, count: usize) -> usize {
        match self {
            Self::I2S => i2_s_bytes(count) + I2_S_TAIL,
            Self::Tq10 => blocks::packed_bytes::<256, 54>(count),
            Self::Tq20 => blocks::packed_bytes::<256, 66>(count),
        }
    }

    /// Packs values by comparison with `threshold`, under `scale`, which the `tq` packings round to f16.
    pub fn pack(self, values: &[f32], threshold: f32, scale: f32) -> Vec<u8> {
        let half = f16::from_f32(scale).to_le_bytes();
        match self {
            Self::I2S => {
                let mut bytes = pack_i2_s(values, threshold);
                bytes.extend_from_slice(&scale.to_le_bytes());
                bytes.resize(self.packed_bytes(values.len()), 0);
                bytes
            }
            Self::Tq10 => blocks::pack::<256, 54>(values, |x, out| tq1_0(&digits(x, threshold), half, out)).0,
            Self::Tq20 => blocks::pack::<256, 66>(values, |x, out| tq2_0(&digits(x, threshold), half, out)).0,
        }
    }

    /// Unpacks `count` weights from [`Packing::packed_bytes`] of them; `None` where a scale is not finite or a digit is 3.
    pub fn unpack(self, bytes: &[u8], count: usize) -> Option<Vec<f32>> {
        match self {
            Self::I2S => {
                let (packed, tail) = bytes.split_at_checked(i2_s_bytes(count))?;
                let scale = f32::from_le_bytes(*tail.first_chunk()?);
                let values = unpack_i2_s(packed, count, scale)?;
                scale.is_finite().then_some(values)
            }
            Self::Tq10 => blocks::unpack::<256, 54>(bytes, count, from_tq1_0),
            Self::Tq20 => blocks::unpack::<256, 66>(bytes, count, from_tq2_0),
        }
    }

    /// The scale as it is stored.
    pub fn stored_scale(self, scale: f32) -> f32 {
        match self {
            Self::I2S => scale,
            Self::Tq10 | Self::Tq20 => super::scale::through_f16(scale),
        }
    }
}

/// Bytes of the digits of `count` weights in `i2_s`, without the tail.
pub const fn i2_s_bytes(count: usize) -> usize {
    blocks::packed_bytes::<128, 32>(count)
}

/// The digits of `i2_s`, without the tail that holds the scale.
pub fn pack_i2_s(values: &[f32], threshold: f32) -> Vec<u8> {
    blocks::pack::<128, 32>(values, |x, out| i2_s(&digits(x, threshold), out)).0
}

/// Unpacks [`i2_s_bytes`] of digits; `None` where one is 3.
pub fn unpack_i2_s(bytes: &[u8], count: usize, scale: f32) -> Option<Vec<f32>> {
    blocks::unpack::<128, 32>(bytes, count, |block, out| from_i2_s(block, scale, out))
}

/// Digits 0, 1, 2 of values below, within and above ± the threshold.
#[inline]
fn digits<const N: usize>(values: &[f32; N], threshold: f32) -> [u8; N] {
    let mut digits = [1; N];
    for (digit, &x) in digits.iter_mut().zip(values) {
        *digit = 1 + u8::from(x > threshold) - u8::from(x < -threshold);
    }
    digits
}

/// The weight of a digit.
#[inline]
fn weight(digit: u8, scale: f32) -> f32 {
    f32::from(digit.cast_signed() - 1) * scale
}

/// Whether some of four two-bit digits is 3.
#[inline]
fn has_three(byte: u8) -> u8 {
    byte & (byte >> 1) & 0x55
}

#[inline]
fn i2_s(digits: &[u8; 128], bytes: &mut [u8; 32]) -> Rounding {
    for (m, byte) in bytes.iter_mut().enumerate() {
        *byte = digits[m] << 6 | digits[32 + m] << 4 | digits[64 + m] << 2 | digits[96 + m];
    }
    Rounding::default()
}

#[inline]
fn from_i2_s(bytes: &[u8; 32], scale: f32, values: &mut [f32; 128]) -> bool {
    let (runs, _) = values.as_chunks_mut::<32>();
    for (run, shift) in runs.iter_mut().zip([6, 4, 2, 0]) {
        for (x, byte) in run.iter_mut().zip(bytes) {
            *x = weight((byte >> shift) & 3, scale);
        }
    }
    bytes.iter().fold(0, |bad, &byte| bad | has_three(byte)) == 0
}

#[inline]
pub(super) fn tq2_0(digits: &[u8; 256], scale: [u8; 2], bytes: &mut [u8; 66]) -> Rounding {
    let (runs, _) = bytes.as_chunks_mut::<32>();
    for (run, digits) in runs.iter_mut().zip(digits.as_chunks::<128>().0) {
        for (m, byte) in run.iter_mut().enumerate() {
            *byte = digits[m] | digits[32 + m] << 2 | digits[64 + m] << 4 | digits[96 + m] << 6;
        }
    }
    bytes[64..].copy_from_slice(&scale);
    Rounding::default()
}

#[inline]
pub(super) fn from_tq2_0(bytes: &[u8; 66], values: &mut [f32; 256]) -> bool {
    let scale = f16::from_le_bytes([bytes[64], bytes[65]]).to_f32();
    for (run, values) in bytes.as_chunks::<32>().0.iter().zip(values.as_chunks_mut::<128>().0) {
        for (values, shift) in values.as_chunks_mut::<32>().0.iter_mut().zip([0, 2, 4, 6]) {
            for (x, byte) in values.iter_mut().zip(run) {
                *x = weight((byte >> shift) & 3, scale);
            }
        }
    }
    bytes[..64].iter().fold(0, |bad, &byte| bad | has_three(byte)) == 0 && scale.is_finite()
}

/// Byte of up to five digits: the fraction Σ digit·3^(4−n) / 243 in 1/256, rounded up.
#[inline]
fn five(digits: [u8; 5]) -> u8 {
    let number = digits.iter().fold(0u16, |number, &digit| number * 3 + u16::from(digit));
    #[expect(clippy::cast_possible_truncation, reason = "at most ⌈242 · 256 / 243⌉ = 255")]
    let byte = (number * 256).div_ceil(243) as u8;
    byte
}

/// Digit n of a byte, from its 3ⁿ-fold.
#[inline]
fn digit(byte: u8, power: u8) -> u8 {
    let shifted = u16::from(byte.wrapping_mul(power)) * 3;
    (shifted >> 8) as u8
}

/// Powers of three that bring digit n of a byte to the front.
const POWERS: [u8; 5] = [1, 3, 9, 27, 81];

#[inline]
pub(super) fn tq1_0(digits: &[u8; 256], scale: [u8; 2], bytes: &mut [u8; 54]) -> Rounding {
    for m in 0..32 {
        bytes[m] = five([0, 1, 2, 3, 4].map(|n| digits[m + 32 * n]));
    }
    for m in 0..16 {
        bytes[32 + m] = five([0, 1, 2, 3, 4].map(|n| digits[160 + m + 16 * n]));
    }
    for m in 0..4 {
        bytes[48 + m] = five([digits[240 + m], digits[244 + m], digits[248 + m], digits[252 + m], 0]);
    }
    bytes[52..].copy_from_slice(&scale);
    Rounding::default()
}

#[inline]
pub(super) fn from_tq1_0(bytes: &[u8; 54], values: &mut [f32; 256]) -> bool {
    let scale = f16::from_le_bytes([bytes[52], bytes[53]]).to_f32();
    let (first, rest) = values.split_at_mut(160);
    let (second, third) = rest.split_at_mut(80);
    for (run, power) in first.as_chunks_mut::<32>().0.iter_mut().zip(POWERS) {
        for (x, &byte) in run.iter_mut().zip(&bytes[..32]) {
            *x = weight(digit(byte, power), scale);
        }
    }
    for (run, power) in second.as_chunks_mut::<16>().0.iter_mut().zip(POWERS) {
        for (x, &byte) in run.iter_mut().zip(&bytes[32..48]) {
            *x = weight(digit(byte, power), scale);
        }
    }
    for (run, power) in third.as_chunks_mut::<4>().0.iter_mut().zip(POWERS) {
        for (x, &byte) in run.iter_mut().zip(&bytes[48..52]) {
            *x = weight(digit(byte, power), scale);
        }
    }
    scale.is_finite()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::sha256_prefix;
    use crate::sample;
    use proptest::prelude::*;

    const ALL: [Packing; 3] = [Packing::I2S, Packing::Tq10, Packing::Tq20];

    /// ggml's way to digits: each block of 256 under its own absolute maximum.
    fn ggml_golden(packing: Packing) -> String {
        let values = sample::golden(256 * 1024);
        let bytes = values.chunks(256).flat_map(|block| {
            let scale = block.iter().fold(0f32, |a, x| a.max(x.abs()));
            let codes: Vec<f32> = block.iter().map(|x| (x * (1.0 / scale)).round()).collect();
            packing.pack(&codes, 0.5, scale)
        });
        sha256_prefix(&bytes.collect::<Vec<_>>())
    }

    #[test]
    fn layouts_are_those_of_ggml() {
        assert_eq!(ggml_golden(Packing::Tq10), "58ec1785b98b0c45");
        assert_eq!(ggml_golden(Packing::Tq20), "be029711bffb523e");
    }

    #[test]
    fn packing_rates_are_the_published_ones() {
        let bits = ALL.map(|packing| packing.packed_bytes(1 << 20) - if packing == Packing::I2S { I2_S_TAIL } else { 0 });
        assert_eq!(bits.map(|b| b as f64 * 8.0 / f64::from(1 << 20)), [2.0, 1.6875, 2.0625]);
    }

    #[test]
    fn i2_s_puts_the_scale_after_the_digits() {
        let bytes = Packing::I2S.pack(&[1.0, -1.0, 0.0, 1.0], 0.5, 3.25);
        assert_eq!(bytes.len(), 64);
        assert_eq!(bytes[..5], [0b10_01_01_01, 0b00_01_01_01, 0b01_01_01_01, 0b10_01_01_01, 0b01_01_01_01]);
        assert_eq!(bytes[32..36], 3.25f32.to_le_bytes());
        assert_eq!(bytes[36..], [0; 28]);
    }

    #[test]
    fn a_digit_of_three_and_a_scale_that_is_not_finite_are_errors() {
        for packing in ALL {
            let bytes = packing.pack(&[1.0; 300], 0.5, f32::INFINITY);
            assert_eq!(packing.unpack(&bytes, 300), None);
        }
        for packing in [Packing::I2S, Packing::Tq20] {
            let mut bytes = packing.pack(&[1.0; 300], 0.5, 1.0);
            assert!(packing.unpack(&bytes, 300).is_some());
            bytes[5] |= 0b11;
            assert_eq!(packing.unpack(&bytes, 300), None);
        }
    }

    /// Where the layouts put weight i of a block, written down from the table rather than from the code: byte, and digit within it.
    fn place(packing: Packing, i: usize) -> (usize, usize) {
        match packing {
            Packing::I2S => (i % 32, 3 - i / 32),
            Packing::Tq20 => (i / 128 * 32 + i % 32, i % 128 / 32),
            Packing::Tq10 if i < 160 => (i % 32, i / 32),
            Packing::Tq10 if i < 240 => (32 + (i - 160) % 16, (i - 160) / 16),
            Packing::Tq10 => (48 + (i - 240) % 4, (i - 240) / 4),
        }
    }

    fn naive(packing: Packing, codes: &[i8]) -> Vec<u8> {
        let (block, block_bytes) = if packing == Packing::I2S { (128, 32) } else { (256, packing.packed_bytes(256)) };
        let mut bytes = Vec::new();
        for codes in codes.chunks(block) {
            let mut sums = vec![0u32; block_bytes];
            for i in 0..block {
                let digit = u32::from((codes.get(i).copied().unwrap_or(0) + 1).cast_unsigned());
                let (byte, n) = place(packing, i);
                sums[byte] += if packing == Packing::Tq10 { digit * [81, 27, 9, 3, 1][n] } else { digit << (2 * n) };
            }
            if packing == Packing::Tq10 {
                sums.iter_mut().for_each(|sum| *sum = (*sum * 256).div_ceil(243));
            }
            bytes.extend(sums.iter().map(|&sum| u8::try_from(sum).unwrap()));
            if packing != Packing::I2S {
                bytes.truncate(bytes.len() - 2);
                bytes.extend(f16::ONE.to_le_bytes());
            }
        }
        if packing == Packing::I2S {
            bytes.extend(1f32.to_le_bytes());
            bytes.extend([0; 28]);
        }
        bytes
    }

    proptest! {
        #[test]
        fn any_length_round_trips_and_equals_the_naive_layout(codes in prop::collection::vec(-1i8..=1, 0..900)) {
            let values: Vec<f32> = codes.iter().map(|&c| f32::from(c)).collect();
            for packing in ALL {
                let bytes = packing.pack(&values, 0.5, 1.0);
                prop_assert_eq!(bytes.len(), packing.packed_bytes(codes.len()));
                prop_assert_eq!(&bytes, &naive(packing, &codes));
                let unpacked = packing.unpack(&bytes, codes.len());
                prop_assert_eq!(unpacked.as_deref(), Some(values.as_slice()));
            }
        }
    }
}
