//! Reports of a run and its comparison: one set of tables and plots, in the forms that [`form::FORMS`] lists.

pub mod acceptance;
pub mod account;
pub mod basis;
pub mod csv;
mod evidence;
pub mod form;
pub mod format;
pub mod github;
pub mod grid;
pub mod html;
pub mod json;
pub mod junit;
pub mod markdown;
pub mod markdown_table;
pub mod parquet;
pub mod plot;
pub mod pr;
pub mod pr_body;
pub mod sampled;
pub mod scaling;
#[cfg(test)]
mod schema;
pub mod summary;
pub mod tables;
pub mod terminal;
#[cfg(test)]
mod tests;
pub mod words;

use crate::compare::{Comparison, Outcome, Verdict};
use crate::filter::Filter;
use crate::fixture::{Fixture, PackageSource, Source};
use crate::history::Series;
use crate::model::record::{Case, CaseRecord, Header};
use crate::policy::Policy;
use crate::store::Run;
use crate::waiver::Applied;
use basis::Basis;
use pr_body::Proposal;
use sampled::SampledCase;
use weighbridge::artifact::PassedThrough;

/// All that a report says, before it is put in a form.
#[derive(Debug, Clone)]
pub struct Report {
    /// The run's header: machine, commit, settings.
    pub header: Header,
    /// Seconds the run took.
    pub seconds: Option<f64>,
    /// Verdicts.
    pub comparison: Comparison,
    /// The reviewer's table: one block a kernel, the last over all.
    pub summaries: Vec<summary::KernelSummary>,
    /// Tensors that passed through, by case.
    pub passed_through: Vec<(crate::model::record::Case, Vec<PassedThrough>)>,
    /// Cases of the run that the report is about.
    pub cases: usize,
    /// Cases measured on a sample of their model.
    pub sampled: Vec<SampledCase>,
    /// What is known of each fixture that was measured.
    pub fixtures: Vec<Described>,
    /// Raw results of the cases that the report is about: what plots are drawn from.
    pub records: Vec<CaseRecord>,
    /// What is known of the pull request.
    pub proposal: Proposal,
    /// How some of its values went over the refreshes of the baseline.
    pub histories: Vec<History>,
    /// What was judged by; of nothing where that is not said.
    pub basis: Basis,
    /// Waivers of what was judged.
    pub waivers: Vec<Applied>,
}

/// How a value went over the refreshes of the baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// The case.
    pub case: Case,
    /// What was accepted.
    pub series: Series,
}

/// What a report knows of a fixture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// It in a line.
    pub line: String,
    /// Its architecture, as the matrix of fixtures names it.
    pub architecture: &'static str,
    /// Its size, as the matrix names it.
    pub size: &'static str,
    /// Format whose grid its values lie on although their dtype is wider. Its ratios flatter and are left out of the means.
    pub grid: Option<String>,
}

impl Described {
    /// What a manifest says.
    pub fn of(fixture: &Fixture) -> Self {
        let grid = match &fixture.manifest.source {
            Source::Package(source) => source.grid.clone(),
            Source::Committed(_) | Source::Generator(_) | Source::Local(_) | Source::Hub(_) => None,
        };
        let (architecture, size) = (fixture.manifest.architecture.name(), fixture.manifest.size.name());
        Self { name: fixture.name().to_owned(), line: fixture_line(fixture), architecture, size, grid }
    }
}

/// A fixture in a line: architecture, size, parameters, and where packages ship it the dtype that a ratio is against.
pub fn fixture_line(fixture: &Fixture) -> String {
    let m = &fixture.manifest;
    let native = match &m.source {
        Source::Package(PackageSource { dtype, grid: Some(grid), .. }) => {
            format!(", {} on the grid of {grid}", dtype.name())
        }
        Source::Package(source) => format!(", {}", source.dtype.name()),
        Source::Generator(recipe) => format!(", {}, generated weights", recipe.dtype.name()),
        Source::Committed(_) | Source::Local(_) | Source::Hub(_) => String::new(),
    };
    format!("{}, {}, {} parameters{native}", m.architecture.name(), m.size.name(), m.parameters)
}

