//! Cutting the input of a convolution into patches, so that the convolution is a matrix product.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape};

use super::activations::values;

/// Patches of a 'same' convolution: images × height × width × channels → pixels of the result × (channels × kernel × kernel).
///
/// The border is zeros, as many as the result's ceil(size / stride) pixels need; half of them before, rounded down. A stride of 2 on an even
/// size so gets none before and one after, which the library's symmetric padding cannot express.
pub(super) struct Patches {
    /// Height and width of the kernel.
    pub kernel: usize,
    /// Step between patches.
    pub stride: usize,
}

impl Patches {
    /// Pixels of the result along a side of `size`, and zeros before its first.
    fn side(&self, size: usize) -> (usize, usize) {
        let count = size.div_ceil(self.stride);
        let border = ((count - 1) * self.stride + self.kernel).saturating_sub(size);
        (count, border / 2)
    }
}

impl CustomOp1 for Patches {
    fn name(&self) -> &'static str {
        "patches"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let pixels = values(storage, layout)?;
        let (images, height, width, channels) = layout.shape().dims4()?;
        let ((rows, above), (columns, before)) = (self.side(height), self.side(width));
        let area = self.kernel * self.kernel;
        let mut out = vec![0.0; images * rows * columns * channels * area];
        for (place, patch) in out.chunks_mut(channels * area).enumerate() {
            let (image, row, column) = (place / (rows * columns), place / columns % rows, place % columns);
            for cell in 0..area {
                let y = (row * self.stride + cell / self.kernel).checked_sub(above).filter(|&y| y < height);
                let x = (column * self.stride + cell % self.kernel).checked_sub(before).filter(|&x| x < width);
                let (Some(y), Some(x)) = (y, x) else { continue };
                let pixel = ((image * height + y) * width + x) * channels;
                for (to, &from) in patch[cell..].iter_mut().step_by(area).zip(&pixels[pixel..pixel + channels]) {
                    *to = from;
                }
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((images * rows * columns, channels * area))))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;

    #[test]
    fn patches_give_the_library_s_convolution() {
        for (size, kernel, stride, before, after) in [(7, 3, 1, 1, 1), (8, 3, 2, 0, 1), (7, 3, 2, 1, 1), (8, 1, 2, 0, 0)] {
            let (images, channels, filters) = (2, 3, 4);
            let range = |n: usize| Tensor::from_iter((0..n).map(|i| ((i * 29) % 17) as f32 - 8.0), &Device::Cpu).unwrap();
            let x = range(images * channels * size * size).reshape((images, channels, size, size)).unwrap();
            let w = range(filters * channels * kernel * kernel).reshape((filters, channels, kernel, kernel)).unwrap();
            let padded = x.pad_with_zeros(2, before, after).unwrap().pad_with_zeros(3, before, after).unwrap();
            let expected = padded.conv2d(&w, 0, stride, 1, 1).unwrap().permute((0, 2, 3, 1)).unwrap();
            let last = x.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap();
            let patches = last.apply_op1_no_bwd(&Patches { kernel, stride }).unwrap();
            let found = patches.matmul(&w.flatten_from(1).unwrap().t().unwrap()).unwrap().reshape(expected.dims()).unwrap();
            let difference = (found - expected).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
            assert_eq!(difference.to_scalar::<f32>().unwrap(), 0.0, "size {size}, kernel {kernel}, stride {stride}");
        }
    }
}
