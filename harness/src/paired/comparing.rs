//! The loop of a comparison: the A/A arm, then blocks for whatever wants them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::block::{self, Setting};
use super::control;
use super::letter::Party;
use super::prepare::{LeftOut, Ready};
use super::record::{Block, Line};
use super::run::{Event, Judge, Options, PairedError, Result, line_of};
use super::schedule::{Side, Stage, draw, draw_control};
use super::store::Writer;

/// Items that share processes.
pub struct Group {
    pub name: String,
    /// Positions among all items.
    pub items: Vec<(usize, Ready)>,
    /// Next block of each stage.
    pub next: [u64; 3],
    /// Time a block took for each of its items, last time.
    pub per_item: Duration,
}

/// All that the loop of a comparison works on.
pub struct Comparing<'a> {
    pub parties: &'a [Party; 2],
    /// The baseline twice.
    pub arm: &'a [Party; 2],
    pub options: &'a Options,
    pub start: Instant,
    pub state: &'a mut Result,
    pub writer: &'a mut Writer,
    pub judge: &'a mut dyn Judge,
    pub observe: &'a dyn Fn(Event<'_>),
    pub spent: Duration,
    pub blocks: usize,
}

impl Comparing<'_> {
    fn left(&self) -> Duration {
        self.options.budget.saturating_sub(self.start.elapsed())
    }

    /// The A/A arm of some items of each group whose search has not begun, in no more than its share of the time that is left.
    pub fn arms(&mut self, groups: &mut [Group]) -> std::result::Result<(), PairedError> {
        let (begun, most) = (Instant::now(), self.left() / control::BUDGET_SHARE);
        let open = |group: &Group| group.next[Stage::Search as usize] == 0;
        for _ in 0..control::BLOCKS {
            for group in groups.iter_mut().filter(|group| open(group) && group.next[Stage::Control as usize] < control::BLOCKS) {
                let items: Vec<_> = control::armed(group.items.len()).into_iter().map(|at| group.items[at].clone()).collect();
                let expected = group.per_item * u32::try_from(items.len()).unwrap_or(u32::MAX);
                if !items.is_empty() && begun.elapsed() + expected < most {
                    self.block(group, Stage::Control, items)?;
                    (self.observe)(Event::Block { undecided: self.state.header.items.len(), blocks: self.blocks, left: self.left() });
                }
            }
        }
        for (index, ready) in groups.iter().filter(|group| open(group)).flat_map(|group| &group.items) {
            let arm = self.state.controls.get(&ready.item);
            arm.into_iter().for_each(|arm| self.judge.control(*index, arm));
        }
        Ok(())
    }

    /// Blocks for whatever wants them, round after round.
    pub fn all(&mut self, groups: &mut [Group]) -> std::result::Result<(), PairedError> {
        loop {
            let wanting: BTreeMap<usize, bool> = self.judge.wanting().into_iter().collect();
            if wanting.is_empty() {
                break;
            }
            let mut ran = false;
            for group in groups.iter_mut() {
                for stage in [Stage::Confirmation, Stage::Search] {
                    let wants = |index: &usize| wanting.get(index) == Some(&(stage == Stage::Confirmation));
                    let items: Vec<_> = group.items.iter().filter(|(i, _)| wants(i)).cloned().collect();
                    let expected = group.per_item * u32::try_from(items.len()).unwrap_or(u32::MAX);
                    if items.is_empty() || self.left().is_zero() || expected > self.left() {
                        continue;
                    }
                    self.block(group, stage, items)?;
                    ran = true;
                    (self.observe)(Event::Block { undecided: wanting.len(), blocks: self.blocks, left: self.left() });
                }
            }
            if !ran {
                self.state.out_of_time = true;
                break;
            }
        }
        if self.blocks > 0 {
            self.state.seconds_a_block = self.spent.as_secs_f64() / crate::model::metric::as_f64(self.blocks as u64);
        }
        Ok(())
    }

    /// One block of a group; an item that fails in it is given up, and the block is run again without it.
    fn block(&mut self, group: &mut Group, stage: Stage, mut items: Vec<(usize, Ready)>) -> std::result::Result<(), PairedError> {
        let variants = [self.options.baseline.variants.len(), self.options.candidate.variants.len()];
        let cores = &self.state.header.cores;
        let (index, confirmation, seed) = (group.next[stage as usize], stage == Stage::Confirmation, self.state.header.seed);
        let (parties, draw) = match stage {
            Stage::Control => (self.arm, draw_control(seed, &group.name, index, variants[0], cores.len())),
            Stage::Search | Stage::Confirmation => (self.parties, draw(seed, &group.name, confirmation, index, variants, cores.len())),
        };
        let setting = Setting { parties, draw, index, confirmation, core: cores.get(draw.core).copied() };
        let begun = Instant::now();
        let done = loop {
            let chosen: Vec<_> = items.iter().map(|(_, ready)| ready).collect();
            match block::run(setting, &chosen) {
                Ok(done) => break done,
                Err((item, side, error)) => {
                    let side = if side == Side::Baseline { "baseline" } else { "candidate" };
                    let left_out = LeftOut { stage: "time".to_owned(), message: format!("the {side}'s build: {error}"), new: false };
                    self.writer.append(&[line_of(&item, &left_out)])?;
                    items.iter().filter(|(_, ready)| ready.item == item).for_each(|(i, _)| self.judge.give_up(*i));
                    group.items.retain(|(_, ready)| ready.item != item);
                    items.retain(|(_, ready)| ready.item != item);
                    self.state.left_out.insert(item, left_out);
                }
            }
        };
        group.next[stage as usize] += 1;
        group.per_item = begun.elapsed() / u32::try_from(done.len().max(1)).unwrap_or(1);
        self.spent += begun.elapsed();
        self.blocks += done.len();
        let line = |block: &Block| if stage == Stage::Control { Line::Control } else { Line::Block }(Box::new(block.clone()));
        self.writer.append(&done.iter().map(line).collect::<Vec<_>>())?;
        for block in done {
            if stage == Stage::Control {
                self.state.controls.entry(block.item.clone()).or_default().push(block);
                continue;
            }
            items.iter().filter(|(_, ready)| ready.item == block.item).for_each(|(i, _)| self.judge.take(*i, &block));
            self.state.blocks.entry(block.item.clone()).or_default().push(block);
        }
        Ok(())
    }
}
