//! The comparison: prepare, then blocks for whatever wants them, until nothing does or the time is up.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use super::comparing::{Comparing, Group};
use super::item::{Candidate, Item};
use super::letter::Party;
use super::prepare::{LeftOut, Preparation};
use super::record::{Block, Header, Line, Sizing, VERSION};
use super::schedule::Side;
use super::store::Writer;
use super::verify::{VariantError, knows_batches, verify};
use crate::builds::Build;
use crate::host::allowed_processors;
use crate::journal::JournalError;
use crate::model::machine::Machine;
use crate::worker::batch::Operation;
use crate::worker::client::Launch;

/// How to compare.
#[derive(Debug, Clone)]
pub struct Options {
    /// A.
    pub baseline: Build,
    /// B.
    pub candidate: Build,
    /// The harness's own workers, which check; workers of both sides have the same limits.
    pub own: Launch,
    /// Folder of the file and of scratch files.
    pub output: PathBuf,
    /// Seed; `None` takes one from the clock, or that of the comparison that is gone on with.
    pub seed: Option<u64>,
    /// Time for the whole comparison, preparation included.
    pub budget: Duration,
    /// CPU time that a batch is to take.
    pub batch_ns: u64,
    /// Share of extra work that the candidate does, to play a slower build.
    pub planted: Option<f64>,
    /// Go on with the comparison that is there.
    pub resume: bool,
    /// The command, for the record.
    pub command: String,
}

/// Who says which items want more blocks.
pub trait Judge {
    /// Takes the A/A arm of item `index`, whole, before any block of it.
    fn control(&mut self, index: usize, blocks: &[Block]);
    /// Takes a block of item `index`.
    fn take(&mut self, index: usize, block: &Block);
    /// Items that want a block, and whether it would be part of a confirmation; nothing once all are decided.
    fn wanting(&mut self) -> Vec<(usize, bool)>;
    /// An item that cannot be compared.
    fn give_up(&mut self, index: usize);
}

/// What happens during a comparison, for whoever shows it.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// Items in all.
    Started(usize),
    /// An item passed its check and was sized, or not.
    Prepared(&'a Item, Option<&'a LeftOut>),
    /// Blocks begin.
    Comparing,
    /// A group's block is in: items that still want blocks, blocks so far, time left.
    Block {
        /// Items that want more.
        undecided: usize,
        /// Blocks of all items.
        blocks: usize,
        /// Time left.
        left: Duration,
    },
}

