//! One item on its own, measured block by block for as long as somebody wants: what the method's error rates are found out with.

use std::collections::BTreeMap;
use std::path::Path;

use super::block::{self, Setting};
use super::item::Candidate;
use super::letter::Party;
use super::prepare::{LeftOut, Preparation, Ready};
use super::record::Block;
use super::schedule::{Side, Stage, draw, draw_control};
use crate::builds::Build;
use crate::host::allowed_processors;
use crate::worker::client::{Launch, WorkerError};

/// An item that passed its check and was sized.
#[derive(Debug)]
pub struct Single {
    parties: [Party; 2],
    arm: [Party; 2],
    variants: [usize; 2],
    ready: Ready,
    seed: u64,
    cores: Vec<usize>,
}

impl Single {
    /// Prepares the first operation of a case for both builds; with `planted` the candidate does that share of extra work. Files go to `scratch`.
    pub fn prepare(
        candidate: &Candidate,
        [baseline, other]: [&Build; 2],
        own: &Launch,
        planted: Option<f64>,
        batch_ns: u64,
        seed: u64,
        scratch: &Path,
    ) -> Result<Self, LeftOut> {
        let parties = [Party::new(Side::Baseline, baseline, own, None), Party::new(Side::Candidate, other, own, planted)];
        let mut prepared = None;
        let preparation = Preparation { scratch, parties: &parties, own, batch_ns };
        if let Some(&operation) = candidate.operations.first() {
            preparation.prepare(&[candidate], operation, &BTreeMap::new(), &mut |_, outcome| prepared = Some(outcome));
        }
        let nothing = || LeftOut { stage: "plan".to_owned(), message: "no operation was named".to_owned(), new: false };
        let ready = prepared.unwrap_or_else(|| Err(nothing()))?;
        let arm = [parties[0].clone(), parties[0].clone()];
        let variants = [baseline.variants.len(), other.variants.len()];
        Ok(Self { parties, arm, variants, ready, seed, cores: allowed_processors() })
    }

    /// Measures a block of a stage; blocks of each stage are numbered from 0.
    pub fn block(&self, stage: Stage, index: u64) -> Result<Block, WorkerError> {
        let group = self.ready.item.to_string();
        let confirmation = stage == Stage::Confirmation;
        let (parties, draw) = match stage {
            Stage::Control => (&self.arm, draw_control(self.seed, &group, index, self.variants[0], self.cores.len())),
            Stage::Search | Stage::Confirmation => {
                (&self.parties, draw(self.seed, &group, confirmation, index, self.variants, self.cores.len()))
            }
        };
        let setting = Setting { parties, draw, index, confirmation, core: self.cores.get(draw.core).copied() };
        let mut blocks = block::run(setting, &[&self.ready]).map_err(|(_, _, error)| error)?;
        blocks.pop().ok_or_else(|| WorkerError::Refused { message: "a block of one item gave nothing".to_owned() })
    }
}
