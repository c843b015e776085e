//! The report on a terminal.

use std::fmt::Write as _;

use comfy_table::{ContentArrangement, Table, presets};

use super::{Report, tables};

fn show(mut table: Table) -> String {
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    table.trim_fmt()
}

/// Tables, failures and the verdict, which comes last, where the eye is.
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}\n", show(tables::reviewer(report)));
    if let Some(table) = tables::changes(report) {
        let _ = writeln!(out, "Not as in the baseline:\n{}\n", show(table));
    }
    for failure in &report.comparison.failures {
        let _ = writeln!(out, "failed at {}: {}: {}", failure.stage, failure.case, failure.message);
    }
    if !report.passed_through.is_empty() {
        let tensors = report.passed_through.iter().map(|(_, t)| t.len()).sum::<usize>();
        let cases = report.passed_through.len();
        let _ =
            writeln!(out, "{tensors} tensors of {cases} cases passed through unchanged and are counted; the Markdown report names each.");
    }
    let _ = writeln!(out, "Times are shown, not gated: they were not sampled beside the baseline's build.");
    let _ = write!(out, "{}", report.verdict_line());
    out
}
