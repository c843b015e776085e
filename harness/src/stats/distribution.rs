//! Distribution functions and quantiles: normal, beta and Student's t.
//!
//! Everything rests on the `libm` crate's error and gamma functions, so that a verdict does not depend on the machine's own library. The
//! incomplete beta function is the continued fraction of DLMF 8.17.22, by the modified Lentz method. Quantiles are found by bisection or
//! Newton's method, which is slow and exact to a few units in the last place; nothing here is called in a hot loop.
//! Tested against SciPy's values.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// Steps of the continued fraction before it is taken as it is; it needs a few times the root of the larger parameter.
const FRACTION_STEPS: u32 = 20_000;

/// Probability that a standard normal number is at most `x`.
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// Density of the standard normal distribution.
pub fn normal_density(x: f64) -> f64 {
    libm::exp(-0.5 * x * x) / TAU.sqrt()
}

/// The number that a standard normal one exceeds with probability `tail`, accurate for tails as small as 10⁻³⁰⁰.
///
/// 0 gives infinity and 1 minus infinity; NaN stays NaN.
pub fn normal_upper_quantile(tail: f64) -> f64 {
    if tail.is_nan() {
        return tail;
    }
    if tail > 0.5 {
        return -normal_upper_quantile(1.0 - tail);
    }
    if tail <= 0.0 {
        return f64::INFINITY;
    }
    bisect(|x| normal_cdf(-x) < tail, 0.0, 40.0)
}

/// The regularized incomplete beta function I_x(a, b): the distribution function of the beta distribution.
///
/// `a` and `b` are positive; `x` is held to 0 … 1.
pub fn beta_cdf(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges fast on this side of the mean; the other side is its complement.
    if x > (a + 1.0) / (a + b + 2.0) { 1.0 - beta_fraction(1.0 - x, b, a) } else { beta_fraction(x, a, b) }
}

/// I_x(a, b) by its continued fraction.
fn beta_fraction(x: f64, a: f64, b: f64) -> f64 {
    let tiny = 1e-300;
    let away = |value: f64| if value.abs() < tiny { tiny } else { value };
    let ln_front = libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b) + a * libm::log(x) + b * libm::log1p(-x);
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for step in 1..=FRACTION_STEPS {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away(1.0 + even * d);
        c = away(1.0 + even / c);
        value *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away(1.0 + odd * d);
        c = away(1.0 + odd / c);
        value *= d * c;
        if (d * c - 1.0).abs() < 1e-16 {
            break;
        }
    }
    libm::exp(ln_front) * value / a
}

/// The number that a beta-distributed one falls below with probability `p`.
pub fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    if p <= 0.0 {
        return 0.0;
    }
    if p >= 1.0 {
        return 1.0;
    }
    bisect(|x| beta_cdf(x, a, b) >= p, 0.0, 1.0)
}

/// Probability that a number of Student's t distribution exceeds `t`.
///
/// `degrees` is positive and need not be whole; infinity gives the normal distribution.
pub fn t_upper_tail(t: f64, degrees: f64) -> f64 {
    if degrees.is_infinite() {
        return normal_cdf(-t);
    }
    let half = 0.5 * beta_cdf(degrees / (degrees + t * t), 0.5 * degrees, 0.5);
    if t < 0.0 { 1.0 - half } else { half }
}

/// The number that one of Student's t distribution exceeds with probability `tail`.
pub fn t_upper_quantile(tail: f64, degrees: f64) -> f64 {
    if tail > 0.5 {
        return -t_upper_quantile(1.0 - tail, degrees);
    }
    if degrees.is_infinite() || tail <= 0.0 || tail.is_nan() {
        return normal_upper_quantile(tail);
    }
    let ln_scale = libm::lgamma(0.5 * (degrees + 1.0)) - libm::lgamma(0.5 * degrees) - 0.5 * libm::log(degrees * std::f64::consts::PI);
    let density = |t: f64| libm::exp(ln_scale - 0.5 * (degrees + 1.0) * libm::log1p(t * t / degrees));
    // The tail is convex right of zero and the normal quantile lies left of the answer, so Newton's steps never overshoot.
    let mut t = normal_upper_quantile(tail);
    for _ in 0..1000 {
        let step = (t_upper_tail(t, degrees) - tail) / density(t);
        if step.is_nan() || step <= t.abs() * 1e-15 {
            break;
        }
        t += step;
    }
    t
}

/// The smallest number between `low` and `high` for which `reached` holds, by bisection down to neighbouring doubles.
fn bisect(reached: impl Fn(f64) -> bool, mut low: f64, mut high: f64) -> f64 {
    loop {
        let middle = low + 0.5 * (high - low);
        if middle <= low || middle >= high {
            return high;
        }
        if reached(middle) { high = middle } else { low = middle }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference::{assert_close, reference};
    use super::*;

    #[test]
    fn values_agree_with_scipy() {
        let table = reference("distribution");
        for row in &table["normal_upper_quantile"] {
            assert_close(normal_upper_quantile(row[0]), row[1], 1e-12);
            assert_close(normal_cdf(-row[1]), row[0], 1e-11);
        }
        for row in &table["beta_cdf"] {
            assert_close(beta_cdf(row[0], row[1], row[2]), row[3], 1e-9);
        }
        for row in &table["beta_quantile"] {
            assert_close(beta_quantile(row[0], row[1], row[2]), row[3], 1e-9);
        }
        for row in &table["t_upper_tail"] {
            assert_close(t_upper_tail(row[0], row[1]), row[2], 1e-10);
        }
        for row in &table["t_upper_quantile"] {
            assert_close(t_upper_quantile(row[0], row[1]), row[2], 1e-9);
        }
    }

    /// SciPy: `scipy.stats.t.ppf(0.975, n)`.
    #[test]
    fn factors_of_95_percent_intervals_are_those_of_another_implementation() {
        let expected = [
            (1.0, 12.706_204_736_174_694),
            (2.0, 4.302_652_729_749_462),
            (3.0, 3.182_446_305_283_708),
            (4.0, 2.776_445_105_197_793),
            (5.0, 2.570_581_835_636_315),
            (31.0, 2.039_513_446_396_408),
            (1000.0, 1.962_339_080_826_408),
        ];
        for (degrees, factor) in expected {
            assert_close(t_upper_quantile(0.025, degrees), factor, 1e-9);
        }
    }

    #[test]
    fn ends_of_the_range_are_answered() {
        assert_eq!(normal_upper_quantile(0.0), f64::INFINITY);
        assert_eq!(normal_upper_quantile(1.0), f64::NEG_INFINITY);
        assert!(normal_upper_quantile(f64::NAN).is_nan());
        assert_eq!((beta_cdf(0.0, 2.0, 3.0), beta_cdf(1.0, 2.0, 3.0)), (0.0, 1.0));
        assert_eq!((beta_quantile(0.0, 2.0, 3.0), beta_quantile(1.0, 2.0, 3.0)), (0.0, 1.0));
        assert_eq!(t_upper_tail(0.0, 3.0), 0.5);
        assert_close(t_upper_quantile(0.01, f64::INFINITY), normal_upper_quantile(0.01), 0.0);
    }
}
