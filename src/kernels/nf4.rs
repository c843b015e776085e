//! NF4, the 4-bit normal float of QLoRA (arXiv 2305.14314), as bitsandbytes 0.50.2 stores it: layout in `codebook4.rs`.
//!
//! The sixteen values are means of quantiles of N(0, 1), over the largest, with an exact zero: seven below it and eight above.

use super::codebook4::{Codebook, Config, PARAMETERS};
use crate::error::{DecodeError, Refusal};
use crate::kernel::{Context, Info, Kernel, Parts, Promise};
use crate::spec::Parameter;
use crate::weights::{TensorInfo, Weights};

/// Values of nibbles 0 to 15, ascending; all digits from bitsandbytes (`functional.get_4bit_type`).
static CODEBOOK: Codebook = Codebook::new(
    [
        -1.0,
        -0.696_192_8,
        -0.525_073_05,
        -0.394_917_5,
        -0.284_441_38,
        -0.184_773_43,
        -0.091_050_036,
        0.0,
        0.079_580_3,
        0.160_930_2,
        0.246_112_3,
        0.337_915_24,
        0.440_709_83,
        0.562_617,
        0.722_956_84,
        1.0,
    ],
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
);

/// The NF4 kernel.
#[derive(Debug)]
pub struct Nf4(Config);

impl Kernel for Nf4 {
    const INFO: Info = Info {
        id: "nf4",
        version: 1,
        summary: "quantiles of a Gaussian as 4-bit codes with a scale for each block, bitsandbytes' bytes",
        source: "QLoRA, arXiv 2305.14314; bitsandbytes 0.50.2",
        lossless: false,
    };
    const PARAMETERS: &'static [Parameter] = PARAMETERS;
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self(config.checked()?))
    }

    fn config(&self) -> &Config {
        &self.0
    }

    fn encode(&self, weights: &Weights, _: &Context<'_>) -> Result<Parts, Refusal> {
        CODEBOOK.encode(&self.0, weights)
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, _: &Context<'_>) -> Result<Weights, DecodeError> {
        CODEBOOK.decode(&self.0, parts, info)
    }

    fn promise(&self, weights: &Weights) -> Promise {
        CODEBOOK.promise(&self.0, weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{assert_golden_parts, assert_relative_error, matrix};

    #[test]
    fn parts_are_those_of_bitsandbytes() {
        // 7 inputs, 4 block sizes, and 2 parts or with double quantisation 4.
        assert_golden_parts("nf4", 11 * 4 * (2 + 4));
    }

    #[test]
    fn gaussian_error() {
        assert_relative_error("nf4", 0.0920);
    }

    #[test]
    fn the_layout_is_as_documented() {
        let kernel = Nf4::new(Config::default()).unwrap();
        let weights = matrix(1, vec![2.0, -1.0, 0.0, 0.2, -2.0]);
        let parts = Kernel::encode(&kernel, &weights, &Context::default()).unwrap();
        assert_eq!(parts.get("absmax").unwrap(), 2f32.to_le_bytes());
        // Over 2: 1 is nibble 15, -0.5 nibble 2 (-0.5251), 0 nibble 7, 0.1 nibble 8; the fifth weight leaves a nibble of zero, 7.
        assert_eq!(parts.get("codes").unwrap(), [0xF2, 0x78, 0x07]);
    }
}
