//! One trial: blocks until every clock's gate is decided or out of time.

use std::path::Path;
use std::time::{Duration, Instant};

use super::record::{Key, Trial, affordable};
use super::replay::replay;
use crate::builds::{Build, Layout};
use crate::host;
use crate::paired::item::Candidate;
use crate::paired::record::{Block, Clock};
use crate::paired::{Single, Stage, median};
use crate::stats::trial::{Purpose, Schedule};
use crate::worker::client::{Client, Launch, WorkerError};
use crate::worker::protocol::{Reply, Request, Sampling};

/// Blocks of the A/A arm, as a gate has them.
const CONTROL_BLOCKS: u64 = 8;
/// Blocks that tell how much of the work that is asked for is done.
const SIZING_BLOCKS: u64 = 7;

/// What all trials share.
#[derive(Debug)]
pub struct Setting<'a> {
    /// The gate's plan.
    pub schedule: &'a Schedule,
    /// The harness's own workers.
    pub own: &'a Launch,
    /// Time for the blocks of a comparison.
    pub comparison: Duration,
    /// CPU time that a batch is to take.
    pub batch_ns: u64,
    /// Clocks by which a trial has to be decided before it ends.
    pub clocks: &'a [Clock],
    /// Folder for files.
    pub scratch: &'a Path,
}

/// The share to ask workers for, so that what they do is about `share` of their time: a call has a cost of its own, so an excerpt takes longer than its
/// share of the elements. The median of some blocks tells.
pub fn asked(setting: &Setting<'_>, share: f64, candidate: &Candidate, sides: [&Build; 2]) -> Result<f64, String> {
    let single = Single::prepare(candidate, sides, setting.own, Some(share), setting.batch_ns, 0, setting.scratch)
        .map_err(|left_out| format!("at {}: {}", left_out.stage, left_out.message))?;
    let blocks =
        (0..SIZING_BLOCKS).map(|index| single.block(Stage::Search, index).map_err(|e| e.to_string())).collect::<Result<Vec<_>, _>>()?;
    let done = median(blocks.iter().filter_map(Block::planted_effect).collect()).map_or(0.0, libm::expm1);
    Ok(corrected(share, done))
}

/// What to ask for where `share` was asked for and `done` was done; within a factor of five, as a first try may be off by chance.
fn corrected(share: f64, done: f64) -> f64 {
    if done > 0.0 { (share * share / done).clamp(share / 5.0, share * 5.0) } else { share }
}

/// Measures a trial of both sides, of which the second is asked to do the share `planted` of extra work. `Err` says in words why it cannot be measured.
pub fn measure(
    setting: &Setting<'_>,
    key: Key,
    planted: Option<f64>,
    candidate: &Candidate,
    sides: [&Build; 2],
    seed: u64,
) -> Result<Trial, String> {
    let load = host::load();
    let single = Single::prepare(candidate, sides, setting.own, planted, setting.batch_ns, seed, setting.scratch)
        .map_err(|left_out| format!("at {}: {}", left_out.stage, left_out.message))?;
    let comparison_ns = nanoseconds(setting.comparison);
    let block = |stage, index| single.block(stage, index).map_err(|e| e.to_string());
    let begun = Instant::now();
    let control = (0..CONTROL_BLOCKS).map(|index| block(Stage::Control, index)).collect::<Result<Vec<_>, _>>()?;
    let mut next = [0u64; 2];
    let mut blocks = Vec::new();
    loop {
        let most = affordable(control.len() + blocks.len(), nanoseconds(begun.elapsed()), comparison_ns);
        let wanted = setting.clocks.iter().map(|&clock| replay(setting.schedule, &control, &blocks, clock, most).map(|r| r.wants));
        let wanted = wanted.collect::<Result<Vec<_>, _>>().map_err(|e| e.to_string())?;
        let stage = match wanted.iter().flatten().min_by_key(|purpose| **purpose == Purpose::Confirmation) {
            Some(Purpose::Search) => Stage::Search,
            Some(Purpose::Confirmation) => Stage::Confirmation,
            None => break,
        };
        let index = &mut next[usize::from(stage == Stage::Confirmation)];
        blocks.push(block(stage, *index)?);
        *index += 1;
    }
    let layout = if sides.iter().all(|side| side.layout == Layout::Relinked) { Layout::Relinked } else { Layout::Copied };
    Ok(Trial { key, layout, load, blocks_ns: nanoseconds(begun.elapsed()), control, blocks })
}

/// CPU times of a pass of encode and of decode over a whole model: hints for how much of it a batch has time for.
pub fn times(own: &Launch, kernel: &str, model: &Path, scratch: &Path) -> Result<[u64; 2], WorkerError> {
    let sampling = Sampling { threads: 1, budget_ms: 20, max_samples: 3 };
    let mut worker = Client::start(own)?;
    let loaded = worker.ask(&Request::Load { model: model.to_owned(), calibration: None })?;
    let artifact = scratch.join("times.artifact.safetensors");
    let encoded = worker.ask(&Request::Encode { kernel: kernel.to_owned(), artifact: artifact.clone() })?;
    if let (Reply::Loaded { tensors, .. }, Reply::Encoded(encoded)) = (loaded, encoded)
        && encoded.passed_through.len() == tensors
    {
        let message = format!("'{kernel}' takes no tensor of '{}', so there is nothing to time; name another", model.display());
        return Err(WorkerError::Refused { message });
    }
    let mut pass_ns = |request: &Request| match worker.ask(request)? {
        Reply::Timed { samples, .. } => Ok(samples.cpu_ns.iter().min().map_or(1, |ns| ns / samples.repetitions.max(1))),
        other => Err(worker.unexpected(&other)),
    };
    Ok([pass_ns(&Request::TimeEncode { kernel: kernel.to_owned(), sampling })?, pass_ns(&Request::TimeDecode { artifact, sampling })?])
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_work_than_was_wanted_is_asked_less_of() {
        assert!((corrected(0.02, 0.025) - 0.016).abs() < 1e-12);
        assert_eq!(corrected(0.02, 0.0), 0.02);
        assert_eq!([corrected(0.02, 1.0), corrected(0.02, 1e-6)], [0.004, 0.1]);
    }
}
