//! The table of simulated gates, as Markdown.

use std::fmt::Write as _;

use super::super::binomial::clopper_pearson;
use super::gates::Row;
use super::scenario::Scenario;

/// Rates with 95 % Clopper–Pearson intervals, in per cent of the cases; a line for each scenario and slow-down.
pub fn markdown(results: &[(Scenario, Vec<Row>)]) -> String {
    let mut text = String::from(
        "| scenario | slow-down | cases | called slower | called faster | equivalent | undecided | blocks a case |\n|---|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for (scenario, rows) in results {
        for row in rows {
            let [slower, faster] = [row.regressions, row.improvements].map(|count| {
                let interval = clopper_pearson(count, row.cases, 0.05);
                format!("{:.2} ({:.2}–{:.2})", share(count, row), 100.0 * interval.lower, 100.0 * interval.upper)
            });
            // Writing to a string cannot fail.
            let _written = writeln!(
                text,
                "| {} | {} % | {} | {slower} | {faster} | {:.2} | {:.2} | {:.1} |",
                scenario.name,
                row.effect_percent,
                row.cases,
                share(row.equivalent, row),
                share(row.undecided(), row),
                row.blocks as f64 / row.cases.max(1) as f64,
            );
        }
    }
    text
}

/// Per cent of the row's cases.
fn share(count: usize, row: &Row) -> f64 {
    100.0 * count as f64 / row.cases.max(1) as f64
}
