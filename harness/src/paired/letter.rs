//! A letter: a fresh process of one build that times a batch of each of some items, one after the other.

use std::path::PathBuf;

use super::item::Item;
use super::prepare::Ready;
use super::schedule::Side;
use crate::builds::Build;
use crate::worker::batch::{Batch, BatchTimes, Operation};
use crate::worker::client::{Client, Launch, WorkerError};
use crate::worker::protocol::{Reply, Request};

/// How the workers of a side are started.
#[derive(Debug, Clone)]
pub struct Party {
    /// Which side.
    pub side: Side,
    /// One launch a layout variant.
    pub launches: Vec<Launch>,
    /// Whether its workers do extra work, and so need the model for decode as well.
    pub planted: bool,
}

impl Party {
    /// The workers of a build; `like` gives their limits. With `planted` they do that share of extra work.
    pub fn new(side: Side, build: &Build, like: &Launch, planted: Option<f64>) -> Self {
        let launch = |program: &PathBuf| {
            let mut launch = Launch::own(program.clone(), like.timeout, like.memory_limit_bytes);
            launch.arguments.extend(planted.iter().flat_map(|share| ["--extra-work".to_owned(), share.to_string()]));
            launch
        };
        Self { side, launches: build.variants.iter().map(|v| launch(&v.program)).collect(), planted: planted.is_some() }
    }
}

/// Times one batch of each item in one fresh process of a layout variant, in the order given.
///
/// An item that fails fails the letter: what passed its check when it was prepared is not expected to.
pub fn time(party: &Party, variant: usize, items: &[&Ready], core: Option<usize>) -> Result<Vec<BatchTimes>, (Item, WorkerError)> {
    let Some(first) = items.first() else { return Ok(Vec::new()) };
    let launch = &party.launches[variant % party.launches.len()];
    let mut worker = Client::start(launch).map_err(|e| (first.item.clone(), e))?;
    let (mut loaded, mut all) = (None, Vec::with_capacity(items.len()));
    for ready in items {
        let times = one(party, &mut worker, ready, &mut loaded, core).map_err(|e| (ready.item.clone(), e))?;
        all.push(times);
    }
    Ok(all)
}

fn one(
    party: &Party,
    worker: &mut Client,
    ready: &Ready,
    loaded: &mut Option<PathBuf>,
    core: Option<usize>,
) -> Result<BatchTimes, WorkerError> {
    let decode = ready.item.operation == Operation::Decode;
    if (!decode || party.planted) && loaded.as_ref() != Some(&ready.model) {
        load(worker, ready)?;
        *loaded = Some(ready.model.clone());
    }
    let batch = Batch {
        operation: ready.item.operation,
        kernel: ready.kernel.clone(),
        artifact: decode.then(|| ready.artifact(party.side).to_owned()),
        warm_up: ready.sizing.warm_up,
        passes: ready.sizing.passes,
        threads: 1,
        core,
    };
    match worker.ask(&Request::TimeBatch(batch))? {
        Reply::BatchTimed(times) => Ok(times),
        other => Err(worker.unexpected(&other)),
    }
}

/// Has the item's part of the model read.
pub fn load(worker: &mut Client, ready: &Ready) -> Result<(), WorkerError> {
    match worker.ask(&Request::Load { model: ready.model.clone(), calibration: ready.calibration.clone() })? {
        Reply::Loaded { .. } => Ok(()),
        other => Err(worker.unexpected(&other)),
    }
}
