//! Blocks to packed parts and back.
//!
//! | part | holds |
//! |---|---|
//! | `base` | the tensor's lowest exponent, i16 |
//! | `seeds` | for each block the offset of its basis into the [cycle], u16; 65535 is never written |
//! | `exponents` | for each block a nibble: its exponent less the lowest |
//! | `coefficients` | for each block P nibbles, two's complement |
//!
//! Nibbles fill bytes from the low half on, without gaps between blocks; a nibble left over is 0. A block decodes to
//! (Σ (vₚ − 2¹⁵)·qₚ) · 2ᵉ / (2¹⁵ − 1): the sum is an integer, the rest in f64, rounded to f32 once and held within f32's largest value.

use rayon::prelude::*;

use super::basis::{Factors, basis};
use super::bound::Bound;
use super::candidate::{Candidate, EXPONENTS, ceil_log2, energy, evaluate, power_of_two};
use super::lfsr::{PERIOD, UNIT, cycle};
use super::scan::Tables;
use super::simd;
use crate::error::DecodeError;
use crate::kernel::{PartSize, Parts};
use crate::simd::Level;

/// Blocks of a task, an even number, so that nibbles of different tasks share no byte. The scan reads its tables once for each task.
const TASK: usize = 256;
/// The highest exponent of a tensor, less that of its largest block's norm. See the test of the exponents in use.
const HEADROOM: i32 = 0;
/// Exponents that a `base` may hold: those of f32 weights, with room for headroom.
const BASES: std::ops::RangeInclusive<i16> = -200..=160;
/// Seeds whose errors bound that of the whole search, for the promise.
const PROBES: usize = 16;

/// The values as blocks, the last padded with zeros.
pub fn blocks<const C: usize>(values: &[f32]) -> Vec<[f64; C]> {
    let padded = |chunk: &[f32]| std::array::from_fn(|c| chunk.get(c).map_or(0.0, |&x| f64::from(x)));
    values.chunks(C).map(padded).collect()
}

/// The lowest exponent a tensor's blocks may have, from the largest norm of a block.
pub fn lowest_exponent<const C: usize>(blocks: &[[f64; C]]) -> i32 {
    let largest = blocks.iter().map(energy).fold(0.0, f64::max);
    if largest == 0.0 { 0 } else { ceil_log2(largest.sqrt()) + HEADROOM + 1 - EXPONENTS }
}

/// Packs values, with the best of all seeds for each block.
pub fn encode<const C: usize, const P: usize, B: Bound<C, P>>(tables: &Tables<C, P, B>, values: &[f32], level: Level) -> Parts {
    encode_by(values, TASK, |blocks, lowest, best| simd::search(level, tables, blocks, lowest, best))
}

/// Packs values with what a search finds for the blocks of a task, of which there are `task`, an even number, and a lowest exponent.
pub fn encode_by<const C: usize, const P: usize>(
    values: &[f32],
    task: usize,
    search: impl Fn(&[[f64; C]], i32, &mut [Candidate<P>]) + Sync,
) -> Parts {
    let blocks = blocks::<C>(values);
    let lowest = lowest_exponent(&blocks);
    let mut seeds = vec![0; 2 * blocks.len()];
    let mut exponents = vec![0; blocks.len().div_ceil(2)];
    let mut coefficients = vec![0; (P * blocks.len()).div_ceil(2)];
    let streams = seeds.par_chunks_mut(2 * task).zip(exponents.par_chunks_mut(task / 2)).zip(coefficients.par_chunks_mut(P * task / 2));
    blocks.par_chunks(task).zip(streams).for_each(|(blocks, ((seeds, exponents), coefficients))| {
        let mut best = vec![Candidate::zero(&[0.0; C], lowest); blocks.len()];
        search(blocks, lowest, &mut best);
        for (i, best) in best.iter().enumerate() {
            seeds[2 * i..][..2].copy_from_slice(&best.offset.to_le_bytes());
            put_nibble(exponents, i, best.exponent - lowest);
            for (p, &q) in best.coefficients.iter().enumerate() {
                put_nibble(coefficients, P * i + p, q.into());
            }
        }
    });
    #[expect(clippy::cast_possible_truncation, reason = "between -200 and 160, as exponents of f32 are")]
    let base = (lowest as i16).to_le_bytes().to_vec();
    Parts::new().with("base", base).with("seeds", seeds).with("exponents", exponents).with("coefficients", coefficients)
}

/// Sizes of the parts of `count` values.
pub fn packed_sizes<const C: usize, const P: usize>(count: usize) -> Vec<PartSize> {
    let blocks = count.div_ceil(C);
    vec![
        PartSize::new("base", 2),
        PartSize::new("seeds", 2 * blocks),
        PartSize::new("exponents", blocks.div_ceil(2)),
        PartSize::new("coefficients", (P * blocks).div_ceil(2)),
    ]
}

