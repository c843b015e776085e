//! 8-bit floats with one scale a row: the OCP 8-bit Floating Point Specification (OFP8, revision 1.0), E4M3 and E5M2.
//!
//! The tensor is a matrix of first dimension (output features) × the rest. Scale s = max|w| / largest code over a row; code = w / s rounded
//! to the nearest value, ties to the even code, saturating. Parts: `scales`, one f32 a row; `codes`, one byte a weight, row-major.
//!
//! | | layout, high bit first | bias | largest | smallest above 0 | not a number |
//! |---|---|---|---|---|---|
//! | E4M3 | s eeee mmm | 7 | 448 | 2⁻⁹ | s.1111.111; no infinities |
//! | E5M2 | s eeeee mm | 15 | 57,344 | 2⁻¹⁶ | s.11111.01 to .11; s.11111.00 is infinite |
//!
//! The conversion is written out here rather than taken from a crate: it is a dozen lines of integer arithmetic that the compiler can
//! vectorise, and crates convert value by value. Tests compare it with a search over all 256 codes and with torch's bytes.

use super::raw::NoConfig;
use super::rows::Row;
use super::scale::{Rounding, largest_magnitude};
use crate::error::{DecodeError, Refusal};
use crate::kernel::{Context, Info, Kernel, Parts, Promise};
use crate::spec::Parameter;
use crate::weights::{TensorInfo, Weights};

/// An 8-bit float: bits of the mantissa and bias of the exponent.
#[derive(Debug, Clone, Copy)]
struct Format {
    mantissa: u32,
    bias: u32,
    /// Largest finite value.
    largest: f32,
    /// Its code; those above are not finite.
    largest_code: u8,
}

const E4M3: Format = Format { mantissa: 3, bias: 7, largest: 448.0, largest_code: 0x7E };
const E5M2: Format = Format { mantissa: 2, bias: 15, largest: 57_344.0, largest_code: 0x7B };

impl Format {
    /// The power of two 2^(1 − bias), where normal values begin.
    #[inline]
    const fn normal(self) -> f32 {
        f32::from_bits((128 - self.bias) << 23)
    }

    /// The unit of the values below: 2^(1 − bias − mantissa).
    #[inline]
    const fn unit(self) -> f32 {
        f32::from_bits((128 - self.bias - self.mantissa) << 23)
    }

    /// Code of a finite value: nearest, ties to even, saturating.
    #[inline]
    fn code(self, x: f32) -> u8 {
        let sign = x.to_bits() >> 24 & 0x80;
        let magnitude = if x.abs() < self.largest { x.abs() } else { self.largest };
        // Adding 2²³ units leaves the number of units, rounded to even, in the low bits.
        let shift = self.unit() * 8_388_608.0;
        let small = (magnitude + shift).to_bits().wrapping_sub(shift.to_bits());
        // Drop the low bits of an f32's mantissa, rounding to even, and put the exponent on the other bias.
        let drop = 23 - self.mantissa;
        let bits = magnitude.to_bits();
        let rounded = (bits + ((1 << (drop - 1)) - 1) + (bits >> drop & 1)) >> drop;
        let normal = rounded.wrapping_sub((127 - self.bias) << self.mantissa);
        let code = if magnitude < self.normal() { small } else { normal };
        #[expect(clippy::cast_possible_truncation, reason = "at most the largest code and the sign")]
        let byte = (sign | code) as u8;
        byte
    }

    /// Value of a code that is finite.
    #[inline]
    fn value(self, code: u8) -> f32 {
        let magnitude = u32::from(code & 0x7F);
        let normal = f32::from_bits((magnitude << (23 - self.mantissa)) + ((127 - self.bias) << 23));
        // Integers this small are exact; an i32 because that conversion is one instruction.
        #[expect(clippy::cast_precision_loss, reason = "below 2^7")]
        let small = magnitude.cast_signed() as f32 * self.unit();
        let value = if magnitude >> self.mantissa == 0 { small } else { normal };
        f32::from_bits(value.to_bits() | u32::from(code & 0x80) << 24)
    }

