//! Before an item is timed: both builds encode its part of the model and decode it in a fresh process, the result is checked, and a batch is
//! sized. What does not pass has no times.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use weighbridge::artifact::write_tensors;

use super::item::{Candidate, Item, halvings, passes, share, shown_passes, warm_up};
use super::letter::{Party, load, time};
use super::record::Sizing;
use super::schedule::Side;
use crate::worker::batch::{BatchTimes, Operation};
use crate::worker::client::{Client, Launch, WorkerError};
use crate::worker::excerpt::excerpt;
use crate::worker::model::Model;
use crate::worker::protocol::{Decoded, Encoded, Reply, Request};

/// An item with its files.
#[derive(Debug, Clone, PartialEq)]
pub struct Ready {
    /// The item.
    pub item: Item,
    /// What workers are told to use for its kernel.
    pub kernel: String,
    /// The part of the model that is timed.
    pub model: PathBuf,
    /// Statistics of the layers' inputs.
    pub calibration: Option<PathBuf>,
    /// What each side made of that part.
    pub artifacts: [PathBuf; 2],
    /// How it is timed.
    pub sizing: Sizing,
}

impl Ready {
    /// The artifact that a side decodes: its own.
    pub fn artifact(&self, side: Side) -> &Path {
        match side {
            Side::Baseline => &self.artifacts[0],
            Side::Candidate => &self.artifacts[1],
        }
    }
}

/// Why an item cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Where.
    pub stage: String,
    /// Why.
    pub message: String,
    /// Whether the baseline's build alone cannot do it.
    pub new: bool,
}

/// Outcome of an item's preparation.
pub type Prepared = Result<Ready, LeftOut>;

/// Prepares items: excerpts, artifacts and checks go through a folder of their own.
#[derive(Debug)]
pub struct Preparation<'a> {
    /// Where files go.
    pub scratch: &'a Path,
    /// Both sides.
    pub parties: &'a [Party; 2],
    /// The harness's own workers, which check.
    pub own: &'a Launch,
    /// CPU time that a batch is to take.
    pub batch_ns: u64,
}

/// What a side made of an item's part of the model.
struct Made {
    encoded: Encoded,
    decoded: Decoded,
    output: PathBuf,
}

