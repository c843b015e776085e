//! From blocks to verdicts: drives the trial of [`crate::stats`] and puts what it says into figures of the items.

use std::collections::BTreeSet;

use super::figures::{ControlFigures, Figures, Judged, median};
use super::item::Item;
use super::record::{Block, Clock};
use super::run::{Judge, Result as Compared};
use super::schedule::Side;
use crate::builds::{Build, Layout};
use crate::model::metric::as_f64;
use crate::stats::layout;
use crate::stats::sequential::PlanError;
use crate::stats::trial::{CaseOutcome, Doubt, Plan, Purpose, Trial, TrialError, Unfit, Verdict as Whole};

/// A trial that takes blocks.
#[derive(Debug)]
pub struct TrialJudge {
    trial: Trial,
    given_up: BTreeSet<usize>,
    refused: Option<TrialError>,
}

impl TrialJudge {
    /// A trial of that many items.
    pub fn new(plan: Plan, items: usize) -> Result<Self, PlanError> {
        Ok(Self { trial: Trial::new(plan, items)?, given_up: BTreeSet::new(), refused: None })
    }
}

impl Judge for TrialJudge {
    fn control(&mut self, index: usize, blocks: &[Block]) {
        let blocks: Vec<_> = blocks.iter().map(|block| of_clock(block, Clock::ThreadCpu)).collect();
        let outcome = self.trial.record_control(index, &blocks);
        self.refused = self.refused.take().or(outcome.err());
    }

    fn take(&mut self, index: usize, block: &Block) {
        let outcome = self.trial.record(index, &[of_clock(block, Clock::ThreadCpu)]);
        self.refused = self.refused.take().or(outcome.err());
    }

    fn wanting(&mut self) -> Vec<(usize, bool)> {
        let requests = self.trial.requests().into_iter().filter(|r| !self.given_up.contains(&r.case));
        requests.map(|r| (r.case, r.purpose == Purpose::Confirmation)).collect()
    }

    fn give_up(&mut self, index: usize) {
        self.given_up.insert(index);
    }
}

/// What a block says on a clock.
pub fn of_clock(block: &Block, clock: Clock) -> layout::Block {
    let [baseline_layout, candidate_layout] = block.variants;
    layout::Block { baseline_layout, candidate_layout, effect: block.effect(clock) }
}

/// Puts a trial's outcome and the blocks together. `Err` is a defect: the trial refused a block.
pub fn judged(compared: &Compared, judge: &TrialJudge) -> Result<Judged, TrialError> {
    if let Some(error) = &judge.refused {
        return Err(error.clone());
    }
    let outcome = judge.trial.outcome();
    let wanted = judge.trial.requests();
    let items = compared.header.items.iter().zip(&outcome.cases).enumerate();
    let figured = items.filter(|(_, (item, _))| !compared.left_out.contains_key(item)).map(|(index, (item, case))| {
        let lacking = wanted.iter().find(|r| r.case == index).map_or(0, |r| r.blocks);
        let arm = judge.trial.cases().get(index).and_then(|c| Some((c.control()?, c.thresholds(judge.trial.schedule()).counting())));
        let control = arm.map(|(centre, floor)| ControlFigures {
            difference: libm::expm1(centre.estimate),
            floor: libm::expm1(floor),
            blocks: centre.blocks,
        });
        (item.clone(), Figures { control, ..figures(compared, item, case, lacking) })
    });
    let unfit = match outcome.verdict {
        Whole::Unfit(Unfit { blind, by_control, armed, measured }) => Some(format!(
            "{blind} of {measured} timed cases could not have shown a change of {:.1} %{}",
            100.0 * libm::expm1(judge.trial.schedule().plan.wanted),
            if by_control > 0 {
                format!("; in {by_control} of {armed} A/A arms the baseline differs from itself by as much")
            } else {
                String::new()
            }
        )),
        _ => None,
    };
    let header = &compared.header;
    let side = |build: &Build| {
        let how = if build.layout == Layout::Relinked { "links" } else { "copies" };
        format!("{} ({} {how})", build.origin, build.variants.len())
    };
    Ok(Judged {
        sides: [side(&header.baseline), side(&header.candidate)],
        same_code: header.baseline.same_code(&header.candidate),
        layout_confounded: [&header.baseline, &header.candidate].iter().any(|b| b.layout == Layout::Copied),
        planted: header.planted,
        seed: header.seed,
        seconds: compared.seconds,
        out_of_time: compared.out_of_time,
        items: figured.collect(),
        left_out: compared.left_out.clone(),
        unfit,
    })
}

