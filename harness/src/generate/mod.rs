//! Generated weights that imitate trained layers, for networks of which no trained weights can be had.
//!
//! Any rows of any tensor can be made alone, in parallel, and come out the same on every machine: [`draw`] finds each random number by its
//! place. [`layer`] holds a kind of layer for each that was measured, [`measured`] the figures, [`statistics`] the measurement, and
//! [`architecture`] the tensors of whole networks. Generated weights support statements on size, speed, memory and reconstruction error, never on accuracy:
//! no network was trained.

pub mod architecture;
pub mod draw;
mod hadamard;
pub mod layer;
pub mod measured;
mod other_layers;
pub mod philox;
pub mod recipe;
mod singular;
pub mod statistics;
pub mod survey;
pub mod tensor;
mod transformer_layers;

/// Version of the generator. A change to any bit that it makes is a new one, and manifests name theirs.
pub const VERSION: u32 = 1;
