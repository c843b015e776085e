//! `gate --self-test`: whether this project's gate turns red when it should, seen from outside.
//!
//! In a folder of its own, with the project's fixtures and policy, a small plan is measured and accepted as baseline. Then this same program gates it
//! once with nothing planted and once with each fault planted. What counts is what a user sees: the exit code and the verdicts in the report.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::arguments::GateArguments;
use super::workspace::Workspace;
use super::{CliError, Exit};
use crate::fixture::Fixture;
use crate::fixture::evaluation::Task;
use crate::policy::{EMBEDDED, Policy};
use crate::worker::fault::Fault;

/// The kernel that faults are planted in. Four bits, so that worse rounding costs accuracy.
const KERNEL: &str = "int4";
/// The kernel that goes missing.
const MISSING: &str = "int8";
/// Share of extra work of the planted slow-down: far more than any machine fit to gate could miss.
const EXTRA_WORK: f64 = 0.5;

/// A gate and what it must say.
struct Step {
    what: &'static str,
    arguments: Vec<String>,
    kernels: &'static [&'static str],
    exit: Exit,
    /// Rows of the report that must carry a verdict: kernel, metric, verdict.
    verdicts: &'static [(&'static str, &'static str, &'static str)],
    times: bool,
}

/// What a step showed.
#[derive(Debug, PartialEq, Eq)]
enum Shown {
    /// What was to be shown.
    Right(String),
    /// The machine could not tell times that nothing was planted in apart from changed ones.
    Unfit(String),
    /// Something else.
    Wrong(String),
}

fn steps(arguments: &GateArguments) -> Result<Vec<Step>, CliError> {
    let words = |words: &[&str]| words.iter().map(|&w| w.to_owned()).collect::<Vec<_>>();
    let program = std::env::current_exe()?.display().to_string();
    let paired = |extra: &[&str]| {
        let budget = humantime::format_duration(arguments.paired.budget).to_string();
        let batch = humantime::format_duration(arguments.paired.batch).to_string();
        let mut all = words(&["--kernel", KERNEL, "--baseline-bin", &program, "--budget", &budget, "--batch", &batch]);
        all.extend(arguments.paired.seed.iter().flat_map(|seed| ["--seed".to_owned(), seed.to_string()]));
        all.extend(words(extra));
        all
    };
    let fault = |fault: Fault| words(&["--kernel", KERNEL, "--fault", fault.word()]);
    let step = |what, arguments, exit, verdicts| Step { what, arguments, kernels: &[KERNEL, MISSING], exit, verdicts, times: false };
    let green: &[_] = &[(KERNEL, "compression_ratio", "unchanged"), (KERNEL, "relative_error", "unchanged")];
    Ok(vec![
        step("nothing planted", Vec::new(), Exit::Pass, green),
        Step { times: true, ..step("nothing planted, times compared", paired(&[]), Exit::Pass, green) },
        step(
            "a slow-down",
            paired(&["--plant", &EXTRA_WORK.to_string()]),
            Exit::Regression,
            &[(KERNEL, "encode_seconds_per_mb", "regression")],
        ),
        step("a wider artifact", fault(Fault::Wider), Exit::Regression, &[(KERNEL, "compression_ratio", "regression")]),
        step(
            "a worse accuracy",
            fault(Fault::Rounding),
            Exit::Regression,
            &[(KERNEL, "relative_error", "regression"), (KERNEL, "accuracy_loss_percent", "regression")],
        ),
        Step { kernels: &[KERNEL], ..step("a missing case", Vec::new(), Exit::Missing, &[(MISSING, "compression_ratio", "missing")]) },
    ])
}

