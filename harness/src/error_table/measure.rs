//! Measures: one Gaussian tensor, packed and unpacked by each kernel.

use weighbridge::error::SpecError;
use weighbridge::fidelity::Fidelity;
use weighbridge::kernel::{AnyKernel, Context};
use weighbridge::reference::{Reference, reference};
use weighbridge::registry::Registry;
use weighbridge::sample::gaussian;
use weighbridge::weights::{Values, Weights};

use super::cases::{CASES, Case};
use crate::filter::Filter;

/// Most weights of a sample: 1 GiB as f32.
const MOST_WEIGHTS: usize = 1 << 28;

/// The weights that are packed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Output features.
    pub rows: usize,
    /// Inputs.
    pub columns: usize,
    /// Standard deviation.
    pub sigma: f64,
    /// Seed.
    pub seed: u64,
}

/// A row of the table: what was measured. What follows from it is computed on asking.
#[derive(Debug, Clone)]
pub struct Row {
    /// Specification.
    pub spec: &'static str,
    /// Rows of the sample that were packed.
    pub rows: usize,
    /// What came of it.
    pub outcome: Outcome,
    /// What others found.
    pub reference: Option<&'static Reference>,
    /// What a reader must know.
    pub note: &'static str,
}

/// What came of packing and unpacking.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Sizes and errors.
    Measured {
        /// Bytes of all packed parts.
        packed_bytes: u64,
        /// Weights in them.
        weights: u64,
        /// Relative Frobenius error.
        relative_error: f64,
    },
    /// The kernel does not take such weights, in its words.
    Refused(String),
}

impl Row {
    /// Bits a weight of the packed tensor: codes, scales and codebooks, without the artifact's header.
    pub fn bits_per_weight(&self) -> Option<f64> {
        match self.outcome {
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            Outcome::Measured { packed_bytes, weights, .. } => Some(packed_bytes as f64 * 8.0 / weights as f64),
            Outcome::Refused(_) => None,
        }
    }

    /// Relative Frobenius error.
    pub fn relative_error(&self) -> Option<f64> {
        match self.outcome {
            Outcome::Measured { relative_error, .. } => Some(relative_error),
            Outcome::Refused(_) => None,
        }
    }

    /// How far the error is from the reference, as a share of it.
    pub fn deviation(&self) -> Option<f64> {
        Some(self.relative_error()? / self.reference?.relative_error - 1.0)
    }

    /// The least relative error that any code of this rate can have on Gaussian weights: 2^−R at R bits (rate–distortion function of a
    /// Gaussian source, D = σ²·2^−2R). `None` where every bit came back: the bound is of real numbers, not of floats.
    pub fn bound(&self) -> Option<f64> {
        let bits = self.bits_per_weight()?;
        (self.relative_error()? > 0.0).then(|| (-bits).exp2())
    }
}

/// Why there is no table.
#[derive(Debug, thiserror::Error)]
pub enum ErrorTableError {
    /// The sample is none.
    #[error("cannot make {rows} x {columns} weights; there must be 1 to {MOST_WEIGHTS}")]
    Size {
        /// Rows asked for.
        rows: usize,
        /// Columns asked for.
        columns: usize,
    },
    /// The scale is none.
    #[error("scale is {sigma}; it must be a finite number above 0")]
    Scale {
        /// What was asked for.
        sigma: f64,
    },
    /// The filter leaves nothing.
    #[error("no kernel of the table matches")]
    Empty,
    /// A specification of the table is not of this registry.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// What a kernel packed does not come back.
    #[error("'{spec}' cannot decode what it packed: {message}")]
    Broken {
        /// The kernel.
        spec: &'static str,
        /// Its words.
        message: String,
    },
}

