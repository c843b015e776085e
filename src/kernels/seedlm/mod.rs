//! SeedLM (arXiv 2410.10714, ICLR 2025): a block of weights becomes the seed of a pseudo-random basis and a few 4-bit coefficients.
//!
//! The tensor is flattened row by row and cut into blocks of C weights, the last padded with zeros. The C × P basis of a seed comes from a
//! 16-bit [register](lfsr); coefficients are 4-bit integers under an exponent of their own for each block. Of all 65,535 seeds the kernel
//! keeps the one with the smallest squared error; of equal ones the first in the register's cycle. Bits a weight: (16 + 4 + 4P) / C.
//!
//! Where the paper leaves a choice or is known not to reproduce:
//! - What is stored for a *seed* is its offset into the register's cycle from state 1, not the register's state.
//! - The exponent is ⌈log₂(max|t| / 7.5)⌉, which uses all sixteen codes of a coefficient; the paper's printed rule uses five of them.
//! - The sixteen exponents of a tensor end at that of its largest block's norm and the lowest is stored, so errors do not depend on scale.
//! - A block may keep nothing (all coefficients zero), so none has an error above its own norm.
//!
//! - Bases that lose rank take part with their pseudo-inverse (at 4.5 bits 46 of them, at 6.5 bits about three thousand).
//!
//! The [scan] gives the same bytes as a [slow search](mod@reference) on each instruction set and number of threads. So do [lists] of seeds,
//! several times as fast at 4 bits, which a caller builds once and hands over.

use serde::{Deserialize, Serialize};

use super::scale::into_dtype;
use crate::error::{DecodeError, Refusal};
use crate::kernel::{Context, Info, Kernel, PartSize, Parts, Promise};
use crate::spec::Parameter;
use crate::weights::{TensorInfo, Weights};

pub mod basis;
pub mod bound;
pub mod candidate;
pub mod codec;
pub mod lfsr;
pub mod lists;
pub mod reference;
pub mod rounding;
pub mod scan;
mod shape;
mod simd;
pub mod subspace;
#[cfg(test)]
mod tests;

pub use lists::CellLists;
pub use shape::Bits;

/// Configuration.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Bits a weight.
    pub bits: Bits,
}

/// The SeedLM kernel.
#[derive(Debug)]
pub struct SeedLm(Config);

impl Kernel for SeedLm {
    const INFO: Info = Info {
        id: "seedlm",
        version: 1,
        summary: "seeds of pseudo-random bases with 4-bit coefficients for blocks of weights",
        source: "SeedLM, arXiv 2410.10714",
        lossless: false,
    };
    const PARAMETERS: &'static [Parameter] = &[Parameter {
        name: "bits",
        doc: "bits a weight: blocks of 12, 8, 8 or 8 weights with 4, 3, 4 or 8 coefficients",
        values: "3, 4, 4.5 or 6.5",
    }];
    // Only the lowest exponent depends on other rows, and it matters to blocks that are thousands of times smaller than the largest.
    const ROWS_APART: bool = true;
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self(config))
    }

    fn config(&self) -> &Config {
        &self.0
    }

    fn encode(&self, weights: &Weights, context: &Context<'_>) -> Result<Parts, Refusal> {
        Ok(self.0.bits.encode(&weights.to_f32(), context.simd, context.seedlm_lists))
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, context: &Context<'_>) -> Result<Weights, DecodeError> {
        into_dtype(info, self.0.bits.decode(parts, info.elements(), context.simd)?)
    }

    fn promise(&self, weights: &Weights) -> Promise {
        Promise::Elementwise(self.0.bits.error_bounds(&weights.to_f32()))
    }

    fn packed_sizes(&self, info: &TensorInfo) -> Option<Vec<PartSize>> {
        Some(self.0.bits.packed_sizes(info.elements()))
    }
}
