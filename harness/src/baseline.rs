//! Baselines: accepted metric values as text made for review. One record a line, in a stable order, shortest round-trip numbers, so that
//! a refresh changes only the lines whose numbers changed.
//!
//! `SUITE.jsonl` holds exact metrics, which any machine may be compared with; `SUITE-times.jsonl` holds sampled ones, with the machine
//! they were sampled on. Both begin with a header line. Only `baseline accept` writes them, by rename.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::files;
use crate::model::machine::Machine;
use crate::model::metric::{Kind, METRICS, Metric, derive, metric};
use crate::store::Run;

/// Version of the baseline files.
pub const VERSION: u32 = 1;

/// An accepted value.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Kernel specification.
    pub kernel: String,
    /// Fixture.
    pub fixture: String,
    /// Metric.
    pub metric: &'static Metric,
    /// Value in the metric's unit.
    pub value: f64,
    /// Standard error, where one is known.
    pub standard_error: Option<f64>,
}

/// An accepted run: all its values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Baseline {
    /// Suite.
    pub suite: String,
    /// Commit that was measured, where it is known.
    pub commit: Option<String>,
    /// Machine of the sampled values.
    pub machine: Option<Machine>,
    /// Values, ordered by kernel, fixture and metric.
    pub rows: Vec<Row>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct WireHeader {
    weighbridge_baseline: u32,
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
}

impl WireRow {
    fn of(row: &Row) -> Self {
        Self {
            kernel: row.kernel.clone(),
            fixture: row.fixture.clone(),
            metric: row.metric.name.to_owned(),
            value: row.value,
            standard_error: row.standard_error,
        }
    }
}

/// A baseline that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// There is none.
    #[error("no baseline for suite '{suite}' at '{}'", path.display())]
    Missing {
        /// Suite.
        suite: String,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The system said no.
    #[error("cannot {action} baseline '{}': {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is no record.
    #[error("baseline '{}', line {line}: {message}; restore it from version control, or accept a run anew", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// Written by a later release.
    #[error("baseline '{}' has version {found}; this release reads version {VERSION}: use a newer release", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
}

/// File of a suite's exact values.
pub fn exact_path(folder: &Path, suite: &str) -> PathBuf {
    folder.join(format!("{suite}.jsonl"))
}

/// File of a suite's sampled values.
pub fn times_path(folder: &Path, suite: &str) -> PathBuf {
    folder.join(format!("{suite}-times.jsonl"))
}

impl Baseline {
    /// The values of a run.
    pub fn of_run(run: &Run) -> Self {
        let mut rows = Vec::new();
        for record in run.records.iter().filter(|r| r.failure.is_none()) {
            for value in derive(record) {
                let Some(metric) = metric(value.metric) else { continue };
                let (kernel, fixture) = (record.case.kernel.clone(), record.case.fixture.clone());
                rows.push(Row { kernel, fixture, metric, value: value.value, standard_error: value.standard_error });
            }
        }
        let mut baseline =
            Self { suite: run.header.suite.clone(), commit: run.header.commit.clone(), machine: Some(run.header.machine.clone()), rows };
        baseline.sort();
        baseline
    }

    /// Keeps only the values that `wanted` takes.
    pub fn keep(&mut self, wanted: impl Fn(&Row) -> bool) {
        self.rows.retain(|row| wanted(row));
    }

    fn sort(&mut self) {
        let position = |m: &Metric| METRICS.iter().position(|other| other.name == m.name);
        self.rows.sort_by(|a, b| (&a.kernel, &a.fixture, position(a.metric)).cmp(&(&b.kernel, &b.fixture, position(b.metric))));
    }

    /// Reads a suite's baseline from a folder; the file of times may be absent.
    pub fn read(folder: &Path, suite: &str) -> Result<Self, BaselineError> {
        let path = exact_path(folder, suite);
        let mut baseline = match read_file(&path)? {
            Some(found) => found,
            None => return Err(BaselineError::Missing { suite: suite.to_owned(), path }),
        };
        if let Some(times) = read_file(&times_path(folder, suite))? {
            baseline.machine = times.machine;
            baseline.rows.extend(times.rows);
        }
        baseline.sort();
        Ok(baseline)
    }

    /// Writes both files, each by rename.
    pub fn write(&self, folder: &Path) -> Result<(), BaselineError> {
        let mut sorted = self.clone();
        sorted.sort();
        std::fs::create_dir_all(folder).map_err(|source| BaselineError::Io { action: "write", path: folder.to_owned(), source })?;
        let sampled = |row: &&Row| row.metric.kind == Kind::Sampled;
        write_file(&exact_path(folder, &self.suite), self, None, sorted.rows.iter().filter(|r| !sampled(r)))?;
        write_file(&times_path(folder, &self.suite), self, self.machine.as_ref(), sorted.rows.iter().filter(sampled))
    }
}

/// The rows that `keep` takes as text: one JSON object a line, without a header.
pub fn lines(baseline: &Baseline, keep: impl Fn(&Row) -> bool) -> String {
    let line = |row: &Row| serde_json::to_string(&WireRow::of(row)).map(|text| text + "\n").unwrap_or_default();
    baseline.rows.iter().filter(|r| keep(r)).map(line).collect()
}

