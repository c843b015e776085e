//! The reviewer's five rows: compression ratio, both speeds, memory and accuracy loss, one block a kernel and one over all.
//!
//! Ratios and speeds are geometric means over fixtures, memory is the largest and over all kernels the geometric mean, accuracy loss the mean. Before and after are taken over
//! the same cases wherever there is a case that both sides have. Ratios of fixtures whose values lie on a grid are no part of a mean.

use serde::Serialize;

use crate::compare::{Comparison, Row, Verdict};
use crate::policy::{Policy, Target};

/// One of the five rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SummaryRow {
    /// Name, as the pull-request template has it.
    pub name: &'static str,
    /// Unit of the values.
    pub unit: &'static str,
    /// Baseline.
    pub before: Option<f64>,
    /// Candidate.
    pub after: Option<f64>,
    /// What the policy aims at.
    pub target: Option<f64>,
    /// Whether more is better.
    pub higher_is_better: bool,
}

/// The five rows of a kernel, or of all together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KernelSummary {
    /// Kernel specification; `None` for all.
    pub kernel: Option<String>,
    /// Its rows.
    pub rows: Vec<SummaryRow>,
    /// The most serious verdict on any of its metrics.
    pub verdict: Option<Verdict>,
    /// Largest relative error over its fixtures.
    pub relative_error: Option<f64>,
    /// Target for it.
    pub relative_error_target: Option<f64>,
}

impl KernelSummary {
    /// Name for tables.
    pub fn label(&self) -> &str {
        self.kernel.as_deref().unwrap_or("all kernels")
    }
}

#[derive(Clone, Copy)]
enum Mean {
    Geometric,
    Arithmetic,
    Largest,
}

impl Mean {
    fn of(self, values: &[f64]) -> Option<f64> {
        let n = crate::model::metric::as_f64(values.len() as u64);
        match self {
            _ if values.is_empty() => None,
            Self::Geometric => Some((values.iter().map(|v| v.ln()).sum::<f64>() / n).exp()),
            Self::Arithmetic => Some(values.iter().sum::<f64>() / n),
            Self::Largest => values.iter().copied().reduce(f64::max),
        }
    }
}

/// Blocks for each kernel in the run's order, then one over all. `on_grid` tells of a fixture by name whether its ratios flatter.
pub fn summarise(comparison: &Comparison, policy: &Policy, on_grid: &dyn Fn(&str) -> bool) -> Vec<KernelSummary> {
    let mut kernels: Vec<&str> = Vec::new();
    for row in &comparison.rows {
        if !kernels.contains(&row.case.kernel.as_str()) {
            kernels.push(&row.case.kernel);
        }
    }
    let mut summaries: Vec<_> = kernels.iter().map(|k| summary(comparison, on_grid, Some(k), policy.targets.get(*k))).collect();
    if !summaries.is_empty() {
        summaries.push(summary(comparison, on_grid, None, None));
    }
    summaries
}

fn summary(comparison: &Comparison, on_grid: &dyn Fn(&str) -> bool, kernel: Option<&str>, target: Option<&Target>) -> KernelSummary {
    let counts = |r: &Row| r.metric.name != "compression_ratio" || !on_grid(&r.case.fixture);
    let sides = |metrics: &[&str], mean: Mean| {
        let ours = |r: &&Row| kernel.is_none_or(|k| r.case.kernel == k) && metrics.contains(&r.metric.name) && counts(r);
        let rows = || comparison.rows.iter().filter(ours);
        let both: Vec<_> = rows().filter_map(|r| Some((r.before?, r.after?))).collect();
        if both.is_empty() {
            let before: Vec<_> = rows().filter_map(|r| r.before).collect();
            let after: Vec<_> = rows().filter_map(|r| r.after).collect();
            return (mean.of(&before), mean.of(&after));
        }
        let (before, after): (Vec<_>, Vec<_>) = both.into_iter().unzip();
        (mean.of(&before), mean.of(&after))
    };
    let row = |name, unit, higher_is_better, (before, after): (Option<f64>, Option<f64>), target: Option<f64>| SummaryRow {
        name,
        unit,
        before,
        after,
        target,
        higher_is_better,
    };
    let speed = |(before, after): (Option<f64>, Option<f64>)| (before.map(f64::recip), after.map(f64::recip));
    let aim = |f: fn(&Target) -> Option<f64>| target.and_then(f);
    let rows = vec![
        row("Compression Ratio", "x", true, sides(&["compression_ratio"], Mean::Geometric), aim(|t| t.compression_ratio)),
        row(
            "Compression Speed",
            "MB/s",
            true,
            speed(sides(&["encode_seconds_per_mb"], Mean::Geometric)),
            aim(|t| t.encode_seconds_per_mb.map(f64::recip)),
        ),
        row(
            "Decompression Speed",
            "MB/s",
            true,
            speed(sides(&["decode_seconds_per_mb"], Mean::Geometric)),
            aim(|t| t.decode_seconds_per_mb.map(f64::recip)),
        ),
        row(
            "Memory Usage",
            "B",
            false,
            sides(&["encode_peak_heap_bytes", "decode_peak_heap_bytes"], if kernel.is_some() { Mean::Largest } else { Mean::Geometric }),
            aim(|t| t.peak_heap_bytes),
        ),
        row("Accuracy Loss (%)", "pt", false, sides(&["accuracy_loss_percent"], Mean::Arithmetic), aim(|t| t.accuracy_loss_percent)),
    ];
    let verdicts = comparison.rows.iter().filter(|r| kernel.is_none_or(|k| r.case.kernel == k)).filter_map(|r| r.verdict);
    KernelSummary {
        kernel: kernel.map(str::to_owned),
        rows,
        verdict: verdicts.min(),
        relative_error: sides(&["relative_error"], Mean::Largest).1,
        relative_error_target: aim(|t| t.relative_error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::Baseline;
    use crate::filter::Filter;
    use crate::model::record::tests::case;
    use crate::store::Run;

    #[test]
    fn means_are_over_the_same_cases() {
        let mut bigger = case("int4", "cnn");
        bigger.measured.as_mut().unwrap().checked.artifact_bytes = 4_000_000;
        let before = Run::of(vec![case("int4", "mlp"), bigger.clone()]);
        let after = Run::of(vec![case("int4", "mlp"), bigger, case("int4", "gpt")]);
        let policy = Policy::parse(crate::policy::EMBEDDED, "embedded").unwrap();
        let comparison = Comparison::new(&Baseline::of_run(&before), &after, &policy, &Filter::all()).unwrap();
        let summaries = summarise(&comparison, &policy, &|_| false);
        assert_eq!(summaries.len(), 2);
        let ratio = &summaries[0].rows[0];
        // The geometric mean of 8 and 2; the new fixture does not shift the comparison.
        assert_eq!((ratio.before.unwrap().round(), ratio.after.unwrap().round()), (4.0, 4.0));
        assert_eq!(summaries[0].rows[1].after.map(f64::round), Some(1000.0));
        assert_eq!(summaries[1].label(), "all kernels");
        // Without the fixture on a grid the mean is the other's ratio alone; its speed still counts.
        let without = summarise(&comparison, &policy, &|name| name == "cnn");
        assert_eq!((without[0].rows[0].before.map(f64::round), without[0].rows[0].after.map(f64::round)), (Some(8.0), Some(8.0)));
        assert_eq!(without[0].rows[1], summaries[0].rows[1]);
        let nothing = summarise(&comparison, &policy, &|_| true);
        assert_eq!((nothing[0].rows[0].before, nothing[0].rows[0].after), (None, None));
    }
}
