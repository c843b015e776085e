//! Lossless: byte planes, each compressed with Zstandard (RFC 8878).
//!
//! Values are split by significance: plane p holds byte p of each value, least significant first, so that the exponents, which are what can
//! be compressed in trained weights, stand together. Parts `plane-0` … `plane-3` (F32) or `plane-1` (F16, BF16), each one Zstandard frame
//! with its content size and a checksum. Takes any shape that has elements, NaN and all.
//!
//! Planes are compressed one after the other in one context: in parallel the peak heap would depend on the number of threads. The crate's
//! feature `with-rust-allocator` routes what the C library allocates through Rust's global allocator, so a counting one sees all of it.
//! Damage is found before memory is taken: a frame must announce exactly the plane's size, and that size must be possible for a frame of
//! its length.

use bytemuck::allocation::cast_vec;
use serde::{Deserialize, Serialize};
use zstd::zstd_safe::{CCtx, CParameter, DCtx, compress_bound, get_error_name, get_frame_content_size};

use crate::error::{DecodeError, Refusal};
use crate::kernel::{Context, Info, Kernel, Parts, Promise};
use crate::spec::Parameter;
use crate::weights::{Dtype, TensorInfo, Values, Weights};

/// Most content that a byte of frame can stand for: a block holds at most 128 KiB (RFC 8878, section 3.1.1.2.4) and takes at least 4 bytes.
const LARGEST_EXPANSION: usize = 128 * 1024 / 4;

/// Configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Zstandard's level.
    pub level: i32,
}

impl Default for Config {
    fn default() -> Self {
        Self { level: 3 }
    }
}

/// The Zstandard kernel.
#[derive(Debug)]
pub struct Zstd(Config);

impl Kernel for Zstd {
    const INFO: Info = Info {
        id: "zstd",
        version: 1,
        summary: "lossless: byte planes compressed with Zstandard",
        source: "RFC 8878, on byte planes",
        lossless: true,
    };
    const PARAMETERS: &'static [Parameter] =
        &[Parameter { name: "level", doc: "Zstandard's level: higher is smaller and slower to encode", values: "1 to 19" }];
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        if (1..=19).contains(&config.level) { Ok(Self(config)) } else { Err(format!("level is {}; it must be 1 to 19", config.level)) }
    }

    fn config(&self) -> &Config {
        &self.0
    }

    fn accepts(&self, info: &TensorInfo) -> Result<(), Refusal> {
        if info.elements() == 0 { Err(Refusal::new("no elements")) } else { Ok(()) }
    }

    fn encode(&self, weights: &Weights, _: &Context<'_>) -> Result<Parts, Refusal> {
        match weights.values() {
            Values::F32(v) => self.compress(bytemuck::cast_slice::<_, u32>(v), 4, |bits, plane| bits.to_le_bytes()[plane]),
            Values::F16(v) => self.compress(bytemuck::cast_slice::<_, u16>(v), 2, |bits, plane| bits.to_le_bytes()[plane]),
            Values::Bf16(v) => self.compress(bytemuck::cast_slice::<_, u16>(v), 2, |bits, plane| bits.to_le_bytes()[plane]),
        }
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, _: &Context<'_>) -> Result<Weights, DecodeError> {
        let count = info.elements();
        let values = match info.dtype {
            Dtype::F32 => Values::F32(cast_vec(decompress::<u32>(parts, count, 4, |byte, shift| u32::from(byte) << shift)?)),
            Dtype::F16 => Values::F16(cast_vec(decompress::<u16>(parts, count, 2, |byte, shift| u16::from(byte) << shift)?)),
            Dtype::Bf16 => Values::Bf16(cast_vec(decompress::<u16>(parts, count, 2, |byte, shift| u16::from(byte) << shift)?)),
        };
        Ok(Weights::new(info.name.clone(), info.shape.clone(), values)?)
    }

    fn promise(&self, _: &Weights) -> Promise {
        Promise::Exact
    }
}

impl Zstd {
    fn compress<T: Copy>(&self, bits: &[T], planes: usize, byte: impl Fn(T, usize) -> u8) -> Result<Parts, Refusal> {
        let failed = |code| Refusal::new(format!("zstd failed: {}", get_error_name(code)));
        let mut context = CCtx::try_create().ok_or_else(|| Refusal::new("zstd failed: no memory for its context"))?;
        for parameter in [CParameter::CompressionLevel(self.0.level), CParameter::ContentSizeFlag(true), CParameter::ChecksumFlag(true)] {
            context.set_parameter(parameter).map_err(failed)?;
        }
        let mut plane = vec![0; bits.len()];
        let mut frame = vec![0; compress_bound(bits.len())];
        let mut parts = Parts::new();
        for index in 0..planes {
            plane.iter_mut().zip(bits).for_each(|(out, &bits)| *out = byte(bits, index));
            let length = context.compress2(frame.as_mut_slice(), &plane).map_err(failed)?;
            parts = parts.with(part_name(index), frame[..length].to_vec());
        }
        Ok(parts)
    }
}

fn part_name(plane: usize) -> String {
    format!("plane-{plane}")
}