/// Runs all steps and says of each what it showed.
pub fn run(arguments: &GateArguments, workspace: &Workspace, policy: &Policy) -> Result<Exit, CliError> {
    let suite = &arguments.measure.suite;
    policy.known_suite(suite)?;
    let fixture = smallest(workspace, suite, &super::gate::filter_of(&arguments.measure.filter)?)?;
    let folder = tempfile::tempdir()?;
    std::os::unix::fs::symlink(workspace.root.join("fixtures"), folder.path().join("fixtures"))?;
    std::fs::create_dir(folder.path().join("baselines"))?;
    let gate = Gate { root: folder.path(), arguments, fixture: fixture.name() };
    let text = match std::fs::read_to_string(workspace.baselines().join("policy.toml")) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => EMBEDDED.to_owned(),
        other => other?,
    };
    let say = |line: &str| {
        if !arguments.measure.quiet {
            eprintln!("{line}");
        }
    };
    say(&format!("self-test on {KERNEL} and {MISSING} × {}", fixture.name()));
    gate.name_kernels(&text, &[KERNEL, MISSING])?;
    gate.accept()?;
    let (mut wrong, mut unfit) = (Vec::new(), false);
    for step in steps(arguments)? {
        say(&format!("planting: {}", step.what));
        gate.name_kernels(&text, step.kernels)?;
        let (code, report, error) = gate.run(&step)?;
        let (word, what) = match judge(&step, code, report.as_ref()) {
            Shown::Right(what) => ("ok", what),
            Shown::Unfit(what) => {
                unfit = true;
                ("unfit", what)
            }
            Shown::Wrong(what) => {
                wrong.push(step.what);
                ("WRONG", if report.is_some() { what } else { format!("{what}; {}", error.trim()) })
            }
        };
        super::gate::put(None, &format!("{word:5}  {}: {what}\n", step.what))?;
    }
    if !wrong.is_empty() {
        return Err(CliError::Unexpected(format!("the gate does not say what it should of: {}", wrong.join(", "))));
    }
    let verdict =
        if unfit { "the gate turns red, but this machine is unfit to show that equal times stay green" } else { "the gate works" };
    super::gate::put(None, &format!("{verdict}\n"))?;
    Ok(if unfit { Exit::Unfit } else { Exit::Pass })
}

/// The smallest fixture of the suite that is there and has images to classify, which is what points of accuracy are of.
fn smallest(workspace: &Workspace, suite: &str, filter: &crate::filter::Filter) -> Result<Fixture, CliError> {
    let mut there = Vec::new();
    for fixture in workspace.fixtures()? {
        let taken =
            fixture.manifest.in_suite(suite) && filter.takes(KERNEL, fixture.name()) && fixture.task() == Some(Task::Classification);
        if taken && fixture.state()?.obstacle().is_none() {
            there.push(fixture);
        }
    }
    let message = || format!("no fixture of suite '{suite}' is there that classifies images; '--self-test' measures accuracy on one");
    there.into_iter().min_by_key(|f| f.manifest.parameters).ok_or_else(|| CliError::Usage(message()))
}

/// How this same program is run.
struct Gate<'a> {
    root: &'a Path,
    arguments: &'a GateArguments,
    fixture: &'a str,
}

impl Gate<'_> {
    /// Writes the project's policy with these kernels alone in its suite.
    fn name_kernels(&self, policy: &str, kernels: &[&str]) -> Result<(), CliError> {
        let unexpected = |e: &dyn std::fmt::Display| CliError::Unexpected(format!("cannot rewrite the policy: {e}"));
        let mut table: toml::Table = toml::from_str(policy).map_err(|e| unexpected(&e))?;
        let named = toml::Value::Array(kernels.iter().map(|&k| k.into()).collect());
        let suite = toml::Table::from_iter([("kernels".to_owned(), named), ("reason".to_owned(), "self-test".into())]);
        table.insert("suites".to_owned(), toml::Table::from_iter([(self.arguments.measure.suite.clone(), suite.into())]).into());
        let text = toml::to_string(&table).map_err(|e| unexpected(&e))?;
        Ok(std::fs::write(self.root.join("baselines/policy.toml"), text)?)
    }

    fn command(&self, subcommand: &[&str]) -> Result<Command, CliError> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--root").arg(self.root).args(subcommand).stdin(Stdio::null()).current_dir(self.root);
        Ok(command)
    }

    fn measuring(&self, subcommand: &str, output: &Path) -> Result<Command, CliError> {
        let measure = &self.arguments.measure;
        let mut command = self.command(&[subcommand, "--quiet", "--suite", &measure.suite, "--fixture", self.fixture])?;
        command.arg("--output").arg(output).args(["--memory-limit", &measure.memory_limit.to_string()]);
        command.args(["--case-timeout", &humantime::format_duration(measure.case_timeout).to_string()]);
        command.args(["--time-per-case", &humantime::format_duration(measure.time_per_case).to_string()]);
        Ok(command)
    }

    /// Measures the plan with nothing planted, and accepts it as baseline.
    fn accept(&self) -> Result<(), CliError> {
        let output = self.root.join("accepted");
        for mut command in [
            self.measuring("run", &output)?,
            self.command(&["baseline", "accept", "--yes", "--run", &output.join("run.jsonl").display().to_string()])?,
        ] {
            let done = command.output()?;
            if !done.status.success() {
                let message = String::from_utf8_lossy(&done.stderr);
                return Err(CliError::Unexpected(format!("no baseline to test the gate with: {}", message.trim())));
            }
        }
        Ok(())
    }

    /// Runs a gate: its exit code, its report where it wrote one, and what it said on standard error.
    fn run(&self, step: &Step) -> Result<(Option<i32>, Option<Value>, String), CliError> {
        let output: PathBuf = self.root.join(step.what.replace([' ', ','], "-"));
        let done = self.measuring("gate", &output)?.args(["--format", "json"]).args(&step.arguments).output()?;
        let report = std::fs::read(output.join("report.json")).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok((done.status.code(), report, String::from_utf8_lossy(&done.stderr).into_owned()))
    }
}

