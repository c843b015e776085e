//! Worker processes: every encode, decode, check and evaluation happens in a child that speaks one small line protocol.
//!
//! The built-in kernels are served by `weighbridge worker`; any other program that speaks [`protocol`] can take its place.

pub mod batch;
pub mod calibration;
pub(crate) mod check;
pub mod client;
pub(crate) mod decode;
pub(crate) mod encode;
pub mod excerpt;
pub mod heap;
pub mod model;
pub mod protocol;
mod quadratic;
pub mod serve;
pub mod timing;
