//! What the gate would have said of a trial, from its blocks alone: on one clock, with the time that a comparison has.

use crate::paired::of_clock;
use crate::paired::record::{Block, Clock};
use crate::stats::decision::Finding;
use crate::stats::trial::{Purpose, Schedule, Trial, TrialError};

/// A trial as one clock saw it. Changes are log ratios.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// What the gate would have said.
    pub finding: Finding,
    /// Estimate of the change, where there is one.
    pub estimate: Option<f64>,
    /// Blocks that it took, the A/A arm's among them.
    pub blocks: usize,
    /// What it would have measured next; `None` where it was decided or its time was up.
    pub wants: Option<Purpose>,
}

/// Gives a fresh gate of one case the blocks it asks for, in order, until it is decided, `most` blocks are used up, or there are no more.
pub fn replay(schedule: &Schedule, control: &[Block], blocks: &[Block], clock: Clock, most: usize) -> Result<Replayed, TrialError> {
    let mut trial = Trial::of(schedule.clone(), 1);
    trial.record_control(0, &control.iter().map(|block| of_clock(block, clock)).collect::<Vec<_>>())?;
    let [mut search, mut confirming] = [false, true].map(|stage| blocks.iter().filter(move |block| block.confirmation == stage));
    let (mut used, mut wants) = (control.len(), None);
    while let Some(request) = trial.requests().first().copied().filter(|_| used < most) {
        let next = match request.purpose {
            Purpose::Search => search.next(),
            Purpose::Confirmation => confirming.next(),
        };
        let Some(block) = next else {
            wants = Some(request.purpose);
            break;
        };
        trial.record(0, &[of_clock(block, clock)])?;
        used += 1;
    }
    let outcome = trial.outcome();
    let case = outcome.cases.first();
    let estimate = case.and_then(|case| Some(case.deciding().centre.as_ref()?.estimate));
    Ok(Replayed { finding: case.map_or(Finding::Undecided, |case| case.finding), estimate, blocks: used, wants })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::paired::Order;
    use crate::paired::record::tests::block;
    use crate::stats::trial::Plan;

    /// Blocks of that effect with a noise that is the same each time; `wall` is left without an effect.
    pub(in super::super) fn blocks(count: usize, effect: f64, confirmation: bool) -> Vec<Block> {
        let noise = [0.001, -0.002, 0.0015, -0.0005, 0.002, -0.001, 0.0005, -0.0015];
        let one = |n: usize| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test values")]
            let slow = (1e7 * (effect + noise[n % 8]).exp()) as u64;
            let mut block = block(Order::Abba, [10_000_000, slow, slow, 10_000_000]);
            block.letters.iter_mut().for_each(|letter| letter.wall_ns = 10_000_000);
            block.confirmation = confirmation;
            block
        };
        (0..count).map(one).collect()
    }

    #[test]
    fn each_clock_is_judged_by_its_own_times_within_the_time_there_is() {
        let schedule = Schedule::new(Plan::default()).unwrap();
        let control = blocks(8, 0.0, false);
        let mut all = blocks(32, 0.03, false);
        all.extend(blocks(32, 0.03, true));
        let cpu = replay(&schedule, &control, &all, Clock::ThreadCpu, 100).unwrap();
        assert_eq!((cpu.finding, cpu.wants), (Finding::Regression, None));
        assert!((cpu.estimate.unwrap() - 0.03).abs() < 0.001 && cpu.blocks == 8 + 8 + 12, "{cpu:?}");
        let wall = replay(&schedule, &control, &all, Clock::Wall, 100).unwrap();
        assert_eq!((wall.finding, wall.blocks), (Finding::Equivalent, 16));
        let short = replay(&schedule, &control, &all, Clock::ThreadCpu, 20).unwrap();
        assert_eq!((short.finding, short.blocks, short.wants), (Finding::Undecided, 20, None), "the time was up");
        let none = replay(&schedule, &control, &all[..4], Clock::ThreadCpu, 100).unwrap();
        assert_eq!((none.finding, none.wants), (Finding::Undecided, Some(Purpose::Search)));
        let unconfirmed = replay(&schedule, &control, &all[..32], Clock::ThreadCpu, 100).unwrap();
        assert_eq!((unconfirmed.finding, unconfirmed.wants), (Finding::Undecided, Some(Purpose::Confirmation)));
    }
}
