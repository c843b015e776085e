//! `run`, `compare`, `gate` and `report`: measure, judge, write.

use std::io::Write;
use std::path::{Path, PathBuf};

use weighbridge::registry::Registry;

use super::arguments::{
    CompareArguments, FilterArguments, GateArguments, MeasureArguments, MergeArguments, ReportArguments, RunArguments, RunFormat,
    StandardArguments,
};
use super::dry_run;
use super::notes;
use super::paired;
use super::progress::Progress;
use super::reporting::{Wanted, show, write_all};
use super::self_test;
use super::workspace::{Workspace, own_worker, worker};
use super::{CliError, Exit};
use crate::baseline::{Baseline, BaselineError};
use crate::compare::{Comparison, Outcome};
use crate::files;
use crate::filter::Filter;
use crate::git;
use crate::history::{self, HistoryError};
use crate::measure::cost::Costs;
use crate::measure::plan::Plan;
use crate::measure::{self, Options};
use crate::merge::merge_files;
use crate::model::metric::Kind;
use crate::policy::Policy;
use crate::report::basis::Basis;
use crate::report::pr_body::Proposal;
use crate::report::{Described, History, Report, terminal, words};
use crate::standard::{BaselineSource, Standard};
use crate::store::Run;
use crate::waiver;
use crate::worker::fault::Fault;
use crate::worker::protocol::Sampling;

pub fn filter_of(arguments: &FilterArguments) -> Result<Filter, CliError> {
    Ok(Filter::new(&arguments.kernel, &arguments.fixture, &arguments.metric)?)
}

/// What is to be measured.
pub fn plan(arguments: &MeasureArguments, workspace: &Workspace, policy: &Policy, registry: &Registry) -> Result<Plan, CliError> {
    let filter = filter_of(&arguments.filter)?;
    let whole = arguments.whole.then(|| policy.clone().without_samples(&arguments.suite));
    let policy = whole.as_ref().unwrap_or(policy);
    Ok(Plan::new(&arguments.suite, policy, workspace.fixtures()?, &arguments.also, &filter, registry, &workspace.root)?)
}

/// Measures a plan, with a fault planted where one is asked for; the run and the folder it is in.
fn measured(
    plan: &Plan,
    arguments: &MeasureArguments,
    fault: Option<Fault>,
    workspace: &Workspace,
    registry: &Registry,
) -> Result<(Run, PathBuf), CliError> {
    for fixture in plan.fixtures.values() {
        fixture.verify()?;
    }
    notes::of_plan(plan)?;
    let output = workspace.output(arguments.output.as_deref())?;
    let mut launch = worker(arguments.worker.as_deref(), arguments.case_timeout, arguments.memory_limit)?;
    launch.arguments.extend(fault.iter().flat_map(|fault| ["--fault".to_owned(), fault.word().to_owned()]));
    let options = Options {
        launch,
        own: own_worker(arguments.case_timeout, arguments.memory_limit)?,
        sampling: Sampling {
            threads: usize::from(arguments.threads),
            budget_ms: u64::try_from(arguments.time_per_case.as_millis()).unwrap_or(u64::MAX),
            max_samples: arguments.max_samples,
        },
        output: output.clone(),
        root: workspace.root.clone(),
        resume: arguments.resume,
        command: command_line(),
        keep_artifacts: arguments.keep_artifacts,
        discard_generated: arguments.discard_generated,
    };
    let progress = Progress::new(arguments.quiet);
    let run = measure::run(plan, &options, registry, &|event| progress.observe(event))?;
    Ok((run, output))
}

