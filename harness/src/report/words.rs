//! The verdict as a sentence, and which rows a reader has to look at first.

use std::collections::BTreeSet;

use super::Report;
use crate::compare::{Comparison, Outcome, Row, Verdict};

/// Metrics that a sentence names; more are counted.
const NAMED: usize = 4;

/// Verdicts that need a reader's eye, the most serious first. What is new or unchanged needs none.
const WORTH_SEEING: [Verdict; 6] =
    [Verdict::Failed, Verdict::Regression, Verdict::Missing, Verdict::Inconclusive, Verdict::Waived, Verdict::Improvement];

/// The verdict in a sentence or two, such as `Regression: 2 metrics of 1 case got worse: bits_per_weight, compression_ratio.`
pub fn verdict(report: &Report) -> String {
    let c = &report.comparison;
    let of = |verdict, what: &str| format!("{} {what}: {}.", extent(c, verdict), names(c, verdict));
    match c.outcome() {
        Outcome::Pass if c.count(Verdict::Waived) > 0 => {
            format!(
                "Pass: nothing but what is waived got worse in {}. Waived: {}",
                count(report.cases, "case"),
                of(Verdict::Waived, "got worse")
            )
        }
        Outcome::Pass => format!("Pass: nothing got worse in {}.", count(report.cases, "case")),
        Outcome::Regression => format!("Regression: {}", of(Verdict::Regression, "got worse")),
        Outcome::Missing if c.measured_cases == 0 => "Missing: nothing was measured.".to_owned(),
        Outcome::Missing => format!("Missing: {}", of(Verdict::Missing, "that the baseline has were not measured")),
        Outcome::Unfit => {
            let why = c.paired.as_ref().and_then(|p| p.unfit.clone()).unwrap_or_default();
            format!("Unfit: this machine cannot measure what was asked: {why}.")
        }
        Outcome::Inconclusive => format!("Inconclusive: {}", of(Verdict::Inconclusive, "could not be decided")),
        Outcome::CaseFailed => {
            let worse = c.count(Verdict::Regression);
            let besides = if worse > 0 { format!(" Besides, {}", of(Verdict::Regression, "got worse")) } else { String::new() };
            format!("Failed: {} of {} did not pass the check.{besides}", c.failures.len(), count(report.cases, "case"))
        }
    }
}

/// How many metrics have each verdict, without those that none has.
pub fn counts(report: &Report) -> String {
    let words = [
        (Verdict::Unchanged, "unchanged"),
        (Verdict::Improvement, "improved"),
        (Verdict::Regression, "regressed"),
        (Verdict::New, "new"),
        (Verdict::Missing, "missing"),
        (Verdict::Inconclusive, "inconclusive"),
        (Verdict::Failed, "not judged because their case failed"),
        (Verdict::Waived, "waived"),
    ];
    let some = words.map(|(verdict, word)| (report.comparison.count(verdict), word));
    some.into_iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect::<Vec<_>>().join(", ")
}

/// A number with its noun.
pub fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// Metrics and exponents of a verdict, and the cases that they are of.
fn extent(c: &Comparison, verdict: Verdict) -> String {
    let rows = || c.rows.iter().filter(|r| r.verdict == Some(verdict));
    let cases = rows().map(|r| &r.case).collect::<BTreeSet<_>>().len();
    let exponents = c.scaling.iter().filter(|r| r.verdict == Some(verdict)).count();
    let mut parts = Vec::new();
    if cases > 0 {
        parts.push(format!("{} of {}", count(rows().count(), "metric"), count(cases, "case")));
    }
    if exponents > 0 {
        parts.push(count(exponents, "growth exponent"));
    }
    parts.join(" and ")
}

fn names(c: &Comparison, verdict: Verdict) -> String {
    let metrics = c.rows.iter().filter(|r| r.verdict == Some(verdict)).map(|r| r.metric.name);
    let costs = c.scaling.iter().filter(|r| r.verdict == Some(verdict)).map(|r| r.quantity.title);
    let names: Vec<_> = metrics.chain(costs).collect::<BTreeSet<_>>().into_iter().collect();
    let more = names.len().saturating_sub(NAMED);
    let named = names.into_iter().take(NAMED).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

/// Where a verdict stands among those worth seeing.
pub fn rank(verdict: Option<Verdict>) -> Option<usize> {
    WORTH_SEEING.iter().position(|v| Some(*v) == verdict)
}

/// Rows that are not as the baseline has them, the most serious verdict first and the largest change first within it.
pub fn changed(report: &Report) -> Vec<&Row> {
    let mut rows: Vec<_> = report.comparison.rows.iter().filter(|r| rank(r.verdict).is_some()).collect();
    let size = |r: &Row| r.relative_change().map_or(f64::INFINITY, f64::abs);
    rows.sort_by(|a, b| rank(a.verdict).cmp(&rank(b.verdict)).then(size(b).total_cmp(&size(a))));
    rows
}

/// Half of the 95 % interval of the value after, where its standard error is known: the normal distribution's 97.5 % quantile times the error.
pub fn half_interval(row: &Row) -> Option<f64> {
    const QUANTILE_975: f64 = 1.959_963_984_540_054;
    row.after.and(row.after_error).map(|error| QUANTILE_975 * error)
}
