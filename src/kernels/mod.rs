//! The built-in kernels: one file each, one line each in [`ENTRIES`].
//!
//! What kernels share stands beside them: `blocks` (formats by blocks of the flattened tensor), `rows` (formats by rows), `scale` (rounding
//! of scales and when a kernel refuses), `second_order` (calibration and the pass that uses it), `ternary` (packings of ternary weights).

use crate::kernel::Entry;

pub mod bitnet;
mod blocks;
pub mod gptq;
pub mod hqq;
pub mod int4;
pub mod int8;
pub mod q4_0;
pub mod q8_0;
pub mod raw;
mod rows;
mod scale;
mod second_order;
pub mod ternary;
#[cfg(test)]
mod testing;
pub mod vptq;
pub mod zstd;

/// All built-in kernels, in the order in which lists print them.
pub const ENTRIES: &[Entry] = &[
    Entry::of::<raw::F32Raw>(),
    Entry::of::<raw::Bf16Cast>(),
    Entry::of::<int8::Int8>(),
    Entry::of::<int4::Int4>(),
    Entry::of::<q8_0::Q8_0>(),
    Entry::of::<q4_0::Q4_0>(),
    Entry::of::<gptq::Gptq>(),
    Entry::of::<hqq::Hqq>(),
    Entry::of::<bitnet::Bitnet>(),
    Entry::of::<vptq::Vptq>(),
    Entry::of::<zstd::Zstd>(),
];

/// Specifications beside the defaults that tests hold to the suite: for each parameter, every value or a spread of them.
#[cfg(test)]
pub const VARIANTS: &[&str] = &[
    "int4:group=32",
    "int4:group=64",
    "gptq:group=32",
    "gptq:group=64",
    "hqq:group=32",
    "hqq:group=128",
    "bitnet:packing=tq1_0",
    "bitnet:packing=tq2_0",
    "vptq:vector=6,centroids=100",
    "vptq:vector=8,centroids=65536,residual=256",
    "vptq:outlier-percent=10,outlier-vector=2,outlier-centroids=16",
    "vptq:permute=true,seed=7",
    "vptq:iterations=5,second-order=false",
    "zstd:level=1",
    "zstd:level=19",
];