/// The command as it was given, quoted where a shell would need it.
pub fn command_line() -> String {
    let quoted = |argument: String| {
        let plain = !argument.is_empty() && argument.chars().all(|c| c.is_alphanumeric() || "-_./=:,@%+".contains(c));
        if plain { argument } else { format!("'{}'", argument.replace('\'', "'\\''")) }
    };
    let arguments = std::env::args().skip(1).map(quoted);
    std::iter::once("weighbridge".to_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// `run`.
pub fn run(arguments: &RunArguments, root: Option<&Path>, registry: &Registry) -> Result<Exit, CliError> {
    let workspace = Workspace::find(root)?;
    let policy = workspace.policy()?;
    let mut plan = plan(&arguments.measure, &workspace, &policy, registry)?;
    let costs = Costs::read(&workspace.baselines(), policy.suites.keys());
    if let Some(shard) = arguments.shard {
        plan.keep_shard(shard.index, shard.count, &costs.estimate(&plan))?;
    }
    if arguments.dry_run {
        let output = workspace.output(arguments.measure.output.as_deref())?;
        return dry_run::show(&plan, &costs, &output.join("run.jsonl"));
    }
    let (run, output) = measured(&plan, &arguments.measure, None, &workspace, registry)?;
    let filter = filter_of(&arguments.measure.filter)?;
    match arguments.format {
        RunFormat::Table => {
            let nothing = Baseline { suite: run.header.suite.clone(), ..Baseline::default() };
            let report = report_of(&run, &nothing, &policy, &filter, &workspace)?;
            put(None, &format!("{}\n", terminal::show(crate::report::tables::values(&report))))?;
        }
        RunFormat::Jsonl => put(None, &crate::baseline::lines(&Baseline::of_run(&run), |r| filter.takes_metric(r.metric.name)))?,
    }
    let failed = run.records.iter().filter(|r| r.failure.is_some()).count();
    if let Some(line) = run.header.not_measured_line() {
        eprintln!("{line}");
    }
    if !arguments.measure.quiet {
        eprintln!("{} cases, {failed} failed; raw results are in '{}'", run.records.len(), output.join("run.jsonl").display());
    }
    Ok(if failed > 0 { Exit::CaseFailed } else { Exit::Pass })
}

fn report_of(run: &Run, baseline: &Baseline, policy: &Policy, filter: &Filter, workspace: &Workspace) -> Result<Report, CliError> {
    report_with(run, Comparison::new(baseline, run, policy, filter)?, policy, filter, workspace)
}

fn report_with(run: &Run, comparison: Comparison, policy: &Policy, filter: &Filter, workspace: &Workspace) -> Result<Report, CliError> {
    let measured = |name: &str| run.header.cases.iter().any(|c| c.fixture == name);
    let fixtures = workspace.fixtures()?.iter().filter(|f| measured(f.name())).map(Described::of).collect();
    let mut report = Report::new(run, comparison, policy, filter, fixtures);
    report.proposal = proposal(run, workspace);
    Ok(report)
}

/// Where a project's pull-request template may be.
const TEMPLATES: [&str; 2] = [".github/pull_request_template.md", ".gitlab/merge_request_templates/Default.md"];

/// Series that a page shows.
const HISTORIES: usize = 6;

/// How what changed went over the refreshes of the baseline; where nothing did, what went furthest. Nothing where no page is wanted, or no git is there:
/// a report has no need of it.
fn histories(report: &Report, wanted: &[Wanted], workspace: &Workspace) -> Vec<History> {
    if !wanted.iter().any(|w| w.form.name == "html") {
        return Vec::new();
    }
    if git::work_tree(&workspace.root).is_none_or(|tree| tree.commit.is_none()) {
        return Vec::new();
    }
    let found = || -> Result<Vec<History>, HistoryError> {
        let refreshes = history::refreshes(&workspace.root, &report.header.suite, "HEAD", None)?;
        let changed =
            words::changed(report).into_iter().filter(|r| r.metric.kind != Kind::Sampled && r.before.is_some() && r.after.is_some());
        let mut values: Vec<_> = changed.take(HISTORIES).map(|r| (r.case.clone(), r.metric)).collect();
        if values.is_empty() {
            values = history::moved(&refreshes, HISTORIES)?;
        }
        let all = values.into_iter().map(|(case, metric)| Ok(History { series: history::series(&refreshes, &case, metric)?, case }));
        Ok(all.collect::<Result<Vec<_>, HistoryError>>()?.into_iter().filter(|h| h.series.values.len() > 1).collect())
    };
    found().unwrap_or_else(|error| {
        eprintln!("note: the page has no history: {error}");
        Vec::new()
    })
}

/// What the project folder says of the pull request that a run is for.
fn proposal(run: &Run, workspace: &Workspace) -> Proposal {
    let base = std::env::var("GITHUB_BASE_REF").ok();
    Proposal {
        template: TEMPLATES.iter().find_map(|path| std::fs::read_to_string(workspace.root.join(path)).ok()),
        changes: git::changes(&workspace.root, run.header.commit.as_deref(), base.as_deref()),
    }
}

/// `merge`.
pub fn merge(arguments: &MergeArguments, root: Option<&Path>) -> Result<Exit, CliError> {
    let folder = Workspace::find(root)?.output(arguments.output.as_deref())?;
    let path = folder.join("run.jsonl");
    let run = merge_files(&arguments.runs, &path, &command_line())?;
    let failed = run.records.iter().filter(|r| r.failure.is_some()).count();
    println!("'{}': {} cases of {} shards, {failed} failed", path.display(), run.records.len(), arguments.runs.len());
    Ok(if failed > 0 { Exit::CaseFailed } else { Exit::Pass })
}

/// The baseline that a suite is judged by: that of the suite which it is a part of, if it is one.
fn read_baseline(suite: &str, policy: &Policy, workspace: &Workspace) -> Result<Baseline, BaselineError> {
    let whole = policy.suites.get(suite).and_then(|s| s.baseline.as_deref());
    Baseline::read(&workspace.baselines(), whole.unwrap_or(suite))
}

/// Of the baseline of a whole suite, what a part of that suite can be held to.
fn of_its_cases(mut baseline: Baseline, run: &Run) -> Baseline {
    if baseline.suite != run.header.suite {
        baseline.keep(|row| run.header.cases.iter().any(|c| c.kernel == row.kernel && c.fixture == row.fixture));
    }
    baseline
}

/// `compare`.
pub fn compare(arguments: &CompareArguments, root: Option<&Path>) -> Result<Exit, CliError> {
    let workspace = Workspace::find(root)?;
    let run = Run::read(&run_path(arguments.run.as_deref(), &workspace)?)?;
    let policy = workspace.policy()?;
    let baseline = match &arguments.against {
        Some(path) => Baseline::of_run(&Run::read(path)?),
        None => of_its_cases(read_baseline(&run.header.suite, &policy, &workspace)?, &run),
    };
    let filter = filter_of(&arguments.filter)?;
    let report = report_of(&run, &baseline, &policy, &filter, &workspace)?;
    show(&report, &arguments.format, arguments.output.as_deref())?;
    Ok(exit_of(report.comparison.outcome()))
}

/// Where baseline, policy and waivers of a gate are read.
fn source(arguments: &StandardArguments, workspace: &Workspace) -> Result<BaselineSource, CliError> {
    Ok(match (&arguments.against, &arguments.baseline) {
        (_, Some(file)) => BaselineSource::file(file, &workspace.root),
        (Some(revision), None) => BaselineSource::against(&workspace.root, revision.as_deref())?,
        (None, None) => BaselineSource::by_default(&workspace.root)?,
    })
}

/// `gate`.
pub fn gate(arguments: &GateArguments, root: Option<&Path>, registry: &Registry) -> Result<Exit, CliError> {
    let workspace = Workspace::find(root)?;
    // What is measured is the work tree's; what it is held to is not.
    let policy = workspace.policy()?;
    if arguments.self_test {
        return self_test::run(arguments, &workspace, &policy);
    }
    let filter = filter_of(&arguments.measure.filter)?;
    let suite = match &arguments.run {
        Some(path) => Run::read(path)?.header.suite,
        None => arguments.measure.suite.clone(),
    };
    policy.known_suite(&suite)?;
    // A baseline that cannot be read is told before minutes are spent on measuring.
    let standard = Standard::read(source(&arguments.standard, &workspace)?, &suite, &workspace.source())?;
    if !arguments.measure.quiet {
        eprintln!("{}", standard.source.line(&standard.suite));
    }
    // The same holds for a build of the baseline.
    let sides = paired::builds(arguments, standard.source.commit(), &workspace)?;
    let (run, output) = match &arguments.run {
        Some(path) => (Run::read(path)?, workspace.output(arguments.measure.output.as_deref())?),
        None => {
            let plan = plan(&arguments.measure, &workspace, &policy, registry)?;
            measured(&plan, &arguments.measure, arguments.fault, &workspace, registry)?
        }
    };
    let basis = Basis::of(&standard);
    let mut comparison = Comparison::new(&of_its_cases(standard.baseline, &run), &run, &standard.policy, &filter)?;
    if let Some(sides) = sides {
        comparison.add_paired(paired::compare(arguments, sides, &run, &output, &workspace, &standard.policy, registry)?, &standard.policy);
    }
    let today = arguments.standard.today.unwrap_or_else(waiver::today);
    let own_count = standard.policy.own_waivers_count();
    let waivers = waiver::apply(&mut comparison, &standard.waivers, &standard.own_waivers, own_count, today);
    let mut report = report_with(&run, comparison, &standard.policy, &filter, &workspace)?;
    (report.basis, report.waivers) = (basis, waivers);
    report.histories = histories(&report, &arguments.format, &workspace);
    write_all(&report, &arguments.format, &output)?;
    put(None, &terminal::coloured(&terminal::render(&report)))?;
    if !arguments.measure.quiet {
        eprintln!("reports are in '{}'", output.display());
    }
    Ok(exit_of(report.comparison.outcome()))
}

/// `report`.
pub fn report(arguments: &ReportArguments, root: Option<&Path>) -> Result<Exit, CliError> {
    let workspace = Workspace::find(root)?;
    let run = Run::read(&run_path(arguments.run.as_deref(), &workspace)?)?;
    let policy = workspace.policy()?;
    let baseline = match read_baseline(&run.header.suite, &policy, &workspace) {
        Ok(baseline) => of_its_cases(baseline, &run),
        Err(error @ BaselineError::Missing { .. }) => {
            eprintln!("note: {error}: every value is new");
            Baseline { suite: run.header.suite.clone(), ..Baseline::default() }
        }
        Err(error) => return Err(error.into()),
    };
    let mut report = report_of(&run, &baseline, &policy, &filter_of(&arguments.filter)?, &workspace)?;
    report.histories = histories(&report, &arguments.format, &workspace);
    let output = workspace.output(arguments.output.as_deref())?;
    for path in write_all(&report, &arguments.format, &output)? {
        put(None, &format!("{}\n", path.display()))?;
    }
    Ok(Exit::Pass)
}

/// The run file given, or the last run's.
pub fn run_path(given: Option<&Path>, workspace: &Workspace) -> Result<PathBuf, CliError> {
    Ok(match given {
        Some(path) => path.to_owned(),
        None => workspace.root.join("reports/run.jsonl"),
    })
}

/// Writes a file by rename, or standard output.
pub fn put(path: Option<&Path>, text: &str) -> Result<(), CliError> {
    let Some(path) = path else {
        let mut out = anstream::stdout().lock();
        return match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // Whoever reads may stop reading.
            Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e.into()),
            _ => Ok(()),
        };
    };
    files::replace(path, |out| out.write_all(text.as_bytes()))
        .map_err(|e| CliError::Usage(format!("cannot write '{}': {e}", path.display())))
}

fn exit_of(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Pass => Exit::Pass,
        Outcome::Regression => Exit::Regression,
        Outcome::Missing => Exit::Missing,
        Outcome::Unfit => Exit::Unfit,
        Outcome::Inconclusive => Exit::Inconclusive,
        Outcome::CaseFailed => Exit::CaseFailed,
    }
}
