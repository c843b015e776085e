//! Baseline against candidate: a verdict for each metric of each case, and one for the whole.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::baseline::Baseline;
use crate::filter::Filter;
use crate::model::metric::{Direction, Kind, METRICS, Metric};
use crate::model::record::Case;
use crate::paired::{Figures, Judged};
use crate::policy::{GateWhen, Policy};
use crate::scaling::{self, ScalingRow};
use crate::stats::decision::Finding;
use crate::store::Run;
use crate::table::{self, Pair, TableError};
use crate::worker::batch::Operation;

/// What is said of a metric of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The case failed: no value can be trusted.
    Failed,
    /// Worse than the policy tolerates.
    Regression,
    /// The baseline has it, the candidate has not.
    Missing,
    /// Neither shown to be equal nor to be worse.
    Inconclusive,
    /// Better by more than the tolerance.
    Improvement,
    /// The candidate has it, the baseline has not.
    New,
    /// Within the tolerance.
    Unchanged,
    /// Worse, and a waiver allows it.
    Waived,
}

impl Verdict {
    /// What a finding of the statistics is called.
    pub const fn of(finding: Finding) -> Self {
        match finding {
            Finding::Regression => Self::Regression,
            Finding::Improvement => Self::Improvement,
            Finding::Equivalent => Self::Unchanged,
            Finding::Undecided => Self::Inconclusive,
        }
    }

    /// Word for tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Regression => "regression",
            Self::Missing => "missing",
            Self::Inconclusive => "inconclusive",
            Self::Improvement => "improvement",
            Self::New => "new",
            Self::Unchanged => "unchanged",
            Self::Waived => "waived",
        }
    }
}

/// A judged metric of a case.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The case.
    pub case: Case,
    /// The metric.
    pub metric: &'static Metric,
    /// Baseline's value.
    pub before: Option<f64>,
    /// Candidate's value.
    pub after: Option<f64>,
    /// Candidate's standard error.
    pub after_error: Option<f64>,
    /// Verdict; `None` where the policy only shows the metric.
    pub verdict: Option<Verdict>,
    /// Smallest change that would not have been called unchanged, in the metric's unit; `None` where it is not gated.
    pub smallest_detectable: Option<f64>,
    /// What a comparison of both builds says, where the metric is a time and there was one.
    pub paired: Option<Figures>,
}

impl Row {
    /// After over before, minus one; of times of both builds, the estimate of their comparison.
    pub fn relative_change(&self) -> Option<f64> {
        if let Some(paired) = &self.paired {
            return paired.change;
        }
        let (before, after) = (self.before?, self.after?);
        if before == after { Some(0.0) } else { (before != 0.0).then(|| after / before - 1.0) }
    }
}

/// A failed case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FailedCase {
    /// The case.
    pub case: Case,
    /// Where.
    pub stage: String,
    /// Why.
    pub message: String,
}

/// The whole comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Judged metrics: by case in the run's order, then by metric.
    pub rows: Vec<Row>,
    /// How each kernel's costs grow with the size of the model.
    pub scaling: Vec<ScalingRow>,
    /// Failed cases.
    pub failures: Vec<FailedCase>,
    /// Whether times of both sides come from machines of one fingerprint.
    pub same_machine: bool,
    /// Cases of the candidate that passed their check.
    pub measured_cases: usize,
    /// The comparison of times, where both builds were run side by side.
    pub paired: Option<Judged>,
}

/// Outcome of a gate, most serious first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A case failed its check, crashed or ran out of its limits.
    CaseFailed,
    /// Something got worse.
    Regression,
    /// Nothing was measured, or something the baseline has was not.
    Missing,
    /// Times were asked for that this machine cannot tell apart.
    Unfit,
    /// Something could not be decided.
    Inconclusive,
    /// None of these.
    Pass,
}

