//! Statistics of a weight matrix by which trained layers were described: spread, tails, scales of rows and columns, spectrum.

use super::singular::singular_values;

/// Magnitude, in standard deviations, beyond which an entry counts as an outlier.
const OUTLIER: f64 = 6.0;
/// Part of the singular values, by rank, whose decay is fitted: the first are single directions, the last are noise.
const FITTED: (f64, f64) = (0.01, 0.5);

/// What is measured, in the order of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Statistic {
    /// Standard deviation.
    Std,
    /// Fourth moment over the squared variance, minus 3.
    ExcessKurtosis,
    /// The same after each entry was divided by the standard deviations of its row and of its column.
    NormalisedKurtosis,
    /// Share of entries farther than six standard deviations from the mean.
    Beyond6Sigma,
    /// Largest magnitude in standard deviations.
    MaxOverStd,
    /// Coefficient of variation of the rows' standard deviations.
    RowCv,
    /// The same of columns.
    ColumnCv,
    /// Exponential of the entropy of the squared singular values, over their number.
    EffectiveRank,
    /// Slope of −log σᵢ over log i for the middle part of the spectrum.
    SpectrumExponent,
}

impl Statistic {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Std,
        Self::ExcessKurtosis,
        Self::NormalisedKurtosis,
        Self::Beyond6Sigma,
        Self::MaxOverStd,
        Self::RowCv,
        Self::ColumnCv,
        Self::EffectiveRank,
        Self::SpectrumExponent,
    ];

    /// Heading of its column.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Std => "std",
            Self::ExcessKurtosis => "excess kurtosis",
            Self::NormalisedKurtosis => "normalised kurtosis",
            Self::Beyond6Sigma => "beyond 6 sigma",
            Self::MaxOverStd => "max/std",
            Self::RowCv => "row CV",
            Self::ColumnCv => "column CV",
            Self::EffectiveRank => "effective rank",
            Self::SpectrumExponent => "spectrum exponent",
        }
    }
}

/// All statistics of a row-major matrix, in the order of [`Statistic::ALL`].
pub fn measure(values: &[f32], columns: usize) -> [f64; 9] {
    let (_, std, kurtosis) = moments(values.iter().map(|&v| f64::from(v)));
    let mean = mean(values.iter().map(|&v| f64::from(v)));
    let row_std: Vec<_> = values.chunks_exact(columns).map(|row| moments(row.iter().map(|&v| f64::from(v))).1).collect();
    let column_std: Vec<_> = (0..columns).map(|j| moments(values.iter().skip(j).step_by(columns).map(|&v| f64::from(v))).1).collect();
    let nonzero = |std: f64| if std > 0.0 { std } else { 1.0 };
    let normalised = values.chunks_exact(columns).zip(&row_std).flat_map(|(row, &r)| {
        let divided = row.iter().zip(&column_std).map(move |(&v, &c)| f64::from(v) / nonzero(r) / nonzero(c));
        divided.collect::<Vec<_>>()
    });
    let beyond = values.iter().filter(|&&v| (f64::from(v) - mean).abs() > OUTLIER * std).count();
    let largest = values.iter().fold(0.0f64, |m, &v| m.max(f64::from(v).abs()));
    let sigma = singular_values(values, columns);
    [
        std,
        kurtosis,
        moments(normalised).2,
        to_f64(beyond) / to_f64(values.len()),
        largest / std,
        variation(&row_std),
        variation(&column_std),
        effective_rank(&sigma),
        spectrum_exponent(&sigma),
    ]
}

/// Median of several measurements of each statistic.
pub fn medians(measured: &[[f64; 9]]) -> [f64; 9] {
    std::array::from_fn(|k| {
        let mut values: Vec<_> = measured.iter().map(|m| m[k]).collect();
        values.sort_by(f64::total_cmp);
        let (low, high) = (values.get((values.len().max(1) - 1) / 2), values.get(values.len() / 2));
        low.zip(high).map_or(f64::NAN, |(a, b)| (a + b) / 2.0)
    })
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0usize), |(sum, n), v| (sum + v, n + 1));
    sum / to_f64(n.max(1))
}

