//! Weights for tests and tables that anyone can make again: the golden input of the reference tables and a seeded Gaussian.

/// The golden input: u ← 1664525u + 1013904223 mod 2³² from seed 1; x = (Σ of four consecutive u/2³² − 2)·0.0346, in f64, cast to f32.
pub fn golden(n: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut uniform = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state) / 4_294_967_296.0
    };
    #[expect(clippy::cast_possible_truncation, reason = "the definition casts to f32")]
    let value = |sum: f64| ((sum - 2.0) * 0.0346) as f32;
    (0..n).map(|_| value((0..4).map(|_| uniform()).sum())).collect()
}

/// SplitMix64 (Steele, Lea and Flood 2014) as a counter-based generator: the i-th number of a stream, alone.
pub fn splitmix(seed: u64, index: u64) -> u64 {
    let mut z = seed.wrapping_add(index.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A uniform number in the open interval (0, 1).
pub fn uniform(seed: u64, index: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    let mantissa = (splitmix(seed, index) >> 11) as f64;
    (mantissa + 0.5) / 9_007_199_254_740_992.0
}

/// `n` Gaussian values of standard deviation `sigma` (Box–Muller).
pub fn gaussian(n: usize, sigma: f64, seed: u64) -> Vec<f32> {
    let pair = |i: usize| {
        let (u, v) = (uniform(seed, 2 * i as u64), uniform(seed, 2 * i as u64 + 1));
        let radius = sigma * (-2.0 * u.ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * v).sin_cos();
        [radius * cos, radius * sin]
    };
    #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
    (0..n.div_ceil(2)).flat_map(pair).take(n).map(|x| x as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn golden_input_has_the_published_hash() {
        let values = golden(256 * 1024);
        let digest = Sha256::digest(bytemuck::cast_slice::<f32, u8>(&values));
        assert_eq!(digest[..8], [0x4b, 0x64, 0x88, 0xbd, 0x03, 0xda, 0x2d, 0x43]);
    }

    #[test]
    fn gaussian_has_the_asked_for_moments() {
        let values = gaussian(100_000, 0.02, 7);
        let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / 1e5;
        let variance = values.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / 1e5;
        assert!(mean.abs() < 2e-4 && (variance.sqrt() / 0.02 - 1.0).abs() < 0.01, "{mean} {variance}");
    }
}
