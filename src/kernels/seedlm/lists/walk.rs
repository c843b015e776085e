//! The search by lists: down the list of the block's cell until no seed behind can win, and by the [scan] where the list
//! ends first.
//!
//! With φ the angle between block and centre, a seed at distance d from the centre has at least ‖w‖·sin(asin d − φ) of error left, since
//! angles to a subspace are 1-Lipschitz too, and tighter than chords. So a search may stop where d > sin(asin b + φ), with b² the share of
//! ‖w‖² that the best error so far is. A group's seeds are evaluated from the one that captures most of the block down.
//!
//! A step takes less time than the memory does that it waits for, so several blocks are under way in turns, and each asks for what its next
//! step reads. They go in the order of their cells: neighbours read the same lists, rows and inverses.

use super::super::bound::key;
use super::super::candidate::Candidate;
use super::super::scan::{self, Tables};
use super::super::simd::prefetch;
use super::super::subspace::Subspace;
use super::build::WHOLE;
use super::rows::{Captured, ONE, Row, SLACK, Unit, quantise};
use super::{C, CellLists, GROUP, P};

/// Blocks under way at a time.
const UNDER_WAY: usize = 8;
/// Blocks that a scan takes at a time.
const SCANNED: usize = 256;

/// A block that has a list.
#[derive(Debug, Clone, Copy)]
struct Plan {
    block: usize,
    cell: usize,
    /// Of the angle to the cell's centre.
    cos: f64,
    sin: f64,
    /// 1 / ‖w‖².
    inverse_energy: f64,
    unit: Unit,
}

/// A search on its way.
#[derive(Debug, Clone, Copy)]
struct Walk {
    plan: Plan,
    /// Groups that were read.
    groups: usize,
    /// What the seeds of the last group capture; −1 of those evaluated.
    captured: Captured,
    /// The seed of that group that is evaluated next.
    next: Option<usize>,
    /// The search goes on while groups are not farther than this, in units of lists.
    reach: u32,
    /// [Key](key) of what a seed has to capture.
    need: i32,
}

/// How a step ended.
enum Step {
    /// There is more to do.
    On,
    /// The best of all seeds was found.
    Found,
    /// The list ended.
    Ended,
}

impl Plan {
    /// The plan of a block that is not zero; nothing where its direction has no list.
    #[inline(always)]
    fn new(lists: &CellLists, block: usize, w: &[f64; C], energy: f64) -> Option<Self> {
        let norm = energy.sqrt();
        let direction = w.map(|x| x / norm);
        let place = lists.cells.place(&direction);
        let sin = (1.0 - place.cos * place.cos).sqrt();
        Some(Self { block, cell: place.cell?, cos: place.cos, sin, inverse_energy: 1.0 / energy, unit: direction.map(quantise) })
    }
}

impl Walk {
    #[inline(always)]
    fn start(lists: &CellLists, plan: Plan, error: f64) -> Self {
        let list = lists.list(plan.cell);
        list.near.iter().step_by(32).for_each(prefetch);
        list.groups.iter().take(2).flatten().step_by(32).for_each(prefetch);
        let mut walk = Self { plan, groups: 0, captured: [0.0; GROUP], next: None, reach: 0, need: 0 };
        walk.narrow(error);
        walk
    }

    /// Takes note of the best error so far. The reach is rounded up, and by one unit more than f64 could be wrong.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "shares of one, and bounds are f32")]
    fn narrow(&mut self, error: f64) {
        let share = error * self.plan.inverse_energy;
        let share = if share < 1.0 { share } else { 1.0 };
        let b = share.sqrt();
        // Beyond a right angle nothing is out of reach.
        let reach = if b < self.plan.cos { b * self.plan.cos + self.plan.sin * (1.0 - share).sqrt() } else { 1.0 };
        self.reach = (reach * reach * WHOLE) as u32 + 1;
        self.need = key(((1.0 - share - SLACK) * (ONE * ONE * ONE * ONE)) as f32);
    }

    /// Chooses the seed of the group that captures most, if that is enough.
    #[inline(always)]
    fn choose(&mut self) {
        let most = self.captured.iter().fold(0, |most, &captured| most.max(key(captured)));
        self.next = if most < self.need { None } else { self.captured.iter().position(|&captured| key(captured) == most) };
    }

    /// Evaluates the chosen seed, and reads groups up to the next one to choose.
    #[inline(always)]
    fn step(
        &mut self,
        lists: &CellLists,
        tables: &Tables<C, P, Subspace>,
        block: &[f64; C],
        lowest: i32,
        best: &mut Candidate<P>,
        capture: &impl Fn(&[Row], &[u16; GROUP], &Unit, &mut Captured),
    ) -> Step {
        let list = lists.list(self.plan.cell);
        if let Some(index) = self.next {
            best.improve(tables.evaluate(block, list.groups[self.groups - 1][index], lowest));
            self.captured[index] = -1.0;
            self.narrow(best.error);
            self.choose();
        }
        if self.next.is_none() {
            if u32::from(list.near[self.groups]) > self.reach {
                return Step::Found;
            }
            let Some(group) = list.groups.get(self.groups) else { return Step::Ended };
            list.groups.get(self.groups + 1).into_iter().flatten().step_by(32).for_each(prefetch);
            capture(&lists.rows, group, &self.plan.unit, &mut self.captured);
            self.groups += 1;
            self.choose();
        }
        if let Some(index) = self.next {
            tables.prefetch(list.groups[self.groups - 1][index]);
        }
        Step::On
    }
}

/// The best candidate of all seeds for each block. `FMA` where the processor has fused operations at hand.
#[inline(always)]
pub fn search<const FMA: bool>(
    lists: &CellLists,
    tables: &Tables<C, P, Subspace>,
    blocks: &[[f64; C]],
    lowest: i32,
    best: &mut [Candidate<P>],
    capture: impl Fn(&[Row], &[u16; GROUP], &Unit, &mut Captured),
) {
    let (mut plans, mut left) = (Vec::with_capacity(blocks.len()), Vec::new());
    for (i, (block, best)) in blocks.iter().zip(&mut *best).enumerate() {
        *best = Candidate::zero(block, lowest);
        // Nothing beats zeros on a block of zeros.
        if best.error > 0.0 {
            match Plan::new(lists, i, block, best.error) {
                Some(plan) => plans.push(plan),
                None => left.push(i),
            }
        }
    }
    plans.sort_unstable_by_key(|plan| (plan.cell, plan.block));
    let mut waiting = plans.into_iter();
    let mut walks = Vec::with_capacity(UNDER_WAY);
    let mut turn = 0;
    loop {
        if walks.len() < UNDER_WAY
            && let Some(plan) = waiting.next()
        {
            walks.push(Walk::start(lists, plan, best[plan.block].error));
            continue;
        }
        if turn >= walks.len() {
            turn = 0;
        }
        let Some(walk) = walks.get_mut(turn) else { break };
        let block = walk.plan.block;
        match walk.step(lists, tables, &blocks[block], lowest, &mut best[block], &capture) {
            Step::On => turn += 1,
            Step::Found => drop(walks.swap_remove(turn)),
            Step::Ended => left.push(walks.swap_remove(turn).plan.block),
        }
    }
    for left in left.chunks(SCANNED) {
        let blocks: Vec<_> = left.iter().map(|&i| blocks[i]).collect();
        let mut found: Vec<_> = left.iter().map(|&i| best[i]).collect();
        scan::improve::<C, P, Subspace, FMA>(tables, &blocks, lowest, &mut found);
        left.iter().zip(found).for_each(|(&i, found)| best[i] = found);
    }
}
