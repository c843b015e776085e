//! The tables of a report as rows of text, shared by the terminal and Markdown.

use super::grid::Grid;
use super::summary::{KernelSummary, SummaryRow};
use super::{ESTIMATE, Report, format, words};
use crate::compare::{Row, Verdict};
use crate::model::metric::{METRICS, Metric};
use crate::stats::decision::Finding;

/// Tensors of a group that are named; the JSON report names all.
const NAMED: usize = 6;

/// An empty cell.
pub const NONE: &str = "–";

/// An empty table; columns from `first_number` on hold numbers.
pub fn table(header: &[&str], first_number: usize) -> Grid {
    Grid::new(header, first_number)
}

/// The reviewer's table: five rows a kernel, and five over all.
pub fn reviewer(report: &Report) -> Grid {
    let mut table = table(&["Kernel", "Metric", "Before", "After", "Change", "Target"], 2);
    for summary in &report.summaries {
        for (i, row) in summary.rows.iter().enumerate() {
            let label = if i == 0 { summary.label() } else { "" };
            table.add_row([label.to_owned()].into_iter().chain(five_cells(row)));
        }
    }
    table
}

/// The five rows of one kernel, or of all together.
pub fn five_rows(summary: &KernelSummary) -> Grid {
    let mut table = table(&["Metric", "Before", "After", "Change", "Target"], 1);
    for row in &summary.rows {
        table.add_row(five_cells(row));
    }
    table
}

fn five_cells(row: &SummaryRow) -> [String; 5] {
    [row.name.to_owned(), cell(row, row.before), cell(row, row.after), summary_change(row), cell(row, row.target)]
}

fn cell(row: &SummaryRow, value: Option<f64>) -> String {
    match (value, row.unit) {
        (None, _) => NONE.to_owned(),
        (Some(x), "B") => format::bytes(x),
        (Some(x), "x") => format!("{}x", format::number(x)),
        (Some(x), "pt") => format!("{x:.3}"),
        (Some(x), unit) => format!("{} {unit}", format::number(x)),
    }
}

fn summary_change(row: &SummaryRow) -> String {
    match (row.before, row.after) {
        (Some(b), Some(a)) if a == b => "0".to_owned(),
        (Some(b), Some(a)) if row.unit == "pt" => format!("{:+.3}", a - b),
        (Some(b), Some(a)) if b != 0.0 => format::percent(a / b - 1.0),
        _ => NONE.to_owned(),
    }
}

/// Rows that are not as the baseline has them, most serious first.
pub fn changes(report: &Report) -> Option<Grid> {
    let worth = |r: &&Row| r.paired.is_none() && !matches!(r.verdict, None | Some(Verdict::Unchanged | Verdict::New));
    let mut rows: Vec<_> = report.comparison.rows.iter().filter(worth).collect();
    rows.sort_by_key(|r| r.verdict);
    judged(report, &rows)
}

/// The same and times of both builds, with intervals, without the rows of cases that failed: their line says why.
pub fn changes_with_intervals(report: &Report) -> Grid {
    let mut table = table(&["Verdict", "Kernel", "Fixture", "Metric", "Before", "After", "Change", "Interval", "Seen from"], 4);
    for row in words::changed(report).into_iter().filter(|r| r.verdict != Some(Verdict::Failed)) {
        let [before, after, change, seen_from] = judged_cells(report, row);
        let verdict = row.verdict.map_or(NONE, Verdict::word);
        let names = [verdict, &row.case.kernel, &row.case.fixture, row.metric.name].map(str::to_owned);
        table.add_row(names.into_iter().chain([before, after, change, interval_cell(row), seen_from]));
    }
    table
}

/// The interval of a change that both builds were timed for, or what the value after may be off by.
fn interval_cell(row: &Row) -> String {
    match row.paired.as_ref().and_then(|p| p.interval) {
        Some([low, high]) => format!("{} to {}", format::percent(low), format::percent(high)),
        None => words::half_interval(row).map_or_else(|| NONE.to_owned(), |half| format!("± {}", format::value(row.metric, half))),
    }
}

/// One line a metric: how many of its values are as the baseline has them or new, and the smallest change that all of the former would have shown.
pub fn unchanged(report: &Report) -> Grid {
    let mut table = table(&["Metric", "Unchanged", "New", "Each seen from"], 1);
    for metric in METRICS {
        let mine = |verdict| report.comparison.rows.iter().filter(move |r| r.metric.name == metric.name && r.verdict == Some(verdict));
        let (unchanged, new) = (mine(Verdict::Unchanged).count(), mine(Verdict::New).count());
        if unchanged + new > 0 {
            let seen_from = mine(Verdict::Unchanged).filter_map(|r| r.smallest_detectable).reduce(f64::max);
            table.add_row([metric.name.to_owned(), unchanged.to_string(), new.to_string(), seen_from_cell(metric, seen_from)]);
        }
    }
    table
}

fn seen_from_cell(metric: &Metric, seen_from: Option<f64>) -> String {
    match seen_from {
        Some(0.0) => "any".to_owned(),
        Some(x) => format::value(metric, x),
        None => NONE.to_owned(),
    }
}

/// One line a kernel: the five values after, each with its change.
pub fn kernels(report: &Report) -> Grid {
    let mut table = table(&["Kernel", "Ratio", "Compression", "Decompression", "Peak heap", "Accuracy loss"], 1);
    for summary in report.summaries.iter().filter(|s| s.kernel.is_some()) {
        let value = |row: &SummaryRow| match summary_change(row).as_str() {
            NONE => cell(row, row.after),
            change => format!("{} ({change})", cell(row, row.after)),
        };
        table.add_row([summary.label().to_owned()].into_iter().chain(summary.rows.iter().map(value)));
    }
    table
}

