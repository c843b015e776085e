//! Lossless: exponents by a canonical Huffman code, signs and mantissas as they are: the layout idea of DFloat11 (arXiv 2504.11651).
//!
//! In trained weights sign and mantissa are close to uniform, and nearly all that can be saved is in the exponent, which takes about 2.6 of
//! its 8 bits. The symbol of a value is its exponent (F32, BF16); F16's has five bits, and its whole high byte is the symbol: sign,
//! exponent and two bits of mantissa. The remainder is the sign and mantissa, 3 bytes (F32) or 1 (BF16), or F16's low byte.
//!
//! Parts: `lengths`, the lowest and highest symbol that occur, then a nibble for each symbol from the one to the other, low nibble first:
//! the length of its code (0 to 12); `ends`, the bytes of each stream, u32; `exponents`, streams of 65,536 values each, see `huffman`;
//! `remainders`, little-endian, in order. Streams begin on whole bytes, so they are encoded and decoded in parallel. Takes any shape that
//! has elements, NaN and all. There is no checksum: damage that keeps all lengths goes unnoticed.

use bytemuck::allocation::cast_vec;
use rayon::prelude::*;

use super::huffman::{self, Decoder, Encoder, Lengths};
use super::raw::NoConfig;
use crate::error::{DecodeError, Refusal};
use crate::kernel::{Context, Info, Kernel, Parts, Promise};
use crate::spec::Parameter;
use crate::weights::{Dtype, TensorInfo, Values, Weights};

/// Values of one stream.
pub const CHUNK: usize = 1 << 16;

/// The exponent-coding kernel.
#[derive(Debug)]
pub struct HuffmanExponent(NoConfig);

impl Kernel for HuffmanExponent {
    const INFO: Info = Info {
        id: "huffman-exponent",
        version: 1,
        summary: "lossless: exponents by canonical Huffman codes, the rest as it is",
        source: "DFloat11, arXiv 2504.11651",
        lossless: true,
    };
    const PARAMETERS: &'static [Parameter] = &[];
    type Config = NoConfig;

    fn new(config: NoConfig) -> Result<Self, String> {
        Ok(Self(config))
    }

    fn config(&self) -> &NoConfig {
        &self.0
    }

    fn accepts(&self, info: &TensorInfo) -> Result<(), Refusal> {
        if info.elements() == 0 { Err(Refusal::new("no elements")) } else { Ok(()) }
    }

    fn encode(&self, weights: &Weights, _: &Context<'_>) -> Result<Parts, Refusal> {
        Ok(match weights.values() {
            Values::F32(v) => pack(bytemuck::cast_slice(v), split_f32),
            Values::F16(v) => pack(bytemuck::cast_slice(v), split_f16),
            Values::Bf16(v) => pack(bytemuck::cast_slice(v), split_bf16),
        })
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, _: &Context<'_>) -> Result<Weights, DecodeError> {
        let count = info.elements();
        let values = match info.dtype {
            Dtype::F32 => Values::F32(cast_vec(unpack(parts, count, join_f32)?)),
            Dtype::F16 => Values::F16(cast_vec(unpack(parts, count, join_f16)?)),
            Dtype::Bf16 => Values::Bf16(cast_vec(unpack(parts, count, join_bf16)?)),
        };
        Ok(Weights::new(info.name.clone(), info.shape.clone(), values)?)
    }

    fn promise(&self, _: &Weights) -> Promise {
        Promise::Exact
    }
}

#[inline]
fn split_f32(bits: u32) -> (u8, [u8; 3]) {
    let [a, b, c, d] = bits.to_le_bytes();
    (d << 1 | c >> 7, [a, b, c & 0x7F | d & 0x80])
}

#[inline]
fn join_f32(symbol: u8, [a, b, c]: [u8; 3]) -> u32 {
    u32::from_le_bytes([a, b, c & 0x7F | symbol << 7, c & 0x80 | symbol >> 1])
}

#[inline]
fn split_bf16(bits: u16) -> (u8, [u8; 1]) {
    let [c, d] = bits.to_le_bytes();
    (d << 1 | c >> 7, [c & 0x7F | d & 0x80])
}

#[inline]
fn join_bf16(symbol: u8, [c]: [u8; 1]) -> u16 {
    u16::from_le_bytes([c & 0x7F | symbol << 7, c & 0x80 | symbol >> 1])
}

#[inline]
fn split_f16(bits: u16) -> (u8, [u8; 1]) {
    let [low, high] = bits.to_le_bytes();
    (high, [low])
}

#[inline]
fn join_f16(symbol: u8, [low]: [u8; 1]) -> u16 {
    u16::from_le_bytes([low, symbol])
}