/// Mean, standard deviation, excess kurtosis.
fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64, f64) {
    let mean = mean(values.clone());
    let (mut second, mut fourth, mut n) = (0.0, 0.0, 0usize);
    for v in values {
        let square = (v - mean) * (v - mean);
        second += square;
        fourth += square * square;
        n += 1;
    }
    let variance = second / to_f64(n.max(1));
    let kurtosis = if variance > 0.0 { fourth / to_f64(n) / (variance * variance) - 3.0 } else { 0.0 };
    (mean, variance.sqrt(), kurtosis)
}

/// Standard deviation over mean.
fn variation(values: &[f64]) -> f64 {
    let (mean, std, _) = moments(values.iter().copied());
    std / mean
}

fn effective_rank(sigma: &[f64]) -> f64 {
    let total: f64 = sigma.iter().map(|s| s * s).sum();
    let shares = sigma.iter().map(|s| s * s / total).filter(|&p| p > 0.0);
    shares.map(|p| -p * p.ln()).sum::<f64>().exp() / to_f64(sigma.len().max(1))
}

fn spectrum_exponent(sigma: &[f64]) -> f64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count")]
    let at = |share: f64| (share * to_f64(sigma.len())) as usize;
    let points: Vec<_> = (at(FITTED.0)..at(FITTED.1)).filter(|&i| sigma[i] > 0.0).map(|i| (to_f64(i + 1).ln(), sigma[i].ln())).collect();
    let (x, y) = (mean(points.iter().map(|p| p.0)), mean(points.iter().map(|p| p.1)));
    let (covariance, variance) = points.iter().fold((0.0, 0.0), |(c, v), p| (c + (p.0 - x) * (p.1 - y), v + (p.0 - x) * (p.0 - x)));
    -covariance / variance
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
const fn to_f64(value: usize) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighbridge::sample;

    /// What the description of trained layers gives for independent Gaussian weights.
    #[test]
    fn gaussian_matrices_have_the_published_spectrum() {
        for (rows, columns, rank, exponent) in [(384, 384, 0.61, 0.26), (1536, 384, 0.88, 0.13)] {
            let found = measure(&sample::gaussian(rows * columns, 0.02, 11), columns);
            assert!((found[0] - 0.02).abs() < 2e-4 && found[1].abs() < 0.05 && found[2].abs() < 0.05, "{found:?}");
            assert!((found[7] - rank).abs() < 0.006 && (found[8] - exponent).abs() < 0.01, "{found:?}");
            assert!(found[3] == 0.0 && found[5] < 0.05 && found[6] < 0.05, "{found:?}");
        }
    }

    #[test]
    fn scales_are_seen_and_taken_out_again() {
        let mut values = sample::gaussian(256 * 128, 1.0, 3);
        values.chunks_exact_mut(128).take(128).for_each(|row| row.iter_mut().for_each(|v| *v *= 3.0));
        values[5] = 40.0;
        let found = measure(&values, 128);
        // Rows of 1 and 3 in equal numbers: CV ½, kurtosis 3·41/25 − 3.
        assert!((found[5] - 0.5).abs() < 0.03 && found[6] < 0.15, "{found:?}");
        assert!((found[4] - 40.0 / found[0]).abs() < 1e-9 && found[3] >= 1.0 / 32768.0, "{found:?}");
        assert!(found[1] > 1.92 && found[2] < 0.5 * found[1], "{found:?}");
    }

    #[test]
    fn medians_are_taken_one_by_one() {
        let rows = [[1.0; 9], [5.0; 9], [2.0; 9]];
        assert_eq!((medians(&rows)[0], medians(&rows[..2])[8]), (2.0, 3.0));
    }
}
