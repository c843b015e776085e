//! The second-order pass that `gptq` and `vptq` share (GPTQ, arXiv 2210.17323; VPTQ, arXiv 2409.17066).
//!
//! Columns of the weight matrix (out features × inputs) are quantised one after the other; what each column loses is made up for by the
//! columns not yet quantised, as far as the layer's inputs are correlated. [`Curvature`] is the damped H = XᵀX of calibration inputs or the
//! identity, [`Factor`] the upper Cholesky factor of its inverse, [`propagate`] the pass.

mod cholesky;
mod curvature;
mod pass;
#[cfg(test)]
pub mod synthetic;

pub use curvature::{Curvature, Hessian};
pub use pass::propagate;

/// U, upper triangular, with H⁻¹ = UᵀU: n × n values row-major, zeros below the diagonal.
#[derive(Debug)]
pub struct Factor {
    size: usize,
    values: Vec<f32>,
}

impl Factor {
    /// Row j of U.
    fn row(&self, j: usize) -> &[f32] {
        &self.values[j * self.size..][..self.size]
    }
}

/// target −= factor · row.
#[inline]
fn subtract<T: Copy + std::ops::Mul<Output = T> + std::ops::SubAssign>(target: &mut [T], factor: T, row: &[T]) {
    for (x, &y) in target.iter_mut().zip(row) {
        *x -= factor * y;
    }
}
