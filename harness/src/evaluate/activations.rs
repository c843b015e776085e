//! What happens to each element between matrix products: ReLU, GELU, SiLU, their hard forms, and the exponentials below them.
//!
//! Written here and not taken from the library for three reasons. Exponentials come from additions and multiplications only, so they
//! have the same bits on every platform, whatever its mathematical library. They vectorise, where one call per element would be most of
//! an evaluation's time. And NaN stays NaN, where the library's ReLU (a maximum) turns it into 0 and hides a broken tensor.
//!
//! Approximations of exp and tanh: Cephes (Moshier, `expf.c`, `tanhf.c`), within 2 units in the last place of f32; a test compares them with f64.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};

use crate::vectors::vectorised;

/// max(x, 0), NaN kept.
pub(super) fn relu(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1_no_bwd(&Map("relu", |x: f32| if x < 0.0 { 0.0 } else { x }))
}

/// min(max(x, 0), 6), NaN kept.
pub(super) fn relu6(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1_no_bwd(&Map("relu6", |x: f32| x.clamp(0.0, 6.0)))
}

/// x·min(max(x + 3, 0), 6)/6 (Howard et al. 2019), NaN kept.
pub(super) fn hard_swish(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1_no_bwd(&Map("hard-swish", |x: f32| x * (x + 3.0).clamp(0.0, 6.0) / 6.0))
}

/// min(max(x/6 + 1/2, 0), 1), NaN kept.
pub(super) fn hard_sigmoid(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1_no_bwd(&Map("hard-sigmoid", |x: f32| (x / 6.0 + 0.5).clamp(0.0, 1.0)))
}

/// GELU in its tanh form: x·(1 + tanh u)/2 = x/(1 + exp(−2u)) with u = √(2/π)·(x + 0.044715·x³).
pub(super) fn gelu(x: &Tensor) -> Result<Tensor> {
    /// 2·√(2/π).
    const TWICE_ROOT: f32 = 1.595_769;
    x.contiguous()?.apply_op1_no_bwd(&Map("gelu", |x: f32| x / (1.0 + exp(-TWICE_ROOT * (x + 0.044_715 * x * x * x)))))
}

/// GELU in its exact form: x·(1 + erf(x/√2))/2.
pub(super) fn gelu_erf(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1_no_bwd(&Map("gelu-erf", |x: f32| 0.5 * x * (1.0 + erf(x * std::f32::consts::FRAC_1_SQRT_2))))
}

/// SiLU: x·sigmoid(x).
pub(super) fn silu(x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1_no_bwd(&Map("silu", |x: f32| x * sigmoid(x)))
}

/// e^x; below −87.3 the smallest normal number and above 88.3 about 2e38, so that nothing overflows. NaN stays NaN.
#[inline(always)]
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
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Hyperbolic tangent.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
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

/// Error function: a quotient of two polynomials in x², as in Eigen's `generic_fast_erf_float`; ±1 beyond 4.
#[inline(always)]
fn erf(x: f32) -> f32 {
    let x = x.clamp(-4.0, 4.0);
    let z = x * x;
    let p = -2.726_142_3e-10_f32;
    let p = p * z + 2.770_681_4e-8;
    let p = p * z - 2.101_024e-6;
    let p = p * z - 5.692_506_4e-5;
    let p = p * z - 7.349_906e-4;
    let p = p * z - 2.954_6e-3;
    let p = p * z - 1.609_603_3e-2;
    let q = -1.456_607_2e-5_f32;
    let q = q * z - 2.133_740_5e-4;
    let q = q * z - 1.682_827e-3;
    let q = q * z - 7.373_329_2e-3;
    let q = q * z - 1.426_473_9e-2;
    x * p / q
}

/// A function of each element.
struct Map<F>(&'static str, F);

impl<F: Fn(f32) -> f32> CustomOp1 for Map<F> {
    fn name(&self) -> &'static str {
        self.0
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let values = values(storage, layout)?;
        let mut out = vec![0.0; values.len()];
        vectorised(
            #[inline(always)]
            || out.iter_mut().zip(values).for_each(|(out, &x)| *out = self.1(x)),
        );
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

/// The values behind a contiguous f32 tensor.
pub(super) fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
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
        let y = relu6(&Tensor::from_slice(&[-0.5f32, 5.5, 6.5], 3, &Device::Cpu).unwrap()).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(y, [0.0, 5.5, 6.0]);
        let x4 = Tensor::from_slice(&[-4.0f32, -1.5, 0.0, 1.5, 4.0], 5, &Device::Cpu).unwrap();
        assert_eq!(hard_swish(&x4).unwrap().to_vec1::<f32>().unwrap(), [0.0, -0.375, 0.0, 1.125, 4.0]);
        assert_eq!(hard_sigmoid(&x4).unwrap().to_vec1::<f32>().unwrap(), [0.0, 0.25, 0.5, 0.75, 1.0]);
        for f in [relu6, hard_swish, hard_sigmoid, gelu, gelu_erf, silu] {
            assert!(f(&x).unwrap().to_vec1::<f32>().unwrap()[0].is_nan());
        }
    }

    #[test]
    fn gelu_and_silu_agree_with_the_library() {
        let x = Tensor::arange_step(-8.0f32, 8.0, 0.01, &Device::Cpu).unwrap();
        let pairs = [
            (gelu(&x).unwrap(), x.gelu().unwrap()),
            (gelu_erf(&x).unwrap(), x.gelu_erf().unwrap()),
            (silu(&x).unwrap(), x.silu().unwrap()),
        ];
        for (i, (ours, theirs)) in pairs.into_iter().enumerate() {
            let difference = (ours - theirs).unwrap().abs().unwrap().max(0).unwrap().to_scalar::<f32>().unwrap();
            assert!(difference < 2e-6, "{i}: {difference}");
        }
    }
}
