//! The report on a terminal.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, TableComponent, presets};

use super::{Report, basis, sampled, scaling, tables};
use crate::model::record::Limit;

/// A table with rules above, below and under the header alone, as wide as the terminal.
pub fn show(mut table: Table) -> String {
    use TableComponent::{HorizontalLines, LeftBorderIntersections, MiddleIntersections, RightBorderIntersections};
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    for component in [HorizontalLines, LeftBorderIntersections, MiddleIntersections, RightBorderIntersections] {
        table.remove_style(component);
    }
    table.trim_fmt()
}

/// Tables, failures and the verdict, which comes last, where the eye is.
pub fn render(report: &Report) -> String {
    let mut out = basis::first_lines(report);
    let reviewer = tables::reviewer(report);
    if !reviewer.is_empty() {
        let _ = writeln!(out, "{}\n", show(reviewer));
    }
    if let Some(table) = tables::changes(report) {
        let _ = writeln!(out, "Not as in the baseline:\n{}\n", show(table));
    }
    if let Some(table) = tables::times(report, false) {
        let _ = writeln!(out, "Times that changed or are not decided:\n{}\n", show(table));
    }
    if let Some(table) = tables::undecided(report) {
        let _ = writeln!(out, "What would decide the rest:\n{}\n", show(table));
    }
    if let Some(table) = scaling::changes(report) {
        let _ = writeln!(out, "Costs that grow otherwise with the size of the model:\n{}\n", show(table));
    }
    out.push_str(&basis::on_a_terminal(report, show));
    for failure in &report.comparison.failures {
        let _ = writeln!(out, "failed at {}: {}: {}", failure.stage, failure.case, failure.message);
    }
    if !report.passed_through.is_empty() {
        let tensors = report.passed_through.iter().map(|(_, t)| t.len()).sum::<usize>();
        let cases = report.passed_through.len();
        let _ = writeln!(
            out,
            "{tensors} tensors, in {cases} of {} cases, passed through unchanged and are counted; the JSON report names each.",
            report.cases
        );
    }
    if let Some(table) = sampled::table(report) {
        let _ = writeln!(out, "Estimated (≈) from samples of large models, with standard errors:\n{}\n", show(table));
    }
    let limits = report.header.limits.iter().map(Limit::line);
    for line in [report.left_out_line(), report.header.not_measured_line()].into_iter().flatten().chain(limits) {
        let _ = writeln!(out, "{line}");
    }
    for line in report.time_lines() {
        let _ = writeln!(out, "{line}");
    }
    let _ = write!(out, "{}", report.verdict_line());
    out
}
