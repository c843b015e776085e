//! Cutting the input of a convolution into patches, so that the convolution is a matrix product; and pooling what comes out.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};

use super::activations::values;
use super::network::Network;

/// Patches of a convolution: images × height × width × channels → pixels of the result × (channels × kernel × kernel).
///
/// The result has ceil(size / stride) pixels along a side, and what its patches lack is zeros.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patches {
    /// Height and width of the kernel; odd where the border is even.
    pub kernel: [usize; 2],
    /// Steps between patches, down and across.
    pub stride: [usize; 2],
    /// Where the zeros lie.
    pub border: Border,
}

/// The sides on which zeros lie. It matters for strides on sizes that they divide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Border {
    /// As many as are needed, half of them before, rounded down: none before and one after for a stride of 2 on an even size, which the
    /// library's symmetric padding cannot express.
    Same,
    /// Half a kernel before, whatever the stride, and as many after, of which a stride may leave some unused.
    Even,
}

impl Patches {
    /// 'Same' patches of a square kernel.
    pub const fn same(kernel: usize, stride: usize) -> Self {
        Self { kernel: [kernel; 2], stride: [stride; 2], border: Border::Same }
    }

    /// Pixels of the result along a side of `size`, and zeros before its first.
    fn side(&self, side: usize, size: usize) -> (usize, usize) {
        let (kernel, stride) = (self.kernel[side], self.stride[side]);
        let count = size.div_ceil(stride);
        let before = match self.border {
            Border::Same => ((count - 1) * stride + kernel).saturating_sub(size) / 2,
            Border::Even => kernel / 2,
        };
        (count, before)
    }

    /// Where the patches of images of a size lie.
    pub fn grid(self, height: usize, width: usize) -> Grid {
        let ((rows, above), (columns, before)) = (self.side(0, height), self.side(1, width));
        Grid { patches: self, height, width, rows, columns, above, before }
    }
}

/// The places of patches in images of one size.
pub(super) struct Grid {
    patches: Patches,
    height: usize,
    width: usize,
    /// Rows of patches.
    pub rows: usize,
    /// Columns of patches.
    pub columns: usize,
    /// Zeros above an image, and before it.
    above: usize,
    before: usize,
}

impl Grid {
    /// The pixel, counted over all images, under a cell of a patch, counted likewise; none in the border.
    #[inline(always)]
    pub fn pixel(&self, place: usize, cell: usize) -> Option<usize> {
        let Patches { kernel: [_, across], stride, .. } = self.patches;
        let (image, row, column) = (place / (self.rows * self.columns), place / self.columns % self.rows, place % self.columns);
        let y = (row * stride[0] + cell / across).checked_sub(self.above).filter(|&y| y < self.height)?;
        let x = (column * stride[1] + cell % across).checked_sub(self.before).filter(|&x| x < self.width)?;
        Some((image * self.height + y) * self.width + x)
    }
}

/// 'Same' convolution with a layer's weights; the kernel's size is that of the weights.
pub(super) fn convolve(network: &Network, layer: &str, x: &Tensor, stride: usize) -> Result<Tensor> {
    let (images, height, width, _) = x.dims4()?;
    let kernel = network.shape(&format!("{layer}.weight"))?.last().copied().unwrap_or(1);
    let patches = match (kernel, stride) {
        (1, 1) => x.flatten(0, 2)?,
        _ => x.apply_op1_no_bwd(&Patches::same(kernel, stride))?,
    };
    let y = network.linear(layer, &patches)?;
    let channels = y.dim(1)?;
    y.reshape((images, height.div_ceil(stride), width.div_ceil(stride), channels))
}

impl CustomOp1 for Patches {
    fn name(&self) -> &'static str {
        "patches"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let pixels = values(storage, layout)?;
        let (images, height, width, channels) = layout.shape().dims4()?;
        let (grid, area) = (self.grid(height, width), self.kernel.iter().product::<usize>());
        let places = images * grid.rows * grid.columns;
        let mut out = vec![0.0; places * channels * area];
        for (place, patch) in out.chunks_mut(channels * area).enumerate() {
            for cell in 0..area {
                let Some(pixel) = grid.pixel(place, cell) else { continue };
                for (to, &from) in patch[cell..].iter_mut().step_by(area).zip(&pixels[pixel * channels..][..channels]) {
                    *to = from;
                }
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((places, channels * area))))
    }
}

/// Windows over time: items × time × channels → times of the result × (channels × kernel), for a convolution over one dimension.
#[derive(Debug, Clone, Copy)]
pub(super) struct Windows {
    /// Length of the kernel.
    pub kernel: usize,
    /// Step between windows.
    pub stride: usize,
    /// Zeros before the first time.
    pub before: usize,
    /// Zeros after the last.
    pub after: usize,
}

impl Windows {
    /// Times of the result for so many times of input.
    pub fn count(self, time: usize) -> usize {
        (time + self.before + self.after).checked_sub(self.kernel).map_or(0, |rest| rest / self.stride + 1)
    }

    /// Convolution with a layer's weights, out × channels × kernel: items × time × channels → items × times × out.
    pub fn convolve(self, network: &Network, layer: &str, x: &Tensor) -> Result<Tensor> {
        let (items, time, _) = x.dims3()?;
        let y = network.linear(layer, &x.apply_op1_no_bwd(&self)?)?;
        let channels = y.dim(1)?;
        y.reshape((items, self.count(time), channels))
    }
}

