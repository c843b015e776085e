//! What waivers make of a comparison.

use std::time::SystemTime;

use super::day::Day;
use super::file::{Waiver, Waivers};
use crate::compare::{Comparison, Row, Verdict};
use crate::model::metric::Direction;

/// What became of a waiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// It allows a regression.
    Allows,
    /// The value is worse than it allows.
    Exceeded,
    /// Its day has come.
    Expired,
    /// Its metric is no worse than the baseline: it can go.
    Unused,
    /// The change under judgement brings it along, and the policy does not let that count.
    NotCounted,
}

impl Standing {
    /// Words for tables.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Allows => "allows it",
            Self::Exceeded => "worse than it allows",
            Self::Expired => "expired",
            Self::Unused => "unused",
            Self::NotCounted => "not counted: added by this change",
        }
    }
}

/// A waiver in the light of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The waiver.
    pub waiver: Waiver,
    /// What became of it.
    pub standing: Standing,
    /// Whether the change under judgement adds it or makes it wider.
    pub own: bool,
    /// The candidate's value.
    pub after: Option<f64>,
}

/// Today, UTC.
pub fn today() -> Day {
    Day::of(SystemTime::now())
}

/// Lets waivers turn regressions into waived ones, and says what became of each.
///
/// `own` are those of the change under judgement; they count only if `own_count`. What was not judged, because a filter left it out, says nothing of its waiver.
pub fn apply(comparison: &mut Comparison, waivers: &Waivers, own: &[Waiver], own_count: bool, today: Day) -> Vec<Applied> {
    let mut applied = Vec::new();
    let all = waivers.waivers.iter().map(|w| (w, false)).chain(own.iter().map(|w| (w, true)));
    for (waiver, own) in all {
        let row = comparison.rows.iter_mut().find(|r| r.case == waiver.case && r.metric.name == waiver.metric);
        let Some(row) = row.filter(|r| r.verdict.is_some()) else { continue };
        let standing = standing(waiver, row, own && !own_count, today);
        if standing == Standing::Allows {
            row.verdict = Some(Verdict::Waived);
        }
        applied.push(Applied { waiver: waiver.clone(), standing, own, after: row.after });
    }
    applied
}

fn standing(waiver: &Waiver, row: &Row, not_counted: bool, today: Day) -> Standing {
    if not_counted {
        return Standing::NotCounted;
    }
    if today >= waiver.expires {
        return Standing::Expired;
    }
    let within = |after: f64| match row.metric.direction {
        Direction::Higher => after >= waiver.worst,
        Direction::Lower => after <= waiver.worst,
    };
    match (row.verdict, row.after) {
        (Some(Verdict::Regression), Some(after)) if within(after) => Standing::Allows,
        (Some(Verdict::Regression), _) => Standing::Exceeded,
        _ => Standing::Unused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::Baseline;
    use crate::compare::Outcome;
    use crate::filter::Filter;
    use crate::model::record::tests::case;
    use crate::policy::{EMBEDDED, Policy};
    use crate::store::Run;

    /// A comparison in which the ratio of `int4 × mlp` fell from 8 to 7.27.
    fn comparison() -> Comparison {
        let mut wider = case("int4", "mlp");
        wider.measured.as_mut().unwrap().checked.artifact_bytes = 1_100_000;
        let baseline = Baseline::of_run(&Run::of(vec![case("int4", "mlp")]));
        Comparison::new(&baseline, &Run::of(vec![wider]), &Policy::parse(EMBEDDED, "p").unwrap(), &Filter::all()).unwrap()
    }

    fn waiver(metric: &'static str, worst: f64) -> Waiver {
        let (reason, owner) = ("a reason".to_owned(), "someone".to_owned());
        Waiver { case: case("int4", "mlp").case, metric, worst, reason, owner, expires: "2026-06-01".parse().unwrap() }
    }

    /// Verdict of the ratio and standing of the first waiver.
    fn judged(waivers: &[Waiver], own: &[Waiver], own_count: bool, today: &str) -> (Option<Verdict>, Option<Standing>) {
        let mut comparison = comparison();
        let applied = apply(&mut comparison, &Waivers { waivers: waivers.to_vec() }, own, own_count, today.parse().unwrap());
        let ratio = comparison.rows.iter().find(|r| r.metric.name == "compression_ratio").unwrap().verdict;
        (ratio, applied.first().map(|a| a.standing))
    }

    #[test]
    fn a_regression_is_waived_up_to_a_value_and_until_a_day() {
        let ratio = [waiver("compression_ratio", 7.0)];
        assert_eq!(judged(&ratio, &[], false, "2026-05-31"), (Some(Verdict::Waived), Some(Standing::Allows)));
        assert_eq!(judged(&ratio, &[], false, "2026-06-01"), (Some(Verdict::Regression), Some(Standing::Expired)));
        let strict = [waiver("compression_ratio", 7.5)];
        assert_eq!(judged(&strict, &[], false, "2026-01-01"), (Some(Verdict::Regression), Some(Standing::Exceeded)));
        let other = [waiver("relative_error", 1.0)];
        assert_eq!(judged(&other, &[], false, "2026-01-01"), (Some(Verdict::Regression), Some(Standing::Unused)));
        let elsewhere = [Waiver { case: case("int8", "mlp").case, ..waiver("compression_ratio", 7.0) }];
        assert_eq!(judged(&elsewhere, &[], false, "2026-01-01"), (Some(Verdict::Regression), None), "it was not judged");
    }

    #[test]
    fn ones_own_waiver_counts_only_where_the_policy_says_so() {
        let own = [waiver("compression_ratio", 7.0)];
        assert_eq!(judged(&[], &own, false, "2026-01-01"), (Some(Verdict::Regression), Some(Standing::NotCounted)));
        assert_eq!(judged(&[], &own, true, "2026-01-01"), (Some(Verdict::Waived), Some(Standing::Allows)));
        assert_eq!(judged(&[], &own, true, "2026-07-01"), (Some(Verdict::Regression), Some(Standing::Expired)));
    }

    #[test]
    fn a_gate_passes_when_all_that_is_worse_is_waived() {
        let mut comparison = comparison();
        let waivers = Waivers { waivers: vec![waiver("compression_ratio", 7.0), waiver("bits_per_weight", 4.5)] };
        assert_eq!(comparison.outcome(), Outcome::Regression);
        apply(&mut comparison, &waivers, &[], false, "2026-01-01".parse().unwrap());
        assert_eq!((comparison.outcome(), comparison.count(Verdict::Waived)), (Outcome::Pass, 2));
    }
}
