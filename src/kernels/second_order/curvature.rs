//! The damped curvature H of a layer: XᵀX of calibration inputs, or the identity where there are none.
//!
//! The papers take H = 2XᵀX. A factor changes neither the order of columns nor what the pass does, so H is divided by its mean diagonal
//! here; then 1 % of the mean diagonal, the damping, is 0.01. An input that calibration never saw active keeps a diagonal of 0.01 and its
//! weights are rounded as they are (GPTQ's own code sets them to zero, which is free on the calibration data alone).

use super::Factor;
use super::cholesky::factor_of_inverse;
use crate::error::{DecodeError, Refusal};
use crate::kernel::{Context, Gram, Parts};
use crate::weights::TensorInfo;

/// Damping as a share of the mean diagonal: `percdamp` of GPTQ and VPTQ.
const DAMPING: f64 = 0.01;
/// Part that says what the encoder knew.
const PART: &str = "hessian";

/// What the encoder knew of the layer's inputs: one byte in part `hessian`, so that a report can say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Hessian {
    /// No calibration: H = I.
    Identity = 0,
    /// H from calibration inputs.
    Calibrated = 1,
    /// H from calibration inputs, but the second-order pass went further from the weights than the kernel promises, and was left out.
    CalibratedWithoutPass = 2,
}

impl Hessian {
    /// The part.
    pub fn store(self, parts: Parts) -> Parts {
        parts.with(PART, vec![self as u8])
    }

    /// From the part.
    pub fn load(parts: &Parts) -> Result<Self, DecodeError> {
        match parts.exact(PART, 1)? {
            [0] => Ok(Self::Identity),
            [1] => Ok(Self::Calibrated),
            [2] => Ok(Self::CalibratedWithoutPass),
            other => Err(DecodeError::corrupt(PART, format!("{other:?} is no code"))),
        }
    }
}

/// H of a layer of n inputs.
#[derive(Debug)]
pub struct Curvature<'a> {
    gram: Option<&'a Gram>,
    /// 1 / mean diagonal.
    scale: f64,
    /// Diagonal after damping: one for each input; all ones for the identity.
    diagonal: Vec<f64>,
}

impl<'a> Curvature<'a> {
    /// H for a tensor. Refuses statistics of another size and such as no inputs can have; inputs that were all zero say nothing and count
    /// as none.
    pub fn new(context: &Context<'a>, info: &TensorInfo) -> Result<Self, Refusal> {
        let (_, size) = info.rows_cols();
        let identity = Self { gram: None, scale: 1.0, diagonal: vec![1.0; size] };
        let Some(gram) = context.gram else { return Ok(identity) };
        if gram.size != size || gram.values.len() != size * size {
            let found = gram.size;
            return Err(Refusal::new(format!("calibration statistics are of {found} inputs, the tensor has {size}")));
        }
        let diagonal = || gram.values.iter().step_by(size + 1).map(|&x| f64::from(x));
        if !gram.values.iter().all(|x| x.is_finite()) || diagonal().any(|x| x < 0.0) {
            return Err(Refusal::new("calibration statistics are not finite or have a negative diagonal"));
        }
        #[expect(clippy::cast_precision_loss, reason = "a number of inputs")]
        let mean = diagonal().sum::<f64>() / size as f64;
        if mean == 0.0 {
            return Ok(identity);
        }
        Ok(Self { gram: Some(gram), scale: 1.0 / mean, diagonal: diagonal().map(|x| x / mean + DAMPING).collect() })
    }

    /// Whether there was calibration.
    pub fn hessian(&self) -> Hessian {
        if self.gram.is_some() { Hessian::Calibrated } else { Hessian::Identity }
    }

    /// Diagonal after damping, in units of the mean diagonal.
    pub fn diagonal(&self) -> &[f64] {
        &self.diagonal
    }

    /// Inputs by falling diagonal, the lower index first where equal.
    pub fn descending(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.diagonal.len()).collect();
        order.sort_by(|&a, &b| self.diagonal[b].total_cmp(&self.diagonal[a]));
        order
    }

    /// The factor of H⁻¹ with inputs in that order; `None` for the identity, where the pass has nothing to propagate.
    pub fn factor(&self, order: &[usize]) -> Result<Option<Factor>, Refusal> {
        let Some(gram) = self.gram else { return Ok(None) };
        let n = gram.size;
        let entry = |i: usize, j: usize| {
            let value = f64::from(gram.values[i * n + j]) * self.scale;
            if i == j { self.diagonal[i] } else { value }
        };
        let reversed = order.iter().rev().flat_map(|&i| order.iter().rev().map(move |&j| entry(i, j))).collect();
        let factor = factor_of_inverse(reversed, n);
        factor.map(Some).ok_or_else(|| Refusal::new("calibration statistics are not positive definite, even with 1 % damping"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simd::Level;
    use crate::weights::Dtype;

    fn curvature(gram: &Gram, inputs: usize) -> Result<Curvature<'_>, Refusal> {
        let info = TensorInfo { name: "w".into(), shape: vec![4, inputs], dtype: Dtype::F32 };
        Curvature::new(&Context { simd: Level::Scalar, gram: Some(gram), ..Context::default() }, &info)
    }

    #[test]
    fn statistics_of_another_size_are_refused_with_both_sizes() {
        let gram = Gram { size: 2, values: vec![1.0, 0.0, 0.0, 1.0], samples: 5 };
        assert_eq!(curvature(&gram, 3).unwrap_err().0, "calibration statistics are of 2 inputs, the tensor has 3");
        assert_eq!(curvature(&gram, 2).unwrap().hessian(), Hessian::Calibrated);
    }

    #[test]
    fn statistics_that_no_inputs_have_are_refused() {
        for values in [vec![f32::NAN, 0.0, 0.0, 1.0], vec![-1.0, 0.0, 0.0, 2.0]] {
            assert!(curvature(&Gram { size: 2, values, samples: 5 }, 2).unwrap_err().0.contains("not finite or have a negative"));
        }
        let gram = Gram { size: 2, values: vec![1.0, 5.0, 5.0, 1.0], samples: 5 };
        assert!(curvature(&gram, 2).unwrap().factor(&[0, 1]).unwrap_err().0.contains("not positive definite"));
    }

    #[test]
    fn inputs_of_zero_are_no_calibration_and_a_dead_input_is_damped() {
        let gram = Gram { size: 2, values: vec![0.0; 4], samples: 5 };
        assert_eq!(curvature(&gram, 2).unwrap().hessian(), Hessian::Identity);
        let gram = Gram { size: 2, values: vec![0.0, 0.0, 0.0, 4.0], samples: 5 };
        let curvature = curvature(&gram, 2).unwrap();
        assert_eq!(curvature.diagonal(), [0.01, 2.01]);
        assert_eq!(curvature.descending(), [1, 0]);
        assert!(curvature.factor(&[0, 1]).unwrap().is_some());
    }
}
