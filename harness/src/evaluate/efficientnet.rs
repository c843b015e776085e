//! EfficientNet-Lite (Tan and Le 2019, without squeeze-and-excitation and with ReLU6), tensors named as its PyTorch conversions have them.
//!
//! Blocks widen by a 1×1 convolution, convolve each channel by itself, and narrow by another 1×1. A batch normalisation follows each of
//! them, ReLU6 all but the last. Activations are kept as images × height × width × channels.

use candle_core::{Result, Tensor, bail};

use super::activations::relu6;
use super::batch_norm::batch_norm;
use super::depthwise::Depthwise;
use super::network::Network;
use super::patches::{self, Patches};

/// Stride of each block's depthwise convolution.
const STRIDES: [usize; 16] = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1];
/// Added to a variance before its root is taken.
const EPSILON: f64 = 1e-3;

/// Images × height × width × 3 → images × classes.
pub(super) fn forward(network: &Network, images: &Tensor) -> Result<Tensor> {
    let blocks = network.count(|i| format!("_blocks.{i}._depthwise_conv.weight"));
    if blocks != STRIDES.len() {
        bail!("{blocks} blocks, where the strides of {} are known", STRIDES.len());
    }
    let mut x = convolve(network, "_conv_stem", "_bn0", images, 2)?;
    for (i, stride) in STRIDES.into_iter().enumerate() {
        x = block(network, &format!("_blocks.{i}"), &x, stride)?;
    }
    let x = convolve(network, "_conv_head", "_bn1", &x, 1)?;
    network.linear("_fc", &x.flatten(1, 2)?.mean(1)?)
}

/// A block; its input is added where the result has its shape.
fn block(network: &Network, name: &str, x: &Tensor, stride: usize) -> Result<Tensor> {
    let layer = |part: &str| format!("{name}.{part}");
    // The first block does not widen.
    let wide = match network.shape(&layer("_expand_conv.weight")) {
        Ok(_) => convolve(network, &layer("_expand_conv"), &layer("_bn0"), x, 1)?,
        Err(_) => x.clone(),
    };
    let depthwise = layer("_depthwise_conv.weight");
    let kernel = network.shape(&depthwise)?.last().copied().unwrap_or(1);
    let wide = wide.apply_op2_no_bwd(network.inputs_by_outputs(&depthwise)?, &Depthwise(Patches::same(kernel, stride)))?;
    let wide = relu6(&batch_norm(network, &layer("_bn1"), &wide, EPSILON)?)?;
    let narrow = patches::convolve(network, &layer("_project_conv"), &wide, 1)?;
    let narrow = batch_norm(network, &layer("_bn2"), &narrow, EPSILON)?;
    if narrow.dims() == x.dims() { narrow + x } else { Ok(narrow) }
}

/// 'Same' convolution, normalised and cut off at 0 and 6.
fn convolve(network: &Network, layer: &str, norm: &str, x: &Tensor, stride: usize) -> Result<Tensor> {
    relu6(&batch_norm(network, norm, &patches::convolve(network, layer, x, stride)?, EPSILON)?)
}