impl Preparation<'_> {
    /// Prepares the items of one fixture and operation; each outcome goes to `done` as it comes. `sized` are sizings from an earlier sitting,
    /// which are kept.
    pub fn prepare(
        &self,
        candidates: &[&Candidate],
        operation: Operation,
        sized: &BTreeMap<Item, Sizing>,
        done: &mut dyn FnMut(&Item, Prepared),
    ) {
        let mut by_part = BTreeMap::<u32, Vec<&Candidate>>::new();
        for candidate in candidates {
            let item = Item { case: candidate.case.clone(), operation };
            let halvings = sized.get(&item).map_or_else(|| halvings(operation, candidate.encode_ns, candidate.decode_ns), |s| s.halvings);
            by_part.entry(halvings).or_default().push(candidate);
        }
        for (halvings, candidates) in by_part {
            let part = self.part(candidates[0], halvings);
            let mut pending: Vec<Ready> = Vec::new();
            for candidate in candidates {
                let item = Item { case: candidate.case.clone(), operation };
                match &part {
                    Ok((model, input_bytes)) => {
                        let pass_ns = if operation == Operation::Encode { candidate.encode_ns } else { candidate.decode_ns } >> halvings;
                        let sizing = Sizing { halvings, input_bytes: *input_bytes, warm_up: shown_passes(pass_ns), passes: 1 };
                        pending.push(self.ready(candidate, item, model, sizing));
                    }
                    Err(message) => done(&item, Err(LeftOut { stage: "excerpt".to_owned(), message: message.clone(), new: false })),
                }
            }
            self.prepare_part(pending, sized, done);
        }
    }

    fn ready(&self, candidate: &Candidate, item: Item, model: &Path, sizing: Sizing) -> Ready {
        let slug = format!("{}-{}", slug(&item), sizing.halvings);
        let artifacts = ["baseline", "candidate"].map(|side| self.scratch.join(format!("{slug}-{side}.artifact.safetensors")));
        Ready {
            kernel: candidate.kernel.clone(),
            model: model.to_owned(),
            calibration: candidate.calibration.clone(),
            artifacts,
            item,
            sizing,
        }
    }

    /// The part of a model that so many halvings leave, with its bytes; written where it is not there yet.
    fn part(&self, candidate: &Candidate, halvings: u32) -> Result<(PathBuf, u64), String> {
        if halvings == 0 {
            return Ok((candidate.model.clone(), candidate.input_bytes));
        }
        let tensors = Model::open(&candidate.model, u64::MAX).and_then(Model::into_tensors).map_err(|e| e.to_string())?;
        let part = excerpt(&tensors, share(halvings)).map_err(|e| e.to_string())?;
        let path = self.scratch.join(format!("{}-{halvings}.safetensors", candidate.case.fixture));
        if !path.exists() {
            write_tensors(&path, part.iter()).map_err(|e| e.to_string())?;
        }
        Ok((path, part.iter().map(|t| t.raw().3.len() as u64).sum()))
    }

    fn prepare_part(&self, mut pending: Vec<Ready>, sized: &BTreeMap<Item, Sizing>, done: &mut dyn FnMut(&Item, Prepared)) {
        let sides: Vec<_> = self.parties.iter().map(|party| self.make(party, &pending)).collect();
        let (mut kept, mut checker) = (Vec::new(), None);
        for ready in pending.drain(..) {
            let made = [&sides[0][&ready.item], &sides[1][&ready.item]];
            match self.checked(&ready, made, &mut checker) {
                Ok(()) => kept.push(ready),
                Err(left_out) => done(&ready.item, Err(left_out)),
            }
        }
        for made in sides.iter().flat_map(BTreeMap::values).flatten() {
            let _ = std::fs::remove_file(&made.output);
        }
        let (sized_before, mut unsized_yet): (Vec<_>, Vec<_>) = kept.into_iter().partition(|r| sized.contains_key(&r.item));
        for mut ready in sized_before {
            ready.sizing = sized[&ready.item];
            done(&ready.item.clone(), Ok(ready));
        }
        self.size(&mut unsized_yet, done);
        for ready in unsized_yet {
            done(&ready.item.clone(), Ok(ready));
        }
    }

    /// One process encodes all items, a fresh one decodes them; an item that costs a process its life costs nothing but itself.
    fn make(&self, party: &Party, items: &[Ready]) -> BTreeMap<Item, Result<Made, (String, String)>> {
        let mut encoder = None;
        let encoded: Vec<_> = items.iter().map(|ready| encode(party, &mut encoder, ready)).collect();
        drop(encoder);
        let mut decoder = None;
        let mut made = BTreeMap::new();
        for (ready, encoded) in items.iter().zip(encoded) {
            let output = ready.artifact(party.side).with_extension("decoded");
            let outcome = encoded.map_err(|e| ("encode".to_owned(), e)).and_then(|encoded| {
                let decoded = decode(party, &mut decoder, ready, &output).map_err(|e| ("decode".to_owned(), e))?;
                Ok(Made { encoded, decoded, output })
            });
            made.insert(ready.item.clone(), outcome);
        }
        made
    }

    /// Whether both sides' results keep what the kernel promises. Where they are the same bytes, one check is both.
    fn checked(&self, ready: &Ready, made: [&Result<Made, (String, String)>; 2], checker: &mut Option<Client>) -> Result<(), LeftOut> {
        let fail = |side: &str, stage: &str, message: &str, new| LeftOut {
            stage: stage.to_owned(),
            message: format!("the {side}'s build: {message}"),
            new,
        };
        let [before, after] = made;
        let after = after.as_ref().map_err(|(stage, message)| fail("candidate", stage, message, false))?;
        self.check(ready, after, Side::Candidate, checker).map_err(|e| fail("candidate", "check", &e, false))?;
        let before = before.as_ref().map_err(|(stage, message)| fail("baseline", stage, message, true))?;
        let same =
            before.encoded.parts_sha256 == after.encoded.parts_sha256 && before.decoded.decoded_sha256 == after.decoded.decoded_sha256;
        if !same {
            self.check(ready, before, Side::Baseline, checker).map_err(|e| fail("baseline", "check", &e, true))?;
        }
        Ok(())
    }

    fn check(&self, ready: &Ready, made: &Made, side: Side, checker: &mut Option<Client>) -> Result<(), String> {
        let request = Request::Check {
            kernel: ready.kernel.clone(),
            artifact: ready.artifact(side).to_owned(),
            model: ready.model.clone(),
            decoded: made.output.clone(),
            passed_through: made.encoded.passed_through.iter().map(|p| p.name.clone()).collect(),
            calibration: None,
        };
        let mut ask = || {
            let worker = match checker {
                Some(worker) => worker,
                None => checker.insert(Client::start(self.own)?),
            };
            match worker.ask(&request)? {
                Reply::Checked(checked) => Ok(checked),
                other => Err(worker.unexpected(&other)),
            }
        };
        let outcome = ask();
        forget_the_dead(checker, &outcome);
        outcome.map_err(|e| e.to_string())?.broken.into_iter().next().map_or(Ok(()), Err)
    }

    /// Finds warm-up and passes from the first passes of both sides' processes, so that both do the same. What fails is given to `done` and
    /// left out.
    fn size(&self, items: &mut Vec<Ready>, done: &mut dyn FnMut(&Item, Prepared)) {
        let mut shown = Vec::new();
        for party in self.parties {
            let times = loop {
                match time(party, 0, &items.iter().collect::<Vec<_>>(), None) {
                    Ok(times) => break times,
                    Err((item, e)) => {
                        let side = if party.side == Side::Baseline { "baseline" } else { "candidate" };
                        let message = format!("the {side}'s build: {e}");
                        done(&item, Err(LeftOut { stage: "time".to_owned(), message, new: false }));
                        let at = items.iter().position(|r| r.item == item);
                        at.into_iter().for_each(|at| drop(items.remove(at)));
                        // What the other side showed of it goes as well.
                        shown.iter_mut().for_each(|times: &mut Vec<BatchTimes>| at.into_iter().for_each(|at| drop(times.remove(at))));
                    }
                }
            };
            shown.push(times);
        }
        for (i, ready) in items.iter_mut().enumerate() {
            let series: Vec<Vec<u64>> = shown.iter().map(|times| shown_series(&times[i])).collect();
            // A typical pass once it is warm: the quickest of the second half.
            let quickest = |s: &Vec<u64>| s[s.len() / 2..].iter().copied().min();
            let pass_ns = series.iter().filter_map(quickest).max().unwrap_or(1);
            let resolution_ns = shown.iter().map(|times| times[i].clock_resolution_ns).max().unwrap_or(1);
            ready.sizing.passes = passes(pass_ns, self.batch_ns, resolution_ns);
            ready.sizing.warm_up = series.iter().map(|s| warm_up(s, ready.sizing.passes)).max().unwrap_or(1);
        }
    }
}

