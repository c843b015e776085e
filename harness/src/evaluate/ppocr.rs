//! PP-OCRv4's recogniser of lines of print, tensors named as in its ONNX graph.
//!
//! Convolutions of PP-LCNet's kind (Cui et al. 2021), each channel by itself and then all at one pixel, in MobileOne's merged form (Vasu et al. 2022),
//! whose scales and shifts are single numbers. They make one column of eight pixels a vector; two blocks of attention over columns (SVTR, Du et al. 2022)
//! see the line as a whole, and a dense layer says which character each column shows. Activations are kept as images × height × width × channels.
//!
//! Dense layers are stored as inputs × outputs, so that their columns, not their rows, share their inputs: they are not recorded. The graph also keeps
//! the constants of its formulas (3 and 6 of hard swish, the root of a head's width, what is added to variances) beside the weights. They are no
//! weights: here they are part of the formulas, and what a kernel makes of them changes nothing.

use candle_core::{Result, Tensor, bail};
use candle_nn::ops::layer_norm;

use super::activations::{hard_sigmoid, hard_swish, relu, silu};
use super::batch_norm;
use super::depthwise::Depthwise;
use super::network::Network;
use super::patches::{Border, Patches, Windows};
use super::softmax::Softmax;

/// Strides, down and across, of the convolutions of each channel by itself.
const STRIDES: [[usize; 2]; 14] =
    [[1, 1], [1, 1], [1, 1], [2, 1], [1, 1], [1, 2], [1, 1], [1, 1], [1, 1], [1, 1], [2, 1], [1, 1], [2, 1], [1, 1]];
/// The first of the numbers under which the graph keeps these convolutions; those of one pixel lie between them.
const FIRST: usize = 157;
/// What the last convolutions leave of an image's height, and the columns that are then taken together.
const POOLED: [usize; 2] = [3, 2];
/// Attention heads; shapes do not tell.
const HEADS: usize = 8;
/// Added to a variance before its root is taken.
const EPSILON: f32 = 1e-5;
/// The same in the last of the layer normalisations.
const LAST_EPSILON: f32 = 1e-6;

/// Images × height × width, from −1 to 1 → (images × columns) × classes, a column for eight pixels.
pub(super) fn forward(network: &Network, images: &Tensor) -> Result<Tensor> {
    let (lines, height, width) = images.dims3()?;
    let colours = images.unsqueeze(3)?.broadcast_as((lines, height, width, 3))?.contiguous()?;
    let mut x = normalise(network, 2, &stem(network, &colours)?)?;
    for (i, stride) in STRIDES.into_iter().enumerate() {
        x = activate(network, 2 * i, &depthwise(network, FIRST + 2 * i, &x, stride)?)?;
        x = match i {
            10 => excite(network, [106, 107], &x)?,
            11 => excite(network, [117, 118], &x)?,
            _ => x,
        };
        x = activate(network, 2 * i + 1, &pointwise(network, FIRST + 2 * i + 1, &x)?)?;
    }
    let columns = pool(&x)?;
    let x = narrow(network, [(142, 148), (143, 149)], &columns)?;
    let x = block(network, 43, 77, &x)?;
    let x = block(network, 45, 81, &x)?;
    let x = layer(network, 47, &x, LAST_EPSILON)?;
    let x = silu(&normalise(network, 150, &pointwise(network, 144, &x)?)?)?;
    let x = narrow(network, [(145, 151), (146, 152)], &Tensor::cat(&[&columns, &x], 2)?)?;
    dense(network, 85, &x)?.flatten(0, 1)
}

/// The first convolution: half of the height and width.
fn stem(network: &Network, x: &Tensor) -> Result<Tensor> {
    let (images, height, width, _) = x.dims4()?;
    let patches = Patches { kernel: [3, 3], stride: [2, 2], border: Border::Even };
    let y = network.product("conv2d_10.w_0", &x.apply_op1_no_bwd(&patches)?)?;
    let channels = y.dim(1)?;
    y.reshape((images, height.div_ceil(2), width.div_ceil(2), channels))
}

/// Convolution of each channel by itself.
fn depthwise(network: &Network, number: usize, x: &Tensor, stride: [usize; 2]) -> Result<Tensor> {
    let weights = format!("conv2d_{number}.w_0");
    let &[_, _, height, width] = network.shape(&weights)? else { bail!("'{weights}' must have four dimensions") };
    let patches = Patches { kernel: [height, width], stride, border: Border::Even };
    let y = x.apply_op2_no_bwd(network.inputs_by_outputs(&weights)?, &Depthwise(patches))?;
    y.broadcast_add(network.tensor(&format!("conv2d_{number}.b_0"))?)
}

