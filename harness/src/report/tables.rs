//! The tables of a report as rows of text, shared by the terminal and Markdown.

use comfy_table::{CellAlignment, Table};

use super::summary::SummaryRow;
use super::{ESTIMATE, Report, format};
use crate::compare::{Row, Verdict};
use crate::stats::decision::Finding;

/// Tensors of a group that are named; the JSON report names all.
const NAMED: usize = 6;

/// An empty cell.
pub const NONE: &str = "–";

/// An empty table; columns from `first_number` on hold numbers.
pub fn table(header: &[&str], first_number: usize) -> Table {
    let mut table = Table::new();
    table.set_header(header.to_vec());
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_cell_alignment(if i < first_number { CellAlignment::Left } else { CellAlignment::Right });
    }
    table
}

/// The reviewer's table: five rows a kernel, and five over all.
pub fn reviewer(report: &Report) -> Table {
    let mut table = table(&["Kernel", "Metric", "Before", "After", "Change", "Target"], 2);
    for summary in &report.summaries {
        for (i, row) in summary.rows.iter().enumerate() {
            let label = if i == 0 { summary.label() } else { "" };
            let cells = [cell(row, row.before), cell(row, row.after), summary_change(row), cell(row, row.target)];
            table.add_row([label.to_owned(), row.name.to_owned()].into_iter().chain(cells));
        }
    }
    table
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
pub fn changes(report: &Report) -> Option<Table> {
    let worth = |r: &&Row| r.paired.is_none() && !matches!(r.verdict, None | Some(Verdict::Unchanged | Verdict::New));
    let mut rows: Vec<_> = report.comparison.rows.iter().filter(worth).collect();
    rows.sort_by_key(|r| r.verdict);
    judged(report, &rows)
}

/// Every row that has a verdict.
pub fn all_judged(report: &Report) -> Option<Table> {
    judged(report, &report.comparison.rows.iter().filter(|r| r.verdict.is_some() && r.paired.is_none()).collect::<Vec<_>>())
}

fn judged(report: &Report, rows: &[&Row]) -> Option<Table> {
    let mut table = table(&["Kernel", "Fixture", "Metric", "Before", "After", "Change", "Seen from", "Verdict"], 3);
    for row in rows {
        let value = |v: Option<f64>| v.map_or_else(|| NONE.to_owned(), |v| format::value(row.metric, v));
        let failed = row.verdict == Some(Verdict::Failed);
        let after = if failed { "failed".to_owned() } else { format!("{}{}", mark(report, row), value(row.after)) };
        table.add_row([
            row.case.kernel.clone(),
            row.case.fixture.clone(),
            row.metric.name.to_owned(),
            value(row.before),
            after,
            format::change(row.metric, row.before, row.after),
            row.smallest_detectable
                .map_or_else(|| NONE.to_owned(), |x| if x == 0.0 { "any".to_owned() } else { format::value(row.metric, x) }),
            row.verdict.map_or(NONE, Verdict::word).to_owned(),
        ]);
    }
    (!rows.is_empty()).then_some(table)
}

/// Times of both builds: all of them, or those that are not unchanged, most serious first.
pub fn times(report: &Report, all: bool) -> Option<Table> {
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
pub fn undecided(report: &Report) -> Option<Table> {
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
pub fn values(report: &Report) -> Table {
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
pub fn passed_through(report: &Report) -> Option<Table> {
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
