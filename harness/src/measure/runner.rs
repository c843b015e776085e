//! The run: times first, one case at a time and nothing beside it; evaluations after, on all processors. Each result is on disk before
//! the next begins.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest, Sha256};
use weighbridge::registry::Registry;

use super::case::{Files, calibrate, measure};
use super::evaluation::{Outcome, evaluate};
use super::plan::Plan;
use super::sample::Samples;
use crate::fixture::Fixture;
use crate::git;
use crate::journal::JournalError;
use crate::model::machine::Machine;
use crate::model::metric::compression_ratio;
use crate::model::record::{Case, CaseFailure, Header, Line, VERSION};
use crate::store::{Run, RunWriter};
use crate::worker::client::Launch;
use crate::worker::protocol::Sampling;

/// How to measure.
#[derive(Debug, Clone)]
pub struct Options {
    /// Workers under test.
    pub launch: Launch,
    /// The harness's own workers: they check and evaluate.
    pub own: Launch,
    /// How times are sampled.
    pub sampling: Sampling,
    /// Folder of the run file and of scratch files.
    pub output: PathBuf,
    /// Folder whose version control is recorded.
    pub root: PathBuf,
    /// Go on with the run that is there.
    pub resume: bool,
    /// The command, for the record.
    pub command: String,
    /// Keep artifacts and decoded models.
    pub keep_artifacts: bool,
    /// Remove generated weights from the cache after their last case.
    pub discard_generated: bool,
}

