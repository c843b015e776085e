//! What a trial says in the end.

use super::super::decision::{Decision, Finding};
use super::super::multiplicity::{benjamini_hochberg, holm};
use super::case::{Case, Stage};
use super::plan::Schedule;

/// Share of the measured cases that must be blind to the wanted change for the machine to be called unfit; the same of the A/A arms alone, as not every
/// case needs one.
const UNFIT_SHARE: f64 = 0.5;

/// What is said of the whole.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// At least one regression was confirmed.
    Regression,
    /// Most cases could not have shown a change of the wanted size.
    Unfit(Unfit),
    /// Some case is undecided, and none regressed.
    Inconclusive,
    /// There was no case, or no case was measured.
    NothingMeasured,
    /// Each case is equivalent or improved.
    Pass,
}

/// Why a machine is unfit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit {
    /// Cases that could not show the wanted change.
    pub blind: usize,
    /// Those of them whose A/A arm alone differs by as much.
    pub by_control: usize,
    /// Cases that have an A/A arm.
    pub armed: usize,
    /// Cases that were looked at.
    pub measured: usize,
}

/// Why a case is undecided, and what would decide it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The budget ended before the screen.
    NotMeasured,
    /// The budget ended during the search.
    SearchNotOver,
    /// A suspicion that nobody confirmed, because the budget ended.
    NotConfirmed,
    /// Fresh blocks neither confirmed the suspicion nor ruled it out.
    Disagreement,
    /// The looks are over; that many blocks would show the wanted change.
    NeedsBlocks(usize),
    /// The looks are over and the wanted change could have been seen: the effect lies at the edge of what counts.
    AtTheEdge,
    /// No number of blocks would do: more links, or a quieter machine.
    NeedsLinks,
}

/// What is said of one case.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseOutcome {
    /// The final word.
    pub finding: Finding,
    /// What the search said at its last look.
    pub search: Decision,
    /// What the fresh blocks said, if there was a suspicion and they came.
    pub confirmation: Option<Decision>,
    /// Holm-adjusted p-value of the confirmation in the suspected direction, over all confirmations.
    pub p_holm: Option<f64>,
    /// The same by Benjamini and Hochberg; shown, not used.
    pub p_benjamini_hochberg: Option<f64>,
    /// Why it is undecided, if it is.
    pub doubt: Option<Doubt>,
}

impl CaseOutcome {
    /// The decision whose figures belong to the final word: the confirmation where there is one.
    pub fn deciding(&self) -> &Decision {
        self.confirmation.as_ref().unwrap_or(&self.search)
    }
}

/// What is said in the end.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Of the whole.
    pub verdict: Verdict,
    /// Of each case, by index.
    pub cases: Vec<CaseOutcome>,
}

/// Judges all cases as they stand.
pub(super) fn outcome(schedule: &Schedule, cases: &[Case]) -> Outcome {
    let family = cases.iter().enumerate().filter_map(|(index, case)| Some((index, suspicion_p(schedule, case)?))).collect::<Vec<_>>();
    let p = family.iter().map(|&(_, p)| p).collect::<Vec<_>>();
    let (holm, bh) = (holm(&p), benjamini_hochberg(&p));
    let adjusted = |index: usize| family.iter().position(|&(member, _)| member == index).map(|at| (holm[at], bh[at]));
    let cases_out = cases.iter().enumerate().map(|(index, case)| judge(schedule, case, adjusted(index))).collect::<Vec<_>>();
    Outcome { verdict: verdict(schedule, cases, &cases_out), cases: cases_out }
}

/// The p-value of a finished confirmation, in the direction that was suspected: times the number of looks, as each could have ended it.
fn suspicion_p(schedule: &Schedule, case: &Case) -> Option<f64> {
    let confirmation = case.confirmation.as_ref().filter(|_| case.stage == Stage::Done)?;
    let looks = schedule.plan.confirmation_looks.len() as f64;
    Some((looks * if case.search.finding == Finding::Regression { confirmation.p_slower } else { confirmation.p_faster }).min(1.0))
}

fn judge(schedule: &Schedule, case: &Case, adjusted: Option<(f64, f64)>) -> CaseOutcome {
    let suspected = matches!(case.search.finding, Finding::Regression | Finding::Improvement);
    let (finding, doubt) = match (&case.confirmation, adjusted) {
        (Some(confirmation), Some((p_holm, _))) => {
            let confirmed = confirmation.finding == case.search.finding && p_holm <= schedule.plan.family_level;
            match confirmation.finding {
                _ if confirmed => (case.search.finding, None),
                Finding::Equivalent => (Finding::Equivalent, None),
                _ => (Finding::Undecided, Some(Doubt::Disagreement)),
            }
        }
        _ if suspected => (Finding::Undecided, Some(Doubt::NotConfirmed)),
        _ if case.search.finding == Finding::Undecided => (Finding::Undecided, Some(doubt(schedule, case))),
        _ => (case.search.finding, None),
    };
    let (p_holm, p_benjamini_hochberg) = adjusted.unzip();
    CaseOutcome { finding, search: case.search.clone(), confirmation: case.confirmation.clone(), p_holm, p_benjamini_hochberg, doubt }
}

/// Why a search that raised no suspicion is undecided.
fn doubt(schedule: &Schedule, case: &Case) -> Doubt {
    match case.stage {
        Stage::Search { look: 0 } => return Doubt::NotMeasured,
        Stage::Search { .. } => return Doubt::SearchNotOver,
        Stage::Confirmation { .. } | Stage::Done => {}
    }
    if case.search.detectable_95 <= schedule.plan.wanted {
        return Doubt::AtTheEdge;
    }
    let level = schedule.levels.last().map_or(schedule.plan.search_level, |levels| levels.difference);
    let needed = case.search.blocks_needed(schedule.plan.wanted, &case.thresholds(schedule), level);
    needed.map_or(Doubt::NeedsLinks, Doubt::NeedsBlocks)
}

fn verdict(schedule: &Schedule, cases: &[Case], outcomes: &[CaseOutcome]) -> Verdict {
    let count = |finding: Finding| outcomes.iter().filter(|outcome| outcome.finding == finding).count();
    let measured = outcomes.iter().filter(|outcome| outcome.doubt != Some(Doubt::NotMeasured)).count();
    let blind = cases.iter().filter(|case| case.is_blind(schedule)).count();
    let armed = cases.iter().filter(|case| case.control.is_some()).count();
    let by_control = cases.iter().filter(|case| case.thresholds(schedule).floor >= schedule.plan.wanted).count();
    if count(Finding::Regression) > 0 {
        Verdict::Regression
    } else if measured == 0 {
        Verdict::NothingMeasured
    } else if blind as f64 > UNFIT_SHARE * measured as f64 || by_control as f64 > UNFIT_SHARE * armed as f64 {
        Verdict::Unfit(Unfit { blind, by_control, armed, measured })
    } else if count(Finding::Undecided) > 0 {
        Verdict::Inconclusive
    } else {
        Verdict::Pass
    }
}