impl CustomOp1 for Windows {
    fn name(&self) -> &'static str {
        "windows"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let values = values(storage, layout)?;
        let (items, time, channels) = layout.shape().dims3()?;
        let (count, size) = (self.count(time), channels * self.kernel);
        let mut out = vec![0.0; items * count * size];
        for (place, window) in out.chunks_mut(size.max(1)).enumerate() {
            let (item, first) = (place / count, place % count * self.stride);
            // Times of the input that the kernel's places see: first + k − before.
            for k in self.before.saturating_sub(first)..self.kernel.min((time + self.before).saturating_sub(first)) {
                let from = (item * time + first + k - self.before) * channels;
                for (to, &value) in window[k..].iter_mut().step_by(self.kernel).zip(&values[from..from + channels]) {
                    *to = value;
                }
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((items * count, size))))
    }
}

/// The larger of each two times: items × time × channels → items × time/2 × channels. A time that is left over is dropped; NaN is kept.
pub(super) struct LargerOfTwo;

impl CustomOp1 for LargerOfTwo {
    fn name(&self) -> &'static str {
        "larger-of-two"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (items, time, channels) = layout.shape().dims3()?;
        let mut out = Vec::with_capacity(items * (time / 2) * channels);
        for item in values(storage, layout)?.chunks((time * channels).max(1)) {
            for two in item.chunks_exact((2 * channels).max(1)) {
                let (a, b) = two.split_at(channels);
                out.extend(a.iter().zip(b).map(|(&a, &b)| if b > a || b.is_nan() { b } else { a }));
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((items, time / 2, channels))))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

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
            let patches = last.apply_op1_no_bwd(&Patches::same(kernel, stride)).unwrap();
            let found = patches.matmul(&w.flatten_from(1).unwrap().t().unwrap()).unwrap().reshape(expected.dims()).unwrap();
            let difference = (found - expected).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
            assert_eq!(difference.to_scalar::<f32>().unwrap(), 0.0, "size {size}, kernel {kernel}, stride {stride}");
        }
    }

    #[test]
    fn an_even_border_and_uneven_strides_leave_out_pixels_of_the_library_s_convolution() {
        for (height, width, kernel, stride) in [(6, 8, 3, [2, 2]), (6, 5, 3, [2, 1]), (4, 9, 5, [1, 2]), (7, 8, 5, [2, 3])] {
            let (channels, filters) = (3, 4);
            let range = |n: usize| Tensor::from_iter((0..n).map(|i| ((i * 29) % 17) as f32 - 8.0), &Device::Cpu).unwrap();
            let x = range(channels * height * width).reshape((1, channels, height, width)).unwrap();
            let w = range(filters * channels * kernel * kernel).reshape((filters, channels, kernel, kernel)).unwrap();
            let every = |size: u32, step: usize| Tensor::from_iter((0..size).step_by(step), &Device::Cpu).unwrap();
            let whole = x.conv2d(&w, kernel / 2, 1, 1, 1).unwrap();
            let size = |n: usize| u32::try_from(n).unwrap();
            let picked = whole.index_select(&every(size(height), stride[0]), 2).unwrap();
            let picked = picked.index_select(&every(size(width), stride[1]), 3).unwrap();
            let expected = picked.permute((0, 2, 3, 1)).unwrap();
            let last = x.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap();
            let patches = last.apply_op1_no_bwd(&Patches { kernel: [kernel; 2], stride, border: Border::Even }).unwrap();
            let found = patches.matmul(&w.flatten_from(1).unwrap().t().unwrap()).unwrap().reshape(expected.dims()).unwrap();
            let difference = (found - expected).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
            assert_eq!(difference.to_scalar::<f32>().unwrap(), 0.0, "{height} × {width}, kernel {kernel}, stride {stride:?}");
        }
    }

    #[test]
    fn windows_give_the_library_s_convolution() {
        for (time, kernel, stride, before, after) in [(9, 3, 1, 1, 1), (8, 3, 2, 1, 1), (7, 4, 1, 1, 2), (5, 8, 4, 3, 3), (12, 4, 2, 0, 0)]
        {
            let (items, channels, filters) = (2, 3, 4);
            let range = |n: usize| Tensor::from_iter((0..n).map(|i| ((i * 29) % 17) as f32 - 8.0), &Device::Cpu).unwrap();
            let x = range(items * channels * time).reshape((items, channels, time)).unwrap();
            let w = range(filters * channels * kernel).reshape((filters, channels, kernel)).unwrap();
            let padded = x.pad_with_zeros(2, before, after).unwrap();
            let expected = padded.conv1d(&w, 0, stride, 1, 1).unwrap().transpose(1, 2).unwrap();
            let last = x.transpose(1, 2).unwrap().contiguous().unwrap();
            let windows = Windows { kernel, stride, before, after };
            let rows = last.apply_op1_no_bwd(&windows).unwrap();
            let found = rows.matmul(&w.flatten_from(1).unwrap().t().unwrap()).unwrap().reshape(expected.dims()).unwrap();
            let difference = (found - expected).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
            assert_eq!(difference.to_scalar::<f32>().unwrap(), 0.0, "time {time}, kernel {kernel}, stride {stride}");
        }
    }

    #[test]
    fn the_larger_of_two_keeps_nan_and_drops_what_is_left() {
        let x = Tensor::from_slice(&[1.0f32, 5.0, 2.0, 4.0, 9.0, 9.0, f32::NAN, 0.0, 1.0, f32::NAN, 9.0, 9.0], (2, 3, 2), &Device::Cpu)
            .unwrap();
        let y = x.apply_op1_no_bwd(&LargerOfTwo).unwrap();
        assert_eq!(y.dims(), [2, 1, 2]);
        let y = y.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(y[..2] == [2.0, 5.0] && y[2].is_nan() && y[3].is_nan(), "{y:?}");
    }
}
