//! What a case measured on a sample says of the whole model: estimates with their standard errors.
//!
//! A stratum holds alike units (tensors of one role and shape, or blocks of their rows), some of which were drawn without replacement. A
//! quantity of the whole is Σ over strata of N·mean; a quotient of two such is the combined ratio estimator, whose error comes from the spread
//! of y − R·x within strata, with the finite-population correction (Cochran, *Sampling Techniques*, 3rd ed. 1977, §6.11).

use serde::{Deserialize, Serialize};

use super::metric::as_f64;
use crate::worker::protocol::Checked;

/// Kernels that are too slow for large models, and what they are measured on instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SampleRule {
    /// Globs over kernels, by name or whole specification.
    pub kernels: Vec<String>,
    /// Models with more parameters are sampled, unless they have a task, which needs them whole.
    pub above_parameters: u64,
    /// Models with a task and more parameters than this are sampled as well, and do no task; none where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks_above_parameters: Option<u64>,
    /// Parameters of a sample, roughly. A kernel whose rows depend on each other takes whole tensors, two of a kind at least.
    pub parameters: u64,
    /// Why.
    pub reason: String,
}

/// How a case was sampled, raw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Sampled {
    /// Floating-point weights of the whole model.
    pub weights: u64,
    /// Bytes of the whole model's tensors, each in its own dtype.
    pub input_bytes: u64,
    /// Size of the whole model's artifact, where it follows from shapes. It is then as exact as if all had been packed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_bytes: Option<u64>,
    /// Header of the whole model's artifact, and tensors that are no weights.
    pub overhead_bytes: u64,
    /// The strata.
    pub strata: Vec<Stratum>,
}

/// Alike units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Stratum {
    /// Role and shape.
    pub name: String,
    /// Units in the whole model.
    pub units: u64,
    /// Those that were drawn.
    pub drawn: Vec<Unit>,
}

/// A unit that was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Unit {
    /// Its tensor in the sample.
    pub tensor: String,
    /// Bytes it was packed into.
    pub packed_bytes: u64,
}

/// An estimate and its standard error; an error of nothing where a stratum with several units has only one drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// Value.
    pub value: f64,
    /// Standard error.
    pub standard_error: Option<f64>,
}

impl Estimate {
    /// The estimate of a function of this value, with its derivative there.
    pub fn through(self, value: f64, slope: f64) -> Self {
        Self { value, standard_error: self.standard_error.map(|e| e * slope.abs()) }
    }
}

/// Numerator and denominator of a unit.
type Pair = (f64, f64);

/// Σ y / Σ x over the whole, from drawn units: (units in the whole, pairs of the drawn) for each stratum.
pub fn ratio(strata: &[(u64, Vec<Pair>)]) -> Option<Estimate> {
    let (mut numerator, mut denominator) = (0.0, 0.0);
    for (units, drawn) in strata {
        let expansion = as_f64(*units) / as_f64(drawn.len().max(1) as u64);
        numerator += expansion * drawn.iter().map(|p| p.0).sum::<f64>();
        denominator += expansion * drawn.iter().map(|p| p.1).sum::<f64>();
    }
    if denominator <= 0.0 {
        return None;
    }
    let value = numerator / denominator;
    let mut variance = Some(0.0);
    for (units, drawn) in strata {
        let (all, n) = (as_f64(*units), as_f64(drawn.len() as u64));
        let more = match drawn.len() {
            _ if n >= all => Some(0.0),
            0 | 1 => None,
            _ => {
                let residuals = drawn.iter().map(|(y, x)| y - value * x);
                let mean = residuals.clone().sum::<f64>() / n;
                let spread = residuals.map(|z| (z - mean) * (z - mean)).sum::<f64>() / (n - 1.0);
                Some(all * all * (1.0 - n / all) * spread / n)
            }
        };
        variance = variance.zip(more).map(|(a, b)| a + b);
    }
    Some(Estimate { value, standard_error: variance.map(|v| v.sqrt() / denominator) })
}

