//! One case of a trial: where it stands, its blocks, and what they said at the last look.

use std::collections::BTreeSet;

use super::super::decision::{Decision, Finding, Thresholds, decide};
use super::super::hodges_lehmann::HodgesLehmann;
use super::super::layout::{Block, Centre};
use super::plan::Schedule;

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Blocks are gathered for the look of that index.
    Search {
        /// Index of the look.
        look: usize,
    },
    /// A suspicion waits for fresh blocks, for the look of that index.
    Confirmation {
        /// Index of the look.
        look: usize,
    },
    /// Nothing more is measured.
    Done,
}

/// One case.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    pub(super) stage: Stage,
    pub(super) searched: Vec<Block>,
    pub(super) confirming: Vec<Block>,
    pub(super) control: Option<Centre>,
    pub(super) search: Decision,
    pub(super) confirmation: Option<Decision>,
}

impl Case {
    pub(super) fn new() -> Self {
        let search = Decision::of_nothing();
        Self { stage: Stage::Search { look: 0 }, searched: vec![], confirming: vec![], control: None, search, confirmation: None }
    }

    /// Where it stands.
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// What its A/A arm showed; None where it has none, or one of fewer than four blocks.
    pub fn control(&self) -> Option<&Centre> {
        self.control.as_ref()
    }

    /// What counts as a change of this case, with the floor of its A/A arm; to rule out the wanted change is enough when nothing comes after.
    pub fn thresholds(&self, schedule: &Schedule) -> Thresholds {
        let plan = &schedule.plan;
        let goes_on = match self.stage {
            Stage::Search { look } => look + 1 < plan.looks.len(),
            Stage::Confirmation { look } => look + 1 < plan.confirmation_looks.len(),
            Stage::Done => false,
        };
        let (practical, margin) = (plan.practical, if goes_on { plan.margin } else { plan.margin.max(plan.wanted) });
        let control = self.control.as_ref();
        let floor = control.map_or(0.0, |centre| centre.floor(practical));
        let layout_deviation = control.and_then(Centre::layout_deviation).unwrap_or(0.0);
        Thresholds { practical, margin, floor, layout_deviation }
    }

    /// Blocks that the stage still lacks.
    pub(super) fn lacking(&self, schedule: &Schedule) -> usize {
        match self.stage {
            Stage::Search { look } => schedule.plan.looks[look].saturating_sub(self.searched.len()),
            Stage::Confirmation { look } => schedule.plan.confirmation_looks[look].saturating_sub(self.confirming.len()),
            Stage::Done => 0,
        }
    }

    /// Takes blocks for its stage, no more than are lacking, and looks when none is lacking any more.
    pub(super) fn take(&mut self, schedule: &Schedule, blocks: &[Block]) {
        match self.stage {
            Stage::Search { look } => {
                self.searched.extend_from_slice(blocks);
                if self.lacking(schedule) == 0 {
                    self.search = decide(&self.searched, &self.thresholds(schedule), schedule.levels[look]);
                    self.stage = match self.search.finding {
                        Finding::Regression | Finding::Improvement => Stage::Confirmation { look: 0 },
                        Finding::Undecided if look + 1 < schedule.levels.len() => Stage::Search { look: look + 1 },
                        Finding::Undecided | Finding::Equivalent => Stage::Done,
                    };
                }
            }
            Stage::Confirmation { look } => {
                self.confirming.extend_from_slice(blocks);
                if self.lacking(schedule) == 0 {
                    let levels = schedule.confirmation_levels(self.links_are_fresh());
                    let decision = decide(&self.confirming, &self.thresholds(schedule), levels[look]);
                    let over = decision.finding == self.search.finding || decision.finding == Finding::Equivalent;
                    self.stage = if over || look + 1 == levels.len() { Stage::Done } else { Stage::Confirmation { look: look + 1 } };
                    self.confirmation = Some(decision);
                }
            }
            Stage::Done => {}
        }
    }

    /// Whether the confirmation shares no link with the search, on either side.
    fn links_are_fresh(&self) -> bool {
        let links = |blocks: &[Block], link: fn(&Block) -> usize| blocks.iter().map(link).collect::<BTreeSet<_>>();
        let disjoint = |link: fn(&Block) -> usize| links(&self.searched, link).is_disjoint(&links(&self.confirming, link));
        disjoint(|block| block.baseline_layout) && disjoint(|block| block.candidate_layout)
    }

    /// Takes the blocks of an A/A arm; fewer than four say nothing.
    pub(super) fn take_control(&mut self, blocks: &[Block]) {
        let effects = blocks.iter().map(|block| block.effect).collect::<Vec<_>>();
        self.control = HodgesLehmann::new(&effects).and_then(|averages| Centre::of(blocks, &averages, 0.0));
    }

    /// Whether a change of the wanted size could not be seen here: the floor is above it, or the last look is over and would have missed it.
    pub(super) fn is_blind(&self, schedule: &Schedule) -> bool {
        let wanted = schedule.plan.wanted;
        let spent = self.stage == Stage::Done && self.searched.len() == schedule.plan.looks.last().copied().unwrap_or(0);
        self.thresholds(schedule).counting() >= wanted
            || (spent && self.search.finding == Finding::Undecided && self.search.detectable_95 > wanted)
    }
}