/// What happens during a run, for whoever shows it.
#[derive(Debug)]
pub enum Event<'a> {
    /// It starts: cases in all, and how many of them were finished before.
    Started {
        /// Cases.
        cases: usize,
        /// Measured or failed in an earlier sitting.
        finished: usize,
    },
    /// A fixture's weights are being generated: bytes written, bytes in all.
    Generating(&'a str, u64, u64),
    /// A case is about to be measured.
    Measuring(&'a Case),
    /// A case was measured; ratio and seconds it took.
    Measured(&'a Case, f64, Duration),
    /// Evaluations begin.
    Evaluating {
        /// How many.
        cases: usize,
    },
    /// A case was evaluated.
    Evaluated(&'a Case),
    /// A case failed.
    Failed(&'a Case, &'a CaseFailure),
}

/// A run that could not be made. A failed case is no such thing: it is a record.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The run file.
    #[error(transparent)]
    Store(#[from] JournalError),
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

/// Measures a plan into `run.jsonl` of the output folder.
pub fn run(plan: &Plan, options: &Options, registry: &Registry, observe: &(dyn Fn(&Event<'_>) + Sync)) -> Result<Run, MeasureError> {
    let start = Instant::now();
    let scratch = options.output.join("scratch");
    let path = options.output.join("run.jsonl");
    let header = header(plan, options)?;
    let io = |action, path: PathBuf| move |source| MeasureError::Io { action, path, source };
    if !options.resume && scratch.exists() {
        std::fs::remove_dir_all(&scratch).map_err(io("clear", scratch.clone()))?;
    }
    std::fs::create_dir_all(&scratch).map_err(io("create", scratch.clone()))?;
    let writer = if options.resume && path.exists() { RunWriter::resume(&path, &header)? } else { RunWriter::create(&path, header)? };
    let writer = Mutex::new(writer);
    let failed_write = Mutex::new(None);
    let append = |line: Line| -> bool {
        let Ok(mut writer) = writer.lock() else { return false };
        let result = writer.append(line);
        let ok = result.is_ok();
        if let (Err(e), Ok(mut slot)) = (result, failed_write.lock()) {
            *slot = Some(e);
        }
        ok
    };
    let snapshot = || writer.lock().map(|w| w.run().clone()).unwrap_or_else(|poisoned| poisoned.into_inner().run().clone());

    let before = snapshot();
    let finished = before.records.iter().filter(|r| r.is_finished() || r.measured.is_some()).count();
    observe(&Event::Started { cases: before.records.len(), finished });
    let unfinished: Vec<_> = before.records.iter().filter(|r| !r.is_finished()).collect();
    let mut samples = Samples::new(&scratch);
    for (i, record) in unfinished.iter().enumerate() {
        let case = &record.case;
        let files = Files::of(case, &scratch);
        let Some(fixture) = plan.fixtures.get(&case.fixture) else { continue };
        let evaluated = fixture.task().is_some() && plan.sample_of(case).is_none();
        // A measured case whose decoded model is gone is measured again, if its evaluation needs it.
        if record.measured.is_some() && (!evaluated || files.decoded.exists()) {
            continue;
        }
        observe(&Event::Measuring(case));
        let case_start = Instant::now();
        let result = prepare(fixture, observe).and_then(|model| {
            let grams = calibration(fixture, &scratch, &options.own)?;
            let kernel = plan.text(&case.kernel);
            let measure = |model: &Path| measure(&kernel, model, grams.as_deref(), &files, &options.launch, &options.own, options.sampling);
            match (plan.sample_of(case), plan.kernels.get(&case.kernel)) {
                (Some(rule), Some(kernel)) => samples.measure(fixture.name(), kernel.as_ref(), rule, &model, &files, registry, measure),
                _ => measure(&model),
            }
        });
        let ok = match result {
            Ok(measured) => {
                let (ratio, elapsed) = (compression_ratio(&measured).unwrap_or(0.0), case_start.elapsed());
                let seconds = Some(elapsed.as_secs_f64());
                let ok = append(Line::Measured { case: case.clone(), measured: Box::new(measured), seconds });
                observe(&Event::Measured(case, ratio, elapsed));
                ok
            }
            Err(failure) => {
                observe(&Event::Failed(case, &failure));
                append(Line::Failed { case: case.clone(), stage: failure.stage, message: failure.message })
            }
        };
        // What is not evaluated is not kept: a large model's files would fill the disk before the run ends.
        if !evaluated && !options.keep_artifacts {
            files.remove();
        }
        let last = unfinished.get(i + 1).is_none_or(|next| next.case.fixture != case.fixture);
        if last {
            samples.clear();
        }
        if last && options.discard_generated && fixture.is_generated() {
            let _ = fixture.weights_path().map(std::fs::remove_file);
        }
        if !ok {
            break;
        }
    }

    let unfinished = snapshot().records.into_iter().filter(|r| !r.is_finished());
    let (sampled, whole): (Vec<_>, Vec<_>) =
        unfinished.filter_map(|r| Some((r.case, r.measured?))).partition(|(_, measured)| measured.sampled.is_some());
    let pending: Vec<_> = whole.into_iter().map(|(case, measured)| (case, measured.decoded.decoded_sha256)).collect();
    observe(&Event::Evaluating { cases: pending.len() });
    let done = |case: Case, outcome: Outcome| match outcome {
        Ok((scores, seconds)) => {
            let ok = append(Line::Evaluated { case: case.clone(), scores, seconds });
            observe(&Event::Evaluated(&case));
            ok
        }
        Err(failure) => {
            observe(&Event::Failed(&case, &failure));
            append(Line::Failed { case, stage: failure.stage, message: failure.message })
        }
    };
    if failed_write.lock().is_ok_and(|slot| slot.is_none()) {
        // A part of a network does no task.
        let _ = sampled.into_iter().all(|(case, _)| append(Line::Evaluated { case, scores: Vec::new(), seconds: None }));
        evaluate(pending, &plan.fixtures, &scratch, &options.own, done);
    }
    if let Some(error) = failed_write.lock().ok().and_then(|mut slot| slot.take()) {
        return Err(error.into());
    }
    append(Line::Finished {
        at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        seconds: before.seconds.unwrap_or(0.0) + start.elapsed().as_secs_f64(),
    });
    if !options.keep_artifacts {
        std::fs::remove_dir_all(&scratch).map_err(io("clear", scratch.clone()))?;
    }
    Ok(snapshot())
}

/// The fixture's weights, generated first where they are to be.
fn prepare(fixture: &Fixture, observe: &(dyn Fn(&Event<'_>) + Sync)) -> Result<PathBuf, CaseFailure> {
    let prepared = fixture.prepare(&mut |done, total| observe(&Event::Generating(fixture.name(), done, total)));
    prepared.map_err(|e| CaseFailure { stage: "prepare".to_owned(), message: e.to_string() })
}

/// Statistics of a fixture's layers, made where they are not there yet; `None` where it has no calibration data.
pub fn calibration(fixture: &Fixture, scratch: &Path, own: &Launch) -> Result<Option<PathBuf>, CaseFailure> {
    if fixture.manifest.calibration.is_none() {
        return Ok(None);
    }
    let path = scratch.join(format!("{}.calibration.safetensors", fixture.name()));
    if !path.exists() {
        let fail = |e: crate::worker::client::WorkerError| CaseFailure { stage: "calibrate".to_owned(), message: e.to_string() };
        calibrate(&fixture.path, &path, own).map_err(fail)?;
    }
    Ok(Some(path))
}

fn header(plan: &Plan, options: &Options) -> Result<Header, MeasureError> {
    let program = &options.launch.program;
    let bytes = std::fs::read(program).map_err(|source| MeasureError::Io { action: "read", path: program.clone(), source })?;
    let work_tree = git::work_tree(&options.root);
    Ok(Header {
        weighbridge_run: VERSION,
        suite: plan.suite.clone(),
        started: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
        command: options.command.clone(),
        commit: work_tree.as_ref().and_then(|w| w.commit.clone()),
        dirty: work_tree.as_ref().map(|w| w.dirty),
        worker_sha256: Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect(),
        machine: Machine::current(),
        sampling: options.sampling,
        cases: plan.cases.clone(),
        not_measured: plan.not_measured.clone(),
        sample: plan.sample.clone(),
        limits: plan.limits.clone(),
        shard: plan.shard.clone(),
    })
}