/// What stands before a value that was estimated from a sample.
pub const ESTIMATE: &str = "≈ ";

impl Report {
    /// Whether a value is an estimate from a sample.
    pub fn is_estimate(&self, case: &Case, metric: &str) -> bool {
        let exact = |s: &SampledCase| s.ratio_is_exact && matches!(metric, "compression_ratio" | "bits_per_weight");
        self.sampled.iter().any(|s| s.case == *case && !exact(s))
    }

    /// Puts a run and its comparison together.
    pub fn new(run: &Run, comparison: Comparison, policy: &Policy, filter: &Filter, fixtures: Vec<Described>) -> Self {
        let summaries = summary::summarise(&comparison, policy, &|name| fixtures.iter().any(|f| f.name == name && f.grid.is_some()));
        let takes = |case: &Case| filter.takes(&case.kernel, &case.fixture);
        let records: Vec<_> = run.records.iter().filter(|r| takes(&r.case)).cloned().collect();
        let through = |r: &CaseRecord| {
            let passed = r.measured.as_ref()?.encoded.passed_through.clone();
            (!passed.is_empty()).then(|| (r.case.clone(), passed))
        };
        Self {
            header: run.header.clone(),
            seconds: run.seconds,
            comparison,
            summaries,
            passed_through: records.iter().filter_map(through).collect(),
            cases: run.header.cases.iter().filter(|c| takes(c)).count(),
            sampled: records.iter().filter_map(SampledCase::of).collect(),
            fixtures,
            records,
            proposal: Proposal::default(),
            histories: Vec::new(),
            basis: Basis::default(),
            waivers: Vec::new(),
        }
    }

    /// Which ratios the means leave out and why, in words; nothing where they leave out none.
    pub fn left_out_line(&self) -> Option<String> {
        let named = self.fixtures.iter().filter_map(|f| Some(format!("{} (grid of {})", f.name, f.grid.as_ref()?))).collect::<Vec<_>>();
        let why = "values that were rounded to a grid before and are held in a wider dtype flatter a ratio";
        (!named.is_empty()).then(|| format!("Not in the mean ratios: {}; {why}.", named.join(", ")))
    }

    /// What was compared of times, or why nothing was.
    pub fn time_lines(&self) -> Vec<String> {
        match &self.comparison.paired {
            Some(paired) => paired.lines(),
            None => vec!["Times are shown, not gated: they were not sampled beside the baseline's build.".to_owned()],
        }
    }

    /// The verdict in words.
    pub fn verdict_line(&self) -> String {
        let c = &self.comparison;
        let waived = match c.count(Verdict::Waived) {
            0 => String::new(),
            count => format!(", {count} waived"),
        };
        let counts = format!(
            "{} unchanged, {} improved, {} regressed, {} new, {} missing, {} inconclusive{waived}",
            c.count(Verdict::Unchanged),
            c.count(Verdict::Improvement),
            c.count(Verdict::Regression),
            c.count(Verdict::New),
            c.count(Verdict::Missing),
            c.count(Verdict::Inconclusive),
        );
        let failed = c.failures.len();
        match c.outcome() {
            Outcome::Pass if !waived.is_empty() => format!("pass: nothing but what is waived got worse ({counts})"),
            Outcome::Pass => format!("pass: nothing got worse ({counts})"),
            Outcome::Regression => format!("regression: something got worse ({counts})"),
            Outcome::Missing if c.measured_cases == 0 => "nothing was measured".to_owned(),
            Outcome::Missing => format!("missing: the baseline has values that were not measured ({counts})"),
            Outcome::Unfit => {
                let why = c.paired.as_ref().and_then(|p| p.unfit.clone()).unwrap_or_default();
                format!("unfit: this machine cannot measure what was asked: {why} ({counts})")
            }
            Outcome::Inconclusive => format!("inconclusive: something could not be decided ({counts})"),
            Outcome::CaseFailed => format!("failed: {failed} of {} cases did not pass their check ({counts})", self.cases),
        }
    }
}
