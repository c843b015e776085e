//! What happens between matrix products: ReLU, GELU, softmax, the LSTM cell, and cutting images into patches.
//!
//! Written here and not taken from the library for three reasons. Exponentials come from additions and multiplications only, so they
//! have the same bits on every platform, whatever its mathematical library. They vectorise, where one call per element would be most of
//! an evaluation's time. And NaN stays NaN, where the library's ReLU (a maximum) turns it into 0 and hides a broken tensor.
//!
//! Approximations of exp and tanh: Cephes (Moshier, `expf.c`, `tanhf.c`), within 2 units in the last place of f32; a test compares them with f64.

use candle_core::{CpuStorage, CustomOp1, CustomOp3, Layout, Result, Shape, Tensor, bail};

/// Lanes of a sum: fixed, so that its order is.
const LANES: usize = 8;

/// max(x, 0), NaN kept.
pub(super) fn relu(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1_no_bwd(&Map("relu", |x: f32| if x < 0.0 { 0.0 } else { x }))
}

/// GELU in its tanh form: x·(1 + tanh u)/2 = x/(1 + exp(−2u)) with u = √(2/π)·(x + 0.044715·x³).
pub(super) fn gelu(x: &Tensor) -> Result<Tensor> {
    /// 2·√(2/π).
    const TWICE_ROOT: f32 = 1.595_769;
    x.contiguous()?.apply_op1_no_bwd(&Map("gelu", |x: f32| x / (1.0 + exp(-TWICE_ROOT * (x + 0.044_715 * x * x * x)))))
}

/// e^x; below −87.3 the smallest normal number and above 88.3 about 2e38, so that nothing overflows. NaN stays NaN.
#[inline]
pub(super) fn exp(x: f32) -> f32 {
    /// 1.5·2^23: adding it rounds to an integer, which is then in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.3, 88.3);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    // ln 2 in two parts, the first with few bits, so that n times it is exact.
    let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let p = 1.987_569_1e-4_f32;
    let p = p * r + 1.398_2e-3;
    let p = p * r + 8.333_452e-3;
    let p = p * r + 4.166_579_6e-2;
    let p = p * r + 1.666_666_6e-1;
    let p = p * r + 0.5;
    let power = rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127) << 23;
    (p * r * r + r + 1.0) * f32::from_bits(power)
}

/// Logistic function.
#[inline]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Hyperbolic tangent.
#[inline]
fn tanh(x: f32) -> f32 {
    let z = x * x;
    let p = -5.704_988_6e-3_f32;
    let p = p * z + 2.063_908_8e-2;
    let p = p * z - 5.373_971_5e-2;
    let p = p * z + 1.333_144_2e-1;
    let p = p * z - 3.333_328e-1;
    let near = p * z * x + x;
    let far = 1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0);
    if x.abs() < 0.625 { near } else { far.copysign(x) }
}

