//! How a run was measured, and what was not tested: the same facts in every form.

use serde::Serialize;

use super::{Report, format};
use crate::model::record::Limit;

/// What a reader needs to measure again, and to know what the run does not say.
#[derive(Debug, Clone, Serialize)]
pub struct Account {
    /// The command.
    pub command: String,
    /// Names and what there is to say: commit, machine, suite, resources.
    pub facts: Vec<(&'static str, String)>,
    /// Fixtures with a line on each.
    pub fixtures: Vec<(String, String)>,
    /// Sentences: what was left out, limited or not tested.
    pub notes: Vec<String>,
}

impl Account {
    /// Of a report.
    pub fn of(report: &Report) -> Self {
        let header = &report.header;
        let commit = header.commit.as_deref().unwrap_or("outside version control");
        let dirty = if header.dirty == Some(true) { ", with uncommitted changes" } else { "" };
        let took = report.seconds.map_or_else(String::new, |s| format!(", {s:.0} s"));
        let mut facts = vec![
            ("commit", format!("{commit}{dirty}")),
            ("machine", format!("{} (fingerprint {})", header.machine, header.machine.fingerprint())),
            ("suite", format!("{}, {} cases{took}", header.suite, report.cases)),
        ];
        let rss = report.comparison.rows.iter().filter(|r| r.metric.name.ends_with("peak_rss_bytes")).filter_map(|r| r.after);
        if let Some(rss) = rss.reduce(f64::max) {
            let cores = header.machine.cores;
            facts.push(("resources", format!("CPU only, {cores} processors, largest worker {}, no network", format::bytes(rss))));
        }
        let limits = header.limits.iter().map(Limit::line);
        let mut notes: Vec<String> = [report.left_out_line(), header.not_measured_line()].into_iter().flatten().chain(limits).collect();
        let speed = if report.comparison.paired.is_some() {
            "and GPU execution"
        } else {
            "GPU execution, and speed against the baseline's own build"
        };
        notes.push(format!("Not tested here: models above the sizes listed, other processors than this one, {speed}."));
        let fixtures = report.fixtures.iter().map(|f| (f.name.clone(), f.line.clone())).collect();
        Self { command: header.command.clone(), facts, fixtures, notes }
    }
}
