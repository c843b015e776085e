//! Batch normalisation (Ioffe and Szegedy 2015) with the statistics that training stored.

use candle_core::{Result, Tensor};

use super::network::Network;

/// (x − mean)/√(variance + ε)·weight + bias for each channel, the last dimension.
pub(super) fn batch_norm(network: &Network, layer: &str, x: &Tensor, epsilon: f64) -> Result<Tensor> {
    named(network, &["weight", "bias", "running_mean", "running_var"].map(|part| format!("{layer}.{part}")), x, epsilon)
}

/// The same with names of weight, bias, mean and variance in this order.
pub(super) fn named(network: &Network, [weight, bias, mean, variance]: &[String; 4], x: &Tensor, epsilon: f64) -> Result<Tensor> {
    let scale = (network.tensor(weight)? / (network.tensor(variance)? + epsilon)?.sqrt()?)?;
    x.broadcast_sub(network.tensor(mean)?)?.broadcast_mul(&scale)?.broadcast_add(network.tensor(bias)?)
}
