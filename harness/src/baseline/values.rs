//! Accepted values, whatever file they came from.

use std::collections::BTreeMap;
use std::path::Path;

use super::error::BaselineError;
use super::folder::{self, Texts, read_part};
use super::text::{Part, Unknown};
use crate::model::machine::Machine;
use crate::model::metric::{Kind, METRICS, Metric, derive, metric};
use crate::model::record::{Case, Header};
use crate::store::Run;

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

impl Row {
    /// Whether it differs from run to run, and so stands in the file of times.
    pub fn is_sampled(&self) -> bool {
        self.metric.kind == Kind::Sampled
    }

    /// What it is the value of.
    pub fn case(&self) -> Case {
        Case { kernel: self.kernel.clone(), fixture: self.fixture.clone() }
    }
}

/// An accepted run: all its values.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Baseline {
    /// Suite.
    pub suite: String,
    /// Machine of the sampled values.
    pub machine: Option<Machine>,
    /// Commit at which the sampled values of a case were taken, where it is known; exact values are the same for all commits that give them.
    pub commits: BTreeMap<Case, String>,
    /// Values, ordered by kernel, fixture and metric.
    pub rows: Vec<Row>,
}

/// Digits of a commit that a baseline keeps.
const COMMIT_DIGITS: usize = 12;

/// The commit of a run as baselines name it: `-dirty` says that tracked files differed from it.
fn commit_of(header: &Header) -> Option<String> {
    let commit = header.commit.as_deref()?;
    let short = commit.get(..COMMIT_DIGITS).unwrap_or(commit);
    Some(format!("{short}{}", if header.dirty == Some(true) { "-dirty" } else { "" }))
}

impl Baseline {
    /// The values of a run.
    pub fn of_run(run: &Run) -> Self {
        let (mut rows, mut commits) = (Vec::new(), BTreeMap::new());
        let commit = commit_of(&run.header);
        for record in run.records.iter().filter(|r| r.failure.is_none()) {
            for value in derive(record) {
                let Some(metric) = metric(value.metric) else { continue };
                let (kernel, fixture) = (record.case.kernel.clone(), record.case.fixture.clone());
                rows.push(Row { kernel, fixture, metric, value: value.value, standard_error: value.standard_error });
            }
            commits.extend(commit.clone().map(|commit| (record.case.clone(), commit)));
        }
        let mut baseline = Self { suite: run.header.suite.clone(), machine: Some(run.header.machine.clone()), commits, rows };
        baseline.sort();
        baseline
    }

    /// One without values.
    pub fn empty(suite: &str) -> Self {
        Self { suite: suite.to_owned(), ..Self::default() }
    }

    /// Keeps only the values that `wanted` takes.
    pub fn keep(&mut self, wanted: impl Fn(&Row) -> bool) {
        self.rows.retain(|row| wanted(row));
    }

    /// Puts the values in their order.
    pub fn sort(&mut self) {
        let position = |m: &Metric| METRICS.iter().position(|other| other.name == m.name);
        // The place of a metric takes a search, which is needed within a case alone.
        let by_metric = |a: &Row, b: &Row| position(a.metric).cmp(&position(b.metric));
        self.rows.sort_by(|a, b| (&a.kernel, &a.fixture).cmp(&(&b.kernel, &b.fixture)).then_with(|| by_metric(a, b)));
    }

    /// Reads a suite's baseline from a folder; the file of times may be absent.
    pub fn read(folder: &Path, suite: &str) -> Result<Self, BaselineError> {
        Self::read_from(&folder, suite)
    }

    /// Reads a suite's baseline from wherever its files are.
    pub fn read_from(texts: &dyn Texts, suite: &str) -> Result<Self, BaselineError> {
        let missing = || BaselineError::Missing { suite: suite.to_owned(), path: texts.place(&Part::Exact.file_name(suite)) };
        let mut baseline = read_part(texts, suite, Part::Exact, Unknown::Refuse)?.ok_or_else(missing)?;
        if let Some(times) = read_part(texts, suite, Part::Times, Unknown::Refuse)? {
            baseline.add_times(times);
        }
        baseline.sort();
        Ok(baseline)
    }

    /// Takes over machine, commits and values of a file of times.
    pub fn add_times(&mut self, times: Self) {
        self.machine = times.machine;
        self.commits = times.commits;
        self.rows.extend(times.rows);
    }

    /// Writes both files of the suite: a reader sees the old ones or the new ones, whenever the program ends.
    pub fn write(&self, folder: &Path) -> Result<(), BaselineError> {
        folder::write(folder, self)
    }
}
