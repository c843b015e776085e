//! The search and the decoder compiled for each instruction set: portable code under `#[target_feature]`, the same results on each.

use super::bound::Bound;
use super::candidate::Candidate;
use super::codec::{self, Packed};
use super::scan::{self, Tables};
use crate::simd::Level;

/// [`scan::search`] with the instructions of a level, or of the processor's highest level where it lacks that one.
#[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "calls under instructions that were found to be there"))]
pub fn search<const C: usize, const P: usize, B: Bound<C, P>>(
    level: Level,
    tables: &Tables<C, P, B>,
    blocks: &[[f64; C]],
    lowest: i32,
    best: &mut [Candidate<P>],
) {
    match level.min(Level::detected()) {
        // SAFETY: the processor has the level's instructions, because the level is not above the detected one.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { search_avx512(tables, blocks, lowest, best) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { search_avx2(tables, blocks, lowest, best) },
        _ => scan::search::<C, P, B, false>(tables, blocks, lowest, best),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn search_avx512<const C: usize, const P: usize, B: Bound<C, P>>(
    tables: &Tables<C, P, B>,
    blocks: &[[f64; C]],
    lowest: i32,
    best: &mut [Candidate<P>],
) {
    scan::search::<C, P, B, true>(tables, blocks, lowest, best);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn search_avx2<const C: usize, const P: usize, B: Bound<C, P>>(
    tables: &Tables<C, P, B>,
    blocks: &[[f64; C]],
    lowest: i32,
    best: &mut [Candidate<P>],
) {
    scan::search::<C, P, B, true>(tables, blocks, lowest, best);
}

/// [`codec::unpack`] with the instructions of a level, or of the processor's highest level where it lacks that one.
#[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "calls under instructions that were found to be there"))]
pub fn unpack<const C: usize, const P: usize>(level: Level, packed: &Packed<'_>, values: &mut [f32]) -> bool {
    match level.min(Level::detected()) {
        // SAFETY: the processor has the level's instructions, because the level is not above the detected one.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { unpack_avx512::<C, P>(packed, values) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { unpack_avx2::<C, P>(packed, values) },
        _ => codec::unpack::<C, P>(packed, values),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn unpack_avx512<const C: usize, const P: usize>(packed: &Packed<'_>, values: &mut [f32]) -> bool {
    codec::unpack::<C, P>(packed, values)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn unpack_avx2<const C: usize, const P: usize>(packed: &Packed<'_>, values: &mut [f32]) -> bool {
    codec::unpack::<C, P>(packed, values)
}

/// Asks for the cache line that holds the start of something, ahead of its use.
#[inline(always)]
#[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "an instruction that reads nothing a program could see"))]
pub fn prefetch<T>(value: &T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction, and no address makes it fail.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(value).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}
