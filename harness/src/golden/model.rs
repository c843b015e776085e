//! The model that golden artifacts are made of, and calibration statistics for kernels that use some.
//!
//! Values come from the golden input (`sample::golden`), which integers and a division define: no machine has others.

use weighbridge::artifact::Tensor;
use weighbridge::error::WeightsError;
use weighbridge::kernel::Gram;
use weighbridge::sample::golden;
use weighbridge::weights::{Dtype, TensorInfo, Weights};

/// File name of the model.
pub const MODEL: &str = "model.safetensors";

/// The tensors: a matrix of whole blocks, shapes that fit no block, each dtype, a convolution, an outlier, weights too small for an f16
/// scale, zeros, and two that pass through every kernel: a vector and one that is no weights.
pub fn tensors() -> Result<Vec<Tensor>, WeightsError> {
    let values = golden(16 * 256);
    let make = |name: &str, shape: &[usize], dtype: Dtype, skip: usize, change: fn(usize, f32) -> f32| {
        let info = TensorInfo { name: name.to_owned(), shape: shape.to_vec(), dtype };
        let taken = values.iter().cycle().skip(skip).take(info.elements());
        Weights::from_f32(&info, taken.enumerate().map(|(i, &x)| change(i, x)).collect()).map(Tensor::Weights)
    };
    let positions = (0i64..6).flat_map(i64::to_le_bytes).collect();
    Ok(vec![
        make("bias", &[40], Dtype::F32, 5, |_, x| x)?,
        make("blocks.weight", &[16, 256], Dtype::F32, 0, |_, x| x)?,
        make("convolution.weight", &[8, 3, 3, 3], Dtype::F32, 700, |_, x| x)?,
        make("half.weight", &[3, 7], Dtype::F16, 1000, |_, x| x)?,
        make("odd.weight", &[5, 131], Dtype::F32, 1100, |_, x| x)?,
        make("outlier.weight", &[8, 64], Dtype::F32, 1800, |i, x| if i == 100 { 2.5 } else { x })?,
        Tensor::Other { name: "positions".to_owned(), dtype: "I64".to_owned(), shape: vec![6], bytes: positions },
        make("short.weight", &[16, 48], Dtype::Bf16, 2400, |_, x| x)?,
        make("tiny.weight", &[4, 32], Dtype::F32, 3200, |_, x| x * 1e-30)?,
        make("zero.weight", &[2, 64], Dtype::F32, 0, |_, _| 0.0)?,
    ])
}

/// XᵀX of twice as many made-up samples as there are inputs. Neighbours are correlated, and later inputs are louder.
pub fn calibration(inputs: usize) -> Gram {
    let samples = 2 * inputs;
    let noise = golden(samples * (inputs + 1));
    #[expect(clippy::cast_precision_loss, reason = "a few hundred")]
    let loudness = |column: usize| 20.0 * (1.0 + column as f32 / inputs as f32);
    let x = |sample: usize, column: usize| {
        let at = sample * (inputs + 1) + column;
        (noise[at] + noise[at + 1]) * loudness(column)
    };
    let product = |i: usize, j: usize| (0..samples).map(|s| x(s, i) * x(s, j)).sum();
    let values = (0..inputs).flat_map(|i| (0..inputs).map(move |j| (i.min(j), i.max(j)))).map(|(i, j)| product(i, j)).collect();
    Gram { size: inputs, values, samples }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calibration_is_symmetric_and_louder_towards_the_end() {
        let gram = calibration(48);
        for i in 0..48 {
            for j in 0..48 {
                assert_eq!(gram.values[i * 48 + j], gram.values[j * 48 + i]);
            }
        }
        assert!(gram.values[47 * 49] > 2.0 * gram.values[0], "{} {}", gram.values[0], gram.values[47 * 49]);
        assert!(gram.values[1] > 0.3 * gram.values[0]);
    }
}
