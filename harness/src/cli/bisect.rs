//! `bisect`: builds and measures commits below `target/`, and says which one made a metric worse.
//!
//! A value that is the same in every run is measured once a commit. A time is not: each commit's build is compared with the good one's, in turns, as a
//! gate does, and what is noted of it is the change, a share.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use weighbridge::registry::Registry;

use super::arguments::BisectArguments;
use super::gate::command_line;
use super::paired::{candidate_of, plan_of};
use super::workspace::{Workspace, own_worker, worker};
use super::{CliError, Exit};
use crate::bisect::{Answer, BisectError, Finding, Next, Question, State, Threshold, next};
use crate::builds::{Build, BuildError, Maker};
use crate::compare::time_metric;
use crate::filter::Filter;
use crate::git;
use crate::measure::plan::Plan;
use crate::measure::{self, Options};
use crate::model::metric::{Kind, METRICS, Metric, derive, metric};
use crate::paired::{self, Judged, TrialJudge};
use crate::report::format;
use crate::specification::resolve;
use crate::stats::decision::Finding as Told;
use crate::worker::batch::Operation;
use crate::worker::protocol::Sampling;

/// A search under way.
struct Search<'a> {
    arguments: &'a BisectArguments,
    workspace: &'a Workspace,
    registry: &'a Registry,
    metric: &'static Metric,
    plan: Plan,
    folder: PathBuf,
    state: State,
    /// What is timed, where it is a time that is searched for.
    operation: Option<Operation>,
    /// From which value on a commit is bad, once that is known.
    threshold: Option<Threshold>,
}

/// `bisect`.
pub fn bisect(arguments: &BisectArguments, root: Option<&Path>, registry: &Registry) -> Result<Exit, CliError> {
    let start = SystemTime::now();
    let workspace = Workspace::find(root)?;
    let (metric, operation) = comparable(&arguments.metric)?;
    let commits = git::first_parents(&workspace.root, &arguments.good, &arguments.bad)?;
    let [Some(good), Some(bad)] = [commits.first(), commits.last()] else {
        return Err(CliError::Usage("there is no commit between good and bad".to_owned()));
    };
    if commits.len() < 2 {
        return Err(CliError::Usage(format!("'{}' and '{}' are one commit", arguments.good, arguments.bad)));
    }
    let kernel = resolve(&arguments.kernel, Path::new(""), registry)?.kernel.spec();
    let question = Question {
        good: good.clone(),
        bad: bad.clone(),
        kernel: kernel.clone(),
        fixture: arguments.fixture.clone(),
        metric: metric.name.to_owned(),
    };
    let folder = workspace.root.join("target/weighbridge/bisect");
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("state.json");
    if arguments.restart && path.exists() {
        std::fs::remove_file(&path)?;
    }
    let state = State::load(&path, question)?;
    let plan = plan(arguments, &kernel, &workspace, registry)?;
    let mut search = Search { arguments, workspace: &workspace, registry, metric, plan, folder, state, operation, threshold: None };
    let known = commits.iter().filter(|c| search.state.findings.contains_key(*c)).count();
    if known > 0 {
        search.say(&format!("{known} of {} commits were measured before", commits.len()));
    }
    let threshold = search.threshold(good, bad)?;
    search.threshold = Some(threshold);
    let answer = search.search(&commits, &threshold)?;
    search.print(&commits, &answer, &threshold);
    search.say(&format!("{} s", start.elapsed().map_or(0, |d| d.as_secs())));
    Ok(Exit::Pass)
}

/// The metric of that name, and its operation if it is a time that can be compared.
fn comparable(name: &str) -> Result<(&'static Metric, Option<Operation>), CliError> {
    let operation = [Operation::Encode, Operation::Decode].into_iter().find(|&o| time_metric(o) == name);
    let known = || METRICS.iter().filter(|m| m.kind != Kind::Sampled || m.name.ends_with("code_seconds_per_mb"));
    let all = || known().map(|m| m.name).collect::<Vec<_>>().join(", ");
    match metric(name) {
        None => Err(CliError::Usage(format!("unknown metric '{name}'; what can be searched for: {}", all()))),
        Some(m) if m.kind == Kind::Sampled && operation.is_none() => Err(CliError::Usage(format!(
            "'{name}' differs from run to run and is not compared in turns; what can be searched for: {}",
            all()
        ))),
        Some(m) => Ok((m, operation)),
    }
}

/// The one case, measured whole.
fn plan(arguments: &BisectArguments, kernel: &str, workspace: &Workspace, registry: &Registry) -> Result<Plan, CliError> {
    let policy = workspace.policy()?.without_samples(&arguments.suite);
    let also = [arguments.kernel.clone()];
    let mut plan = Plan::new(&arguments.suite, &policy, workspace.fixtures()?, &also, &Filter::all(), registry, &workspace.root)?;
    plan.cases.retain(|c| c.kernel == kernel && c.fixture == arguments.fixture);
    if plan.cases.is_empty() {
        let fixtures = plan.fixtures.keys().cloned().collect::<Vec<_>>().join(", ");
        return Err(CliError::Usage(format!("suite '{}' has no fixture '{}'; it has: {fixtures}", arguments.suite, arguments.fixture)));
    }
    Ok(plan)
}