/// Unpacks `count` values.
pub fn decode<const C: usize, const P: usize>(parts: &Parts, count: usize, level: Level) -> Result<Vec<f32>, DecodeError> {
    let blocks = count.div_ceil(C);
    let base = parts.exact("base", 2)?;
    let base = i16::from_le_bytes([base[0], base[1]]);
    if !BASES.contains(&base) {
        return Err(DecodeError::corrupt("base", format!("exponent {base} is not one of f32 weights")));
    }
    let seeds = parts.exact("seeds", 2 * blocks)?;
    let exponents = parts.exact("exponents", blocks.div_ceil(2))?;
    let coefficients = parts.exact("coefficients", (P * blocks).div_ceil(2))?;
    let mut values = vec![0.0; count];
    let tasks = seeds.par_chunks(2 * TASK).zip(exponents.par_chunks(TASK / 2)).zip(coefficients.par_chunks(P * TASK / 2));
    let valid = values
        .par_chunks_mut(C * TASK)
        .zip(tasks)
        .map(|(values, ((seeds, exponents), coefficients))| {
            let packed = Packed { base: base.into(), seeds, exponents, coefficients };
            simd::unpack::<C, P>(level, &packed, values)
        })
        .reduce(|| true, |a, b| a && b);
    if valid { Ok(values) } else { Err(DecodeError::corrupt("seeds", "an offset is 65535; the cycle has offsets 0 to 65534")) }
}

/// The packed blocks of a task.
#[derive(Debug, Clone, Copy)]
pub struct Packed<'a> {
    /// Lowest exponent.
    pub base: i32,
    /// Offsets, two bytes each.
    pub seeds: &'a [u8],
    /// A nibble a block.
    pub exponents: &'a [u8],
    /// P nibbles a block.
    pub coefficients: &'a [u8],
}

/// Unpacks the blocks of a task; false where an offset is none.
#[inline(always)]
pub fn unpack<const C: usize, const P: usize>(packed: &Packed<'_>, values: &mut [f32]) -> bool {
    let cycle = cycle();
    let mut valid = true;
    for (i, (values, seed)) in values.chunks_mut(C).zip(packed.seeds.as_chunks::<2>().0).enumerate() {
        let offset = usize::from(u16::from_le_bytes(*seed));
        valid &= offset < PERIOD;
        let states = &cycle[offset..][..C * P];
        let q: [i32; P] = std::array::from_fn(|p| signed_nibble(packed.coefficients, P * i + p));
        let unit = power_of_two(packed.base + i32::from(nibble(packed.exponents, i))) / UNIT;
        let mut block = [0.0; C];
        for (x, states) in block.iter_mut().zip(states.chunks_exact(P)) {
            let sum: i32 = states.iter().zip(&q).map(|(&s, q)| i32::from(s) * q).sum();
            *x = to_f32(f64::from(sum) * unit);
        }
        values.copy_from_slice(&block[..values.len()]);
    }
    valid
}

/// For each value, what the search's error in its block is at most: the norm of the block, or the error of the best of a few seeds.
pub fn error_bounds<const C: usize, const P: usize>(values: &[f32]) -> Vec<f32> {
    let blocks = blocks::<C>(values);
    let lowest = lowest_exponent(&blocks);
    #[expect(clippy::cast_possible_truncation, reason = "below 65535")]
    let probe = |i: usize| {
        let offset = i * (PERIOD / PROBES);
        (offset as u16, Factors::of(&basis::<C, P>(offset)).pseudo_inverse())
    };
    let probes: Vec<_> = (0..PROBES).map(probe).collect();
    let bound = |block: &[f64; C]| {
        let mut best = Candidate::<P>::zero(block, lowest);
        for (offset, inverse) in &probes {
            best.improve(evaluate(inverse, &cycle()[usize::from(*offset)..], block, *offset, lowest));
        }
        to_f32(best.error.sqrt())
    };
    let bounds: Vec<f32> = blocks.par_iter().map(bound).collect();
    bounds.iter().flat_map(|&bound| [bound; C]).take(values.len()).collect()
}

/// The nearest f32 within its finite range.
#[inline(always)]
fn to_f32(x: f64) -> f32 {
    const LARGEST: f64 = f32::MAX as f64;
    let x = if x > LARGEST { LARGEST } else { x };
    let x = if x < -LARGEST { -LARGEST } else { x };
    #[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
    let x = x as f32;
    x
}

/// Writes the low four bits as the nibble at `index` of bytes that are zero there.
#[inline(always)]
fn put_nibble(bytes: &mut [u8], index: usize, value: i32) {
    bytes[index / 2] |= (value.to_le_bytes()[0] & 15) << (index % 2 * 4);
}

#[inline(always)]
fn nibble(bytes: &[u8], index: usize) -> u8 {
    bytes[index / 2] >> (index % 2 * 4) & 15
}

#[inline(always)]
fn signed_nibble(bytes: &[u8], index: usize) -> i32 {
    i32::from((nibble(bytes, index) << 4).cast_signed() >> 4)
}
