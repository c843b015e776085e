//! How far decoded weights are from the original: sums in f64, in a fixed order.

/// Running sums over pairs of original and decoded values.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Fidelity {
    /// Σ original².
    pub signal: f64,
    /// Σ (decoded − original)².
    pub noise: f64,
    /// Largest |decoded − original|.
    pub max_abs_error: f64,
    /// Pairs seen.
    pub count: u64,
}

impl Fidelity {
    /// Sums over two slices of one length. A pair that is equal bit for bit, or of two NaNs, counts as no error.
    pub fn of(original: &[f32], decoded: &[f32]) -> Self {
        let mut sums = Self { count: original.len() as u64, ..Self::default() };
        for (&x, &y) in original.iter().zip(decoded) {
            if x.to_bits() == y.to_bits() || (x.is_nan() && y.is_nan()) {
                sums.signal += if x.is_finite() { f64::from(x) * f64::from(x) } else { 0.0 };
                continue;
            }
            let error = f64::from(y) - f64::from(x);
            sums.signal += f64::from(x) * f64::from(x);
            sums.noise += error * error;
            sums.max_abs_error = sums.max_abs_error.max(error.abs());
        }
        sums
    }

    /// Adds another tensor's sums.
    pub fn add(&mut self, other: Self) {
        self.signal += other.signal;
        self.noise += other.noise;
        self.max_abs_error = self.max_abs_error.max(other.max_abs_error);
        self.count += other.count;
    }

    /// Relative Frobenius error ‖W−Ŵ‖/‖W‖; zero where both are zero, infinite where only the original is.
    pub fn relative_error(&self) -> f64 {
        if self.noise == 0.0 { 0.0 } else { (self.noise / self.signal).sqrt() }
    }

    /// Signal to quantisation noise ratio in dB; `None` where there is no noise (it would be infinite).
    pub fn sqnr_db(&self) -> Option<f64> {
        (self.noise > 0.0).then(|| 10.0 * (self.signal / self.noise).log10())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_errors() {
        let f = Fidelity::of(&[3.0, 4.0], &[3.0, 3.5]);
        assert_eq!(f.relative_error(), 0.1);
        assert_eq!(f.sqnr_db(), Some(20.0));
        assert_eq!(f.max_abs_error, 0.5);
        let mut whole = f;
        whole.add(Fidelity::of(&[0.0; 3], &[0.0; 3]));
        assert_eq!((whole.relative_error(), whole.count), (0.1, 5));
        assert_eq!(Fidelity::of(&[f32::NAN, 1.0], &[f32::NAN, 1.0]).relative_error(), 0.0);
        assert!(Fidelity::of(&[f32::NAN], &[1.0]).relative_error().is_nan());
    }
}