/// Every row that has a verdict.
pub fn all_judged(report: &Report) -> Option<Grid> {
    judged(report, &report.comparison.rows.iter().filter(|r| r.verdict.is_some() && r.paired.is_none()).collect::<Vec<_>>())
}

fn judged(report: &Report, rows: &[&Row]) -> Option<Grid> {
    let mut table = table(&["Kernel", "Fixture", "Metric", "Before", "After", "Change", "Seen from", "Verdict"], 3);
    for row in rows {
        let names = [row.case.kernel.clone(), row.case.fixture.clone(), row.metric.name.to_owned()];
        let verdict = row.verdict.map_or(NONE, Verdict::word).to_owned();
        table.add_row(names.into_iter().chain(judged_cells(report, row)).chain([verdict]));
    }
    (!rows.is_empty()).then_some(table)
}

/// Before, after, change and smallest change that would have been seen.
pub fn judged_cells(report: &Report, row: &Row) -> [String; 4] {
    let value = |v: Option<f64>| v.map_or_else(|| NONE.to_owned(), |v| format::value(row.metric, v));
    let after = match row.verdict {
        Some(Verdict::Failed) => "failed".to_owned(),
        _ => format!("{}{}", mark(report, row), value(row.after)),
    };
    // The change of paired times is that of blocks, not that of two medians.
    let change =
        row.paired.as_ref().and_then(|p| p.change).map_or_else(|| format::change(row.metric, row.before, row.after), format::percent);
    [value(row.before), after, change, seen_from_cell(row.metric, row.smallest_detectable)]
}

/// Times of both builds: all of them, or those that are not unchanged, most serious first.
pub fn times(report: &Report, all: bool) -> Option<Grid> {
    let mut rows: Vec<_> = report.comparison.rows.iter().filter_map(|r| Some((r, r.paired.as_ref()?))).collect();
    if !all {
        rows.retain(|(_, paired)| paired.finding != Finding::Equivalent);
        rows.sort_by_key(|(_, paired)| Verdict::of(paired.finding));
    }
    let mut table =
        table(&["Kernel", "Fixture", "Time of", "Before", "After", "Change", "Interval", "Wall", "Seen from", "Blocks", "Verdict"], 3);
    for (row, paired) in &rows {
        let value = |v: Option<f64>| v.map_or_else(|| NONE.to_owned(), |v| format::value(row.metric, v));
        let change = |v: Option<f64>| v.map_or_else(|| NONE.to_owned(), format::percent);
        table.add_row([
            row.case.kernel.clone(),
            row.case.fixture.clone(),
            row.metric.name.split('_').next().unwrap_or_default().to_owned(),
            value(row.before),
            value(row.after),
            change(paired.change),
            paired.interval.map_or_else(|| NONE.to_owned(), |[a, b]| format!("{} to {}", format::percent(a), format::percent(b))),
            change(paired.wall_change),
            change(Some(paired.smallest_detectable).filter(|x| x.is_finite())),
            paired.blocks.to_string(),
            Verdict::of(paired.finding).word().to_owned(),
        ]);
    }
    (!rows.is_empty()).then_some(table)
}

/// Times that are not decided, and what would decide them.
pub fn undecided(report: &Report) -> Option<Grid> {
    let open = report.comparison.paired.as_ref()?.undecided();
    let mut table = table(&["Kernel", "Fixture", "Time of", "Undecided because"], 4);
    for u in &open {
        table.add_row([u.item.case.kernel.as_str(), &u.item.case.fixture, u.item.operation.word(), &u.why]);
    }
    (!open.is_empty()).then_some(table)
}

/// What stands before a row's value.
fn mark(report: &Report, row: &Row) -> &'static str {
    if row.after.is_some() && report.is_estimate(&row.case, row.metric.name) { ESTIMATE } else { "" }
}

/// Every metric of every case, values only.
pub fn values(report: &Report) -> Grid {
    let mut table = table(&["Kernel", "Fixture", "Metric", "Value", "Standard error"], 3);
    for row in &report.comparison.rows {
        let Some(after) = row.after else { continue };
        let error = row.after_error.map_or_else(|| NONE.to_owned(), |e| format::value(row.metric, e));
        let value = format!("{}{}", mark(report, row), format::value(row.metric, after));
        let cells = [row.case.kernel.clone(), row.case.fixture.clone(), row.metric.name.to_owned(), value, error];
        table.add_row(cells);
    }
    table
}

/// Tensors stored unchanged, with the reason, one line for each kernel, fixture and reason.
pub fn passed_through(report: &Report) -> Option<Grid> {
    let mut table = table(&["Kernel", "Fixture", "Tensors", "Bytes", "Reason"], 2);
    for (case, tensors) in &report.passed_through {
        let mut reasons: Vec<&str> = tensors.iter().map(|t| t.reason.as_str()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        for reason in reasons {
            let group: Vec<_> = tensors.iter().filter(|t| t.reason == reason).collect();
            let mut names = group.iter().take(NAMED).map(|t| t.name.as_str()).collect::<Vec<_>>().join(", ");
            if let Some(more) = group.len().checked_sub(NAMED).filter(|&more| more > 0) {
                names = format!("{names} and {more} more");
            }
            let bytes = group.iter().map(|t| t.bytes).sum::<u64>();
            table.add_row([case.kernel.clone(), case.fixture.clone(), names, bytes.to_string(), reason.to_owned()]);
        }
    }
    (!table.is_empty()).then_some(table)
}
