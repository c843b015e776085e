//! The report on a terminal.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, TableComponent, presets};

use super::{Report, basis, sampled, scaling, tables};
use crate::model::record::Limit;

/// A table with rules above, below and under the header alone, as wide as the terminal.
pub fn show(table: impl Into<Table>) -> String {
    let mut table = table.into();
    use TableComponent::{HorizontalLines, LeftBorderIntersections, MiddleIntersections, RightBorderIntersections};
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY).set_content_arrangement(ContentArrangement::Dynamic);
    for component in [HorizontalLines, LeftBorderIntersections, MiddleIntersections, RightBorderIntersections] {
        table.remove_style(component);
    }
    table.trim_fmt()
}

/// The same with colours: the verdict at the end of a row, failed cases, and the last line. Whoever writes it strips them where they are not
/// wanted: in a pipe, or where `NO_COLOR` is set.
pub fn coloured(text: &str) -> String {
    let paint = |style: Style, text: &str| format!("{style}{text}{style:#}");
    let mut out = String::new();
    let last = text.trim_end().lines().count().saturating_sub(1);
    for (i, line) in text.trim_end().lines().enumerate() {
        let row = line.trim_end();
        let word = row.rsplit(' ').next().unwrap_or_default();
        if i == last {
            let verdict = line.split([':', ' ']).next().unwrap_or_default();
            out.push_str(&paint(style_of(verdict).unwrap_or_default().bold(), line));
        } else if let (Some(style), true) = (style_of(word), line.starts_with(' ')) {
            out.push_str(&row[..row.len() - word.len()]);
            out.push_str(&paint(style, word));
            out.push_str(&line[row.len()..]);
        } else if line.starts_with("failed at ") {
            out.push_str(&paint(RED, line));
        } else {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

const RED: Style = AnsiColor::Red.on_default();

/// Colour of a verdict's word; those that need no eye have none.
fn style_of(word: &str) -> Option<Style> {
    let colour = match word {
        "failed" | "regression" | "missing" | "nothing" => return Some(RED),
        "inconclusive" | "waived" => AnsiColor::Yellow,
        "improvement" | "pass" => AnsiColor::Green,
        _ => return None,
    };
    Some(colour.on_default())
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
    let _ = writeln!(out, "{}", report.verdict_line());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stand_around_verdicts_and_change_nothing_else() {
        let text = " q4_k   sqnr_db   regression \n int4   regression   unchanged \nfailed at check: x\nregression: something got worse\n";
        let shown = coloured(text);
        assert_eq!(anstream::adapter::strip_str(&shown).to_string(), text);
        let red = |text: &str| format!("\u{1b}[31m{text}\u{1b}[0m");
        assert!(shown.starts_with(&format!(" q4_k   sqnr_db   {} \n int4   regression   unchanged \n", red("regression"))), "{shown:?}");
        assert!(shown.contains(&red("failed at check: x")) && shown.contains("\u{1b}[1m\u{1b}[31mregression: something"), "{shown:?}");
    }
}
