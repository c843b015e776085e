//! The part of `gate` that compares times of two builds: makes both, names what is compared, shows progress.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use weighbridge::registry::Registry;

use super::CliError;
use super::arguments::GateArguments;
use super::bar::Bar;
use super::gate::{command_line, filter_of};
use super::workspace::{Workspace, own_worker};
use crate::builds::{Build, Maker};
use crate::calibrate;
use crate::compare::time_metric;
use crate::fixture::Fixture;
use crate::measure::calibration;
use crate::measure::plan::Plan;
use crate::model::record::Case;
use crate::paired::item::Candidate;
use crate::paired::{Event, Judged, Options, TrialJudge, judged, run};
use crate::policy::Policy;
use crate::stats::decision::log_ratio;
use crate::stats::trial;
use crate::store::Run;
use crate::worker::batch::Operation;
use crate::worker::client::Launch;
use crate::worker::protocol::Samples;

/// Links of a side: half of them for the search, the others for confirmations. With four for each, what links alone move times by leaves a fifth of
/// unchanged times undecided; with eight, hardly any.
pub const LINKS: u32 = 16;
/// Copies of a program that cannot be linked: as many, because as few of them would be trusted as little.
const COPIES: u32 = LINKS;

/// Baseline and candidate, where the arguments ask for a comparison of times. `judges` is the commit whose files judge.
pub fn builds(arguments: &GateArguments, judges: Option<&str>, workspace: &Workspace) -> Result<Option<[Build; 2]>, CliError> {
    let quiet = arguments.measure.quiet;
    let say = |line: &str| {
        if !quiet {
            eprintln!("{line}");
        }
    };
    let maker = |variants| Maker { root: &workspace.root, variants, say: &say };
    let asked = &arguments.standard;
    let against = judges.filter(|_| asked.against.is_some() && !asked.no_times);
    let baseline = match (against, &arguments.paired.baseline_bin) {
        (Some(revision), _) => maker(LINKS).revision(revision)?,
        (None, Some(program)) => maker(COPIES).program(program, "baseline")?,
        (None, None) => return Ok(None),
    };
    let candidate = match (&arguments.measure.worker, against) {
        (Some(program), _) => maker(COPIES).program(program, "candidate")?,
        (None, Some(_)) => maker(LINKS).work_tree()?,
        (None, None) => maker(COPIES).program(&std::env::current_exe()?, "candidate")?,
    };
    Ok(Some([baseline, candidate]))
}

/// Compares the times of both builds on every case of the run that passed its check.
pub fn compare(
    arguments: &GateArguments,
    [baseline, candidate]: [Build; 2],
    run_: &Run,
    output: &Path,
    workspace: &Workspace,
    policy: &Policy,
    registry: &Registry,
) -> Result<Judged, CliError> {
    let own = own_worker(arguments.measure.case_timeout, arguments.measure.memory_limit)?;
    let statistics = tempfile::tempdir()?;
    // What there is to measure is the work tree's; how it is judged is not.
    let candidates = candidates(arguments, run_, statistics.path(), workspace, &workspace.policy()?, registry)?;
    let options = Options {
        baseline,
        candidate,
        own,
        output: output.to_owned(),
        seed: arguments.paired.seed,
        budget: arguments.paired.budget,
        batch_ns: u64::try_from(arguments.paired.batch.as_nanos()).unwrap_or(u64::MAX),
        planted: arguments.paired.plant,
        resume: arguments.measure.resume,
        command: command_line(),
    };
    let items = candidates.iter().map(|c| c.operations.len()).sum();
    let plan = plan_of(policy);
    let mut judge = TrialJudge::new(plan, items).map_err(|e| CliError::Unexpected(e.to_string()))?;
    let progress = Progress::new(arguments.measure.quiet);
    let compared = run(&candidates, &options, &mut judge, &|event| progress.observe(event))?;
    drop(progress);
    judged(&compared, &judge).map_err(|e| CliError::Unexpected(e.to_string()))
}

/// The plan of a trial: the smallest change that counts is the policy's, and what passes as equal or must be seen are twice and four times that.
pub fn plan_of(policy: &Policy) -> trial::Plan {
    let tolerance = |operation| policy.metric(time_metric(operation)).relative_tolerance;
    let default = trial::Plan::default();
    let practical = log_ratio(100.0 * tolerance(Operation::Encode).max(tolerance(Operation::Decode))).max(default.practical);
    trial::Plan { practical, margin: 2.0 * practical, wanted: 4.0 * practical, ..default }
}

/// One operation of a case that no run has measured: its model has to be there, and a few passes give the hints that a run would.
pub fn candidate_of(
    case: &Case,
    kernel: &str,
    fixture: &Fixture,
    operation: Operation,
    calibrated: bool,
    own: &Launch,
    scratch: &Path,
) -> Result<Candidate, CliError> {
    if let Some(obstacle) = fixture.state()?.obstacle() {
        let name = fixture.name();
        return Err(CliError::Usage(format!("fixture '{name}' cannot be used: {obstacle}; 'weighbridge fixtures fetch' gets packages")));
    }
    fixture.verify()?;
    let model = fixture.weights_path()?;
    let [encode_ns, decode_ns] = calibrate::times(own, kernel, &model, scratch)?;
    let statistics = if calibrated { calibration(fixture, scratch, own) } else { Ok(None) };
    Ok(Candidate {
        case: case.clone(),
        kernel: kernel.to_owned(),
        input_bytes: std::fs::metadata(&model)?.len(),
        model,
        calibration: statistics.map_err(|e| CliError::Unexpected(format!("{case}: {}", e.message)))?,
        operations: vec![operation],
        encode_ns,
        decode_ns,
    })
}