fn pack<T: Copy + Sync, const R: usize>(values: &[T], split: impl Fn(T) -> (u8, [u8; R]) + Sync) -> Parts {
    let count = |chunk: &[T]| {
        let mut counts = [0u32; 256];
        chunk.iter().for_each(|&x| counts[usize::from(split(x).0)] += 1);
        counts
    };
    let counts: Vec<[u32; 256]> = values.par_chunks(CHUNK).map(count).collect();
    let totals = std::array::from_fn(|symbol| counts.iter().map(|chunk| u64::from(chunk[symbol])).sum());
    let lengths = huffman::lengths(&totals);
    let encoder = Encoder::new(&lengths);

    let sizes: Vec<usize> = counts.iter().map(|counts| encoder.stream_bytes(counts)).collect();
    let mut exponents = vec![0; sizes.iter().sum()];
    let mut remainders = vec![0; values.len() * R];
    let streams = cut_mut(&mut exponents, &sizes).into_par_iter().zip(remainders.par_chunks_mut(CHUNK * R));
    streams.zip(values.par_chunks(CHUNK)).for_each(|((stream, remainders), values)| {
        encoder.encode(values.iter().map(|&x| split(x).0), stream);
        let remainders = remainders.as_chunks_mut::<R>().0;
        remainders.iter_mut().zip(values).for_each(|(out, &x)| *out = split(x).1);
    });
    let ends = sizes.iter().flat_map(|&size| u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes()).collect();
    let parts = Parts::new().with("lengths", write_lengths(&totals, &lengths));
    parts.with("ends", ends).with("exponents", exponents).with("remainders", remainders)
}

fn unpack<T, const R: usize>(parts: &Parts, count: usize, join: impl Fn(u8, [u8; R]) -> T + Sync) -> Result<Vec<T>, DecodeError>
where
    T: Copy + Default + Send,
{
    // The remainders are as long as the tensor, so nothing is allocated before they are known to be there.
    let remainders = parts.exact("remainders", count.saturating_mul(R))?;
    let decoder = read_lengths(parts.get("lengths")?)?;
    let sizes = parts.exact("ends", count.div_ceil(CHUNK) * 4)?.as_chunks::<4>().0.iter();
    let sizes: Vec<usize> = sizes.map(|size| u32::from_le_bytes(*size) as usize).collect();
    let total = sizes.iter().fold(0usize, |sum, &size| sum.saturating_add(size));
    let exponents = parts.exact("exponents", total)?;
    let mut values = vec![T::default(); count];
    let streams = cut(exponents, &sizes).into_par_iter().zip(remainders.par_chunks(CHUNK * R));
    let valid = streams.zip(values.par_chunks_mut(CHUNK)).map(|((stream, remainders), values)| {
        let remainders = remainders.as_chunks::<R>().0;
        let count = values.len();
        let mut places = values.iter_mut().zip(remainders);
        decoder.decode(stream, count, |symbol| {
            if let Some((value, rest)) = places.next() {
                *value = join(symbol, *rest);
            }
        })
    });
    if valid.reduce(|| true, |a, b| a && b) {
        Ok(values)
    } else {
        Err(DecodeError::corrupt("exponents", "a stream is longer or shorter than its symbols"))
    }
}

/// Lowest and highest symbol that occur, and the lengths between them.
fn write_lengths(totals: &[u64; 256], lengths: &Lengths) -> Vec<u8> {
    let occurs = |&symbol: &u8| totals[usize::from(symbol)] > 0;
    let lowest = (0..=u8::MAX).find(occurs).unwrap_or(0);
    let highest = (0..=u8::MAX).rfind(occurs).unwrap_or(0);
    let nibbles = lengths[usize::from(lowest)..=usize::from(highest)].chunks(2);
    let bytes = nibbles.map(|pair| pair[0] | pair.get(1).map_or(0, |high| high << 4));
    [lowest, highest].into_iter().chain(bytes).collect()
}

fn read_lengths(bytes: &[u8]) -> Result<Decoder, DecodeError> {
    let corrupt = |message: &str| DecodeError::corrupt("lengths", message);
    let &[lowest, highest, ref nibbles @ ..] = bytes else { return Err(corrupt("shorter than two bytes")) };
    let (first, last) = (usize::from(lowest), usize::from(highest));
    if first > last || nibbles.len() != (last - first + 1).div_ceil(2) {
        return Err(corrupt("its length is not that of its range of symbols"));
    }
    let mut lengths = [0; 256];
    let each = nibbles.iter().flat_map(|byte| [byte & 15, byte >> 4]);
    lengths[first..=last].iter_mut().zip(each).for_each(|(length, nibble)| *length = nibble);
    Decoder::new(&lengths, lowest).ok_or_else(|| corrupt("the lengths are no complete code"))
}

/// Consecutive pieces of these sizes, which add up to the whole.
fn cut<'a>(mut whole: &'a [u8], sizes: &[usize]) -> Vec<&'a [u8]> {
    let piece = |&size: &usize| whole.split_off(..size).unwrap_or_default();
    sizes.iter().map(piece).collect()
}

