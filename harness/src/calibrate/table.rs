//! The counts: of each class, share and clock, how many trials were called what, and how far estimates lay from the truth.

use std::collections::BTreeSet;

use super::record::Trial;
use super::replay::{Replayed, replay};
use crate::builds::Layout;
use crate::model::metric::as_f64;
use crate::paired::median;
use crate::paired::record::{Block, Clock};
use crate::stats::binomial::clopper_pearson;
use crate::stats::decision::{Finding, percent};
use crate::stats::hodges_lehmann::Interval;
use crate::stats::trial::{Schedule, TrialError};

/// The clocks. The first decides in a gate.
pub const CLOCKS: [Clock; 3] = [Clock::ThreadCpu, Clock::ProcessCpu, Clock::Wall];

const fn name_of(clock: Clock) -> &'static str {
    match clock {
        Clock::ThreadCpu => "thread CPU",
        Clock::ProcessCpu => "process CPU",
        Clock::Wall => "wall",
    }
}

/// An estimate this near the truth, in points, is right.
const NEAR_POINTS: f64 = 0.5;
/// Error level of the intervals.
const LEVEL: f64 = 0.05;

/// A count of some trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Trials that were so.
    pub hits: usize,
    /// Trials in all.
    pub trials: usize,
}

impl Count {
    /// The 95 % Clopper–Pearson interval of the probability.
    pub fn interval(self) -> Interval {
        clopper_pearson(self.hits, self.trials, LEVEL)
    }

    /// The share; 0 of no trials.
    pub fn share(self) -> f64 {
        as_f64(self.hits as u64) / as_f64(self.trials.max(1) as u64)
    }
}

/// A row of the table.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Class of kernels with what was timed; `None` is all of them.
    pub class: Option<String>,
    /// How the sides' variants differed; `None` is either.
    pub layout: Option<Layout>,
    /// Share of extra work, as it was asked for.
    pub share: f64,
    /// The clock.
    pub clock: &'static str,
    /// Change that was there, in per cent, as the workers counted it: the median over trials; `None` where no trial had time for a block.
    pub truth_percent: Option<f64>,
    /// Called slower: false alarms where nothing was planted, else slow-downs caught.
    pub slower: Count,
    /// Called faster.
    pub faster: Count,
    /// Left undecided.
    pub undecided: Count,
    /// Estimates within half a point of the truth.
    pub near: Count,
    /// Standard deviation of estimate minus truth, in points; `None` of fewer than two.
    pub spread_points: Option<f64>,
    /// Median of the blocks that a comparison took.
    pub blocks: f64,
}

/// A trial as a clock saw it.
struct Seen<'a> {
    trial: &'a Trial,
    clock: Clock,
    truth_percent: Option<f64>,
    replayed: Replayed,
}

/// The rows: each class by share and clock, then all classes, by layout as well where nothing was planted.
pub fn rows(schedule: &Schedule, trials: &[Trial], comparison_ns: u64, clocks: &[Clock]) -> Result<Vec<Row>, TrialError> {
    let mut seen = Vec::new();
    for trial in trials {
        let most = trial.affordable(comparison_ns);
        for &clock in clocks {
            let replayed = replay(schedule, &trial.control, &trial.blocks, clock, most)?;
            seen.push(Seen { trial, clock, truth_percent: truth_percent(trial), replayed });
        }
    }
    let mut classes: Vec<String> = Vec::new();
    for class in trials.iter().map(class_of) {
        if !classes.contains(&class) {
            classes.push(class);
        }
    }
    let mut groups: Vec<(Option<String>, Option<Layout>)> = classes.into_iter().map(|class| (Some(class), None)).collect();
    if groups.len() > 1 {
        groups.push((None, None));
    }
    groups.extend([Layout::Relinked, Layout::Copied].map(|layout| (None, Some(layout))));
    // Shares are given in writing, so that equal ones have equal bits; those of non-negative numbers rise with them.
    let shares: BTreeSet<u64> = trials.iter().map(|trial| trial.key.share.to_bits()).collect();
    let mut rows = Vec::new();
    for (class, layout) in groups {
        for share in shares.iter().map(|&bits| f64::from_bits(bits)).filter(|&share| layout.is_none() || share == 0.0) {
            for &clock in clocks {
                let of_row = |s: &&Seen<'_>| {
                    let here = s.clock == clock && s.trial.key.share == share && layout.is_none_or(|l| l == s.trial.layout);
                    here && class.as_ref().is_none_or(|class| *class == class_of(s.trial))
                };
                let chosen: Vec<_> = seen.iter().filter(of_row).collect();
                if !chosen.is_empty() {
                    rows.push(row(&chosen, class.clone(), layout, share, name_of(clock)));
                }
            }
        }
    }
    Ok(rows)
}

fn class_of(trial: &Trial) -> String {
    format!("{}: {}", trial.key.class, trial.key.item)
}

