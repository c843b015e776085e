//! What a comparison stores: a header, then each item's preparation and each block as it ends. All of it is raw.

use serde::{Deserialize, Serialize};

use super::item::Item;
use super::schedule::{Order, Side};
use crate::builds::Build;
use crate::model::machine::Machine;
use crate::model::metric::as_f64;
use crate::worker::batch::{BatchTimes, slices};

/// Version of the file.
pub const VERSION: u32 = 1;

/// First line: what is compared with what, where, drawn from which seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Header {
    /// Version of the file.
    pub weighbridge_paired: u32,
    /// When it began, RFC 3339, UTC.
    pub started: String,
    /// The command that began it.
    pub command: String,
    /// Seed of orders, variants and processors.
    pub seed: u64,
    /// The machine.
    pub machine: Machine,
    /// Processors that workers were held on, one a block.
    pub cores: Vec<usize>,
    /// CPU time that a batch was to take.
    pub batch_ns: u64,
    /// Share of extra work that the candidate was told to do, where a slower build was to be played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planted: Option<f64>,
    /// A.
    pub baseline: Build,
    /// B.
    pub candidate: Build,
    /// What is compared.
    pub items: Vec<Item>,
}

/// Later lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Line {
    /// Both sides encoded and decoded the item's part of the model and passed the check, and a batch was sized.
    Prepared {
        /// The item.
        item: Item,
        /// How it is timed.
        sizing: Sizing,
    },
    /// The item cannot be compared.
    LeftOut {
        /// The item.
        item: Item,
        /// Where: `encode`, `decode`, `check` or `time`.
        stage: String,
        /// Why, with the side.
        message: String,
        /// Whether the baseline's build alone cannot do it.
        new: bool,
    },
    /// A block of the A/A arm: the baseline's build takes the candidate's place.
    Control(Box<Block>),
    /// A block of four letters.
    Block(Box<Block>),
}

/// How an item is timed, on both sides alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Sizing {
    /// Times the model was halved: the part of it that is timed is 2 to the minus this.
    pub halvings: u32,
    /// Bytes of that part, in the model's dtype.
    pub input_bytes: u64,
    /// Passes before the clocks are read.
    pub warm_up: u64,
    /// Passes of a batch.
    pub passes: u64,
}

/// One block of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Block {
    /// The item.
    pub item: Item,
    /// Number of the block within the item's group.
    pub index: u64,
    /// Whether it belongs to a confirmation, which shares no data with the suspicion.
    pub confirmation: bool,
    /// Order of the letters.
    pub order: Order,
    /// Layout variants of baseline and candidate.
    pub variants: [usize; 2],
    /// The letters, in order.
    pub letters: [BatchTimes; 4],
}

/// Which clock an effect is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// CPU time of the thread: decides where one thread works.
    ThreadCpu,
    /// CPU time of the process.
    ProcessCpu,
    /// Wall time.
    Wall,
}

impl Block {
    /// Mean log of the candidate's times minus that of the baseline's: slow drift, linear in time, is the same in both.
    pub fn effect(&self, clock: Clock) -> f64 {
        let log = |side: Side| self.of_side(side).map(|t| self.letter_ns(t, clock).max(1.0).ln()).sum::<f64>() / 2.0;
        log(Side::Candidate) - log(Side::Baseline)
    }

    /// Nanoseconds a pass of a side, as the mean of its two letters.
    pub fn pass_ns(&self, side: Side, clock: Clock) -> f64 {
        self.of_side(side).map(|t| self.letter_ns(t, clock)).sum::<f64>() / 2.0
    }

    /// Log of what extra work has added to the candidate's CPU time; `None` where it was told to do none.
    pub fn planted_effect(&self) -> Option<f64> {
        let logs = self.of_side(Side::Candidate).map(|t| {
            let (all, extra) = (as_f64(t.thread_cpu_ns), as_f64(t.extra_cpu_ns?));
            let without: Vec<_> = t.slice_cpu_ns.iter().zip(&t.slice_extra_cpu_ns).map(|(all, extra)| all - extra).collect();
            Some(match (self.typical(t, &t.slice_cpu_ns), self.typical(t, &without)) {
                (Some(all), Some(without)) => (all / without.max(1.0)).ln(),
                _ => (all / (all - extra).max(1.0)).ln(),
            })
        });
        logs.sum::<Option<f64>>().map(|sum| sum / 2.0)
    }