/// Measures the table's kernels that the filter takes, most bits a weight first. `observe` hears of each before it begins.
pub fn measure(
    sample: Sample,
    filter: &Filter,
    registry: &Registry,
    observe: &dyn Fn(usize, usize, &str),
) -> Result<Vec<Row>, ErrorTableError> {
    let Sample { rows, columns, sigma, seed } = sample;
    let count = rows.checked_mul(columns).filter(|n| (1..=MOST_WEIGHTS).contains(n)).ok_or(ErrorTableError::Size { rows, columns })?;
    if !(sigma.is_finite() && sigma > 0.0) {
        return Err(ErrorTableError::Scale { sigma });
    }
    let cases: Vec<&Case> = CASES.iter().filter(|case| filter.takes_kernel(case.spec)).collect();
    if cases.is_empty() {
        return Err(ErrorTableError::Empty);
    }
    let values = gaussian(count, sigma, seed);
    let mut table = Vec::with_capacity(cases.len());
    for (i, case) in cases.iter().enumerate() {
        observe(i, cases.len(), case.spec);
        let rows = rows.div_ceil(case.divisor);
        let kernel = registry.parse(case.spec)?;
        let broken = |message: String| ErrorTableError::Broken { spec: case.spec, message };
        let part = Weights::new("w", vec![rows, columns], Values::F32(values[..rows * columns].to_vec()));
        let outcome = outcome(kernel.as_ref(), &part.map_err(|e| broken(e.to_string()))?).map_err(broken)?;
        table.push(Row { spec: case.spec, rows, outcome, reference: reference(case.spec), note: case.note });
    }
    let bits = |row: &Row| row.bits_per_weight().unwrap_or_default();
    table.sort_by(|a, b| bits(b).total_cmp(&bits(a)));
    Ok(table)
}

fn outcome(kernel: &dyn AnyKernel, weights: &Weights) -> Result<Outcome, String> {
    let context = Context::default();
    let parts = match kernel.encode(weights, &context) {
        Ok(parts) => parts,
        Err(refusal) => return Ok(Outcome::Refused(refusal.0)),
    };
    let decoded = kernel.decode(&parts, weights.info(), &context).map_err(|e| e.to_string())?;
    let relative_error = Fidelity::of(&weights.to_f32(), &decoded.to_f32()).relative_error();
    Ok(Outcome::Measured { packed_bytes: parts.size_bytes() as u64, weights: weights.info().elements() as u64, relative_error })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Sample = Sample { rows: 4, columns: 256, sigma: 0.02, seed: 1 };

    fn only(kernel: &str) -> Filter {
        Filter::new(&[kernel.to_owned()], &[], &[]).unwrap()
    }

    #[test]
    fn rows_carry_rate_error_and_what_follows() {
        let rows = measure(SMALL, &only("q8_0"), &Registry::default(), &|_, _, _| {}).unwrap();
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((row.rows, row.bits_per_weight()), (4, Some(8.5)));
        assert_eq!(row.bound(), Some((-8.5f64).exp2()));
        assert!(row.deviation().unwrap().abs() < 0.1, "{row:?}");
        let rows = measure(SMALL, &only("f32-raw"), &Registry::default(), &|_, _, _| {}).unwrap();
        assert_eq!((rows[0].relative_error(), rows[0].bound(), rows[0].deviation()), (Some(0.0), None, None));
    }

    #[test]
    fn most_bits_come_first_and_refusals_last() {
        let rows = measure(SMALL, &only("*_0"), &Registry::default(), &|_, _, _| {}).unwrap();
        let bits: Vec<_> = rows.iter().map(|row| row.bits_per_weight().unwrap()).collect();
        assert!(bits.len() >= 5 && bits.is_sorted_by(|a, b| a >= b), "{bits:?}");
        let huge = Sample { sigma: 1e20, ..SMALL };
        let rows =
            measure(huge, &Filter::new(&["q8_0".into(), "bf16".into()], &[], &[]).unwrap(), &Registry::default(), &|_, _, _| {}).unwrap();
        assert_eq!((rows[0].spec, rows[1].spec), ("bf16", "q8_0"));
        assert!(matches!(&rows[1].outcome, Outcome::Refused(reason) if reason.contains("scale")), "{rows:?}");
    }

    #[test]
    fn samples_that_cannot_be_made_are_refused() {
        let error = |sample, kernel: &str| measure(sample, &only(kernel), &Registry::default(), &|_, _, _| {}).unwrap_err().to_string();
        assert_eq!(error(Sample { rows: 0, ..SMALL }, "*"), "cannot make 0 x 256 weights; there must be 1 to 268435456");
        assert!(error(Sample { rows: usize::MAX, ..SMALL }, "*").starts_with("cannot make"));
        assert_eq!(error(Sample { sigma: 0.0, ..SMALL }, "*"), "scale is 0; it must be a finite number above 0");
        assert!(error(Sample { sigma: f64::NAN, ..SMALL }, "*").starts_with("scale is NaN"));
        assert_eq!(error(SMALL, "no-such"), "no kernel of the table matches");
    }
}