impl Search<'_> {
    fn say(&self, line: &str) {
        if !self.arguments.quiet {
            eprintln!("{line}");
        }
    }

    /// From which value on a commit is bad, which needs both ends.
    fn threshold(&mut self, good: &str, bad: &str) -> Result<Threshold, CliError> {
        if self.operation.is_some() {
            self.state.findings.insert(good.to_owned(), Finding::Value { value: 0.0 });
        }
        let mut end = |which: &'static str, commit: &str| match self.finding(commit)? {
            Finding::Value { value } => Ok(value),
            Finding::Skipped { reason } => Err(CliError::from(BisectError::End { which, commit: short(commit).to_owned(), reason })),
        };
        let (at_good, at_bad) = (end("good", good)?, end("bad", bad)?);
        let Some(worst) = self.arguments.worst else {
            let threshold = Threshold::between(self.metric, at_good, at_bad);
            let not_slower = || BisectError::NotSlower { metric: self.metric.name, found: self.shown(at_bad) };
            return Ok(if self.operation.is_some() { threshold.map_err(|_| not_slower())? } else { threshold? });
        };
        // Changes of times are given in per cent.
        let worst = if self.operation.is_some() { worst / 100.0 } else { worst };
        let threshold = Threshold { worst, direction: self.metric.direction };
        for (which, value, wrong) in [("good", at_good, threshold.is_bad(at_good)), ("bad", at_bad, !threshold.is_bad(at_bad))] {
            if wrong {
                return Err(BisectError::Wrong { which, worst, value }.into());
            }
        }
        Ok(threshold)
    }

    fn search(&mut self, commits: &[String], threshold: &Threshold) -> Result<Answer, CliError> {
        loop {
            let findings: Vec<_> = commits.iter().map(|c| self.state.findings.get(c).cloned()).collect();
            match next(&findings, |value| threshold.is_bad(value)) {
                Next::Done(answer) => return Ok(answer),
                Next::Measure(i) => drop(self.finding(&commits[i])?),
            }
        }
    }

    /// What is known of a commit, built and measured if nothing is.
    fn finding(&mut self, commit: &str) -> Result<Finding, CliError> {
        if let Some(finding) = self.state.findings.get(commit) {
            return Ok(finding.clone());
        }
        self.say(&format!("commit {}: building", short(commit)));
        let finding = match self.operation {
            Some(operation) => self.compare(commit, operation)?,
            None => self.measure(commit)?,
        };
        self.say(&match &finding {
            Finding::Value { value } => format!("commit {}: {} {}", short(commit), self.metric.name, self.shown(*value)),
            Finding::Skipped { reason } => format!("commit {}: skipped: {}", short(commit), reason.lines().next().unwrap_or_default()),
        });
        self.state.note(commit, finding.clone(), &self.folder.join("state.json"))?;
        Ok(finding)
    }

    /// The build of a commit, or why there is none.
    fn build(&self, commit: &str, variants: u32) -> Result<Result<Build, Finding>, CliError> {
        let say = |line: &str| self.say(line);
        match (Maker { root: &self.workspace.root, variants, say: &say }).revision(commit) {
            Ok(build) => Ok(Ok(build)),
            Err(error @ (BuildError::Failed { .. } | BuildError::NoProgram { .. })) => {
                Ok(Err(Finding::Skipped { reason: error.to_string() }))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// How much slower a commit is than the good one, where blocks tell.
    fn compare(&self, commit: &str, operation: Operation) -> Result<Finding, CliError> {
        let good = self.state.question.good.clone();
        let baseline = match self.build(&good, self.arguments.links)? {
            Ok(build) => build,
            Err(Finding::Skipped { reason }) => {
                return Err(BisectError::End { which: "good", commit: short(&good).to_owned(), reason }.into());
            }
            Err(other) => return Ok(other),
        };
        let candidate = match self.build(commit, self.arguments.links)? {
            Ok(build) => build,
            Err(skipped) => return Ok(skipped),
        };
        let output = self.folder.join(commit);
        std::fs::create_dir_all(&output)?;
        let own = own_worker(self.arguments.case_timeout, self.arguments.memory_limit)?;
        let unexpected = |e: &dyn std::fmt::Display| CliError::Unexpected(e.to_string());
        let case = self.plan.cases.first();
        let Some((case, fixture)) = case.and_then(|c| Some((c, self.plan.fixtures.get(&c.fixture)?))) else {
            return Ok(Finding::Skipped { reason: "there is nothing to time".to_owned() });
        };
        let timed = candidate_of(case, &self.plan.text(&case.kernel), fixture, operation, true, &own, &output)?;
        let options = paired::Options {
            baseline,
            candidate,
            own,
            output: output.clone(),
            seed: Some(1),
            budget: self.arguments.budget,
            batch_ns: u64::try_from(self.arguments.batch.as_nanos()).unwrap_or(u64::MAX),
            planted: None,
            resume: false,
            command: command_line(),
        };
        let mut judge = TrialJudge::new(plan_of(&self.workspace.policy()?), 1).map_err(|e| unexpected(&e))?;
        let compared = paired::run(&[timed], &options, &mut judge, &|_| ())?;
        let judged = paired::judged(&compared, &judge).map_err(|e| unexpected(&e))?;
        std::fs::remove_dir_all(&output)?;
        Ok(told(&judged, self.threshold))
    }

    fn measure(&self, commit: &str) -> Result<Finding, CliError> {
        // Exact values do not depend on where code lies in memory: one variant will do.
        let build = match self.build(commit, 1)? {
            Ok(build) => build,
            Err(skipped) => return Ok(skipped),
        };
        let Some(variant) = build.variants.first() else { return Ok(Finding::Skipped { reason: "it has no program".to_owned() }) };
        let (timeout, memory) = (self.arguments.case_timeout, self.arguments.memory_limit);
        let output = self.folder.join(commit);
        std::fs::create_dir_all(&output)?;
        let options = Options {
            launch: worker(Some(&variant.program), timeout, memory)?,
            own: own_worker(timeout, memory)?,
            // Times are not looked at.
            sampling: Sampling { threads: 1, budget_ms: 1, max_samples: 1 },
            output: output.clone(),
            root: self.workspace.root.clone(),
            resume: false,
            command: command_line(),
            keep_artifacts: false,
            discard_generated: false,
        };
        let run = measure::run(&self.plan, &options, self.registry, &|_| ())?;
        std::fs::remove_dir_all(&output)?;
        let Some(record) = run.records.first() else { return Ok(Finding::Skipped { reason: "it measured nothing".to_owned() }) };
        if let Some(failure) = &record.failure {
            return Ok(Finding::Skipped { reason: format!("failed at {}: {}", failure.stage, failure.message) });
        }
        let value = derive(record).into_iter().find(|v| v.metric == self.metric.name).map(|v| v.value);
        Ok(value.map_or_else(|| Finding::Skipped { reason: format!("it has no '{}'", self.metric.name) }, |value| Finding::Value { value }))
    }

    fn print(&self, commits: &[String], answer: &Answer, threshold: &Threshold) {
        let value = |i: usize| match self.state.findings.get(&commits[i]) {
            Some(Finding::Value { value }) => self.shown(*value),
            Some(Finding::Skipped { reason }) => format!("not measured: {}", reason.lines().next().unwrap_or_default()),
            None => "not measured".to_owned(),
        };
        let line = |i: usize| {
            format!("{} {}: {}", short(&commits[i]), git::subject(&self.workspace.root, &commits[i]).unwrap_or_default(), value(i))
        };
        let between = answer.last_good + 1..answer.first_bad;
        if between.is_empty() {
            println!("first bad commit: {}", commits[answer.first_bad]);
        } else {
            println!("the first bad commit is one of {}, of which only the last could be measured:", between.len() + 1);
        }
        println!("  last good  {}", line(answer.last_good));
        for i in between {
            println!("  skipped    {}", line(i));
        }
        println!("  first bad  {}", line(answer.first_bad));
        println!("bad is {} beyond {}", self.metric.name, self.shown(threshold.worst));
    }

    /// A value as its metric is shown, or a change in per cent.
    fn shown(&self, value: f64) -> String {
        if self.operation.is_some() { format!("{:+.2} %", 100.0 * value) } else { format::value(self.metric, value) }
    }
}

/// The change of the one time that was compared, where it was decided, or where its interval lies on one side of the threshold.
fn told(judged: &Judged, threshold: Option<Threshold>) -> Finding {
    if let Some(left_out) = judged.left_out.values().next() {
        return Finding::Skipped { reason: format!("failed at {}: {}", left_out.stage, left_out.message) };
    }
    let Some((_, figures)) = judged.items.first() else { return Finding::Skipped { reason: "nothing was timed".to_owned() } };
    let beside = |[low, high]: [f64; 2]| threshold.is_some_and(|t| t.worst < low || t.worst > high);
    match (figures.finding, figures.change) {
        (Told::Undecided, Some(value)) if figures.interval.is_some_and(beside) => Finding::Value { value },
        (Told::Undecided, _) | (_, None) => {
            let reason = figures.doubt.clone().unwrap_or_else(|| "no reason is known".to_owned());
            Finding::Skipped { reason: format!("its time is not decided: {reason}") }
        }
        // What counts as no change is none: its estimate is chance.
        (Told::Equivalent, Some(_)) => Finding::Value { value: 0.0 },
        (_, Some(value)) => Finding::Value { value },
    }
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}