    fn of_side(&self, side: Side) -> impl Iterator<Item = &BatchTimes> {
        self.order.letters().into_iter().zip(&self.letters).filter(move |(s, _)| *s == side).map(|(_, times)| times)
    }

    /// Nanoseconds a pass of a letter. On the thread's clock they are those of a typical slice, on the others the mean.
    fn letter_ns(&self, times: &BatchTimes, clock: Clock) -> f64 {
        let mean = |ns: u64| as_f64(ns) / as_f64(times.passes.max(1));
        match clock {
            Clock::ThreadCpu => self.typical(times, &times.slice_cpu_ns).unwrap_or_else(|| mean(times.thread_cpu_ns)),
            Clock::ProcessCpu => mean(times.process_cpu_ns),
            Clock::Wall => mean(times.wall_ns),
        }
    }

    /// Nanoseconds a pass of the lower quartile of a letter's slices; nothing where some letter of the block has none, as a worker of an older
    /// release has not: all letters are taken alike.
    ///
    /// All passes do the same, and what others do on the machine, such as taking the caches while the thread waits its turn, only ever adds to
    /// the time of some. The lower quartile is free of that while three slices of four may have it; a slow-down of the code is in every one.
    fn typical(&self, times: &BatchTimes, slices_ns: &[u64]) -> Option<f64> {
        if self.letters.iter().any(|t| t.slice_cpu_ns.is_empty()) {
            return None;
        }
        let mut each: Vec<_> = slices_ns.iter().zip(slices(times.passes)).map(|(&ns, passes)| as_f64(ns) / as_f64(passes)).collect();
        each.sort_by(f64::total_cmp);
        each.get(each.len().saturating_sub(1) / 4).copied()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::record::Case;
    use crate::worker::batch::Operation;

    pub(crate) fn item() -> Item {
        Item { case: Case { kernel: "int8".into(), fixture: "mlp".into() }, operation: Operation::Encode }
    }

    pub(crate) fn block(order: Order, cpu: [u64; 4]) -> Block {
        let times = |thread_cpu_ns| BatchTimes {
            passes: 10,
            warm_up_cpu_ns: vec![1],
            thread_cpu_ns,
            process_cpu_ns: thread_cpu_ns,
            wall_ns: 2 * thread_cpu_ns,
            clock_resolution_ns: 30,
            core: None,
            extra_cpu_ns: None,
            slice_cpu_ns: Vec::new(),
            slice_extra_cpu_ns: Vec::new(),
        };
        Block { item: item(), index: 0, confirmation: false, order, variants: [0, 0], letters: cpu.map(times) }
    }

    #[test]
    fn the_effect_is_the_candidates_whatever_the_order_and_drift_cancels() {
        let slower = block(Order::Abba, [1000, 1020, 1020, 1000]);
        assert!((slower.effect(Clock::ThreadCpu) - 1.02f64.ln()).abs() < 1e-12);
        assert!((slower.effect(Clock::Wall) - 1.02f64.ln()).abs() < 1e-12);
        assert!((block(Order::Baab, [1020, 1000, 1000, 1020]).effect(Clock::ThreadCpu) - 1.02f64.ln()).abs() < 1e-12);
        let drift = [1.0f64, 1.1, 1.21, 1.331].map(|x| 1e6 * x);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "test values")]
        let drifting = block(Order::Abba, drift.map(|x| x as u64));
        assert!(drifting.effect(Clock::ProcessCpu).abs() < 1e-6, "drift that is linear in the log cancels");
        assert_eq!(slower.pass_ns(Side::Candidate, Clock::ThreadCpu), 102.0);
    }

    #[test]
    fn what_was_planted_is_told_from_the_letters_of_the_candidate() {
        let mut planted = block(Order::Abba, [1000, 1100, 1100, 1000]);
        assert_eq!(planted.planted_effect(), None);
        planted.letters[1].extra_cpu_ns = Some(100);
        planted.letters[2].extra_cpu_ns = Some(100);
        assert!((planted.planted_effect().unwrap() - 1.1f64.ln()).abs() < 1e-12);
    }
}
