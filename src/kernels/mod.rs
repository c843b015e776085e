//! The built-in kernels: one file each, one line each in [`ENTRIES`].
//!
//! What kernels share stands beside them: `blocks` (formats by blocks of the flattened tensor), `fit` (searches for
//! scales), `nibbles` (layouts of codes), `rows` (formats by rows), `scale` (rounding of scales and when a kernel refuses), `ternary` (packings of ternary weights).

use self::blocks::Blocks;
use crate::kernel::Entry;

pub mod bitnet;
mod blocks;
mod fit;
pub mod microscale;
pub mod int4;
pub mod int8;
pub mod iq4_nl;
pub mod k_offset;
pub mod k_signed;
pub mod nibbles;
pub mod offset;
pub mod q4_0;
pub mod q5_0;
pub mod q8_0;
pub mod raw;
mod rows;
mod scale;
pub mod ternary;
#[cfg(test)]
mod testing;
pub mod tq;
pub mod zstd;

/// All built-in kernels, in the order in which lists print them.
pub const ENTRIES: &[Entry] = &[
    Entry::of::<raw::F32Raw>(),
    Entry::of::<raw::Bf16Cast>(),
    Entry::of::<int8::Int8>(),
    Entry::of::<int4::Int4>(),
    Entry::of::<Blocks<q8_0::Q8_0, _, _>>(),
    Entry::of::<Blocks<q4_0::Q4_0, _, _>>(),
    Entry::of::<Blocks<offset::Q4_1, _, _>>(),
    Entry::of::<Blocks<q5_0::Q5_0, _, _>>(),
    Entry::of::<Blocks<offset::Q5_1, _, _>>(),
    Entry::of::<Blocks<k_offset::Q2K, _, _>>(),
    Entry::of::<Blocks<k_signed::Q3K, _, _>>(),
    Entry::of::<Blocks<k_offset::Q4K, _, _>>(),
    Entry::of::<Blocks<k_offset::Q5K, _, _>>(),
    Entry::of::<Blocks<k_signed::Q6K, _, _>>(),
    Entry::of::<Blocks<iq4_nl::Iq4Nl, _, _>>(),
    Entry::of::<Blocks<microscale::Mxfp4, _, _>>(),
    Entry::of::<Blocks<microscale::Nvfp4, _, _>>(),
    Entry::of::<Blocks<tq::Tq1_0, _, _>>(),
    Entry::of::<Blocks<tq::Tq2_0, _, _>>(),
    Entry::of::<bitnet::Bitnet>(),
    Entry::of::<zstd::Zstd>(),
];

/// Specifications beside the defaults that tests hold to the suite: for each parameter, every value or a spread of them.
#[cfg(test)]
pub const VARIANTS: &[&str] =
    &["int4:group=32", "int4:group=64", "bitnet:packing=tq1_0", "bitnet:packing=tq2_0", "zstd:level=1", "zstd:level=19"];
