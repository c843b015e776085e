//! What is said of a comparison, in figures of its items. Changes are shares: 0.02 is 2 % slower.

use std::collections::BTreeMap;

use super::item::Item;
use super::prepare::LeftOut;
use crate::stats::decision::Finding;

/// What the A/A arm of an item showed. Shares, as changes are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ControlFigures {
    /// Estimated difference of the baseline from itself.
    pub difference: f64,
    /// Change under which none counts.
    pub floor: f64,
    /// Blocks.
    pub blocks: usize,
}

/// What all arms showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ControlArm {
    /// Times that have one.
    pub armed: usize,
    /// Median of the differences' magnitudes.
    pub median_difference: f64,
    /// Largest of them.
    pub largest_difference: f64,
    /// Largest floor.
    pub largest_floor: f64,
}

/// What is said of an item. Changes are shares: 0.02 is 2 % slower.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// What is said.
    pub finding: Finding,
    /// Seconds of CPU time for 10⁶ bytes, baseline and candidate: medians of the blocks that decide.
    pub seconds_per_mb: Option<[f64; 2]>,
    /// Estimated change of CPU time.
    pub change: Option<f64>,
    /// Its interval.
    pub interval: Option<[f64; 2]>,
    /// Median change of wall time over the same blocks.
    pub wall_change: Option<f64>,
    /// Smallest slow-down that these blocks would have called with 95 % probability; infinite where there are too few.
    pub smallest_detectable: f64,
    /// Change that was planted, where one was, as the workers counted it.
    pub planted: Option<f64>,
    /// What its A/A arm showed, where it has one.
    pub control: Option<ControlFigures>,
    /// Blocks, of search and confirmation together.
    pub blocks: usize,
    /// Share of the model that was timed.
    pub share: f64,
    /// p-value of the confirmation, adjusted by Holm over all suspicions.
    pub p_holm: Option<f64>,
    /// Why it is undecided and what would decide it.
    pub doubt: Option<String>,
}

/// An item that is not decided, and what would decide it.
#[derive(Debug, Clone, PartialEq)]
pub struct Undecided {
    /// The item.
    pub item: Item,
    /// Why, and what would help.
    pub why: String,
}

/// A comparison, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// What was compared with what, in words.
    pub sides: [String; 2],
    /// Whether both sides are known to hold the same code.
    pub same_code: bool,
    /// Whether some side was copied rather than linked anew.
    pub layout_confounded: bool,
    /// Share of extra work that was planted in the candidate.
    pub planted: Option<f64>,
    /// Seed.
    pub seed: u64,
    /// Seconds it took.
    pub seconds: f64,
    /// Whether the budget ended it.
    pub out_of_time: bool,
    /// Figures by item.
    pub items: Vec<(Item, Figures)>,
    /// Items that could not be compared.
    pub left_out: BTreeMap<Item, LeftOut>,
    /// Why the machine is unfit, if it is.
    pub unfit: Option<String>,
}

impl Judged {
    /// Items without a decision.
    pub fn undecided(&self) -> Vec<Undecided> {
        let doubts = self.items.iter().filter(|(_, f)| f.finding == Finding::Undecided);
        doubts.map(|(item, f)| Undecided { item: item.clone(), why: f.doubt.clone().unwrap_or_default() }).collect()
    }

    /// What the A/A arms showed; `None` where there is none.
    pub fn control(&self) -> Option<ControlArm> {
        let arms: Vec<_> = self.items.iter().filter_map(|(_, f)| f.control).collect();
        let differences: Vec<_> = arms.iter().map(|arm| arm.difference.abs()).collect();
        let largest = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        let floors: Vec<_> = arms.iter().map(|arm| arm.floor).collect();
        let (largest_difference, largest_floor) = (largest(&differences), largest(&floors));
        let median_difference = median(differences)?;
        Some(ControlArm { armed: arms.len(), median_difference, largest_difference, largest_floor })
    }

    /// What was compared, in words.
    pub fn lines(&self) -> Vec<String> {
        let [a, b] = &self.sides;
        let (all, open) = (self.items.len(), self.undecided().len());
        let mut lines = vec![format!(
            "Times: {a} against {b}, interleaved on this machine; {} of {all} decided in {:.0} s (seed {}).",
            all - open,
            self.seconds,
            self.seed
        )];
        if let Some(share) = self.planted {
            lines.push(format!("A slow-down was planted: the candidate did {} % of extra work.", 100.0 * share));
        }
        if self.same_code && self.planted.is_none() {
            lines.push(
                "Both sides hold the same code: this is an A/A comparison, and every change is an error of the measurement.".to_owned(),
            );
        }
        if let Some(arm) = self.control() {
            let [median, most, floor] = [arm.median_difference, arm.largest_difference, arm.largest_floor].map(|x| 100.0 * x);
            lines.push(format!(
                "A/A arm: the baseline against itself, in {} of {all} times, differs by {median:.2} % (median) and {most:.2} % at most; changes below a \
                 time's floor do not count, and the largest floor is {floor:.2} %.",
                arm.armed
            ));
        }
        if self.layout_confounded {
            lines.push(
                "Layout is confounded: a side was copied, not linked anew, so where its code lies in memory is part of the change."
                    .to_owned(),
            );
        }
        if self.out_of_time {
            lines.push("The time was up before all was decided; a larger '--budget', or '--resume', goes on.".to_owned());
        }
        lines
    }
}

/// The median; `None` of nothing.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    (!values.is_empty()).then(|| f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2]))
}