/// The times of a process's first passes, in order.
fn shown_series(times: &BatchTimes) -> Vec<u64> {
    let mut series = times.warm_up_cpu_ns.clone();
    series.push(times.thread_cpu_ns / times.passes.max(1));
    series
}

fn encode(party: &Party, worker: &mut Option<Client>, ready: &Ready) -> Result<Encoded, String> {
    let mut ask = || {
        let client = match worker {
            Some(client) => client,
            None => {
                let client = worker.insert(Client::start(&party.launches[0])?);
                load(client, ready)?;
                client
            }
        };
        match client.ask(&Request::Encode { kernel: ready.kernel.clone(), artifact: ready.artifact(party.side).to_owned() })? {
            Reply::Encoded(encoded) => Ok(encoded),
            other => Err(client.unexpected(&other)),
        }
    };
    let outcome = ask();
    forget_the_dead(worker, &outcome);
    outcome.map_err(|e| e.to_string())
}

fn decode(party: &Party, worker: &mut Option<Client>, ready: &Ready, output: &Path) -> Result<Decoded, String> {
    let mut ask = || {
        let client = match worker {
            Some(client) => client,
            None => worker.insert(Client::start(&party.launches[0])?),
        };
        match client.ask(&Request::Decode { artifact: ready.artifact(party.side).to_owned(), output: output.to_owned() })? {
            Reply::Decoded(decoded) => Ok(decoded),
            other => Err(client.unexpected(&other)),
        }
    };
    let outcome = ask();
    forget_the_dead(worker, &outcome);
    outcome.map_err(|e| e.to_string())
}

/// A worker that refused stays; any other error has ended it.
fn forget_the_dead<T>(worker: &mut Option<Client>, outcome: &Result<T, WorkerError>) {
    if matches!(outcome, Err(e) if !matches!(e, WorkerError::Refused { .. })) {
        *worker = None;
    }
}

/// A file name for an item.
fn slug(item: &Item) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '.' };
    // A digest keeps names apart that differ in other characters alone, and short for definitions.
    let text = format!("{}--{}--{}", item.case.kernel, item.case.fixture, item.operation.word());
    let digest: String = Sha256::digest(text.as_bytes()).iter().take(4).map(|b| format!("{b:02x}")).collect();
    format!("{}-{digest}", text.chars().map(plain).take(80).collect::<String>())
}