/// Convolution over all channels of one pixel, with a bias where there is one; the channels are the last dimension.
fn pointwise(network: &Network, number: usize, x: &Tensor) -> Result<Tensor> {
    let mut shape = x.dims().to_vec();
    let rows = x.flatten_to(x.rank() - 2)?;
    let y = network.product(&format!("conv2d_{number}.w_0"), &rows)?;
    let y = match network.tensor(&format!("conv2d_{number}.b_0")) {
        Ok(bias) => y.broadcast_add(bias)?,
        Err(_) => y,
    };
    shape.pop();
    shape.push(y.dim(1)?);
    y.reshape(shape)
}

/// Hard swish between two scales and shifts.
fn activate(network: &Network, number: usize, x: &Tensor) -> Result<Tensor> {
    let affine = |x: &Tensor, name: String| {
        let part = |part: &str| network.tensor(&format!("{name}.{part}"));
        x.broadcast_mul(part("w_0")?)?.broadcast_add(part("w_1")?)
    };
    let x = affine(x, format!("mobile_one_block_{number}"))?;
    affine(&hard_swish(&x)?, format!("whswish_b_{}", number + 1))
}

/// Squeeze and excitation (Hu et al. 2018): each channel times what the means of all of them say.
fn excite(network: &Network, [first, second]: [usize; 2], x: &Tensor) -> Result<Tensor> {
    let means = x.flatten(1, 2)?.mean(1)?;
    let scales = hard_sigmoid(&pointwise(network, second, &relu(&pointwise(network, first, &means)?)?)?)?;
    x.broadcast_mul(&scales.unsqueeze(1)?.unsqueeze(1)?)
}

/// Means over the whole height and two columns: images × 3 × width × channels → images × columns × channels.
fn pool(x: &Tensor) -> Result<Tensor> {
    let [height, across] = POOLED;
    let (images, rows, width, channels) = x.dims4()?;
    if rows != height || width % across != 0 {
        bail!("{rows} × {width} pixels are left, which are not {height} rows of columns by {across}");
    }
    x.reshape((images, height, width / across, across, channels))?.mean(3)?.mean(1)
}

/// Three columns, then one: to the width of the attention. Pairs are the numbers of a convolution and of its normalisation.
fn narrow(network: &Network, [(wide, first), (one, second)]: [(usize, usize); 2], x: &Tensor) -> Result<Tensor> {
    let (images, columns, _) = x.dims3()?;
    let windows = Windows { kernel: 3, stride: 1, before: 1, after: 1 };
    let y = network.product(&format!("conv2d_{wide}.w_0"), &x.apply_op1_no_bwd(&windows)?)?;
    let channels = y.dim(1)?;
    let y = silu(&normalise(network, first, &y.reshape((images, columns, channels))?)?)?;
    silu(&normalise(network, second, &pointwise(network, one, &y)?)?)
}

/// Attention and a dense layer of twice the width, each normalised before and added to what went in. The numbers are those of the first
/// normalisation and of the first dense layer.
fn block(network: &Network, norm: usize, first: usize, x: &Tensor) -> Result<Tensor> {
    let mixed = attend(network, first, &layer(network, norm, x, EPSILON)?)?;
    let x = (x + dense(network, first + 1, &mixed)?)?;
    let inner = silu(&dense(network, first + 2, &layer(network, norm + 1, &x, EPSILON)?)?)?;
    &x + dense(network, first + 3, &inner)?
}

/// Attention of each column to all of its line.
fn attend(network: &Network, number: usize, x: &Tensor) -> Result<Tensor> {
    let (images, columns, width) = x.dims3()?;
    // Images × columns × (three of heads × head width) → three of images × heads × columns × head width.
    let parts = dense(network, number, x)?.reshape(&[images, columns, 3, HEADS, width / HEADS])?.permute([2, 0, 3, 1, 4])?;
    let part = |i: usize| parts.get(i)?.contiguous();
    let weights = Softmax::of_heads(width / HEADS, false).of(&part(0)?, &part(1)?)?;
    weights.matmul(&part(2)?)?.transpose(1, 2)?.reshape((images, columns, width))
}

/// A dense layer, which is stored as inputs × outputs.
fn dense(network: &Network, number: usize, x: &Tensor) -> Result<Tensor> {
    let (images, columns, _) = x.dims3()?;
    let y = x.flatten(0, 1)?.matmul(network.tensor(&format!("linear_{number}.w_0"))?)?;
    let y = y.broadcast_add(network.tensor(&format!("linear_{number}.b_0"))?)?;
    let outputs = y.dim(1)?;
    y.reshape((images, columns, outputs))
}

fn layer(network: &Network, number: usize, x: &Tensor, epsilon: f32) -> Result<Tensor> {
    let part = |part: &str| network.tensor(&format!("layer_norm_{number}.{part}"));
    layer_norm(x, part("w_0")?, part("b_0")?, epsilon)
}

fn normalise(network: &Network, number: usize, x: &Tensor) -> Result<Tensor> {
    batch_norm::named(network, &["w_0", "b_0", "w_1", "w_2"].map(|part| format!("batch_norm2d_{number}.{part}")), x, EPSILON.into())
}
