//! The built-in kernels: one file each, one line each in [`ENTRIES`].
//!
//! What kernels share stands beside them: `blocks` (formats by blocks of the flattened tensor), `rows` (formats by rows), `scale` (rounding of scales and when a
//! kernel refuses), `ternary` (packings of ternary weights).

use crate::kernel::Entry;

pub mod bitnet;
mod blocks;
pub mod int4;
pub mod int8;
pub mod q4_0;
pub mod q8_0;
pub mod raw;
mod rows;
mod scale;
pub mod seedlm;
pub mod ternary;
#[cfg(test)]
mod testing;
pub mod zstd;

/// All built-in kernels, in the order in which lists print them.
pub const ENTRIES: &[Entry] = &[
    Entry::of::<raw::F32Raw>(),
    Entry::of::<raw::Bf16Cast>(),
    Entry::of::<int8::Int8>(),
    Entry::of::<int4::Int4>(),
    Entry::of::<q8_0::Q8_0>(),
    Entry::of::<q4_0::Q4_0>(),
    Entry::of::<bitnet::Bitnet>(),
    Entry::of::<seedlm::SeedLm>(),
    Entry::of::<zstd::Zstd>(),
];

/// Specifications beside the defaults that tests hold to the suite: for each parameter, every value or a spread of them.
#[cfg(test)]
pub const VARIANTS: &[&str] = &[
    "int4:group=32",
    "int4:group=64",
    "bitnet:packing=tq1_0",
    "bitnet:packing=tq2_0",
    "seedlm:bits=3",
    "seedlm:bits=4.5",
    "seedlm:bits=6.5",
    "zstd:level=1",
    "zstd:level=19",
];
