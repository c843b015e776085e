//! Weights: a named tensor of f32, f16 or bf16 values in row-major order, checked on construction.

use std::borrow::Cow;

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use serde::{Deserialize, Serialize};

use crate::error::WeightsError;

#[cfg(not(target_endian = "little"))]
compile_error!("artifacts are little-endian and the packed parts are cast in place: big-endian targets are not supported");

/// Floating-point type of stored weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Dtype {
    /// IEEE 754 single precision, 4 bytes.
    F32,
    /// IEEE 754 half precision, 2 bytes.
    F16,
    /// bfloat16, 2 bytes.
    #[serde(rename = "BF16")]
    Bf16,
}

impl Dtype {
    /// Bytes per element.
    pub const fn size_bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// The name that safetensors uses.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
        }
    }
}

/// Name, shape and dtype of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Name within its model.
    pub name: String,
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Element type.
    pub dtype: Dtype,
}

impl TensorInfo {
    /// Number of elements, checked against overflow.
    pub fn checked_elements(&self) -> Result<usize, WeightsError> {
        self.shape
            .iter()
            .try_fold(1usize, |n, &d| n.checked_mul(d))
            .filter(|n| n.checked_mul(self.dtype.size_bytes()).is_some_and(|bytes| isize::try_from(bytes).is_ok()))
            .ok_or_else(|| WeightsError::TooLarge { name: self.name.clone(), shape: self.shape.clone() })
    }

    /// Number of elements of a shape already checked.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The tensor as a matrix: first dimension (output features) × product of the others (inputs).
    ///
    /// A scalar is 1 × 1, a vector of n is n × 1. The second saturates where a header lies: dimensions after a 0 may multiply to anything.
    pub fn rows_cols(&self) -> (usize, usize) {
        let rows = self.shape.first().copied().unwrap_or(1);
        (rows, self.shape.iter().skip(1).fold(1, |n: usize, &d| n.saturating_mul(d)))
    }

    /// Size in its own dtype, in bytes.
    pub fn size_bytes(&self) -> usize {
        self.elements() * self.dtype.size_bytes()
    }
}

/// Values in their own dtype.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Single precision.
    F32(Vec<f32>),
    /// Half precision.
    F16(Vec<f16>),
    /// bfloat16.
    Bf16(Vec<bf16>),
}

/// A tensor's description and its values, which agree.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    info: TensorInfo,
    values: Values,
}

impl Weights {
    /// Weights from values in their own dtype; fails where shape and length disagree.
    pub fn new(name: impl Into<String>, shape: Vec<usize>, values: Values) -> Result<Self, WeightsError> {
        let (dtype, found) = match &values {
            Values::F32(v) => (Dtype::F32, v.len()),
            Values::F16(v) => (Dtype::F16, v.len()),
            Values::Bf16(v) => (Dtype::Bf16, v.len()),
        };
        let info = TensorInfo { name: name.into(), shape, dtype };
        let expected = info.checked_elements()?;
        if expected != found {
            return Err(WeightsError::WrongLength { name: info.name, shape: info.shape, expected, found });
        }
        Ok(Self { info, values })
    }

    /// Weights from f32 values, rounded to the dtype of `info` (nearest, ties to even).
    pub fn from_f32(info: &TensorInfo, values: Vec<f32>) -> Result<Self, WeightsError> {
        let values = match info.dtype {
            Dtype::F32 => Values::F32(values),
            Dtype::F16 => {
                let mut out = vec![f16::ZERO; values.len()];
                out.convert_from_f32_slice(&values);
                Values::F16(out)
            }
            Dtype::Bf16 => {
                let mut out = vec![bf16::ZERO; values.len()];
                out.convert_from_f32_slice(&values);
                Values::Bf16(out)
            }
        };
        Self::new(info.name.clone(), info.shape.clone(), values)
    }

    /// Weights from little-endian bytes in the dtype of `info`.
    pub fn from_bytes(info: &TensorInfo, bytes: &[u8]) -> Result<Self, WeightsError> {
        let expected = info.checked_elements()?;
        let size = info.dtype.size_bytes();
        if bytes.len() != expected * size {
            return Err(WeightsError::WrongLength {
                name: info.name.clone(),
                shape: info.shape.clone(),
                expected,
                found: bytes.len() / size,
            });
        }
        let values = match info.dtype {
            Dtype::F32 => Values::F32(bytemuck::allocation::pod_collect_to_vec(bytes)),
            Dtype::F16 => Values::F16(bytemuck::allocation::pod_collect_to_vec(bytes)),
            Dtype::Bf16 => Values::Bf16(bytemuck::allocation::pod_collect_to_vec(bytes)),
        };
        Ok(Self { info: info.clone(), values })
    }

    /// Name, shape and dtype.
    pub fn info(&self) -> &TensorInfo {
        &self.info
    }

    /// Values in their own dtype.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// Values as f32 in row-major order: borrowed where they are f32 already. The conversion is exact.
    pub fn to_f32(&self) -> Cow<'_, [f32]> {
        match &self.values {
            Values::F32(v) => Cow::Borrowed(v),
            Values::F16(v) => Cow::Owned(v.to_f32_vec()),
            Values::Bf16(v) => Cow::Owned(v.to_f32_vec()),
        }
    }

    /// The values' little-endian bytes.
    pub fn bytes(&self) -> &[u8] {
        match &self.values {
            Values::F32(v) => bytemuck::cast_slice(v),
            Values::F16(v) => bytemuck::cast_slice(v),
            Values::Bf16(v) => bytemuck::cast_slice(v),
        }
    }

    /// Index of the first NaN or infinity, if there is one.
    pub fn first_non_finite(&self) -> Option<usize> {
        match &self.values {
            Values::F32(v) => v.iter().position(|x| !x.is_finite()),
            Values::F16(v) => v.iter().position(|x| !x.is_finite()),
            Values::Bf16(v) => v.iter().position(|x| !x.is_finite()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shape_and_data_must_agree() {
        let error = Weights::new("w", vec![3, 7], Values::F32(vec![0.0; 20])).unwrap_err();
        assert_eq!(error.to_string(), "tensor 'w': shape [3, 7] wants 21 elements, got 20");
    }

    #[test]
    fn an_element_count_that_overflows_is_an_error() {
        let error = Weights::new("w", vec![usize::MAX, 2], Values::F32(vec![])).unwrap_err();
        assert!(matches!(error, WeightsError::TooLarge { .. }), "{error}");
    }

    #[test]
    fn scalars_vectors_and_empty_tensors_are_weights() {
        for (shape, n, matrix) in [(vec![], 1, (1, 1)), (vec![5], 5, (5, 1)), (vec![0, 4], 0, (0, 4)), (vec![2, 3, 4], 24, (2, 12))] {
            let weights = Weights::new("w", shape, Values::F32(vec![1.0; n])).unwrap();
            assert_eq!(weights.info().rows_cols(), matrix);
        }
    }

    #[test]
    fn bytes_round_trip_in_every_dtype() {
        for dtype in [Dtype::F32, Dtype::F16, Dtype::Bf16] {
            let info = TensorInfo { name: "w".into(), shape: vec![2, 2], dtype };
            let weights = Weights::from_f32(&info, vec![1.0, -0.5, f32::INFINITY, 0.0]).unwrap();
            assert_eq!(Weights::from_bytes(&info, weights.bytes()).unwrap(), weights);
            assert_eq!(weights.first_non_finite(), Some(2));
            assert_eq!(weights.to_f32()[..2], [1.0, -0.5]);
        }
    }
}
