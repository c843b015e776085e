//! Magika (Fratantonio et al. 2024), model `standard_v3_3`, tensors named as in its ONNX graph.
//!
//! Bytes are looked up in a table; each four neighbours make one time of 256 channels. Those are normalised over *time*, convolved over five
//! times without a border, and the largest of each channel is normalised over channels and goes through one dense layer. Both GELUs are of
//! the tanh form. The dense layer is stored as inputs × outputs, so that its columns, not its rows, share their inputs: it is not recorded.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use candle_nn::ops::layer_norm;

use super::activations::{gelu, values};
use super::network::Network;
use super::patches::Windows;

/// Start of the names of what one function of the graph holds.
const MODEL: &str = "jax2tf_get_logits_/pjit_get_logits_/MagikaV2";
/// Rows of bytes and of the padding: symbols × 64.
const TABLE: &str = "jax2tf_get_logits_/Const:0";
/// The convolution's bias, which the graph's optimiser renamed.
const CONVOLUTION_BIAS: &str = "const_fold_opt__209";
/// The dense layer, inputs × outputs.
const DENSE: &str = "jax2tf_get_logits_/Const_24:0";
/// Bytes that make one time.
const NEIGHBOURS: usize = 4;
/// Added to a variance before its root is taken.
const EPSILON: f32 = 1e-6;

/// Files × bytes → files × types.
pub(super) fn forward(network: &Network, bytes: &Tensor) -> Result<Tensor> {
    let part = |name: &str| network.tensor(&format!("{MODEL}/{name}:0"));
    let (files, length) = bytes.dims2()?;
    let x = network.rows(TABLE, &bytes.flatten_all()?)?.broadcast_add(&part("Dense_0/Reshape")?.flatten_all()?)?;
    let width = x.dim(1)?;
    let x = gelu(&x)?.reshape((files, length / NEIGHBOURS, NEIGHBOURS * width))?;
    let x = over_time(&x)?.broadcast_mul(part("LayerNorm_0/Reshape_2")?)?.broadcast_add(part("LayerNorm_0/Reshape_3")?)?;

    let weights = format!("{MODEL}/Conv_0/transpose_3:0");
    let &[_, _, kernel, _] = network.shape(&weights)? else { bail!("the convolution must have four dimensions") };
    let windows = Windows { kernel, stride: 1, before: 0, after: 0 };
    let y = network.product(&weights, &x.apply_op1_no_bwd(&windows)?)?;
    let y = gelu(&y.broadcast_add(&network.tensor(CONVOLUTION_BIAS)?.flatten_all()?)?)?;
    let channels = y.dim(1)?;
    let x = y.reshape((files, windows.count(length / NEIGHBOURS), channels))?.apply_op1_no_bwd(&LargestInTime)?;

    let (weight, bias) = (part("LayerNorm_1/Reshape_2")?.flatten_all()?, part("LayerNorm_1/Reshape_3")?.flatten_all()?);
    let x = layer_norm(&x, &weight, &bias, EPSILON)?;
    x.matmul(network.tensor(DENSE)?)?.broadcast_add(part("Dense_1/Reshape")?)
}

/// Mean 0 and variance 1 over time, for each channel by itself.
fn over_time(x: &Tensor) -> Result<Tensor> {
    let centred = x.broadcast_sub(&x.mean_keepdim(1)?)?;
    let deviation = (centred.sqr()?.mean_keepdim(1)? + f64::from(EPSILON))?.sqrt()?;
    centred.broadcast_div(&deviation)
}

/// The largest of all times: items × time × channels → items × channels; NaN is kept.
struct LargestInTime;

impl CustomOp1 for LargestInTime {
    fn name(&self) -> &'static str {
        "largest-in-time"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (items, time, channels) = layout.shape().dims3()?;
        let mut out = vec![f32::NEG_INFINITY; items * channels];
        let each = (time * channels).max(1);
        for (item, largest) in values(storage, layout)?.chunks(each).zip(out.chunks_mut(channels.max(1))) {
            for row in item.chunks(channels.max(1)) {
                for (a, &b) in largest.iter_mut().zip(row) {
                    *a = if b > *a || b.is_nan() { b } else { *a };
                }
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((items, channels))))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn time_is_what_is_normalised() {
        let x = Tensor::from_slice(&[1.0f32, 10.0, 3.0, 10.0, 5.0, 40.0], (1, 3, 2), &Device::Cpu).unwrap();
        let y = over_time(&x).unwrap().to_vec3::<f32>().unwrap();
        let deviation = (8.0f32 / 3.0).sqrt();
        assert!((y[0][0][0] + 2.0 / deviation).abs() < 1e-5 && y[0][1][0].abs() < 1e-6 && (y[0][2][0] - 2.0 / deviation).abs() < 1e-5);
        assert!((y[0][0][1] + 0.5f32.sqrt()).abs() < 1e-5 && (y[0][2][1] - 2f32.sqrt()).abs() < 1e-5);
    }

    #[test]
    fn the_largest_of_each_channel_keeps_nan() {
        let x = Tensor::from_slice(&[1.0f32, -5.0, f32::NAN, -4.0, 3.0, -9.0, 7.0, 0.0], (2, 2, 2), &Device::Cpu).unwrap();
        let y = x.apply_op1_no_bwd(&LargestInTime).unwrap().to_vec2::<f32>().unwrap();
        assert!(y[0][0].is_nan() && y[0][1] == -4.0 && y[1] == [7.0, 0.0], "{y:?}");
    }
}