/// Cases that passed their check, with what a single run says of their times.
fn candidates(
    arguments: &GateArguments,
    run_: &Run,
    statistics: &Path,
    workspace: &Workspace,
    policy: &Policy,
    registry: &Registry,
) -> Result<Vec<Candidate>, CliError> {
    let filter = filter_of(&arguments.measure.filter)?;
    let plan = Plan::new(&run_.header.suite, policy, workspace.fixtures()?, &arguments.measure.also, &filter, registry, &workspace.root)?;
    let operations: Vec<_> = [Operation::Encode, Operation::Decode].into_iter().filter(|&o| filter.takes_metric(time_metric(o))).collect();
    let own = own_worker(arguments.measure.case_timeout, arguments.measure.memory_limit)?;
    let (mut candidates, mut sampled) = (Vec::new(), 0usize);
    for record in run_.records.iter().filter(|r| r.failure.is_none() && plan.cases.contains(&r.case)) {
        let (Some(measured), Some(fixture)) = (&record.measured, plan.fixtures.get(&record.case.fixture)) else { continue };
        if measured.sampled.is_some() {
            sampled += 1;
            continue;
        }
        let calibration =
            calibration(fixture, statistics, &own).map_err(|e| CliError::Unexpected(format!("{}: {}", record.case, e.message)))?;
        candidates.push(Candidate {
            kernel: plan.text(&record.case.kernel),
            model: fixture.weights_path()?,
            calibration,
            input_bytes: measured.checked.input_bytes,
            operations: operations.clone(),
            encode_ns: pass_ns(&measured.encode_times),
            decode_ns: pass_ns(&measured.decode_times),
            case: record.case.clone(),
        });
    }
    if sampled > 0 {
        eprintln!("times of {sampled} cases are not compared: they are measured on samples of large models");
    }
    Ok(candidates)
}

/// Shortest pass of a run's samples: a hint for how much of a model a batch has time for.
fn pass_ns(samples: &Samples) -> u64 {
    samples.cpu_ns.iter().min().map_or(1, |ns| ns / samples.repetitions.max(1))
}

/// Progress of a comparison: a bar on a terminal, plain lines elsewhere.
struct Progress {
    bar: Bar,
    state: Mutex<State>,
}

struct State {
    items: usize,
    prepared: usize,
    said: Instant,
}

/// Plain lines come no more often than this.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

impl Progress {
    fn new(quiet: bool) -> Self {
        let bar = Bar::new("{prefix:>10} {bar:30} {pos}/{len} {elapsed} {wide_msg}", quiet);
        Self { bar, state: Mutex::new(State { items: 0, prepared: 0, said: Instant::now() }) }
    }

    fn observe(&self, event: Event<'_>) {
        let Ok(mut state) = self.state.lock() else { return };
        match event {
            Event::Started(items) => {
                state.items = items;
                self.bar.begin("prepare", items as u64, 0);
            }
            Event::Prepared(item, left_out) => {
                state.prepared += 1;
                if let Some(left_out) = left_out {
                    self.bar.line(&format!("not compared: {item}: at {}: {}", left_out.stage, left_out.message));
                }
                self.bar.set(state.prepared as u64);
                self.bar.message(|| item.to_string());
            }
            Event::Comparing => {
                self.bar.line(&format!("prepared {} times to compare", state.prepared));
                self.bar.begin("compare", state.items as u64, 0);
            }
            Event::Block { undecided, blocks, left } => {
                let decided = state.items.saturating_sub(undecided);
                let text = format!("{blocks} blocks, {} s left", left.as_secs());
                self.bar.set(decided as u64);
                self.bar.message(|| text.clone());
                if !self.bar.is_drawn() && state.said.elapsed() > BETWEEN_LINES {
                    state.said = Instant::now();
                    self.bar.line(&format!("decided {decided}/{}: {text}", state.items));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_counts_as_a_change_is_the_policys_and_never_below_the_floor() {
        let policy = Policy::parse(crate::policy::EMBEDDED, "embedded").unwrap();
        let plan = plan_of(&policy);
        assert!((plan.practical - 1.005f64.ln()).abs() < 1e-12 && plan.margin == 2.0 * plan.practical);
        let times = |tolerance: &str| {
            let entry = |name: &str| format!("[metrics.{name}]\ngate = \"paired\"\nrelative-tolerance = {tolerance}\nreason = \"r\"\n");
            let text = format!("version = 1\n[suites]\n{}{}", entry("encode_seconds_per_mb"), entry("decode_seconds_per_mb"));
            plan_of(&Policy::parse(&text, "p").unwrap()).practical
        };
        assert!((times("0.03") - 1.03f64.ln()).abs() < 1e-12);
        assert_eq!(times("0.0001"), trial::Plan::default().practical);
    }
}
