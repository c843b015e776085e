//! What a report says of that by which was judged: where it was read, what the change edits of it, and its waivers.

use std::fmt::Write as _;

use serde::Serialize;

use super::grid::Grid;
use super::{Report, format, tables};
use crate::model::metric::metric;
use crate::standard::{Edit, Standard};
use crate::waiver::{Applied, Standing};

/// Edits that a terminal shows; the other forms have all.
const MOST_ON_A_TERMINAL: usize = 30;

/// Where baseline, policy and waivers were read, and what the work tree has instead.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Basis {
    /// It in words.
    pub line: String,
    /// Commit, where it is one.
    pub commit: Option<String>,
    /// What the work tree has instead.
    pub edits: Vec<Edit>,
    /// Sampled values that it has otherwise.
    pub edited_times: usize,
}

impl Basis {
    /// That of a standard.
    pub fn of(standard: &Standard) -> Self {
        let (edits, edited_times) = (standard.edits.edits.clone(), standard.edits.times);
        Self { line: standard.source.line(&standard.suite), commit: standard.source.commit().map(str::to_owned), edits, edited_times }
    }

    /// What the change edits and whether that counts, in words; nothing where it edits nothing.
    pub fn edits_line(&self, waivers: &[Applied]) -> Option<String> {
        if self.edits.is_empty() && self.edited_times == 0 {
            return None;
        }
        let loosening = self.edits.iter().filter(|e| e.loosens).count();
        let times = if self.edited_times > 0 { format!(" and {} times", self.edited_times) } else { String::new() };
        let counted = waivers.iter().any(|w| w.own && w.standing != Standing::NotCounted);
        let used = if counted { "Of them its waivers count." } else { "They were not used." };
        Some(format!(
            "This change edits {} entries{times} under baselines/, {loosening} of which would let more pass. {used}",
            self.edits.len()
        ))
    }
}

/// The edits, those that loosen first; `None` where there are none.
pub fn edits(basis: &Basis, most: usize) -> Option<Grid> {
    let mut table = tables::table(&["File", "What", "Before", "After", "Lets more pass"], 5);
    let mut sorted: Vec<_> = basis.edits.iter().collect();
    sorted.sort_by_key(|e| !e.loosens);
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| tables::NONE.to_owned());
    for edit in sorted.iter().take(most) {
        let loosens = if edit.loosens { "yes" } else { "" };
        table.add_row([edit.file.clone(), edit.what.clone(), text(&edit.before), text(&edit.after), loosens.to_owned()]);
    }
    if sorted.len() > most {
        let more = format!("and {} more; the Markdown report has all", sorted.len() - most);
        table.add_row([String::new(), more, String::new(), String::new(), String::new()]);
    }
    (!table.is_empty()).then_some(table)
}

/// Waivers of what was judged; `None` where there are none.
pub fn waivers(report: &Report) -> Option<Grid> {
    let mut table = tables::table(&["Kernel", "Fixture", "Metric", "Worst allowed", "Value", "Until", "Owner", "Reason", "Standing"], 3)
        .with_text_from(5);
    for applied in &report.waivers {
        let w = &applied.waiver;
        let value = |x: f64| metric(w.metric).map_or_else(|| x.to_string(), |m| format::value(m, x));
        table.add_row([
            w.case.kernel.clone(),
            w.case.fixture.clone(),
            w.metric.to_owned(),
            value(w.worst),
            applied.after.map_or_else(|| tables::NONE.to_owned(), value),
            w.expires.to_string(),
            w.owner.clone(),
            w.reason.clone(),
            standing(applied),
        ]);
    }
    (!table.is_empty()).then_some(table)
}

fn standing(applied: &Applied) -> String {
    let own = applied.own && applied.standing != Standing::NotCounted;
    format!("{}{}", applied.standing.words(), if own { ", added by this change" } else { "" })
}

/// A line for each waiver that does nothing, or should not be there.
pub fn warnings(report: &Report) -> Vec<String> {
    let line = |applied: &Applied| {
        let what = format!("the waiver for {} of {}", applied.waiver.metric, applied.waiver.case);
        match applied.standing {
            Standing::Unused => Some(format!("warning: {what} is not used; remove it")),
            Standing::Expired => Some(format!("warning: {what} expired on {}", applied.waiver.expires)),
            Standing::NotCounted => {
                Some(format!("warning: {what} comes with this change and is not counted; propose it in a change of its own"))
            }
            Standing::Allows if applied.own => Some(format!("warning: {what} comes with this change itself, and the policy lets it count")),
            Standing::Allows | Standing::Exceeded => None,
        }
    };
    report.waivers.iter().filter_map(line).collect()
}

/// First lines of a report on a terminal.
pub fn first_lines(report: &Report) -> String {
    let mut out = String::new();
    if !report.basis.line.is_empty() {
        let _ = writeln!(out, "{}", report.basis.line);
        if report.header.dirty == Some(true) {
            let _ = writeln!(out, "The work tree has uncommitted changes.");
        }
        let _ = writeln!(out);
    }
    out
}

/// Edits and waivers on a terminal.
pub fn on_a_terminal(report: &Report, show: impl Fn(Grid) -> String) -> String {
    let mut out = String::new();
    if let Some(line) = report.basis.edits_line(&report.waivers) {
        let _ = writeln!(out, "{line}");
        if let Some(table) = edits(&report.basis, MOST_ON_A_TERMINAL) {
            let _ = writeln!(out, "{}", show(table));
        }
        let _ = writeln!(out);
    }
    if let Some(table) = waivers(report) {
        let _ = writeln!(out, "Waivers:\n{}", show(table));
        for warning in warnings(report) {
            let _ = writeln!(out, "{warning}");
        }
        let _ = writeln!(out);
    }
    out
}

/// Edits and waivers as Markdown sections.
pub fn as_markdown(report: &Report, show: impl Fn(Grid) -> String) -> String {
    let mut out = String::new();
    if let Some(line) = report.basis.edits_line(&report.waivers) {
        let _ = writeln!(out, "## Edits of what it is judged by\n\n{line}\n");
        if let Some(table) = edits(&report.basis, usize::MAX) {
            let _ = writeln!(out, "{}\n", show(table));
        }
    }
    if let Some(table) = waivers(report) {
        let _ = writeln!(out, "## Waivers\n\n{}\n", show(table));
        for warning in warnings(report) {
            let _ = writeln!(out, "- {warning}");
        }
        out.push('\n');
    }
    out
}