fn figures(compared: &Compared, item: &Item, case: &CaseOutcome, lacking: usize) -> Figures {
    let all = compared.blocks.get(item).map(Vec::as_slice).unwrap_or_default();
    let confirmed = case.confirmation.is_some();
    // The blocks of the decision whose figures are shown.
    let deciding: Vec<_> = all.iter().filter(|b| b.confirmation == confirmed).collect();
    let decision = case.deciding();
    let megabytes = compared.sizings.get(item).map(|s| as_f64(s.input_bytes) / 1e6);
    let seconds = |side| {
        let pass_ns = median(deciding.iter().map(|b| b.pass_ns(side, Clock::ThreadCpu)).collect())?;
        Some(pass_ns / 1e9 / megabytes.filter(|&m| m > 0.0)?)
    };
    let planted = deciding.iter().map(|b| b.planted_effect()).collect::<Option<Vec<_>>>().and_then(median);
    Figures {
        finding: case.finding,
        seconds_per_mb: seconds(Side::Baseline).zip(seconds(Side::Candidate)).map(|(a, b)| [a, b]),
        change: decision.centre.as_ref().map(|c| libm::expm1(c.estimate)),
        interval: decision.interval.map(|i| [libm::expm1(i.lower), libm::expm1(i.upper)]),
        wall_change: median(deciding.iter().map(|b| b.effect(Clock::Wall)).collect()).map(libm::expm1),
        smallest_detectable: libm::expm1(decision.detectable_95),
        planted: planted.map(libm::expm1),
        control: None,
        blocks: all.len(),
        share: compared.sizings.get(item).map_or(1.0, |s| super::item::share(s.halvings)),
        p_holm: case.p_holm,
        doubt: case.doubt.map(|doubt| in_words(doubt, lacking, all.len(), compared.seconds_a_block)),
    }
}

