//! What a calibration stores: a header, then each trial as it ends. All of it is raw.

use serde::{Deserialize, Serialize};

use crate::builds::Layout;
use crate::model::machine::Machine;
use crate::paired::item::Item;
use crate::paired::record::{Block, Clock};

/// Version of the file.
pub const VERSION: u32 = 1;

/// First line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Header {
    /// Version of the file.
    pub weighbridge_calibrate: u32,
    /// When it began, RFC 3339, UTC.
    pub started: String,
    /// The machine.
    pub machine: Machine,
    /// Time that a comparison may take.
    pub comparison_ns: u64,
    /// CPU time that a batch was to take.
    pub batch_ns: u64,
    /// Clocks by which a trial had to be decided before it ended.
    pub clocks: Vec<Clock>,
    /// Seed that those of the trials are drawn from.
    pub seed: u64,
}

/// What a trial is one of: a file holds each once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Key {
    /// Class of kernels.
    pub class: String,
    /// What was timed.
    pub item: Item,
    /// Share of extra work that the candidate was told to do; 0 for an A/A trial.
    pub share: f64,
    /// Round, from 1.
    pub round: u32,
}

/// A trial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Trial {
    /// Which.
    pub key: Key,
    /// How both sides' variants differ.
    pub layout: Layout,
    /// Processes that were running or waiting when it began, averaged over a minute, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<f64>,
    /// Time that its blocks took.
    pub blocks_ns: u64,
    /// The A/A arm.
    pub control: Vec<Block>,
    /// Blocks of search and confirmation.
    pub blocks: Vec<Block>,
}

impl Trial {
    /// Blocks that a comparison has time for.
    pub fn affordable(&self, comparison_ns: u64) -> usize {
        affordable(self.control.len() + self.blocks.len(), self.blocks_ns, comparison_ns)
    }
}

/// Blocks that a comparison has time for when so many took so long.
pub fn affordable(blocks: usize, blocks_ns: u64, comparison_ns: u64) -> usize {
    let blocks = u128::try_from(blocks).unwrap_or(0);
    let fit = blocks * u128::from(comparison_ns) / u128::from(blocks_ns.max(1));
    usize::try_from(fit).unwrap_or(usize::MAX)
}