    fn encode(self, weights: &Weights) -> Result<Parts, Refusal> {
        let (parts, rounding) = row(weights.info()).pack(&weights.to_f32(), |values, codes, scale| {
            let largest = largest_magnitude(values);
            let mut step = largest / self.largest;
            if !(step * self.largest).is_finite() {
                // Rounded up for a weight close to the largest f32: one unit less decodes to a finite value.
                step = step.next_down();
            }
            scale.copy_from_slice(&step.to_le_bytes());
            if step > 0.0 {
                for (code, x) in codes.iter_mut().zip(values) {
                    *code = self.code(x / step);
                }
            }
            Rounding::of(f64::from(largest) / f64::from(self.largest), step)
        });
        rounding.check(f64::from(self.largest))?;
        Ok(parts)
    }

    fn decode(self, parts: &Parts, info: &TensorInfo) -> Result<Weights, DecodeError> {
        if parts.get("codes")?.iter().fold(0, |largest, code| (code & 0x7F).max(largest)) > self.largest_code {
            return Err(DecodeError::corrupt("codes", "a code is infinite or not a number"));
        }
        row(info).unpack(parts, info, |codes, scale, values| {
            let step = scale.first_chunk().map_or(f32::NAN, |bytes| f32::from_le_bytes(*bytes));
            for (x, code) in values.iter_mut().zip(codes) {
                *x = self.value(*code) * step;
            }
            (step * self.largest).is_finite()
        })
    }

    /// Half a unit in the last place of weight / scale, times the scale.
    fn promise(self, weights: &Weights) -> Promise {
        let values = weights.to_f32();
        let bounds = values.chunks(weights.info().rows_cols().1.max(1)).flat_map(|row| {
            let step = row.iter().fold(0f32, |largest, x| largest.max(x.abs())) / self.largest;
            row.iter().map(move |x| {
                if step == 0.0 {
                    return x.abs();
                }
                // The power of two at or below the value; values are no larger than the largest but for rounding.
                let power = f32::from_bits((x.abs() / step).to_bits() & 0xFF80_0000);
                let last = (power / f32::from_bits((127 + self.mantissa) << 23)).max(self.unit());
                last / 2.0 * step
            })
        });
        Promise::Elementwise(bounds.collect())
    }
}

fn row(info: &TensorInfo) -> Row {
    let (_, cols) = info.rows_cols();
    Row { cols, code_bytes: cols, scale_bytes: 4 }
}

/// The E4M3 kernel.
#[derive(Debug)]
pub struct Fp8E4m3(NoConfig);

impl Kernel for Fp8E4m3 {
    const INFO: Info = Info {
        id: "fp8-e4m3",
        version: 1,
        summary: "8-bit floats of 4 exponent and 3 mantissa bits with an f32 scale for each row",
        source: "OCP 8-bit Floating Point Specification 1.0, E4M3",
        lossless: false,
    };
    const PARAMETERS: &'static [Parameter] = &[];
    const ROWS_APART: bool = true;
    type Config = NoConfig;

    fn new(config: NoConfig) -> Result<Self, String> {
        Ok(Self(config))
    }

    fn config(&self) -> &NoConfig {
        &self.0
    }

    fn encode(&self, weights: &Weights, _: &Context<'_>) -> Result<Parts, Refusal> {
        E4M3.encode(weights)
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, _: &Context<'_>) -> Result<Weights, DecodeError> {
        E4M3.decode(parts, info)
    }

    fn promise(&self, weights: &Weights) -> Promise {
        E4M3.promise(weights)
    }
}

/// The E5M2 kernel.
#[derive(Debug)]
pub struct Fp8E5m2(NoConfig);

impl Kernel for Fp8E5m2 {
    const INFO: Info = Info {
        id: "fp8-e5m2",
        version: 1,
        summary: "8-bit floats of 5 exponent and 2 mantissa bits with an f32 scale for each row",
        source: "OCP 8-bit Floating Point Specification 1.0, E5M2",
        lossless: false,
    };
    const PARAMETERS: &'static [Parameter] = &[];
    const ROWS_APART: bool = true;
    type Config = NoConfig;

    fn new(config: NoConfig) -> Result<Self, String> {
        Ok(Self(config))
    }

    fn config(&self) -> &NoConfig {
        &self.0
    }

    fn encode(&self, weights: &Weights, _: &Context<'_>) -> Result<Parts, Refusal> {
        E5M2.encode(weights)
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, _: &Context<'_>) -> Result<Weights, DecodeError> {
        E5M2.decode(parts, info)
    }