/// A function of each element.
struct Map<F>(&'static str, F);

impl<F: Fn(f32) -> f32> CustomOp1 for Map<F> {
    fn name(&self) -> &'static str {
        self.0
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let out = values(storage, layout)?.iter().map(|&x| self.1(x)).collect();
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

/// Softmax of scaled scores over the last dimension, where row i of the last two dimensions sees columns 0 to i.
pub(super) struct CausalSoftmax {
    /// Factor on the scores.
    pub scale: f32,
}

impl CustomOp1 for CausalSoftmax {
    fn name(&self) -> &'static str {
        "causal-softmax"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let scores = values(storage, layout)?;
        let Some(&length) = layout.dims().last().filter(|&&n| n > 0) else { bail!("scores without columns") };
        let mut out = vec![0.0; scores.len()];
        for (i, (row, out)) in scores.chunks(length).zip(out.chunks_mut(length)).enumerate() {
            let seen = i % length + 1;
            let (row, out) = (&row[..seen], &mut out[..seen]);
            let largest = fold(row, f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
            for (out, &score) in out.iter_mut().zip(row) {
                *out = exp((score - largest) * self.scale);
            }
            let sum = fold(out, 0.0, |a, b| a + b);
            out.iter_mut().for_each(|x| *x /= sum);
        }
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

/// Folds in lanes, then the lanes in order.
#[inline]
fn fold(values: &[f32], start: f32, f: impl Fn(f32, f32) -> f32) -> f32 {
    let (runs, rest) = values.as_chunks::<LANES>();
    let mut lanes = [start; LANES];
    for run in runs {
        for (lane, &x) in lanes.iter_mut().zip(run) {
            *lane = f(*lane, x);
        }
    }
    rest.iter().chain(&lanes).fold(start, |a, &b| f(a, b))
}

/// A step of an LSTM: (input's share + bias, state's share, cell) → (next state, next cell), stacked. Gates in the order i, f, g, o.
pub(super) struct LstmCell;

impl CustomOp3 for LstmCell {
    fn name(&self) -> &'static str {
        "lstm-cell"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (from_input, from_state, cells) = (values(s1, l1)?, values(s2, l2)?, values(s3, l3)?);
        let (rows, hidden) = l3.shape().dims2()?;
        if l1.dims() != [rows, 4 * hidden] || l2.dims() != [rows, 4 * hidden] {
            bail!("gates {:?} and {:?} for a cell of {:?}", l1.dims(), l2.dims(), l3.dims());
        }
        let mut out = vec![0.0; 2 * rows * hidden];
        let (states, next_cells) = out.split_at_mut(rows * hidden);
        let mut gates = vec![0.0; 4 * hidden];
        for row in 0..rows {
            let all = row * 4 * hidden..(row + 1) * 4 * hidden;
            for ((gate, a), b) in gates.iter_mut().zip(&from_input[all.clone()]).zip(&from_state[all]) {
                *gate = a + b;
            }
            let own = row * hidden..(row + 1) * hidden;
            let (cell, next, state) = (&cells[own.clone()], &mut next_cells[own.clone()], &mut states[own]);
            // Slices of one known length let the loop below vectorise.
            let gate = |n: usize| &gates[n * hidden..][..hidden];
            let (i, f, g, o) = (gate(0), gate(1), gate(2), gate(3));
            let (cell, next, state) = (&cell[..hidden], &mut next[..hidden], &mut state[..hidden]);
            for j in 0..hidden {
                next[j] = sigmoid(f[j]) * cell[j] + sigmoid(i[j]) * tanh(g[j]);
                state[j] = sigmoid(o[j]) * tanh(next[j]);
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((2, rows, hidden))))
    }
}

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

/// The values behind a contiguous f32 tensor.
fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => bail!("a contiguous tensor is needed"),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// How many units in the last place of the nearest f32 lie between.
    #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
    fn ulps(found: f32, exact: f64) -> f64 {
        let nearest = exact as f32;
        let unit = f64::from(f32::from_bits(nearest.to_bits() + 1)) - f64::from(nearest);
        (f64::from(found) - exact).abs() / unit.abs()
    }

    #[test]
    fn exp_and_tanh_are_within_two_units_in_the_last_place() {
        for i in -870_000..880_000 {
            let x = i as f32 * 1e-4;
            let wide = f64::from(x);
            assert!(ulps(exp(x), wide.exp()) <= 2.0, "exp({x}) = {}", exp(x));
            if x != 0.0 {
                assert!(ulps(tanh(x), wide.tanh()) <= 2.0, "tanh({x}) = {}", tanh(x));
            }
            assert!((f64::from(sigmoid(x)) - 1.0 / (1.0 + (-wide).exp())).abs() < 2e-7, "sigmoid({x})");
        }
    }

    #[test]
    fn the_ends_are_finite_and_nan_stays_nan() {
        for x in [f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY, -0.0] {
            assert!(exp(x).is_finite() && exp(x) > 0.0, "{x}");
            assert!(sigmoid(x).is_finite() && tanh(x).abs() <= 1.0, "{x}");
        }
        assert!(exp(f32::NAN).is_nan() && tanh(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan());
        let x = Tensor::from_slice(&[f32::NAN, -1.0, 2.0], 3, &Device::Cpu).unwrap();
        let y = relu(&x).unwrap().to_vec1::<f32>().unwrap();
        assert!(y[0].is_nan() && y[1..] == [0.0, 2.0]);
        assert!(gelu(&x).unwrap().to_vec1::<f32>().unwrap()[0].is_nan());
    }

    #[test]
    fn gelu_agrees_with_the_library() {
        let x = Tensor::arange_step(-8.0f32, 8.0, 0.01, &Device::Cpu).unwrap();
        let difference = (gelu(&x).unwrap() - x.gelu().unwrap()).unwrap().abs().unwrap().max(0).unwrap();
        assert!(difference.to_scalar::<f32>().unwrap() < 2e-6);
    }

    #[test]
    fn softmax_is_causal_and_sums_to_one() {
        let length = 21;
        let scores = (0..2 * length * length).map(|i| ((i * 37) % 101) as f32 / 10.0).collect::<Vec<_>>();
        let tensor = Tensor::from_slice(&scores, (2, length, length), &Device::Cpu).unwrap();
        let out = tensor.apply_op1_no_bwd(&CausalSoftmax { scale: 0.5 }).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        for (i, (row, scores)) in out.chunks(length).zip(scores.chunks(length)).enumerate() {
            let seen = i % length + 1;
            assert!(row[seen..].iter().all(|&x| x == 0.0));
            let total = scores[..seen].iter().map(|&s| (f64::from(s) * 0.5).exp()).sum::<f64>();
            for (&found, &score) in row[..seen].iter().zip(scores) {
                assert!((f64::from(found) - (f64::from(score) * 0.5).exp() / total).abs() < 1e-6, "row {i}");
            }
        }
    }

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