/// Consecutive pieces of these sizes, which add up to the whole.
fn cut_mut<'a>(mut whole: &'a mut [u8], sizes: &[usize]) -> Vec<&'a mut [u8]> {
    let piece = |&size: &usize| whole.split_off_mut(..size).unwrap_or_default();
    sizes.iter().map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use half::{bf16, f16};
    use proptest::prelude::*;

    fn round_trip(values: Values) -> Parts {
        let count = match &values {
            Values::F32(v) => v.len(),
            Values::F16(v) => v.len(),
            Values::Bf16(v) => v.len(),
        };
        let weights = Weights::new("w", vec![1, count], values).unwrap();
        let kernel = HuffmanExponent(NoConfig {});
        let parts = Kernel::encode(&kernel, &weights, &Context::default()).unwrap();
        let decoded = Kernel::decode(&kernel, &parts, weights.info(), &Context::default()).unwrap();
        assert_eq!(decoded.bytes(), weights.bytes());
        parts
    }

    /// Gaussian weights, each row of 1024 with a scale of its own, as in trained layers.
    fn rows(count: usize) -> Vec<f32> {
        let scales = sample::gaussian(count.div_ceil(1024), 0.2, 2);
        sample::gaussian(count, 0.02, 1).iter().enumerate().map(|(i, x)| x * scales[i / 1024].exp()).collect()
    }

    #[test]
    fn bf16_weights_come_close_to_their_entropy() {
        let values: Vec<bf16> = rows(1 << 20).into_iter().map(bf16::from_f32).collect();
        let mut counts = [0f64; 256];
        values.iter().for_each(|x| counts[usize::from(x.to_bits() >> 7 & 0xFF)] += 1.0);
        let total = values.len() as f64;
        let entropy: f64 = counts.iter().filter(|&&c| c > 0.0).map(|c| c / total * (total / c).log2()).sum();
        let bits = round_trip(Values::Bf16(values)).size_bytes() as f64 * 8.0 / total;
        println!("{bits:.4} bits a weight, {:.4} of bf16; order-0 entropy {:.4} + 8", bits / 16.0, entropy);
        assert!(bits < (entropy + 8.0) * 1.01, "{bits} against {entropy}");
        assert!((bits / 16.0 - 0.663).abs() < 0.01, "{bits}");
    }

    #[test]
    fn other_dtypes_shrink_too() {
        let values = sample::gaussian(1 << 18, 0.02, 1);
        let half = values.iter().map(|&x| f16::from_f32(x)).collect();
        for (values, bits) in [(Values::F32(values), 26.7), (Values::F16(half), 13.7)] {
            let rate = round_trip(values).size_bytes() as f64 * 8.0 / f64::from(1 << 18);
            println!("{rate:.4} bits a weight");
            assert!(rate < bits, "{rate}");
        }
    }

    #[test]
    fn all_sixteen_bit_values_come_back() {
        round_trip(Values::Bf16((0..=u16::MAX).map(bf16::from_bits).collect()));
        round_trip(Values::F16((0..=u16::MAX).map(f16::from_bits).collect()));
        // Several streams, the last one short, and every exponent with NaN payloads and subnormals among them.
        round_trip(Values::F32((0..2 * 65_536 + 77u32).map(|i| f32::from_bits(i.wrapping_mul(0x9E37_79B9))).collect()));
    }

    #[test]
    fn one_exponent_takes_no_bits() {
        let parts = round_trip(Values::Bf16(vec![bf16::from_f32(0.25); 3 * CHUNK]));
        assert_eq!(parts.exact("lengths", 3).unwrap(), [125, 125, 0]);
        assert_eq!(parts.get("exponents").unwrap().len(), 0);
    }

    #[test]
    fn lies_are_found_before_memory_is_taken() {
        let parts = round_trip(Values::F32(sample::gaussian(1000, 0.02, 1)));
        let info = |count| TensorInfo { name: "w".into(), shape: vec![1, count], dtype: Dtype::F32 };
        let decode = |parts: &Parts, count| Kernel::decode(&HuffmanExponent(NoConfig {}), parts, &info(count), &Context::default());
        let error = decode(&parts, 1 << 40).unwrap_err().to_string();
        assert_eq!(error, "part 'remainders' holds 3000 bytes, expected 3298534883328");
        let change = |name: &str, bytes: &[u8]| {
            let mut parts = parts.clone();
            let part = parts.0.iter_mut().find(|part| part.name == name).unwrap();
            part.bytes = bytes.to_vec();
            decode(&parts, 1000).unwrap_err().to_string()
        };
        let exponents = parts.get("exponents").unwrap().len();
        assert_eq!(change("ends", &[255; 4]), format!("part 'exponents' holds {exponents} bytes, expected 4294967295"));
        assert_eq!(change("lengths", &[3, 2]), "part 'lengths': its length is not that of its range of symbols");
        assert_eq!(change("lengths", &[3, 4, 0x31]), "part 'lengths': the lengths are no complete code");
        assert_eq!(change("lengths", &[3, 4, 0x11]), "part 'exponents': a stream is longer or shorter than its symbols");
    }

    proptest! {
        #[test]
        fn any_bits_come_back(bits in prop::collection::vec(any::<u32>(), 1..600)) {
            round_trip(Values::F32(bits.iter().map(|&b| f32::from_bits(b)).collect()));
            round_trip(Values::F16(bits.iter().map(|&b| f16::from_bits((b >> 16) as u16)).collect()));
            round_trip(Values::Bf16(bits.iter().map(|&b| bf16::from_bits((b >> 16) as u16)).collect()));
        }
    }
}
