//! Values of a report by case and metric, and their means over fixtures.

use std::collections::BTreeMap;

use crate::compare::Row;
use crate::model::metric::as_f64;
use crate::report::Report;

/// A report's rows by kernel, fixture and metric.
pub struct Values<'a> {
    rows: BTreeMap<(&'a str, &'a str, &'a str), &'a Row>,
    /// Kernels in the run's order.
    pub kernels: Vec<&'a str>,
    /// Fixtures in the run's order.
    pub fixtures: Vec<&'a str>,
}

impl<'a> Values<'a> {
    /// Of a report.
    pub fn of(report: &'a Report) -> Self {
        let rows = report.comparison.rows.iter().map(|r| ((r.case.kernel.as_str(), r.case.fixture.as_str(), r.metric.name), r)).collect();
        let (mut kernels, mut fixtures) = (Vec::new(), Vec::new());
        for record in &report.records {
            let (kernel, fixture) = (record.case.kernel.as_str(), record.case.fixture.as_str());
            if !kernels.contains(&kernel) {
                kernels.push(kernel);
            }
            if !fixtures.contains(&fixture) {
                fixtures.push(fixture);
            }
        }
        Self { rows, kernels, fixtures }
    }

    /// The row of a metric of a case.
    pub fn row(&self, kernel: &str, fixture: &str, metric: &str) -> Option<&'a Row> {
        self.rows.get(&(kernel, fixture, metric)).copied()
    }

    /// The candidate's value.
    pub fn after(&self, kernel: &str, fixture: &str, metric: &str) -> Option<f64> {
        self.row(kernel, fixture, metric)?.after
    }

    /// The candidate's values over all fixtures.
    pub fn over_fixtures(&self, kernel: &str, metric: &str) -> Vec<f64> {
        self.fixtures.iter().filter_map(|fixture| self.after(kernel, fixture, metric)).collect()
    }
}

/// Geometric mean of positive values; nothing where there is none, or one is not positive.
pub fn geometric(values: &[f64]) -> Option<f64> {
    let fine = !values.is_empty() && values.iter().all(|v| *v > 0.0);
    fine.then(|| (values.iter().map(|v| v.ln()).sum::<f64>() / as_f64(values.len() as u64)).exp())
}

/// Mean; nothing where there is no value.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / as_f64(values.len() as u64))
}
