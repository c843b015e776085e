//! A small residual network without normalisation layers: `stem`, then blocks relu(conv2(relu(conv1(h))) + skip(h)), mean over space, `fc`.
//!
//! Convolutions are matrix products over patches, which are also what calibration wants to see. Activations are kept as
//! images × height × width × channels, so that a product's rows are the next layer's pixels.

use candle_core::{Result, Tensor};

use super::activations;
use super::network::Network;
use super::patches::convolve;

/// Stride of each block's first convolution and of its skip.
const STRIDES: [usize; 3] = [1, 2, 2];

/// Images × height × width → images × classes.
pub(super) fn forward(network: &Network, images: &Tensor) -> Result<Tensor> {
    let mut x = activations::relu(&convolve(network, "stem", &images.unsqueeze(3)?, 1)?)?;
    for (block, stride) in STRIDES.into_iter().enumerate() {
        let inner = activations::relu(&convolve(network, &format!("b{block}.conv1"), &x, stride)?)?;
        let inner = convolve(network, &format!("b{block}.conv2"), &inner, 1)?;
        let skip = convolve(network, &format!("b{block}.skip"), &x, stride)?;
        x = activations::relu(&(inner + skip)?)?;
    }
    network.linear("fc", &x.flatten(1, 2)?.mean(1)?)
}