/// A comparison that could not be made. An item that cannot be compared is no such thing.
#[derive(Debug, thiserror::Error)]
pub enum PairedError {
    /// The file.
    #[error(transparent)]
    Store(#[from] JournalError),
    /// A layout variant.
    #[error(transparent)]
    Variant(#[from] VariantError),
    /// Another file.
    #[error("cannot {action} '{}': {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What came out.
#[derive(Debug, Clone, PartialEq)]
pub struct Result {
    /// The header of the file.
    pub header: Header,
    /// How each item was timed.
    pub sizings: BTreeMap<Item, Sizing>,
    /// Items that could not be compared.
    pub left_out: BTreeMap<Item, LeftOut>,
    /// Blocks of each item, in order.
    pub blocks: BTreeMap<Item, Vec<Block>>,
    /// Blocks of the A/A arm of those items that have one.
    pub controls: BTreeMap<Item, Vec<Block>>,
    /// Seconds a block of an item took, on average.
    pub seconds_a_block: f64,
    /// Seconds it took, this sitting.
    pub seconds: f64,
    /// Whether items still wanted blocks when the time was up.
    pub out_of_time: bool,
}

/// Compares the times of encode and decode of every candidate into `paired.jsonl` of the output folder.
pub fn run(
    candidates: &[Candidate],
    options: &Options,
    judge: &mut dyn Judge,
    observe: &dyn Fn(Event<'_>),
) -> std::result::Result<Result, PairedError> {
    let start = Instant::now();
    let scratch = options.output.join("paired-scratch");
    let io = |action, path: &PathBuf| {
        let path = path.clone();
        move |source| PairedError::Io { action, path, source }
    };
    if scratch.exists() {
        std::fs::remove_dir_all(&scratch).map_err(io("clear", &scratch))?;
    }
    std::fs::create_dir_all(&scratch).map_err(io("create", &scratch))?;
    let items = items_of(candidates);
    let (mut writer, mut state) = open(options, items)?;
    observe(Event::Started(state.header.items.len()));
    for (item, blocks) in &state.blocks {
        let index = state.header.items.iter().position(|i| i == item);
        let arm = state.controls.get(item);
        index.zip(arm).into_iter().for_each(|(i, arm)| judge.control(i, arm));
        blocks.iter().for_each(|b| index.into_iter().for_each(|i| judge.take(i, b)));
    }

    let parties = [
        Party::new(Side::Baseline, &options.baseline, &options.own, None),
        Party::new(Side::Candidate, &options.candidate, &options.own, options.planted),
    ];
    if let Some(first) = candidates.first() {
        parties.iter().try_for_each(|party| knows_batches(party, &first.kernel))?;
    }
    let mut groups = prepare(candidates, options, &parties, &scratch, &mut state, &mut writer, observe)?;
    for item in state.left_out.keys() {
        state.header.items.iter().position(|i| i == item).into_iter().for_each(|i| judge.give_up(i));
    }
    let all = groups.iter().flat_map(|g| &g.items).map(|(_, ready)| ready);
    if let Some(smallest) = all.min_by_key(|r| (r.sizing.halvings == 0, r.sizing.input_bytes, r.item.clone())) {
        parties.iter().try_for_each(|party| verify(party, smallest))?;
    }
    observe(Event::Comparing);
    let (spent, blocks) = (Duration::ZERO, 0);
    let arm = [parties[0].clone(), parties[0].clone()];
    let mut comparing =
        Comparing { parties: &parties, arm: &arm, options, start, state: &mut state, writer: &mut writer, judge, observe, spent, blocks };
    comparing.arms(&mut groups)?;
    comparing.all(&mut groups)?;
    std::fs::remove_dir_all(&scratch).map_err(io("clear", &scratch))?;
    state.seconds = start.elapsed().as_secs_f64();
    Ok(state)
}

/// Fixture by fixture, encode before decode: items that share processes stand together.
fn items_of(candidates: &[Candidate]) -> Vec<Item> {
    let of = |c: &Candidate| c.operations.iter().map(|&operation| Item { case: c.case.clone(), operation }).collect::<Vec<_>>();
    let mut items: Vec<_> = candidates.iter().flat_map(of).collect();
    items.sort_by_cached_key(|item| (item.case.fixture.clone(), item.operation));
    items
}

fn open(options: &Options, items: Vec<Item>) -> std::result::Result<(Writer, Result), PairedError> {
    let clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |t| u64::from(t.subsec_nanos()) ^ t.as_secs());
    let header = Header {
        weighbridge_paired: VERSION,
        started: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        command: options.command.clone(),
        seed: options.seed.unwrap_or_else(clock),
        machine: Machine::current(),
        cores: allowed_processors(),
        batch_ns: options.batch_ns,
        planted: options.planted,
        baseline: options.baseline.clone(),
        candidate: options.candidate.clone(),
        items,
    };
    let path = options.output.join("paired.jsonl");
    let mut state = Result {
        header,
        sizings: BTreeMap::new(),
        left_out: BTreeMap::new(),
        blocks: BTreeMap::new(),
        controls: BTreeMap::new(),
        seconds_a_block: 0.0,
        seconds: 0.0,
        out_of_time: false,
    };
    if !(options.resume && path.exists()) {
        return Ok((Writer::create(&path, &state.header)?, state));
    }
    let (writer, stored) = Writer::resume(&path, &state.header, options.seed)?;
    state.header = stored.header;
    for line in stored.lines {
        match line {
            Line::Prepared { item, sizing } => drop(state.sizings.insert(item, sizing)),
            Line::LeftOut { item, stage, message, new } => drop(state.left_out.insert(item, LeftOut { stage, message, new })),
            Line::Control(block) => state.controls.entry(block.item.clone()).or_default().push(*block),
            Line::Block(block) => state.blocks.entry(block.item.clone()).or_default().push(*block),
        }
    }
    Ok((writer, state))
}

fn prepare(
    candidates: &[Candidate],
    options: &Options,
    parties: &[Party; 2],
    scratch: &std::path::Path,
    state: &mut Result,
    writer: &mut Writer,
    observe: &dyn Fn(Event<'_>),
) -> std::result::Result<Vec<Group>, PairedError> {
    let preparation = Preparation { scratch, parties, own: &options.own, batch_ns: options.batch_ns };
    let mut by_group = BTreeMap::<(String, Operation), Vec<&Candidate>>::new();
    for candidate in candidates {
        for &operation in &candidate.operations {
            let item = Item { case: candidate.case.clone(), operation };
            if !state.left_out.contains_key(&item) {
                by_group.entry((candidate.case.fixture.clone(), operation)).or_default().push(candidate);
            }
        }
    }
    let mut groups = Vec::new();
    for ((fixture, operation), candidates) in by_group {
        let (mut lines, mut ready_items) = (Vec::new(), Vec::new());
        let before = state.sizings.clone();
        preparation.prepare(&candidates, operation, &before, &mut |item, outcome| match outcome {
            Ok(ready) => {
                observe(Event::Prepared(item, None));
                if !before.contains_key(item) {
                    lines.push(Line::Prepared { item: item.clone(), sizing: ready.sizing });
                }
                state.sizings.insert(item.clone(), ready.sizing);
                let index = state.header.items.iter().position(|i| i == item);
                ready_items.extend(index.map(|i| (i, ready)));
            }
            Err(left_out) => {
                observe(Event::Prepared(item, Some(&left_out)));
                lines.push(line_of(item, &left_out));
                state.left_out.insert(item.clone(), left_out);
            }
        });
        writer.append(&lines)?;
        // Items of one part of the model stand together: a process reads each part once.
        ready_items.sort_by_key(|(index, ready)| (ready.sizing.halvings, *index));
        let of_group = || ready_items.iter().filter_map(|(_, r)| state.blocks.get(&r.item)).flatten();
        let [search, confirmation] =
            [false, true].map(|stage| of_group().filter(|b| b.confirmation == stage).map(|b| b.index + 1).max().unwrap_or(0));
        let arms = ready_items.iter().filter_map(|(_, r)| state.controls.get(&r.item)).flatten();
        let next = [search, confirmation, arms.map(|b| b.index + 1).max().unwrap_or(0)];
        let name = format!("{fixture} {}", operation.word());
        groups.push(Group { name, items: ready_items, next, per_item: Duration::ZERO });
    }
    Ok(groups)
}

/// The line of an item that is left out.
pub fn line_of(item: &Item, left_out: &LeftOut) -> Line {
    let LeftOut { stage, message, new } = left_out.clone();
    Line::LeftOut { item: item.clone(), stage, message, new }
}