/// What a gate's exit code and report say of a step.
fn judge(step: &Step, code: Option<i32>, report: Option<&Value>) -> Shown {
    let (wanted, told) = (step.exit as i32, code.map_or_else(|| "no exit code".to_owned(), |code| format!("exit code {code}")));
    let verdict = |kernel: &str, metric: &str| {
        let rows = report.and_then(|report| report["rows"].as_array()).into_iter().flatten();
        let found = rows.filter(|row| row["kernel"] == kernel && row["metric"] == metric).find_map(|row| row["verdict"].as_str());
        found.unwrap_or("not judged").to_owned()
    };
    let wrong = step.verdicts.iter().filter(|(kernel, metric, wanted)| verdict(kernel, metric) != *wanted).collect::<Vec<_>>();
    if let Some((kernel, metric, wanted)) = wrong.first() {
        return Shown::Wrong(format!("{told}; {metric} of {kernel} is {}, not {wanted}", verdict(kernel, metric)));
    }
    let undecided = [Exit::Inconclusive as i32, Exit::Unfit as i32];
    if step.times && code.is_some_and(|code| undecided.contains(&code)) {
        return Shown::Unfit(format!("{told}: the times could not be told apart"));
    }
    if code != Some(wanted) {
        return Shown::Wrong(format!("{told}, not {wanted}"));
    }
    let said = step.verdicts.iter().map(|(kernel, metric, verdict)| format!("{metric} of {kernel} {verdict}")).collect::<Vec<_>>();
    Shown::Right(format!("{told}; {}", said.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn step(times: bool) -> Step {
        let verdicts = &[(KERNEL, "compression_ratio", "regression")];
        Step { what: "a wider artifact", arguments: Vec::new(), kernels: &[KERNEL], exit: Exit::Regression, verdicts, times }
    }

    fn report(verdict: &str) -> Value {
        json!({"rows": [
            {"kernel": MISSING, "metric": "compression_ratio", "verdict": "unchanged"},
            {"kernel": KERNEL, "metric": "compression_ratio", "verdict": verdict},
        ]})
    }

    #[test]
    fn code_and_verdict_must_both_be_right() {
        let right = judge(&step(false), Some(3), Some(&report("regression")));
        assert_eq!(right, Shown::Right("exit code 3; compression_ratio of int4 regression".to_owned()));
        for (code, report, why) in [
            (Some(0), Some(report("regression")), "exit code 0, not 3"),
            (Some(3), Some(report("unchanged")), "exit code 3; compression_ratio of int4 is unchanged, not regression"),
            (Some(3), Some(json!({"rows": []})), "exit code 3; compression_ratio of int4 is not judged, not regression"),
            (None, None, "no exit code; compression_ratio of int4 is not judged, not regression"),
        ] {
            assert_eq!(judge(&step(false), code, report.as_ref()), Shown::Wrong(why.to_owned()));
        }
    }

    #[test]
    fn a_noisy_machine_is_no_wrong_gate_where_nothing_was_planted() {
        for code in [5, 7] {
            assert!(matches!(judge(&step(true), Some(code), Some(&report("regression"))), Shown::Unfit(_)));
            assert!(matches!(judge(&step(false), Some(code), Some(&report("regression"))), Shown::Wrong(_)));
        }
    }
}
