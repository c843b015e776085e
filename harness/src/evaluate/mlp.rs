//! Dense layers `fc1`, `fc2`, … (weight out × in, bias) with ReLU between them.

use candle_core::{Result, Tensor};

use super::activations;
use super::network::Network;

/// Images × height × width → images × classes.
pub(super) fn forward(network: &Network, images: &Tensor) -> Result<Tensor> {
    let layers = network.count(|layer| format!("fc{}.weight", layer + 1));
    let mut x = images.flatten_from(1)?;
    for layer in 1..=layers {
        x = network.linear(&format!("fc{layer}"), &x)?;
        if layer < layers {
            x = activations::relu(&x)?;
        }
    }
    Ok(x)
}
