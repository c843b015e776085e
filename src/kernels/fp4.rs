//! FP4 as bitsandbytes 0.50.2 has it: layout in `codebook4.rs`. Not the E2M1 of the OCP formats.
//!
//! A sign, two bits and one more, whose eight magnitudes are 0, 1/192, 2/3, 1, 1/3, 1/2, 1/6 and 1/4 in this order. A weight of zero is
//! nibble 0, one between 0 and 1/384 is nibble 8, the negative zero; both decode to zero.

use super::codebook4::{Codebook, Config, PARAMETERS};
use crate::error::{DecodeError, Refusal};
use crate::kernel::{Context, Info, Kernel, Parts, Promise};
use crate::spec::Parameter;
use crate::weights::{TensorInfo, Weights};

/// Values of nibbles 0 to 15: twelfths as bitsandbytes computes them, and their order.
static CODEBOOK: Codebook = Codebook::new(
    [
        0.0,
        0.0625 / 12.0,
        8.0 / 12.0,
        1.0,
        4.0 / 12.0,
        6.0 / 12.0,
        2.0 / 12.0,
        3.0 / 12.0,
        0.0,
        -0.0625 / 12.0,
        -8.0 / 12.0,
        -1.0,
        -4.0 / 12.0,
        -6.0 / 12.0,
        -2.0 / 12.0,
        -3.0 / 12.0,
    ],
    [11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6, 7, 4, 5, 2, 3],
);

/// The FP4 kernel.
#[derive(Debug)]
pub struct Fp4(Config);

impl Kernel for Fp4 {
    const INFO: Info = Info {
        id: "fp4",
        version: 1,
        summary: "4-bit floats with a scale for each block, bitsandbytes' bytes",
        source: "bitsandbytes 0.50.2, functional.quantize_4bit",
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
        assert_golden_parts("fp4", 11 * 4 * (2 + 4));
    }

    #[test]
    fn gaussian_error() {
        assert_relative_error("fp4", 0.1219);
    }

    #[test]
    fn the_layout_is_as_documented() {
        let kernel = Fp4::new(Config::default()).unwrap();
        let weights = matrix(1, vec![2.0, -1.0, 0.0, 0.2, -2.0]);
        let parts = Kernel::encode(&kernel, &weights, &Context::default()).unwrap();
        assert_eq!(parts.get("absmax").unwrap(), 2f32.to_le_bytes());
        // Over 2: 1 is nibble 3, -0.5 nibble 13, 0 nibble 0, 0.1 nibble 6 (1/6); the fifth weight leaves a nibble of zero.
        assert_eq!(parts.get("codes").unwrap(), [0x3D, 0x06, 0xB0]);
    }
}
