//! What accepting a run makes of a baseline: which values it replaces, and which stay.

use std::collections::BTreeSet;

use globset::GlobSet;

use super::values::{Baseline, Row};
use crate::filter::{FilterError, set};
use crate::model::record::Case;

/// Which values are accepted: globs over `KERNEL/FIXTURE/METRIC`.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    globs: Option<GlobSet>,
}

impl Selection {
    /// Those that one of the globs takes; all of them without one.
    pub fn new(globs: &[String]) -> Result<Self, FilterError> {
        Ok(Self { globs: set(globs)? })
    }

    /// Whether a value is accepted.
    pub fn takes(&self, case: &Case, metric: &str) -> bool {
        let path = || format!("{}/{}/{metric}", case.kernel, case.fixture);
        self.globs.as_ref().is_none_or(|globs| globs.is_match(path()))
    }

    /// Whether all are.
    pub fn takes_all(&self) -> bool {
        self.globs.is_none()
    }
}

/// A baseline before and after.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The old values that are replaced or dropped.
    pub replaced: Baseline,
    /// The new baseline.
    pub after: Baseline,
    /// Machine of the times that stay, where the run's are not taken because they come from another.
    pub times_of: Option<String>,
}

/// Puts the values of a run in the place of those of a baseline.
///
/// `cases` are those that the run was to measure, and `is_part` says that the suite has more. Of a part the times are taken only where the baseline's come from
/// the same machine: one file names one machine.
pub fn propose(before: &Baseline, run: &Baseline, cases: &[Case], is_part: bool, only: &Selection) -> Proposal {
    let measured: BTreeSet<_> = cases.iter().collect();
    let is_part = is_part || !only.takes_all();
    let print = |b: &Baseline| b.machine.as_ref().map(|m| m.fingerprint());
    let elsewhere = is_part && before.machine.is_some() && print(before) != print(run);
    let takes = |row: &Row| only.takes(&row.case(), row.metric.name) && !(elsewhere && row.is_sampled());
    let goes = |row: &Row| takes(row) && (!is_part || measured.contains(&row.case()));
    let (replaced, kept): (Vec<_>, Vec<_>) = before.rows.iter().cloned().partition(goes);
    let mut after = before.clone();
    after.rows = kept;
    after.rows.extend(run.rows.iter().filter(|r| takes(r)).cloned());
    if !elsewhere {
        after.machine = run.machine.clone();
        let times: BTreeSet<_> = run.rows.iter().filter(|r| takes(r) && r.is_sampled()).map(Row::case).collect();
        after
            .commits
            .extend(run.commits.iter().filter(|(case, _)| times.contains(case)).map(|(case, commit)| (case.clone(), commit.clone())));
    }
    let timed: BTreeSet<_> = after.rows.iter().filter(|r| r.is_sampled()).map(Row::case).collect();
    after.commits.retain(|case, _| timed.contains(case));
    after.sort();
    let times_of = before.machine.as_ref().filter(|_| elsewhere).map(ToString::to_string);
    Proposal { replaced: Baseline { rows: replaced, ..before.clone() }, after, times_of }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::CaseRecord;
    use crate::model::record::tests::case;
    use crate::store::Run;

    fn run(records: Vec<CaseRecord>, commit: &str) -> (Baseline, Vec<Case>) {
        let mut run = Run::of(records);
        run.header.commit = Some(commit.repeat(40));
        (Baseline::of_run(&run), run.header.cases)
    }

    fn wider(kernel: &str) -> CaseRecord {
        let mut record = case(kernel, "mlp");
        record.measured.as_mut().unwrap().checked.artifact_bytes = 2_000_000;
        record
    }

    fn ratio(baseline: &Baseline, kernel: &str) -> Option<f64> {
        baseline.rows.iter().find(|r| r.kernel == kernel && r.metric.name == "compression_ratio").map(|r| r.value)
    }

    #[test]
    fn a_whole_run_takes_the_place_of_all() {
        let (before, _) = run(vec![case("int4", "mlp"), case("int8", "mlp")], "a");
        let (after, cases) = run(vec![wider("int4")], "b");
        let proposal = propose(&before, &after, &cases, false, &Selection::default());
        assert_eq!(proposal.after, after);
        assert_eq!(proposal.replaced, before);
    }

    #[test]
    fn of_a_part_the_others_stay_with_the_commits_of_their_times() {
        let (before, _) = run(vec![case("int4", "mlp"), case("int8", "mlp")], "a");
        let (after, cases) = run(vec![wider("int4")], "b");
        let proposal = propose(&before, &after, &cases, true, &Selection::default());
        assert_eq!((ratio(&proposal.after, "int4"), ratio(&proposal.after, "int8")), (Some(4.0), Some(8.0)));
        assert!(proposal.replaced.rows.iter().all(|r| r.kernel == "int4"));
        let commits: Vec<_> = proposal.after.commits.values().map(|c| &c[..1]).collect();
        assert_eq!(commits, ["b", "a"]);
        let mut elsewhere = after.clone();
        elsewhere.machine.as_mut().unwrap().cpu = "another".into();
        let proposal = propose(&before, &elsewhere, &cases, true, &Selection::default());
        assert_eq!((ratio(&proposal.after, "int4"), proposal.after.machine.as_ref()), (Some(4.0), before.machine.as_ref()));
        assert!(proposal.after.commits.values().all(|c| c.starts_with('a')) && proposal.times_of.is_some());
    }

    #[test]
    fn only_what_a_glob_takes_is_replaced() {
        let (before, _) = run(vec![case("int4", "mlp"), case("int8", "mlp")], "a");
        let (after, cases) = run(vec![wider("int4"), wider("int8")], "b");
        let only = |glob: &str| propose(&before, &after, &cases, false, &Selection::new(&[glob.to_owned()]).unwrap());
        let kernel = only("int4/*");
        assert_eq!((ratio(&kernel.after, "int4"), ratio(&kernel.after, "int8")), (Some(4.0), Some(8.0)));
        let metric = only("*/bits_per_weight");
        assert_eq!((ratio(&metric.after, "int4"), metric.replaced.rows.len()), (Some(8.0), 2));
        assert_eq!(metric.after.commits, before.commits, "no time was taken");
        let nothing = only("q4_0/*");
        assert_eq!((nothing.after, nothing.replaced.rows.len()), (before, 0));
    }
}