/// What was planted, in per cent of CPU time: 0 where nothing was, `None` where there was no time to count it.
fn truth_percent(trial: &Trial) -> Option<f64> {
    if trial.key.share == 0.0 {
        return Some(0.0);
    }
    median(trial.blocks.iter().filter_map(Block::planted_effect).collect()).map(percent)
}

fn row(seen: &[&Seen<'_>], class: Option<String>, layout: Option<Layout>, share: f64, clock: &'static str) -> Row {
    let trials = seen.len();
    let called = |finding: Finding| Count { hits: seen.iter().filter(|s| s.replayed.finding == finding).count(), trials };
    let errors: Vec<_> = seen.iter().filter_map(|s| Some(percent(s.replayed.estimate?) - s.truth_percent?)).collect();
    Row {
        class,
        layout,
        share,
        clock,
        truth_percent: median(seen.iter().filter_map(|s| s.truth_percent).collect()),
        slower: called(Finding::Regression),
        faster: called(Finding::Improvement),
        undecided: called(Finding::Undecided),
        near: Count { hits: errors.iter().filter(|error| error.abs() <= NEAR_POINTS).count(), trials },
        spread_points: deviation(&errors),
        blocks: median(seen.iter().map(|s| as_f64(s.replayed.blocks as u64)).collect()).unwrap_or(0.0),
    }
}

/// Standard deviation of a sample.
fn deviation(values: &[f64]) -> Option<f64> {
    let count = as_f64(values.len() as u64);
    let mean = values.iter().sum::<f64>() / count;
    let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt())
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::record::Key;
    use super::super::replay::tests::blocks;
    use super::*;
    use crate::paired::record::tests::item;
    use crate::stats::trial::Plan;

    /// A trial with that effect in its CPU times, of which the workers counted all.
    pub(in super::super) fn trial(class: &str, share: f64, round: u32, layout: Layout, effect: f64) -> Trial {
        let mut all = blocks(32, effect, false);
        all.extend(blocks(32, effect, true));
        if share > 0.0 {
            for block in &mut all {
                for letter in [1, 2] {
                    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test values")]
                    let extra = (block.letters[letter].thread_cpu_ns as f64 * (1.0 - (-effect).exp())) as u64;
                    block.letters[letter].extra_cpu_ns = Some(extra);
                }
            }
        }
        let key = Key { class: class.to_owned(), item: item(), share, round };
        Trial { key, layout, load: Some(0.5), blocks_ns: 72_000_000_000, control: blocks(8, 0.0, false), blocks: all }
    }

    #[test]
    fn calls_and_errors_are_counted_by_class_share_layout_and_clock() {
        let schedule = Schedule::new(Plan::default()).unwrap();
        let trials = [
            trial("branchy", 0.0, 1, Layout::Relinked, 0.0),
            trial("branchy", 0.0, 2, Layout::Copied, 0.03),
            trial("branchy", 0.05, 1, Layout::Relinked, 0.05),
            trial("compute-bound", 0.05, 1, Layout::Copied, 0.05),
        ];
        let rows = rows(&schedule, &trials, 72_000_000_000, &CLOCKS).unwrap();
        let find = |class: Option<&str>, layout, share: f64, clock: &str| {
            let named = |row: &&Row| row.class.as_deref().map(|c| c.split(':').next().unwrap()) == class;
            rows.iter().filter(named).find(|r| r.layout == layout && r.share == share && r.clock == clock).unwrap()
        };
        let false_alarm = find(Some("branchy"), None, 0.0, "thread CPU");
        assert_eq!((false_alarm.slower, false_alarm.truth_percent), (Count { hits: 1, trials: 2 }, Some(0.0)));
        assert_eq!(false_alarm.near, Count { hits: 1, trials: 2 });
        assert!((false_alarm.spread_points.unwrap() - 3.045 / 2f64.sqrt()).abs() < 0.1, "{false_alarm:?}");
        let caught = find(None, None, 0.05, "thread CPU");
        assert_eq!((caught.slower, caught.near), (Count { hits: 2, trials: 2 }, Count { hits: 2, trials: 2 }));
        assert!((caught.truth_percent.unwrap() - percent(0.05)).abs() < 0.1, "{caught:?}");
        let missed = find(None, None, 0.05, "wall");
        assert_eq!((missed.slower.hits, missed.near.hits, missed.undecided.hits), (0, 0, 0), "wall times were left alone");
        assert_eq!(find(None, Some(Layout::Relinked), 0.0, "thread CPU").slower, Count { hits: 0, trials: 1 });
        assert_eq!(find(None, Some(Layout::Copied), 0.0, "thread CPU").slower, Count { hits: 1, trials: 1 });
        assert!(rows.iter().all(|row| row.layout.is_none() || row.share == 0.0));
        let interval = caught.slower.interval();
        assert!((interval.lower - 0.158).abs() < 0.001 && interval.upper == 1.0, "2 of 2: {interval:?}");
        // A tenth of the time: no look is paid for.
        let short = super::rows(&schedule, &trials, 7_200_000_000, &CLOCKS).unwrap();
        assert!(short.iter().all(|row| row.undecided.hits == row.undecided.trials && row.near.hits == 0));
    }
}
