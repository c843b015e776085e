//! Batch normalisation (Ioffe and Szegedy 2015) with the statistics that training stored.

use candle_core::{Result, Tensor};

use super::network::Network;

/// (x − mean)/√(variance + ε)·weight + bias for each channel, the last dimension.
pub(super) fn batch_norm(network: &Network, layer: &str, x: &Tensor, epsilon: f64) -> Result<Tensor> {
    let part = |name: &str| network.tensor(&format!("{layer}.{name}"));
    let scale = (part("weight")? / (part("running_var")? + epsilon)?.sqrt()?)?;
    x.broadcast_sub(part("running_mean")?)?.broadcast_mul(&scale)?.broadcast_add(part("bias")?)
}
