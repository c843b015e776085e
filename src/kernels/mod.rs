//! The built-in kernels: one file each, one line each in [`ENTRIES`].
//!
//! What kernels share stands beside them: `blocks` (formats by blocks of the flattened tensor), `codebook4` (formats of 4-bit indices),
//! `dynamic8` (scales in 8 bits), `fit` (searches for scales), `huffman` (canonical codes over bytes), `hyper_box` and
//! `hyper_codes` (the box, classes and codes of Hyper-Compression), `nibbles` (layouts of codes), `radix` (codes whose base is no power of two), `rows` (formats by rows), `scale`
//! (rounding of scales and when a kernel refuses), `second_order` (calibration and the pass that uses it), `spans` (runs of weights that
//! share a scale), `ternary` and `tl2` (packings of ternary weights). `bitnet_config` holds what `bitnet` can be set to.

use self::blocks::Blocks;
use crate::kernel::Entry;

pub mod bitnet;
pub mod bitnet_config;
mod blocks;
mod codebook4;
mod dynamic8;
mod fit;
pub mod fp4;
pub mod fp8;
pub mod gptq;
pub mod hqq;
pub(crate) mod huffman;
pub mod huffman_exponent;
mod hyper_box;
mod hyper_codes;
pub mod hyper_lattice;
pub mod hyper_winding;
pub mod int4;
pub mod int8;
pub mod iq4_nl;
pub mod k_offset;
pub mod k_signed;
pub mod microscale;
pub mod nf4;
pub mod nibbles;
pub mod offset;
pub mod q4_0;
pub mod q5_0;
pub mod q8_0;
mod radix;
pub mod raw;
mod rows;
mod scale;
mod second_order;
pub mod seedlm;
mod spans;
pub mod ternary;
#[cfg(test)]
mod testing;
pub mod tl2;
pub mod tq;
pub mod vptq;
pub mod zstd;

/// All built-in kernels, in the order in which lists print them.
pub const ENTRIES: &[Entry] = &[
    Entry::of::<raw::F32Raw>(),
    Entry::of::<raw::Bf16Cast>(),
    Entry::of::<int8::Int8>(),
    Entry::of::<fp8::Fp8E4m3>(),
    Entry::of::<fp8::Fp8E5m2>(),
    Entry::of::<int4::Int4>(),
    Entry::of::<nf4::Nf4>(),
    Entry::of::<fp4::Fp4>(),
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
    Entry::of::<hyper_lattice::HyperLattice>(),
    Entry::of::<hyper_winding::HyperWinding>(),
    Entry::of::<huffman_exponent::HuffmanExponent>(),
    Entry::of::<gptq::Gptq>(),
    Entry::of::<hqq::Hqq>(),
    Entry::of::<vptq::Vptq>(),
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
    "zstd:level=1",
    "zstd:level=19",
    "hyper-lattice:samples=225",
    "hyper-lattice:samples=1523,side=4.5,classes=2",
    "hyper-lattice:classes=1",
    "hyper-lattice:packing=planes",
    "hyper-lattice:samples=65536,packing=planes",
    "hyper-winding:samples=225",
    "hyper-winding:dimension=3,samples=20000,side=6.0",
    "hyper-winding:dimension=4,samples=4096,classes=1",
    "nf4:block=32",
    "nf4:block=256",
    "nf4:double-quant=true",
    "nf4:block=4096,double-quant=true",
    "fp4:block=128",
    "fp4:double-quant=true",
    "bitnet:packing=tl2",
    "bitnet:scale=row",
    "bitnet:scale=group",
    "bitnet:scale=group,group=32",
    "bitnet:packing=tq1_0,scale=group,group=256",
    "bitnet:packing=tq2_0,scale=group,group=256",
    "bitnet:packing=tl2,scale=row",
    "bitnet:packing=tl2,scale=group,group=64",
    "gptq:group=32",
    "gptq:group=64",
    "hqq:group=32",
    "hqq:group=128",
    "vptq:vector=6,centroids=100",
    "vptq:vector=8,centroids=65536,residual=256",
    "vptq:outlier-percent=10,outlier-vector=2,outlier-centroids=16",
    "vptq:permute=true,seed=7",
    "vptq:iterations=5,second-order=false",
    "seedlm:bits=3",
    "seedlm:bits=4.5",
    "seedlm:bits=6.5",
];
