//! Cases that were measured on samples: how much of the model was seen, and what the estimates are worth.

use serde::Serialize;

use super::grid::Grid;
use super::{ESTIMATE, Report, format, tables};
use crate::model::metric::{as_f64, derive, metric};
use crate::model::record::{Case, CaseRecord};

/// A case that was measured on a sample of its model.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SampledCase {
    /// The case.
    pub case: Case,
    /// Units measured: blocks of rows, or tensors.
    pub units: usize,
    /// Kinds of units.
    pub strata: usize,
    /// Bytes of the sample.
    pub sample_bytes: u64,
    /// Bytes of the whole model.
    pub input_bytes: u64,
    /// Whether its ratio is that of the whole model all the same.
    pub ratio_is_exact: bool,
    /// Relative error, and its standard error.
    #[serde(skip)]
    pub relative_error: Option<(f64, Option<f64>)>,
    /// Compression ratio, and its standard error where it is an estimate.
    #[serde(skip)]
    pub compression_ratio: Option<(f64, Option<f64>)>,
}

impl SampledCase {
    /// Of a case's record; nothing where its whole model was measured.
    pub fn of(record: &CaseRecord) -> Option<Self> {
        let measured = record.measured.as_ref()?;
        let sampled = measured.sampled.as_ref()?;
        let values = derive(record);
        let value = |name: &str| values.iter().find(|v| v.metric == name).map(|v| (v.value, v.standard_error));
        Some(Self {
            case: record.case.clone(),
            units: sampled.strata.iter().map(|s| s.drawn.len()).sum(),
            strata: sampled.strata.len(),
            sample_bytes: measured.checked.input_bytes,
            input_bytes: sampled.input_bytes,
            ratio_is_exact: sampled.has_exact_size(),
            relative_error: value("relative_error"),
            compression_ratio: value("compression_ratio"),
        })
    }
}

/// An estimate with its standard error. Without one the stratum that it misses had a single unit drawn.
fn with_error(name: &str, value: Option<(f64, Option<f64>)>, exact: bool) -> String {
    let Some((value, error)) = value else { return tables::NONE.to_owned() };
    let shown = metric(name).map_or_else(|| format::number(value), |metric| format::value(metric, value));
    match error {
        _ if exact => format!("{shown}, exact"),
        Some(error) => format!("{ESTIMATE}{shown} ± {}", format::number(error)),
        None => format!("{ESTIMATE}{shown}"),
    }
}

/// One line a sampled case; nothing where there is none.
pub fn table(report: &Report) -> Option<Grid> {
    let mut table = tables::table(&["Kernel", "Fixture", "Units", "Kinds", "Sample", "Of", "Ratio", "Relative error"], 2);
    for case in &report.sampled {
        let megabytes = |bytes: u64| format!("{} MB", format::number(as_f64(bytes) / 1e6));
        table.add_row([
            case.case.kernel.clone(),
            case.case.fixture.clone(),
            case.units.to_string(),
            case.strata.to_string(),
            megabytes(case.sample_bytes),
            megabytes(case.input_bytes),
            with_error("compression_ratio", case.compression_ratio, case.ratio_is_exact),
            with_error("relative_error", case.relative_error, false),
        ]);
    }
    (!report.sampled.is_empty()).then_some(table)
}