impl Comparison {
    /// Compares a run with a baseline under a policy. Metrics and cases that the filter leaves out are not judged.
    pub fn new(baseline: &Baseline, run: &Run, policy: &Policy, filter: &Filter) -> Result<Self, TableError> {
        let candidate = Baseline::of_run(run);
        let keep = |row: &&crate::baseline::Row| filter.takes(&row.kernel, &row.fixture) && filter.takes_metric(row.metric.name);
        let before: Vec<_> = baseline.rows.iter().filter(keep).cloned().collect();
        let after: Vec<_> = candidate.rows.iter().filter(keep).cloned().collect();
        let failures: Vec<_> = run.records.iter().filter_map(failed_case).collect();
        let failed: BTreeSet<_> = failures.iter().map(|f| (f.case.kernel.as_str(), f.case.fixture.as_str())).collect();
        let same_machine = baseline.machine.as_ref().is_some_and(|m| m.fingerprint() == run.header.machine.fingerprint());

        let mut pairs = table::join(&before, &after)?;
        for failure in &failures {
            // A failed case that the baseline does not know still gets a row of its own.
            if !pairs.iter().any(|p| p.kernel == failure.case.kernel && p.fixture == failure.case.fixture) {
                let Case { kernel, fixture } = failure.case.clone();
                pairs.push(Pair { kernel, fixture, metric: &METRICS[0], before: None, after: None, after_error: None });
            }
        }
        let mut rows: Vec<_> = pairs
            .into_iter()
            .map(|pair| {
                let is_failed = failed.contains(&(pair.kernel.as_str(), pair.fixture.as_str()));
                judge(pair, policy, is_failed, same_machine)
            })
            .collect();
        let order: BTreeMap<&Case, usize> = run.header.cases.iter().enumerate().map(|(i, case)| (case, i)).collect();
        let place = |row: &Row| {
            let case = order.get(&row.case).copied().unwrap_or(usize::MAX);
            (case, row.case.clone(), METRICS.iter().position(|m| m.name == row.metric.name))
        };
        rows.sort_by_cached_key(place);
        let measured_cases = run.records.iter().filter(|r| r.failure.is_none() && r.measured.is_some()).count();
        let scaling = scaling::judge(&rows, run, policy, same_machine);
        Ok(Self { rows, scaling, failures, same_machine, measured_cases, paired: None })
    }

    /// Takes a comparison of times of both builds: its verdicts stand where the policy gates times, and its values are shown instead of
    /// those that were not taken side by side.
    pub fn add_paired(&mut self, judged: Judged, policy: &Policy) {
        for (item, figures) in &judged.items {
            let name = time_metric(item.operation);
            let Some(row) = self.rows.iter_mut().find(|r| r.case == item.case && r.metric.name == name) else { continue };
            if let Some([before, after]) = figures.seconds_per_mb {
                (row.before, row.after) = (Some(before), Some(after));
                row.smallest_detectable = figures.smallest_detectable.is_finite().then_some(before * figures.smallest_detectable);
            }
            row.verdict = (policy.metric(name).gate == GateWhen::Paired).then(|| Verdict::of(figures.finding));
            row.paired = Some(figures.clone());
        }
        for (item, left_out) in &judged.left_out {
            let name = time_metric(item.operation);
            if left_out.new {
                let row = self.rows.iter_mut().find(|r| r.case == item.case && r.metric.name == name);
                row.into_iter().for_each(|r| r.verdict = Some(Verdict::New));
            } else {
                let (stage, message) = (left_out.stage.clone(), format!("{}: {}", item.operation.word(), left_out.message));
                self.failures.push(FailedCase { case: item.case.clone(), stage, message });
            }
        }
        self.paired = Some(judged);
    }

    /// The gate's outcome.
    pub fn outcome(&self) -> Outcome {
        let any = |verdict| self.count(verdict) > 0;
        if !self.failures.is_empty() {
            Outcome::CaseFailed
        } else if any(Verdict::Regression) {
            Outcome::Regression
        } else if any(Verdict::Missing) || self.measured_cases == 0 {
            Outcome::Missing
        } else if self.paired.as_ref().is_some_and(|p| p.unfit.is_some()) {
            Outcome::Unfit
        } else if any(Verdict::Inconclusive) {
            Outcome::Inconclusive
        } else {
            Outcome::Pass
        }
    }

    /// How many metrics and exponents have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        let verdicts = self.rows.iter().map(|r| r.verdict).chain(self.scaling.iter().map(|r| r.verdict));
        verdicts.filter(|v| *v == Some(verdict)).count()
    }
}

/// The metric that an operation's times are of.
pub const fn time_metric(operation: Operation) -> &'static str {
    match operation {
        Operation::Encode => "encode_seconds_per_mb",
        Operation::Decode => "decode_seconds_per_mb",
    }
}

fn failed_case(record: &crate::model::record::CaseRecord) -> Option<FailedCase> {
    let failure = record.failure.clone()?;
    Some(FailedCase { case: record.case.clone(), stage: failure.stage, message: failure.message })
}

