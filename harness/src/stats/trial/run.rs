//! The trial: who wants blocks, in what order, and taking them.

use super::super::decision::Finding;
use super::super::layout::Block;
use super::super::sequential::PlanError;
use super::case::{Case, Stage};
use super::outcome::{Outcome, outcome};
use super::plan::{Plan, Schedule};

/// What blocks are wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The next look of the search.
    Search,
    /// Confirmation of a suspicion, over links that the search did not use where there are such.
    Confirmation,
}

/// A wish for blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Index of the case.
    pub case: usize,
    /// How many blocks; they may be recorded in parts.
    pub blocks: usize,
    /// What for.
    pub purpose: Purpose,
}

/// Blocks that a trial cannot take.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TrialError {
    /// There is no such case.
    #[error("no case '{case}'; the trial has {cases}, counted from 0")]
    UnknownCase {
        /// What was given.
        case: usize,
        /// How many there are.
        cases: usize,
    },
    /// More blocks than were asked for: they would shift the look.
    #[error("case '{case}' got {given} blocks and wants {wanted}; record no more than `requests` asks for")]
    NotWanted {
        /// The case.
        case: usize,
        /// Blocks given.
        given: usize,
        /// Blocks wanted.
        wanted: usize,
    },
    /// An effect is no finite number.
    #[error("case '{case}' got a block of effect '{effect}'; leave out blocks whose times are not above zero")]
    NotFinite {
        /// The case.
        case: usize,
        /// Its effect.
        effect: f64,
    },
    /// An A/A arm after a look: the floor must not depend on what it judges.
    #[error("case '{case}' was looked at before its A/A arm came in; record the arm first")]
    LateControl {
        /// The case.
        case: usize,
    },
}

/// A trial of some cases, known by their index.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    schedule: Schedule,
    cases: Vec<Case>,
}

impl Trial {
    /// A trial of that many cases, with nothing measured yet.
    pub fn new(plan: Plan, cases: usize) -> Result<Self, PlanError> {
        Ok(Self::of(Schedule::new(plan)?, cases))
    }

    /// The same, from levels that were worked out before.
    pub fn of(schedule: Schedule, cases: usize) -> Self {
        Self { schedule, cases: vec![Case::new(); cases] }
    }

    /// The plan and its levels.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// The cases as they stand.
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// Cases about which nothing more is to be measured.
    pub fn decided(&self) -> usize {
        self.cases.iter().filter(|case| case.stage == Stage::Done).count()
    }

    /// All wishes, most urgent first; empty when the trial is over.
    ///
    /// The screen comes first, so that each case is seen once; then suspected regressions, which may fail the gate; then the search by the width of
    /// the interval, widest first; suspected improvements last. Equals keep the order of their index.
    pub fn requests(&self) -> Vec<Request> {
        let mut urgent = self.cases.iter().enumerate().filter(|(_, case)| case.stage != Stage::Done).collect::<Vec<_>>();
        let rank = |case: &Case| match case.stage {
            Stage::Search { look: 0 } => 0,
            Stage::Confirmation { .. } if case.search.finding == Finding::Regression => 1,
            Stage::Search { .. } => 2,
            Stage::Confirmation { .. } | Stage::Done => 3,
        };
        urgent.sort_by(|(_, a), (_, b)| rank(a).cmp(&rank(b)).then(b.search.width().total_cmp(&a.search.width())));
        let purpose = |case: &Case| if matches!(case.stage, Stage::Confirmation { .. }) { Purpose::Confirmation } else { Purpose::Search };
        let request = |(index, case): (usize, &Case)| Request { case: index, blocks: case.lacking(&self.schedule), purpose: purpose(case) };
        urgent.into_iter().map(request).collect()
    }

    /// Takes blocks of a case, in the order they were measured, and looks when a look is due.
    pub fn record(&mut self, case: usize, blocks: &[Block]) -> Result<(), TrialError> {
        let (schedule, wanted) = (&self.schedule, check(&self.cases, case, blocks)?.lacking(&self.schedule));
        if blocks.len() > wanted {
            return Err(TrialError::NotWanted { case, given: blocks.len(), wanted });
        }
        self.cases[case].take(schedule, blocks);
        Ok(())
    }

    /// Takes the A/A arm of a case, whole: the baseline against itself over other links, drawn as the candidate's are. Comes before the first look.
    pub fn record_control(&mut self, case: usize, blocks: &[Block]) -> Result<(), TrialError> {
        if check(&self.cases, case, blocks)?.stage != (Stage::Search { look: 0 }) {
            return Err(TrialError::LateControl { case });
        }
        self.cases[case].take_control(blocks);
        Ok(())
    }

    /// How things stand: final once there are no more requests, and what can be said when a budget ends before.
    pub fn outcome(&self) -> Outcome {
        outcome(&self.schedule, &self.cases)
    }
}

/// The case, if there is one and the blocks are numbers.
fn check<'a>(cases: &'a [Case], case: usize, blocks: &[Block]) -> Result<&'a Case, TrialError> {
    if let Some(block) = blocks.iter().find(|block| !block.effect.is_finite()) {
        return Err(TrialError::NotFinite { case, effect: block.effect });
    }
    cases.get(case).ok_or(TrialError::UnknownCase { case, cases: cases.len() })
}