fn read_file(path: &Path) -> Result<Option<Baseline>, BaselineError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(BaselineError::Io { action: "read", path: path.to_owned(), source }),
    };
    let bad = |line: usize, message: String| BaselineError::Line { path: path.to_owned(), line, message };
    let mut lines = text.lines().enumerate();
    let first = lines.next().map(|(_, l)| l).unwrap_or_default();
    let version = serde_json::from_str::<serde_json::Value>(first).ok().and_then(|v| v.get("weighbridge-baseline")?.as_u64());
    match version.and_then(|v| u32::try_from(v).ok()) {
        None => return Err(bad(1, "this is no header of a baseline".to_owned())),
        Some(found) if found > VERSION => return Err(BaselineError::Newer { path: path.to_owned(), found }),
        Some(_) => {}
    }
    let header: WireHeader = serde_json::from_str(first).map_err(|e| bad(1, e.to_string()))?;
    let mut rows = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for (i, line) in lines {
        let row: WireRow = serde_json::from_str(line).map_err(|e| bad(i + 1, e.to_string()))?;
        let metric = metric(&row.metric).ok_or_else(|| bad(i + 1, format!("unknown metric '{}'", row.metric)))?;
        if !seen.insert((row.kernel.clone(), row.fixture.clone(), metric.name)) {
            return Err(bad(i + 1, format!("'{}' of '{} × {}' stands here twice", metric.name, row.kernel, row.fixture)));
        }
        rows.push(Row { kernel: row.kernel, fixture: row.fixture, metric, value: row.value, standard_error: row.standard_error });
    }
    if text.is_empty() || !text.ends_with('\n') {
        return Err(bad(rows.len() + 1, "the file ends in the middle of a line".to_owned()));
    }
    Ok(Some(Baseline { suite: header.suite, commit: header.commit, machine: header.machine, rows }))
}

fn write_file<'a>(
    path: &Path,
    baseline: &Baseline,
    machine: Option<&Machine>,
    rows: impl Iterator<Item = &'a Row>,
) -> Result<(), BaselineError> {
    let header = WireHeader {
        weighbridge_baseline: VERSION,
        suite: baseline.suite.clone(),
        // Only the times name their commit: exact values are the same for all commits that give them.
        commit: machine.and(baseline.commit.clone()),
        machine: machine.cloned(),
    };
    let line = |out: &mut dyn Write, text: serde_json::Result<String>| writeln!(out, "{}", text.map_err(std::io::Error::from)?);
    let write = |out: &mut dyn Write| {
        line(out, serde_json::to_string(&header))?;
        rows.into_iter().try_for_each(|row| line(out, serde_json::to_string(&WireRow::of(row))))
    };
    files::replace(path, write).map_err(|source| BaselineError::Io { action: "write", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline() -> Baseline {
        let row = |kernel: &str, metric_name: &str, value| Row {
            kernel: kernel.into(),
            fixture: "mlp".into(),
            metric: metric(metric_name).unwrap(),
            value,
            standard_error: None,
        };
        let rows = vec![
            row("int4", "encode_seconds_per_mb", 0.01),
            row("int8", "relative_error", 0.1 + 0.2),
            row("int4", "relative_error", 1e-17),
            row("int4", "compression_ratio", 7.0),
        ];
        Baseline { suite: "mini".into(), commit: Some("c0ffee".into()), machine: Some(Machine::current()), rows }
    }

    #[test]
    fn what_is_written_comes_back_sorted_and_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        baseline().write(folder.path()).unwrap();
        let back = Baseline::read(folder.path(), "mini").unwrap();
        let mut expected = baseline();
        expected.sort();
        assert_eq!(back.rows, expected.rows);
        assert_eq!(back.machine, expected.machine);
        let text = std::fs::read_to_string(exact_path(folder.path(), "mini")).unwrap();
        assert_eq!(text.lines().nth(1).unwrap(), r#"{"kernel":"int4","fixture":"mlp","metric":"compression_ratio","value":7.0}"#);
        assert!(!text.contains("seconds"), "times stand in a file of their own");
    }

    #[test]
    fn damage_is_named_with_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        baseline().write(folder.path()).unwrap();
        let path = exact_path(folder.path(), "mini");
        let text = std::fs::read_to_string(&path).unwrap();
        let reads = |changed: String| {
            std::fs::write(&path, changed).unwrap();
            Baseline::read(folder.path(), "mini").unwrap_err().to_string()
        };
        assert!(reads(text.replace("7.0}", "seven}")).contains("mini.jsonl', line 2"));
        assert!(reads(text.replace("compression_ratio", "speediness")).contains("unknown metric 'speediness'"));
        assert!(reads(text.clone() + text.lines().nth(1).unwrap() + "\n").contains("twice"));
        assert!(reads(text.trim_end().to_owned()).contains("middle of a line"));
        assert!(reads(String::new()).contains("line 1"));
        assert!(reads(text.replace("baseline\":1", "baseline\":9")).contains("newer release"));
        assert!(reads(text.replace("\"suite\"", "\"sweet\"")).contains("sweet"));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(Baseline::read(folder.path(), "mini"), Err(BaselineError::Missing { .. })));
    }
}
