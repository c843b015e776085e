//! `bisect`: builds and measures commits below `target/`, and says which one made a metric worse.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use weighbridge::registry::Registry;

use super::arguments::BisectArguments;
use super::gate::command_line;
use super::workspace::{Workspace, own_worker, worker};
use super::{CliError, Exit};
use crate::bisect::{Answer, BisectError, Finding, Next, Question, State, Threshold, next};
use crate::builds::{BuildError, Maker};
use crate::filter::Filter;
use crate::git;
use crate::measure::plan::Plan;
use crate::measure::{self, Options};
use crate::model::metric::{Kind, METRICS, Metric, derive, metric};
use crate::report::format;
use crate::specification::resolve;
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
}

/// `bisect`.
pub fn bisect(arguments: &BisectArguments, root: Option<&Path>, registry: &Registry) -> Result<Exit, CliError> {
    let start = SystemTime::now();
    let workspace = Workspace::find(root)?;
    let metric = comparable(&arguments.metric)?;
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
    let mut search = Search { arguments, workspace: &workspace, registry, metric, plan, folder, state };
    let known = commits.iter().filter(|c| search.state.findings.contains_key(*c)).count();
    if known > 0 {
        search.say(&format!("{known} of {} commits were measured before", commits.len()));
    }
    let threshold = search.threshold(good, bad)?;
    let answer = search.search(&commits, &threshold)?;
    search.print(&commits, &answer, &threshold);
    search.say(&format!("{} s", start.elapsed().map_or(0, |d| d.as_secs())));
    Ok(Exit::Pass)
}

/// The metric of that name, if one value of it says all.
fn comparable(name: &str) -> Result<&'static Metric, CliError> {
    let exact = || METRICS.iter().filter(|m| m.kind != Kind::Sampled).map(|m| m.name).collect::<Vec<_>>().join(", ");
    match metric(name) {
        None => Err(CliError::Usage(format!("unknown metric '{name}'; what can be searched for: {}", exact()))),
        Some(m) if m.kind == Kind::Sampled => {
            let message = format!(
                "'{name}' differs from run to run, so that one measurement of a commit says nothing; what can be searched for: {}",
                exact()
            );
            Err(CliError::Usage(message))
        }
        Some(m) => Ok(m),
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
        let mut end = |which: &'static str, commit: &str| match self.finding(commit)? {
            Finding::Value { value } => Ok(value),
            Finding::Skipped { reason } => Err(CliError::from(BisectError::End { which, commit: short(commit).to_owned(), reason })),
        };
        let (at_good, at_bad) = (end("good", good)?, end("bad", bad)?);
        let Some(worst) = self.arguments.worst else { return Ok(Threshold::between(self.metric, at_good, at_bad)?) };
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
        let finding = self.measure(commit)?;
        self.say(&match &finding {
            Finding::Value { value } => format!("commit {}: {} {}", short(commit), self.metric.name, format::value(self.metric, *value)),
            Finding::Skipped { reason } => format!("commit {}: skipped: {}", short(commit), reason.lines().next().unwrap_or_default()),
        });
        self.state.note(commit, finding.clone(), &self.folder.join("state.json"))?;
        Ok(finding)
    }

    fn measure(&self, commit: &str) -> Result<Finding, CliError> {
        let say = |line: &str| self.say(line);
        // Exact values do not depend on where code lies in memory: one variant will do.
        let build = match (Maker { root: &self.workspace.root, variants: 1, say: &say }).revision(commit) {
            Ok(build) => build,
            Err(error @ (BuildError::Failed { .. } | BuildError::NoProgram { .. })) => {
                return Ok(Finding::Skipped { reason: error.to_string() });
            }
            Err(error) => return Err(error.into()),
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
            Some(Finding::Value { value }) => format::value(self.metric, *value),
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
        let metric = self.metric;
        println!("bad is {} beyond {}", metric.name, format::value(metric, threshold.worst));
    }
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}
