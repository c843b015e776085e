//! [`capture`](super::rows::capture) in vectors, which compilers do not find by themselves, and what is compiled with it for each instruction set.
//! The same results on each.
#![cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "vectors, under instructions that were found to be there"))]

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

use super::super::bound::Scratch;
use super::super::candidate::Candidate;
use super::super::scan::Tables;
use super::super::subspace::Subspace;
#[cfg(target_arch = "x86_64")]
use super::GROUP;
use super::rows;
#[cfg(target_arch = "x86_64")]
use super::rows::{Captured, ROWS, Row, Unit};
use super::{C, CellLists, P, build, walk};
use crate::simd::Level;

/// [`walk::search`] with the instructions of a level, or of the processor's highest level where it lacks that one.
pub fn search(
    level: Level,
    lists: &CellLists,
    tables: &Tables<C, P, Subspace>,
    blocks: &[[f64; C]],
    lowest: i32,
    best: &mut [Candidate<P>],
) {
    match level.min(Level::detected()) {
        // SAFETY: the processor has the level's instructions, because the level is not above the detected one.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { search_avx512(lists, tables, blocks, lowest, best) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { search_avx2(lists, tables, blocks, lowest, best) },
        _ => walk::search::<false>(lists, tables, blocks, lowest, best, rows::capture),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn search_avx512(lists: &CellLists, tables: &Tables<C, P, Subspace>, blocks: &[[f64; C]], lowest: i32, best: &mut [Candidate<P>]) {
    walk::search::<true>(lists, tables, blocks, lowest, best, |rows, offsets, unit, captured| {
        capture_avx512(rows, offsets, unit, captured);
    });
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn search_avx2(lists: &CellLists, tables: &Tables<C, P, Subspace>, blocks: &[[f64; C]], lowest: i32, best: &mut [Candidate<P>]) {
    walk::search::<true>(lists, tables, blocks, lowest, best, |rows, offsets, unit, captured| {
        capture_avx2(rows, offsets, unit, captured);
    });
}

/// [`build::nearest`] with the instructions of a level, or of the processor's highest level where it lacks that one.
pub fn nearest(level: Level, bound: &Subspace, centre: &[f64; C], scratch: &mut Scratch, found: &mut Vec<u32>) {
    match level.min(Level::detected()) {
        // SAFETY: the processor has the level's instructions, because the level is not above the detected one.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { nearest_avx512(bound, centre, scratch, found) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { nearest_avx2(bound, centre, scratch, found) },
        _ => build::nearest(bound, centre, scratch, found),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn nearest_avx512(bound: &Subspace, centre: &[f64; C], scratch: &mut Scratch, found: &mut Vec<u32>) {
    build::nearest(bound, centre, scratch, found);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn nearest_avx2(bound: &Subspace, centre: &[f64; C], scratch: &mut Scratch, found: &mut Vec<u32>) {
    build::nearest(bound, centre, scratch, found);
}

/// Sixteen seeds at a time: products in pairs, then a transposition that adds, twice over four seeds and twice over four columns.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
#[inline]
fn capture_avx512(rows: &[Row], offsets: &[u16; GROUP], unit: &Unit, captured: &mut Captured) {
    // One check here instead of one for each seed.
    let rows = &rows[..ROWS];
    // SAFETY: `unit` is 16 bytes.
    let unit = _mm512_broadcast_i32x4(unsafe { _mm_loadu_si128(unit.as_ptr().cast()) });
    for (offsets, captured) in offsets.as_chunks::<16>().0.iter().zip(captured.as_chunks_mut::<16>().0) {
        let products = |i: usize| {
            let row = &rows[usize::from(offsets[i])];
            // SAFETY: a row is 64 bytes at a multiple of 64.
            _mm512_madd_epi16(unsafe { _mm512_load_si512(row.0.as_ptr().cast()) }, unit)
        };
        // The squares of four seeds' dot products with a column, in four lanes for the columns.
        let squares = |i: usize| {
            let [a, b, c, d] = [products(i), products(i + 1), products(i + 2), products(i + 3)];
            let ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
            let cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
            let dots = _mm512_cvtepi32_ps(_mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd)));
            _mm512_mul_ps(dots, dots)
        };
        // Columns 0 and 2 together, and 1 and 3; of eight seeds.
        let pairs =
            |a: __m512, b: __m512| _mm512_add_ps(_mm512_shuffle_f32x4::<0b01_00_01_00>(a, b), _mm512_shuffle_f32x4::<0b11_10_11_10>(a, b));
        let (ab, cd) = (pairs(squares(0), squares(4)), pairs(squares(8), squares(12)));
        let sums = _mm512_add_ps(_mm512_shuffle_f32x4::<0b10_00_10_00>(ab, cd), _mm512_shuffle_f32x4::<0b11_01_11_01>(ab, cd));
        // SAFETY: `captured` is sixteen numbers.
        unsafe { _mm512_storeu_ps(captured.as_mut_ptr(), sums) };
    }
}

/// Four seeds at a time, columns 0 and 1 and columns 2 and 3 of each in a vector.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
#[inline]
fn capture_avx2(rows: &[Row], offsets: &[u16; GROUP], unit: &Unit, captured: &mut Captured) {
    // One check here instead of one for each seed.
    let rows = &rows[..ROWS];
    // SAFETY: `unit` is 16 bytes.
    let unit = _mm256_broadcastsi128_si256(unsafe { _mm_loadu_si128(unit.as_ptr().cast()) });
    for (offsets, captured) in offsets.as_chunks::<4>().0.iter().zip(captured.as_chunks_mut::<4>().0) {
        let products = |i: usize, half: usize| {
            let columns = &rows[usize::from(offsets[i])].0.as_chunks::<16>().0[half];
            // SAFETY: half a row is 32 bytes at a multiple of 32.
            _mm256_madd_epi16(unsafe { _mm256_load_si256(columns.as_ptr().cast()) }, unit)
        };
        let squares = |half: usize| {
            let ab = _mm256_hadd_epi32(products(0, half), products(1, half));
            let cd = _mm256_hadd_epi32(products(2, half), products(3, half));
            let dots = _mm256_cvtepi32_ps(_mm256_hadd_epi32(ab, cd));
            _mm256_mul_ps(dots, dots)
        };
        let pairs = _mm256_add_ps(squares(0), squares(1));
        let sums = _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps::<1>(pairs));
        // SAFETY: `captured` is four numbers.
        unsafe { _mm_storeu_ps(captured.as_mut_ptr(), sums) };
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn vectors_capture_what_portable_code_does() {
        let rows = rows::rows();
        for round in 0..50 {
            let offsets = std::array::from_fn(|i| u16::try_from(sample::splitmix(round, i as u64) >> 48).unwrap());
            let unit = std::array::from_fn(|i| rows::quantise(sample::uniform(round, 100 + i as u64).mul_add(2.0, -1.0)));
            // A direction of the largest coordinates is longer than a unit vector ever is; halved it cannot overflow.
            let unit = unit.map(|x: i16| x / 2);
            let mut expected = [0.0; GROUP];
            rows::capture(&rows, &offsets, &unit, &mut expected);
            for level in Level::available() {
                let mut found = [0.0; GROUP];
                match level {
                    // SAFETY: available levels are not above the detected one.
                    Level::Avx512 => unsafe { capture_avx512(&rows, &offsets, &unit, &mut found) },
                    // SAFETY: as above.
                    Level::Avx2 => unsafe { capture_avx2(&rows, &offsets, &unit, &mut found) },
                    Level::Scalar => continue,
                }
                assert_eq!(found.map(f32::to_bits), expected.map(f32::to_bits), "{}", level.name());
            }
        }
    }
}