/// Values of `planes` bytes each, from their planes; `place` shifts a byte into its place.
fn decompress<T>(parts: &Parts, count: usize, planes: usize, place: impl Fn(u8, usize) -> T) -> Result<Vec<T>, DecodeError>
where
    T: Copy + Default + std::ops::BitOrAssign,
{
    let names = (0..planes).map(part_name).collect::<Vec<_>>();
    // All frames are checked before the first allocation.
    let frames = names.iter().map(|name| checked_frame(parts, name, count)).collect::<Result<Vec<_>, _>>()?;
    let mut context = DCtx::try_create().ok_or_else(|| DecodeError::corrupt(&names[0], "zstd has no memory for its context"))?;
    let mut values = vec![T::default(); count];
    let mut plane = vec![0u8; count];
    for (index, frame) in frames.into_iter().enumerate() {
        let corrupt = |message: &str| DecodeError::corrupt(&names[index], format!("zstd: {message}"));
        let length = context.decompress(plane.as_mut_slice(), frame).map_err(|code| corrupt(get_error_name(code)))?;
        if length != count {
            return Err(corrupt("content is shorter than announced"));
        }
        values.iter_mut().zip(&plane).for_each(|(value, &byte)| *value |= place(byte, 8 * index));
    }
    Ok(values)
}

/// A part that announces exactly `count` bytes of content and is long enough for them.
fn checked_frame<'a>(parts: &'a Parts, name: &str, count: usize) -> Result<&'a [u8], DecodeError> {
    let frame = parts.get(name)?;
    let announced = get_frame_content_size(frame).ok().flatten();
    let announced = announced.ok_or_else(|| DecodeError::corrupt(name, "not a zstd frame with a content size"))?;
    if announced != count as u64 {
        return Err(DecodeError::corrupt(name, format!("announces {announced} bytes, expected {count}")));
    }
    if count > frame.len().saturating_mul(LARGEST_EXPANSION) {
        return Err(DecodeError::corrupt(name, format!("{} bytes cannot hold {count}", frame.len())));
    }
    Ok(frame)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::matrix;
    use crate::sample;
    use proptest::prelude::*;

    fn round_trip(level: i32, weights: &Weights) -> Parts {
        let kernel = Zstd::new(Config { level }).unwrap();
        let parts = Kernel::encode(&kernel, weights, &Context::default()).unwrap();
        let decoded = Kernel::decode(&kernel, &parts, weights.info(), &Context::default()).unwrap();
        assert_eq!(decoded.info(), weights.info());
        assert_eq!(decoded.bytes(), weights.bytes());
        parts
    }

    #[test]
    fn gaussian_weights_shrink() {
        let weights = matrix(256, sample::gaussian(256 * 1024, 0.02, 1));
        for level in [1, 3, 19] {
            let ratio = round_trip(level, &weights).size_bytes() as f64 / weights.bytes().len() as f64;
            assert!(ratio < 0.87, "{ratio}");
        }
    }

    #[test]
    fn constant_tensors_are_not_mistaken_for_lies() {
        let parts = round_trip(19, &matrix(1, vec![0.25; 4 << 20]));
        assert!(parts.size_bytes() < 2000);
    }

    #[test]
    fn a_frame_that_announces_more_than_it_can_hold_is_refused_before_memory_is_taken() {
        let weights = matrix(1, vec![1.0; 1000]);
        let mut parts = round_trip(3, &weights);
        // A single-segment frame with an eight-byte content size of 2^40 and nothing in it.
        let mut frame = vec![0x28, 0xB5, 0x2F, 0xFD, 0b1110_0000];
        frame.extend((1u64 << 40).to_le_bytes());
        frame.extend([1, 0, 0]);
        parts.0.iter_mut().for_each(|part| part.bytes.clone_from(&frame));
        let info = TensorInfo { shape: vec![1, 1 << 40], ..weights.info().clone() };
        let error = Kernel::decode(&Zstd(Config::default()), &parts, &info, &Context::default()).unwrap_err();
        assert_eq!(error.to_string(), "part 'plane-0': 16 bytes cannot hold 1099511627776");
        let error = Kernel::decode(&Zstd(Config::default()), &parts, weights.info(), &Context::default()).unwrap_err();
        assert_eq!(error.to_string(), "part 'plane-0': announces 1099511627776 bytes, expected 1000");
    }

    #[test]
    fn a_flipped_bit_is_an_error() {
        let weights = matrix(4, sample::gaussian(4096, 0.02, 1));
        let parts = round_trip(3, &weights);
        for at in [20, 500] {
            let mut damaged = parts.clone();
            damaged.0[3].bytes[at] ^= 1;
            assert!(Kernel::decode(&Zstd(Config::default()), &damaged, weights.info(), &Context::default()).is_err());
        }
    }

    #[test]
    fn levels_out_of_range_are_refused() {
        assert_eq!(Zstd::new(Config { level: 20 }).unwrap_err(), "level is 20; it must be 1 to 19");
        assert!(Zstd::new(Config { level: 0 }).is_err());
    }

    proptest! {
        #[test]
        fn any_bits_come_back(bits in prop::collection::vec(any::<u32>(), 1..600)) {
            let values: Vec<f32> = bits.iter().map(|&b| f32::from_bits(b)).collect();
            round_trip(3, &matrix(1, values));
        }
    }
}