/// A doubt and what would end it.
fn in_words(doubt: Doubt, lacking: usize, blocks: usize, seconds_a_block: f64) -> String {
    let time = |n: usize| format!("{n} blocks, about {:.0} s", (as_f64(n as u64) * seconds_a_block).max(1.0));
    match doubt {
        Doubt::NotMeasured => format!("the time was up before its first look; that lacks {}", time(lacking)),
        Doubt::SearchNotOver => format!("the time was up; its next look lacks {}", time(lacking)),
        Doubt::NotConfirmed => format!("a suspicion that the time was too short to confirm; it lacks {}", time(lacking)),
        Doubt::Disagreement => "fresh blocks neither confirmed a suspicion nor ruled it out; compare again".to_owned(),
        Doubt::NeedsBlocks(n) => format!("{} in all would show the wanted change, and it had {blocks}", time(n)),
        Doubt::AtTheEdge => "the change lies at the edge of what counts; a look at the code says more than another run".to_owned(),
        Doubt::NeedsLinks => "no number of blocks would do: more layout variants, or a quieter machine".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{block, item};
    use std::collections::BTreeMap;

    use super::super::record::{Header, Sizing, VERSION};
    use super::super::schedule::Order;
    use super::*;
    use crate::builds::{Origin, Variant};
    use crate::model::machine::Machine;
    use crate::stats::decision::Finding;
    use std::path::PathBuf;

    /// Drives a trial of one item with effects given by block number; the judged comparison.
    fn driven(effect: impl Fn(u64) -> f64, budget_blocks: usize) -> Judged {
        driven_with_arm(effect, budget_blocks, None)
    }

    /// The same with an A/A arm that shows about that effect.
    fn driven_with_arm(effect: impl Fn(u64) -> f64, budget_blocks: usize, arm: Option<f64>) -> Judged {
        let build = |sha: &str| Build {
            origin: Origin::Program { path: PathBuf::from("/p") },
            layout: Layout::Relinked,
            variants: vec![Variant { program: PathBuf::from("/p"), sha256: sha.to_owned() }],
        };
        let mut judge = TrialJudge::new(Plan::default(), 1).unwrap();
        if let Some(shift) = arm {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test values")]
            let slow = |n: u64| (1e7 * (shift + noise(n)).exp()) as u64;
            let arm: Vec<_> = (0..8).map(|n| block(Order::Abba, [10_000_000, slow(n), slow(n), 10_000_000])).collect();
            judge.control(0, &arm);
        }
        let mut blocks = Vec::new();
        while let Some(&(0, confirmation)) = judge.wanting().first().filter(|_| blocks.len() < budget_blocks) {
            let number = blocks.len() as u64;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test values")]
            let slow = (1e7 * effect(number).exp()) as u64;
            let mut b = block(Order::Abba, [10_000_000, slow, slow, 10_000_000]);
            (b.index, b.confirmation) = (number, confirmation);
            judge.take(0, &b);
            blocks.push(b);
        }
        let header = Header {
            weighbridge_paired: VERSION,
            started: String::new(),
            command: String::new(),
            seed: 3,
            machine: Machine::current(),
            cores: vec![0],
            batch_ns: 1,
            planted: None,
            baseline: build("a"),
            candidate: build("b"),
            items: vec![item()],
        };
        let sizing = Sizing { halvings: 1, input_bytes: 2_000_000, warm_up: 1, passes: 10 };
        let compared = Compared {
            header,
            sizings: [(item(), sizing)].into(),
            left_out: BTreeMap::new(),
            blocks: [(item(), blocks)].into(),
            controls: BTreeMap::new(),
            seconds_a_block: 0.5,
            seconds: 10.0,
            out_of_time: false,
        };
        judged(&compared, &judge).unwrap()
    }

    /// Noise of a known size that is the same each time.
    fn noise(n: u64) -> f64 {
        [0.001, -0.002, 0.0015, -0.0005, 0.002, -0.001, 0.0005, -0.0015][usize::try_from(n % 8).unwrap()]
    }

    #[test]
    fn a_slow_down_is_confirmed_on_fresh_blocks_and_has_its_figures() {
        let judged = driven(|n| 1.03f64.ln() + noise(n), 1000);
        let (_, f) = &judged.items[0];
        assert_eq!(f.finding, Finding::Regression);
        let [lower, upper] = f.interval.unwrap();
        assert!((f.change.unwrap() - 0.03).abs() < 0.002 && lower < f.change.unwrap() && upper > f.change.unwrap(), "{f:?}");
        assert!(f.smallest_detectable < 0.02 && f.p_holm.unwrap() < 0.01 && f.blocks == 8 + 12 && f.share == 0.5, "{f:?}");
        let [before, after] = f.seconds_per_mb.unwrap();
        // 10 ms for 10 passes over 2 MB.
        assert!((before - 0.0005).abs() < 1e-9 && (after / before - 1.03).abs() < 0.002, "{f:?}");
        assert!(judged.undecided().is_empty() && judged.lines()[0].contains("1 of 1 decided"));
    }

    #[test]
    fn the_a_a_arm_sets_the_floor_and_is_told() {
        let judged = driven_with_arm(|n| 1.03f64.ln() + noise(n), 1000, Some(0.0));
        let arm = judged.items[0].1.control.unwrap();
        assert_eq!((judged.items[0].1.finding, arm.blocks), (Finding::Regression, 8));
        assert!(arm.difference.abs() < 0.002 && (arm.floor - 0.005).abs() < 1e-9, "{arm:?}");
        let told = judged.lines().join("\n");
        assert!(
            told.contains("A/A arm: the baseline against itself, in 1 of 1 times") && told.contains("the largest floor is 0.50 %"),
            "{told}"
        );
        // A baseline that differs from itself by more than what must be seen cannot tell a change of that size.
        let blind = driven_with_arm(|n| 1.03f64.ln() + noise(n), 1000, Some(0.05));
        assert_ne!(blind.items[0].1.finding, Finding::Regression);
        assert!(blind.unfit.as_ref().unwrap().contains("in 1 of 1 A/A arms the baseline differs from itself by as much"), "{blind:?}");
        assert!(driven(noise, 1000).control().is_none());
    }

    #[test]
    fn equal_builds_are_unchanged_and_better_ones_improvements() {
        assert_eq!(driven(noise, 1000).items[0].1.finding, Finding::Equivalent);
        assert_eq!(driven(|n| noise(n) - 0.05, 1000).items[0].1.finding, Finding::Improvement);
    }

    #[test]
    fn what_is_undecided_says_what_it_lacks() {
        let judged = driven(|n| 1.03f64.ln() + noise(n), 12);
        let open = judged.undecided();
        assert_eq!(open.len(), 1);
        assert!(open[0].why.contains("lacks") && open[0].why.contains("blocks, about"), "{open:?}");
        let judged = driven(|n| 100.0 * noise(n), 1000);
        let why = &judged.undecided()[0].why;
        assert!(why.contains("in all would show the wanted change") || why.contains("no number of blocks"), "{why}");
        assert!(judged.unfit.as_ref().unwrap().contains("1 of 1 timed cases"), "{judged:?}");
    }
}
