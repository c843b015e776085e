//! Convolution of each channel by itself. It is no matrix product: every output has inputs of its own.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, bail};

use super::activations::values;
use super::patches::Patches;
use crate::vectors::vectorised;

/// Images × height × width × channels, weights (kernel·kernel) × channels → images × rows × columns × channels, bordered as [`Patches`] are.
///
/// A sum runs over the kernel's cells in their order, products rounded before they are added: the same on every processor.
pub(super) struct Depthwise(pub Patches);

impl CustomOp2 for Depthwise {
    fn name(&self) -> &'static str {
        "depthwise"
    }

    fn cpu_fwd(&self, s1: &CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<(CpuStorage, Shape)> {
        let (pixels, weights) = (values(s1, l1)?, values(s2, l2)?);
        let (images, height, width, channels) = l1.shape().dims4()?;
        let area = self.0.kernel.iter().product::<usize>();
        if channels == 0 || l2.dims() != [area, channels] {
            bail!("weights {:?} for {channels} channels and a kernel of {area} cells", l2.dims());
        }
        let grid = self.0.grid(height, width);
        let (rows, columns) = (grid.rows, grid.columns);
        let mut out = vec![0.0; images * rows * columns * channels];
        vectorised(
            #[inline(always)]
            || {
                for (place, sums) in out.chunks_mut(channels).enumerate() {
                    for (cell, weights) in weights.chunks(channels).enumerate() {
                        let Some(pixel) = grid.pixel(place, cell) else { continue };
                        let pixels = &pixels[pixel * channels..][..channels];
                        for ((sum, &x), &w) in sums.iter_mut().zip(pixels).zip(weights) {
                            *sum += x * w;
                        }
                    }
                }
            },
        );
        Ok((CpuStorage::F32(out), Shape::from((images, rows, columns, channels))))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn each_channel_gives_the_library_s_convolution() {
        for (size, kernel, stride, before, after) in [(7, 3, 1, 1, 1), (8, 3, 2, 0, 1), (9, 5, 1, 2, 2), (8, 5, 2, 1, 2)] {
            let (images, channels) = (2, 5);
            let range = |n: usize| Tensor::from_iter((0..n).map(|i| ((i * 29) % 17) as f32 - 8.0), &Device::Cpu).unwrap();
            let x = range(images * channels * size * size).reshape((images, channels, size, size)).unwrap();
            let w = range(channels * kernel * kernel).reshape((channels, 1, kernel, kernel)).unwrap();
            let padded = x.pad_with_zeros(2, before, after).unwrap().pad_with_zeros(3, before, after).unwrap();
            let expected = padded.conv2d(&w, 0, stride, 1, channels).unwrap().permute((0, 2, 3, 1)).unwrap();
            let last = x.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap();
            let weights = w.flatten_from(1).unwrap().t().unwrap().contiguous().unwrap();
            let found = last.apply_op2_no_bwd(&weights, &Depthwise(Patches::same(kernel, stride))).unwrap();
            assert_eq!(found.dims(), expected.dims());
            let difference = (found - expected).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
            assert_eq!(difference.to_scalar::<f32>().unwrap(), 0.0, "size {size}, kernel {kernel}, stride {stride}");
        }
    }

    #[test]
    fn weights_of_other_channels_are_refused() {
        let zeros = |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
        let op = Depthwise(Patches::same(3, 1));
        let error = zeros(&[1, 4, 4, 2]).apply_op2_no_bwd(&zeros(&[9, 3]), &op).unwrap_err().to_string();
        assert!(error.contains("weights [9, 3] for 2 channels"), "{error}");
    }
}
