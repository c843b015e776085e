//! Scaling: how a kernel's cost grows with the size of the model.
//!
//! Cost is fitted against parameters on logarithmic axes; the slope is the exponent: 1 where twice the parameters cost twice as much. An
//! exponent that grew is a regression even where every single size is inside its band, because the models that matter are larger than those
//! that a pull request is measured on.

mod cost;
mod fit;
mod judge;

pub use cost::{QUANTITIES, Quantity, quantity, sizes_of};
pub use fit::{Fit, fit};
pub use judge::{ScalingRow, judge};
