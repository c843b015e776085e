//! Compression kernels for neural-network weights.
//!
//! A [`Kernel`](kernel::Kernel) turns [`Weights`](weights::Weights) into packed [`Parts`](kernel::Parts) and back. An
//! [artifact] is the file that holds the parts of a whole model and everything else that decode needs. The
//! [`Registry`](registry::Registry) knows the built-in kernels; [`conformance`] is the suite that each of them passes.
//!
//! Same input, same bytes: on every SIMD level, thread count and machine.

pub mod artifact;
pub mod conformance;
pub mod entry;
pub mod error;
pub mod fidelity;
pub mod kernel;
pub mod kernels;
pub mod outline;
pub mod pipeline;
pub mod reference;
pub mod registry;
pub mod safefile;
pub mod safewriter;
pub mod sample;
pub mod simd;
pub mod spec;
pub mod weights;
