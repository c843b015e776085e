//! Running simulated gates and counting what they say.

use rayon::prelude::*;
use weighbridge::sample::splitmix;

use super::super::decision::{Finding, log_ratio};
use super::super::layout::{Block, pair};
use super::super::trial::{Purpose, Schedule, Trial};
use super::noise::{Random, Source};
use super::scenario::Scenario;

/// True slow-downs of the cases of a gate, in per cent: most are unchanged, as in a pull request.
pub const EFFECTS_PERCENT: [f64; 10] = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 5.0];

/// What was said of all cases of one true slow-down.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Row {
    /// True slow-down in per cent.
    pub effect_percent: f64,
    /// Cases.
    pub cases: usize,
    /// Those called a regression.
    pub regressions: usize,
    /// Those called an improvement.
    pub improvements: usize,
    /// Those called equivalent.
    pub equivalent: usize,
    /// Blocks that they took, A/A arms included.
    pub blocks: usize,
}

impl Row {
    /// Cases left undecided.
    pub fn undecided(&self) -> usize {
        self.cases - self.regressions - self.improvements - self.equivalent
    }

    fn plus(mut self, other: &Self) -> Self {
        self.cases += other.cases;
        self.regressions += other.regressions;
        self.improvements += other.improvements;
        self.equivalent += other.equivalent;
        self.blocks += other.blocks;
        self
    }
}

/// Runs that many gates to their end and counts, one row for each slow-down. The same seed gives the same counts on any number of threads.
pub fn simulate(scenario: &Scenario, schedule: &Schedule, gates: usize, seed: u64) -> Vec<Row> {
    let mut effects = EFFECTS_PERCENT.to_vec();
    effects.dedup();
    let empty = effects.iter().map(|&effect_percent| Row { effect_percent, ..Row::default() }).collect::<Vec<_>>();
    let add = |sum: Vec<Row>, other: Vec<Row>| sum.into_iter().zip(&other).map(|(row, more)| row.plus(more)).collect::<Vec<_>>();
    (0..gates)
        .into_par_iter()
        .fold(
            || empty.clone(),
            |mut rows, gate| {
                count(scenario, schedule, splitmix(seed, gate as u64), &mut rows);
                rows
            },
        )
        .reduce(|| empty.clone(), add)
}

/// Runs one gate and adds what it says of each case to the row of its slow-down.
fn count(scenario: &Scenario, schedule: &Schedule, seed: u64, rows: &mut [Row]) {
    let mut trial = Trial::of(schedule.clone(), EFFECTS_PERCENT.len());
    let mut cases =
        (0..).zip(EFFECTS_PERCENT).map(|(index, effect)| Simulated::new(scenario, effect, splitmix(seed, index))).collect::<Vec<_>>();
    if scenario.control_blocks > 0 {
        for (index, case) in cases.iter_mut().enumerate() {
            // A trial without a look yet takes any arm of finite effects.
            let _taken = trial.record_control(index, &case.control(scenario.control_blocks));
        }
    }
    while let Some(request) = trial.requests().first().copied() {
        let blocks = cases[request.case].measure(request.blocks, request.purpose);
        if trial.record(request.case, &blocks).is_err() {
            break;
        }
    }
    for ((outcome, case), effect) in trial.outcome().cases.iter().zip(&cases).zip(EFFECTS_PERCENT) {
        let Some(row) = rows.iter_mut().find(|row| row.effect_percent == effect) else { continue };
        row.cases += 1;
        row.blocks += case.taken;
        match outcome.finding {
            Finding::Regression => row.regressions += 1,
            Finding::Improvement => row.improvements += 1,
            Finding::Equivalent => row.equivalent += 1,
            Finding::Undecided => {}
        }
    }
}

/// A case whose truth is known.
struct Simulated {
    source: Source,
    effect: f64,
    links: usize,
    fresh_links: bool,
    /// What each link adds to log times: baseline, candidate, fresh baseline, fresh candidate, and the other half of the A/A arm.
    offsets: [Vec<f64>; 5],
    taken: usize,
}

impl Simulated {
    fn new(scenario: &Scenario, effect_percent: f64, seed: u64) -> Self {
        let mut random = Random::new(splitmix(seed, 0));
        let links = scenario.links;
        let offsets = std::array::from_fn(|_| (0..links).map(|_| scenario.layout_deviation * random.normal()).collect());
        let source = Source::new(scenario.noise, scenario.spread, Random::new(splitmix(seed, 1)));
        Self { source, effect: log_ratio(effect_percent), links, fresh_links: scenario.fresh_links, offsets, taken: 0 }
    }

    /// Blocks of baseline and candidate.
    fn measure(&mut self, count: usize, purpose: Purpose) -> Vec<Block> {
        let fresh = 2 * usize::from(self.fresh_links && purpose == Purpose::Confirmation);
        self.blocks(count, [fresh, fresh + 1], self.effect)
    }

    /// Blocks of the baseline against itself over other links.
    fn control(&mut self, count: usize) -> Vec<Block> {
        self.blocks(count, [0, 4], 0.0)
    }

    fn blocks(&mut self, count: usize, sides: [usize; 2], effect: f64) -> Vec<Block> {
        let block = |_| {
            let [baseline, candidate] = pair(self.taken, self.links);
            let layout = self.offsets[sides[1]][candidate] - self.offsets[sides[0]][baseline];
            let effect = effect + layout + self.source.block(self.taken);
            self.taken += 1;
            Block { baseline_layout: sides[0] * self.links + baseline, candidate_layout: sides[1] * self.links + candidate, effect }
        };
        (0..count).map(block).collect()
    }
}
