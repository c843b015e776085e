//! The text of a baseline: a header line, then one JSON object a line.
//!
//! Every version ever released is read for ever; samples of each stand under `fixtures/legacy/baselines/`. Version 1 named one commit for all
//! times, in the header; version 2 names the commit beside each time, so that a part of a baseline can be refreshed without a false word
//! about the rest, and in the header the release that reads it, which a message of an older release can then name.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::conflict::CONFLICT_START;
use super::error::BaselineError;
use super::values::{Baseline, Row};
use crate::model::machine::Machine;
use crate::model::metric::metric;
use crate::model::record::Case;

/// Version of the files that are written.
pub const VERSION: u32 = 2;
/// The first release that reads this version.
const READ_SINCE: &str = "0.1.0";

/// Which of a suite's two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Exact and evaluated values.
    Exact,
    /// Sampled values, with their machine and commits.
    Times,
}

impl Part {
    /// Name of the file.
    pub fn file_name(self, suite: &str) -> String {
        match self {
            Self::Exact => format!("{suite}.jsonl"),
            Self::Times => format!("{suite}-times.jsonl"),
        }
    }

    /// Whether a value stands in it.
    pub fn holds(self, row: &Row) -> bool {
        row.is_sampled() == (self == Self::Times)
    }
}

/// What to do with metrics that this release does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// It is an error: a gate must not lose a metric.
    Refuse,
    /// They are left out: a history reaches back to before they were dropped.
    Skip,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct WireHeader {
    weighbridge_baseline: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    read_since: Option<String>,
    suite: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    machine: Option<Machine>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct WireRow {
    kernel: String,
    fixture: String,
    metric: String,
    value: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    standard_error: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
}

impl WireRow {
    fn of(row: &Row, baseline: &Baseline) -> Self {
        Self {
            kernel: row.kernel.clone(),
            fixture: row.fixture.clone(),
            metric: row.metric.name.to_owned(),
            value: row.value,
            standard_error: row.standard_error,
            commit: row.is_sampled().then(|| baseline.commits.get(&row.case()).cloned()).flatten(),
        }
    }
}

/// A row's line, with its end.
pub(super) fn line(row: &Row, baseline: &Baseline) -> String {
    serde_json::to_string(&WireRow::of(row, baseline)).map(|text| text + "\n").unwrap_or_default()
}

/// The header's line, with its end.
pub(super) fn header_line(baseline: &Baseline, part: Part) -> String {
    let machine = (part == Part::Times).then(|| baseline.machine.clone()).flatten();
    let (weighbridge_baseline, read_since) = (VERSION, Some(READ_SINCE.to_owned()));
    let header = WireHeader { weighbridge_baseline, read_since, suite: baseline.suite.clone(), commit: None, machine };
    serde_json::to_string(&header).map(|text| text + "\n").unwrap_or_default()
}

/// The rows that `keep` takes as text: one JSON object a line, without a header.
pub fn lines(baseline: &Baseline, keep: impl Fn(&Row) -> bool) -> String {
    baseline.rows.iter().filter(|r| keep(r)).map(|row| line(row, baseline)).collect()
}

/// One of a suite's files as text.
pub fn render(baseline: &Baseline, part: Part) -> String {
    let mut sorted = baseline.clone();
    sorted.sort();
    header_line(&sorted, part) + &lines(&sorted, |row| part.holds(row))
}

/// Reads a file's text; `place` is for messages.
pub fn parse(text: &str, place: &Path, unknown: Unknown) -> Result<Baseline, BaselineError> {
    let bad = |line: usize, message: String| BaselineError::Line { path: place.to_owned(), line, message };
    let mut lines = text.lines().enumerate();
    let first = lines.next().map(|(_, l)| l).unwrap_or_default();
    let header = serde_json::from_str::<serde_json::Value>(first).unwrap_or_default();
    match header.get("weighbridge-baseline").and_then(serde_json::Value::as_u64) {
        None => return Err(bad(1, "this is no header of a baseline".to_owned())),
        Some(found) if found > u64::from(VERSION) => {
            let release = header.get("read-since").and_then(serde_json::Value::as_str);
            let release = release.map_or_else(|| "of a later date".to_owned(), |r| format!("{r} or later"));
            return Err(BaselineError::Newer { path: place.to_owned(), found, release });
        }
        Some(_) => {}
    }
    let header: WireHeader = serde_json::from_str(first).map_err(|e| bad(1, e.to_string()))?;
    let mut baseline = Baseline { suite: header.suite, machine: header.machine, ..Baseline::default() };
    let mut seen = std::collections::HashSet::new();
    for (i, line) in lines {
        if line.starts_with(CONFLICT_START) {
            return Err(BaselineError::Conflict { path: place.to_owned(), line: i + 1 });
        }
        let row: WireRow = serde_json::from_str(line).map_err(|e| bad(i + 1, e.to_string()))?;
        let metric = match (metric(&row.metric), unknown) {
            (Some(metric), _) => metric,
            (None, Unknown::Skip) => continue,
            (None, Unknown::Refuse) => return Err(bad(i + 1, format!("unknown metric '{}'", row.metric))),
        };
        let case = Case { kernel: row.kernel, fixture: row.fixture };
        if !seen.insert((case.clone(), metric.name)) {
            return Err(bad(i + 1, format!("'{}' of '{case}' stands here twice", metric.name)));
        }
        let Case { kernel, fixture } = case.clone();
        baseline.rows.push(Row { kernel, fixture, metric, value: row.value, standard_error: row.standard_error });
        if let Some(commit) = row.commit.or_else(|| header.commit.clone()) {
            baseline.commits.insert(case, commit);
        }
    }
    if text.is_empty() || !text.ends_with('\n') {
        return Err(bad(text.lines().count(), "the file ends in the middle of a line".to_owned()));
    }
    Ok(baseline)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples of every version, as they were written; none is ever changed.
    #[test]
    fn every_version_ever_released_is_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("fixtures/legacy/baselines");
        for version in 1..=VERSION {
            let folder = folder.join(format!("v{version}"));
            let baseline = Baseline::read(&folder, "sample").unwrap();
            let found: Vec<_> = baseline.rows.iter().map(|r| (r.kernel.as_str(), r.metric.name, r.value, r.standard_error)).collect();
            let expected = [
                ("int4", "compression_ratio", 7.53, None),
                ("int4", "kl_divergence", 0.020_1, Some(0.001)),
                ("int4", "encode_seconds_per_mb", 0.002_5, None),
            ];
            assert_eq!(found, expected, "version {version}");
            assert_eq!(baseline.machine.unwrap().cpu, "Example CPU");
            let commits: Vec<_> = baseline.commits.values().map(|c| &c[..12]).collect();
            assert_eq!(commits, ["0123456789ab"], "version {version}");
        }
    }

    #[test]
    fn a_newer_version_names_the_release_that_reads_it() {
        let read = |header: &str| parse(&format!("{header}\n"), Path::new("b"), Unknown::Refuse).unwrap_err().to_string();
        let error = read(r#"{"weighbridge-baseline":9,"read-since":"4.2.0","anything":[1]}"#);
        assert!(error.contains("version 9") && error.contains("use release 4.2.0 or later"), "{error}");
        assert!(read(r#"{"weighbridge-baseline":9}"#).contains("a later date"));
    }

    #[test]
    fn metrics_that_were_dropped_are_an_error_or_left_out() {
        let text = "{\"weighbridge-baseline\":1,\"suite\":\"s\"}\n{\"kernel\":\"a\",\"fixture\":\"f\",\"metric\":\"gone\",\"value\":1.0}\n";
        assert!(parse(text, Path::new("b"), Unknown::Refuse).unwrap_err().to_string().contains("unknown metric 'gone'"));
        assert_eq!(parse(text, Path::new("b"), Unknown::Skip).unwrap().rows, []);
    }
}