    fn promise(&self, weights: &Weights) -> Promise {
        E5M2.promise(weights)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{assert_golden_parts, assert_relative_error, matrix};
    use crate::registry::Registry;
    use proptest::prelude::*;

    const BOTH: [Format; 2] = [E4M3, E5M2];

    /// The value of a code, from the specification's formula.
    fn reference_value(format: Format, code: u8) -> f64 {
        let sign = if code & 0x80 == 0 { 1.0 } else { -1.0 };
        let exponent = i32::from((code & 0x7F) >> format.mantissa);
        let fraction = f64::from(code & ((1 << format.mantissa) - 1)) / f64::from(1 << format.mantissa);
        let bias = i32::try_from(format.bias).unwrap();
        sign * if exponent == 0 { 2f64.powi(1 - bias) * fraction } else { 2f64.powi(exponent - bias) * (1.0 + fraction) }
    }

    /// The nearest finite code of the value's sign; of two the even one.
    fn reference_code(format: Format, x: f32) -> u8 {
        let sign = if x.is_sign_negative() { 0x80 } else { 0 };
        let distance = |code: &u8| (reference_value(format, *code) - f64::from(x.abs().min(format.largest))).abs();
        let by = |a: &u8, b: &u8| distance(a).total_cmp(&distance(b)).then((a & 1).cmp(&(b & 1)));
        sign | (0..=format.largest_code).min_by(by).unwrap()
    }

    #[test]
    fn all_codes_have_the_values_of_the_specification_and_come_back() {
        for format in BOTH {
            assert_eq!(reference_value(format, format.largest_code), f64::from(format.largest));
            for code in (0..=255).filter(|code| code & 0x7F <= format.largest_code) {
                let value = format.value(code);
                assert_eq!(f64::from(value).to_bits(), reference_value(format, code).to_bits(), "{format:?} {code:#04x}");
                assert_eq!(format.code(value), code, "{format:?} {value}");
            }
        }
        assert_eq!((E4M3.value(0x01), E5M2.value(0x01)), (2f32.powi(-9), 2f32.powi(-16)));
    }

    #[test]
    fn values_at_and_beside_the_midpoints_round_to_the_nearest_even_code() {
        for format in BOTH {
            for code in 0..format.largest_code {
                let middle = f32::midpoint(format.value(code), format.value(code + 1));
                for x in [middle, middle.next_up(), middle.next_down(), -middle, -middle.next_up(), -middle.next_down()] {
                    assert_eq!(format.code(x), reference_code(format, x), "{format:?} {x}");
                }
            }
            for x in [format.largest * 1.01, format.largest * 2.0, f32::MAX] {
                assert_eq!((format.code(x), format.code(-x)), (format.largest_code, 0x80 | format.largest_code));
            }
        }
    }

    proptest! {
        #[test]
        fn any_value_rounds_as_the_search_does(bits in 0u32..0x7F80_0000, scale in -20i32..20) {
            for format in BOTH {
                let near = f32::from_bits(bits & 0x007F_FFFF | 0x3F80_0000) * 2f32.powi(scale);
                for x in [f32::from_bits(bits), f32::from_bits(bits | 0x8000_0000), near] {
                    prop_assert_eq!(format.code(x), reference_code(format, x), "{:?} {}", format, x);
                }
            }
        }
    }

    #[test]
    fn parts_are_those_of_torch() {
        assert_golden_parts("fp8-e4m3", 11 * 2);
        assert_golden_parts("fp8-e5m2", 11 * 2);
    }

    #[test]
    fn gaussian_errors() {
        assert_relative_error("fp8-e4m3", 0.0265);
        assert_relative_error("fp8-e5m2", 0.0527);
    }

    #[test]
    fn codes_that_are_no_numbers_are_errors_and_the_largest_weights_stay_finite() {
        for (spec, bad) in [("fp8-e4m3", 0x7F), ("fp8-e5m2", 0x7C), ("fp8-e5m2", 0xFF)] {
            let kernel = Registry::default().parse(spec).unwrap();
            let mut largest = f32::MAX;
            for _ in 0..64 {
                let weights = matrix(1, vec![largest, -largest, 1.0]);
                let mut parts = kernel.encode(&weights, &Context::default()).unwrap();
                let decoded = kernel.decode(&parts, weights.info(), &Context::default()).unwrap();
                assert_eq!(decoded.first_non_finite(), None);
                parts.0[1].bytes[2] = bad;
                let error = kernel.decode(&parts, weights.info(), &Context::default()).unwrap_err();
                assert_eq!(error, DecodeError::corrupt("codes", "a code is infinite or not a number"));
                largest = largest.next_down();
            }
        }
    }
}