impl Sampled {
    /// Pairs of all strata, from the checked tensor of each drawn unit.
    fn pairs(&self, checked: &Checked, pair: impl Fn(&Unit, &crate::worker::protocol::TensorError) -> Pair) -> Vec<(u64, Vec<Pair>)> {
        let tensor = |unit: &Unit| checked.tensors.iter().find(|t| t.name == unit.tensor);
        let of = |stratum: &Stratum| stratum.drawn.iter().filter_map(|u| Some(pair(u, tensor(u)?))).collect();
        self.strata.iter().map(|stratum| (stratum.units, of(stratum))).collect()
    }

    /// ‖decoded − original‖ / ‖original‖ of the whole model.
    pub fn relative_error(&self, checked: &Checked) -> Option<Estimate> {
        let square = self.noise_to_signal(checked)?;
        let root = square.value.max(0.0).sqrt();
        Some(square.through(root, if root > 0.0 { 0.5 / root } else { 0.0 }))
    }

    /// Signal to quantisation noise ratio in dB; nothing where there is no noise.
    pub fn sqnr_db(&self, checked: &Checked) -> Option<Estimate> {
        let square = self.noise_to_signal(checked).filter(|e| e.value > 0.0)?;
        Some(square.through(-10.0 * square.value.log10(), 10.0 / std::f64::consts::LN_10 / square.value))
    }

    fn noise_to_signal(&self, checked: &Checked) -> Option<Estimate> {
        ratio(&self.pairs(checked, |_, t| (t.noise, t.signal)))
    }

    /// Size of the whole model's artifact: exact where shapes decide it.
    pub fn artifact_bytes(&self, checked: &Checked) -> Option<Estimate> {
        if let Some(bytes) = self.artifact_bytes {
            return Some(Estimate { value: as_f64(bytes), standard_error: None });
        }
        // Packed bytes a weight, times the number of weights, which is known.
        let rate = ratio(&self.pairs(checked, |unit, t| (as_f64(unit.packed_bytes), as_f64(t.count))))?;
        let weights = as_f64(self.weights);
        Some(rate.through(rate.value * weights + as_f64(self.overhead_bytes), weights))
    }

    /// Whether its ratio is that of the whole model and no estimate.
    pub fn has_exact_size(&self) -> bool {
        self.artifact_bytes.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighbridge::sample::splitmix;

    #[test]
    fn all_units_drawn_give_the_quotient_without_an_error() {
        let strata = [(2, vec![(1.0, 4.0), (2.0, 5.0)]), (1, vec![(3.0, 1.0)])];
        assert_eq!(ratio(&strata), Some(Estimate { value: 0.6, standard_error: Some(0.0) }));
        assert_eq!(ratio(&[(3, vec![(1.0, 2.0)])]), Some(Estimate { value: 0.5, standard_error: None }));
        assert_eq!(ratio(&[(3, vec![])]), None);
    }

    /// Over many samples the estimates scatter about the truth as their errors say.
    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn standard_errors_are_those_of_the_estimates() {
        let uniform = |seed: u64, i: u64| (splitmix(seed, i) >> 11) as f64 / 9_007_199_254_740_992.0;
        let population: Vec<Vec<Pair>> = (0..3u64)
            .map(|s| (0..200).map(|i| (1.0 + 10.0 * uniform(s, i), 1.0 + s as f64)).map(|(y, x)| (y * x * 0.01, y + 5.0 * x)).collect())
            .collect();
        let whole: Vec<_> = population.iter().map(|units| (200, units.clone())).collect();
        let truth = ratio(&whole).unwrap().value;
        let (mut squares, mut claimed, trials) = (0.0, 0.0, 400);
        for trial in 0..trials {
            let draw = |s: usize, units: &Vec<Pair>| {
                let mut order: Vec<usize> = (0..units.len()).collect();
                order.sort_by_key(|&i| splitmix(1000 + trial, (s * 1000 + i) as u64));
                order[..8 + 4 * s].iter().map(|&i| units[i]).collect()
            };
            let strata: Vec<_> = population.iter().enumerate().map(|(s, units)| (200, draw(s, units))).collect();
            let found = ratio(&strata).unwrap();
            squares += (found.value - truth).powi(2);
            claimed += found.standard_error.unwrap().powi(2);
        }
        assert!((squares / claimed).sqrt() > 0.85 && (squares / claimed).sqrt() < 1.15, "{squares} {claimed}");
    }
}