fn judge(pair: Pair, policy: &Policy, failed: bool, same_machine: bool) -> Row {
    let Pair { kernel, fixture, metric, before, after, after_error } = pair;
    let entry = policy.metric(metric.name);
    let gated = match entry.gate {
        GateWhen::Always => true,
        GateWhen::SameMachine => same_machine,
        // A paired comparison gives its own verdicts.
        GateWhen::Paired | GateWhen::Never => false,
    };
    let tolerance = before.map(|b| entry.tolerance(b));
    let verdict = match (before, after) {
        // What is only shown is not missed either: memory of the system's, say, is told by some systems alone.
        _ if !gated => None,
        _ if failed => Some(Verdict::Failed),
        (Some(_), None) => Some(Verdict::Missing),
        (None, _) => Some(Verdict::New),
        (Some(before), Some(after)) => Some(verdict_of(metric, before, after, entry.tolerance(before))),
    };
    let after = if failed { None } else { after };
    let smallest_detectable = if gated && !failed && metric.kind != Kind::Sampled { tolerance } else { None };
    Row { case: Case { kernel, fixture }, metric, before, after, after_error, verdict, smallest_detectable, paired: None }
}

fn verdict_of(metric: &Metric, before: f64, after: f64, tolerance: f64) -> Verdict {
    let worse_by = match metric.direction {
        Direction::Higher => before - after,
        Direction::Lower => after - before,
    };
    if worse_by > tolerance {
        Verdict::Regression
    } else if -worse_by > tolerance {
        Verdict::Improvement
    } else {
        Verdict::Unchanged
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use crate::model::metric::metric;
    use crate::model::record::tests::case;
    use crate::model::record::{CaseFailure, CaseRecord};
    use crate::paired::item::Item;
    use crate::store::Run;

    fn policy() -> Policy {
        Policy::parse(crate::policy::EMBEDDED, "embedded").unwrap()
    }

    fn compare(before: Vec<CaseRecord>, after: Vec<CaseRecord>) -> Comparison {
        let baseline = Baseline::of_run(&Run::of(before));
        Comparison::new(&baseline, &Run::of(after), &policy(), &Filter::all()).unwrap()
    }

    #[test]
    fn the_same_run_is_unchanged_and_states_what_it_could_have_seen() {
        let comparison = compare(vec![case("int4", "mlp")], vec![case("int4", "mlp")]);
        assert_eq!(comparison.outcome(), Outcome::Pass);
        for row in &comparison.rows {
            assert!(matches!(row.verdict, None | Some(Verdict::Unchanged)), "{row:?}");
            assert_eq!(row.verdict.is_some(), row.smallest_detectable.is_some(), "{row:?}");
        }
    }

    #[test]
    fn worse_better_missing_new_and_failed() {
        let changed = |f: &dyn Fn(&mut CaseRecord)| {
            let mut record = case("int4", "mlp");
            f(&mut record);
            compare(vec![case("int4", "mlp")], vec![record])
        };
        let wider = changed(&|r| r.measured.as_mut().unwrap().checked.artifact_bytes += 1);
        assert_eq!((wider.outcome(), wider.count(Verdict::Regression)), (Outcome::Regression, 2));
        let smaller = changed(&|r| r.measured.as_mut().unwrap().checked.artifact_bytes -= 1);
        assert_eq!((smaller.outcome(), smaller.count(Verdict::Improvement)), (Outcome::Pass, 2));
        let blind = changed(&|r| r.scores = Some(vec![]));
        assert_eq!((blind.outcome(), blind.count(Verdict::Missing)), (Outcome::Missing, 1));
        let failed = changed(&|r| r.failure = Some(CaseFailure { stage: "check".into(), message: "no".into() }));
        assert_eq!(failed.outcome(), Outcome::CaseFailed);
        assert!(failed.rows.iter().all(|r| matches!(r.verdict, None | Some(Verdict::Failed)) && r.after.is_none()));
        assert!(failed.count(Verdict::Failed) > 5);
        let new = compare(vec![case("int4", "mlp")], vec![case("int4", "mlp"), case("int8", "mlp")]);
        assert_eq!(new.outcome(), Outcome::Pass);
        assert!(new.count(Verdict::New) > 5);
        let nothing = compare(vec![], vec![]);
        assert_eq!(nothing.outcome(), Outcome::Missing);
        let slower = changed(&|r| r.measured.as_mut().unwrap().encode_times.cpu_ns = vec![90_000_000]);
        assert_eq!(slower.outcome(), Outcome::Pass, "times of single runs are shown, not gated");
    }

    #[test]
    fn tolerances_are_the_larger_of_the_two_and_directions_are_kept() {
        let lower = metric("perplexity").unwrap();
        assert_eq!(verdict_of(lower, 10.0, 10.1, 0.1), Verdict::Unchanged);
        assert_eq!(verdict_of(lower, 10.0, 10.2, 0.1), Verdict::Regression);
        assert_eq!(verdict_of(lower, 10.0, 9.8, 0.1), Verdict::Improvement);
        let higher = metric("same_top1").unwrap();
        assert_eq!(verdict_of(higher, 99.0, 98.0, 0.5), Verdict::Regression);
        assert_eq!(policy().metric("encode_peak_heap_bytes").tolerance(1e6), 1e4);
        assert_eq!(policy().metric("encode_peak_heap_bytes").tolerance(1e3), 4096.0);
    }

    /// A judged comparison of the encode time of `int4 × mlp`.
    pub(crate) fn judged(finding: Finding) -> Judged {
        let item = Item { case: case("int4", "mlp").case, operation: Operation::Encode };
        let figures = Figures {
            finding,
            seconds_per_mb: Some([0.002, 0.002_06]),
            change: Some(0.03),
            interval: Some([0.025, 0.035]),
            wall_change: Some(0.04),
            smallest_detectable: 0.01,
            planted: None,
            control: Some(crate::paired::ControlFigures { difference: -0.002, floor: 0.006, blocks: 8 }),
            blocks: 64,
            share: 0.5,
            p_holm: Some(0.001),
            doubt: (finding == Finding::Undecided).then(|| "it wants 12 blocks".to_owned()),
        };
        Judged {
            sides: ["commit 0123456789ab (8 links)".to_owned(), "the work tree (8 links)".to_owned()],
            same_code: false,
            layout_confounded: false,
            planted: None,
            seed: 7,
            seconds: 42.0,
            out_of_time: false,
            items: vec![(item, figures)],
            left_out: BTreeMap::new(),
            unfit: None,
        }
    }

    #[test]
    fn times_of_both_builds_gate_and_take_the_place_of_those_that_were_not_taken_side_by_side() {
        let with = |judged: Judged| {
            let mut comparison = compare(vec![case("int4", "mlp")], vec![case("int4", "mlp")]);
            comparison.add_paired(judged, &policy());
            comparison
        };
        let slower = with(judged(Finding::Regression));
        assert_eq!((slower.outcome(), slower.count(Verdict::Regression)), (Outcome::Regression, 1));
        let row = slower.rows.iter().find(|r| r.paired.is_some()).unwrap();
        assert_eq!((row.metric.name, row.before, row.after), ("encode_seconds_per_mb", Some(0.002), Some(0.002_06)));
        assert_eq!((row.relative_change(), row.smallest_detectable), (Some(0.03), Some(0.002 * 0.01)));
        assert_eq!(with(judged(Finding::Equivalent)).outcome(), Outcome::Pass);
        assert_eq!(with(judged(Finding::Undecided)).outcome(), Outcome::Inconclusive);
        let unfit = with(Judged { unfit: Some("1 of 1".into()), ..judged(Finding::Undecided) });
        assert_eq!(unfit.outcome(), Outcome::Unfit);
        let never = Policy::parse(&crate::policy::EMBEDDED.replace("gate = \"paired\"", "gate = \"never\""), "p").unwrap();
        let mut shown = compare(vec![case("int4", "mlp")], vec![case("int4", "mlp")]);
        shown.add_paired(judged(Finding::Regression), &never);
        assert_eq!(shown.outcome(), Outcome::Pass, "a policy that only shows times is heeded");
    }

    #[test]
    fn what_only_the_candidate_can_do_is_new_and_what_it_cannot_is_failed() {
        let item = Item { case: case("int4", "mlp").case, operation: Operation::Decode };
        let with = |new: bool| {
            let left_out = crate::paired::LeftOut { stage: "decode".into(), message: "the build: no".into(), new };
            let mut comparison = compare(vec![case("int4", "mlp")], vec![case("int4", "mlp")]);
            comparison.add_paired(Judged { left_out: [(item.clone(), left_out)].into(), ..judged(Finding::Equivalent) }, &policy());
            comparison
        };
        let new = with(true);
        assert_eq!((new.outcome(), new.count(Verdict::New)), (Outcome::Pass, 1));
        let failed = with(false);
        assert_eq!((failed.outcome(), failed.failures[0].message.as_str()), (Outcome::CaseFailed, "decode: the build: no"));
    }
}
