//! `baseline accept`: a stored run becomes the baseline, after its differences were shown.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use weighbridge::registry::Registry;

use super::arguments::AcceptArguments;
use super::gate::run_path;
use super::workspace::Workspace;
use super::{CliError, Exit};
use crate::baseline::{Baseline, BaselineError};
use crate::compare::{Comparison, Verdict};
use crate::filter::Filter;
use crate::measure::plan::Plan;
use crate::report::{Report, tables, terminal};
use crate::store::Run;

/// `baseline accept`. Nothing but this writes under baselines/.
pub fn accept(arguments: &AcceptArguments, root: Option<&Path>, registry: &Registry) -> Result<Exit, CliError> {
    let workspace = Workspace::find(root)?;
    let path = run_path(arguments.run.as_deref(), &workspace)?;
    let run = Run::read(&path)?;
    if let Some(record) = run.records.iter().find(|r| r.failure.is_some()) {
        return Err(CliError::Usage(format!("'{}' has a failed case, '{}': a baseline holds what works", path.display(), record.case)));
    }
    if !run.is_finished() {
        return Err(CliError::Usage(format!("'{}' is not finished; finish it with 'weighbridge run --resume'", path.display())));
    }
    let policy = workspace.policy()?;
    if let Some(whole) = policy.suites.get(&run.header.suite).and_then(|suite| suite.baseline.as_ref()) {
        let suite = &run.header.suite;
        return Err(CliError::Usage(format!("suite '{suite}' is judged by the baseline of '{whole}': accept a run of that one")));
    }
    let plan = Plan::new(&run.header.suite, &policy, workspace.fixtures()?, &[], &Filter::all(), registry, &workspace.root)?;
    if let Some(case) = run.header.cases.iter().find(|case| !plan.cases.contains(case)) {
        let suite = &run.header.suite;
        return Err(CliError::Usage(format!(
            "'{}' holds '{case}', which suite '{suite}' does not: add it to the policy first",
            path.display()
        )));
    }
    let before = match Baseline::read(&workspace.baselines(), &run.header.suite) {
        Err(BaselineError::Missing { .. }) => Baseline { suite: run.header.suite.clone(), ..Baseline::default() },
        other => other?,
    };
    let part = run.header.cases.len() < plan.cases.len();
    let measured = |kernel: &str, fixture: &str| run.header.cases.iter().any(|c| c.kernel == kernel && c.fixture == fixture);
    let mut candidate = Baseline::of_run(&run);
    let mut before = before;
    if part {
        println!("the run holds {} of the suite's {} cases: the others keep their values", run.header.cases.len(), plan.cases.len());
        let (replaced, kept) = before.rows.into_iter().partition(|r| measured(&r.kernel, &r.fixture));
        before.rows = replaced;
        candidate.rows.extend::<Vec<_>>(kept);
    }
    let comparison = Comparison::new(&before, &run, &policy, &Filter::all())?;
    let report = Report::new(&run, comparison, &policy, &Filter::all(), Vec::new());
    if let Some(table) = tables::changes(&report) {
        println!("{}", terminal::show(table));
    }
    let c = &report.comparison;
    println!(
        "suite {}: {} regressions, {} improvements, {} new and {} dropped values; exact values that stay: {}",
        run.header.suite,
        c.count(Verdict::Regression),
        c.count(Verdict::Improvement),
        c.count(Verdict::New),
        c.count(Verdict::Missing),
        c.count(Verdict::Unchanged),
    );
    if !arguments.yes && !confirmed()? {
        println!("nothing was written");
        return Ok(Exit::Pass);
    }
    candidate.write(&workspace.baselines())?;
    println!("baseline of suite {} written to '{}'", run.header.suite, workspace.baselines().display());
    Ok(Exit::Pass)
}

fn confirmed() -> Result<bool, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::Usage("cannot ask for consent without a terminal; give '--yes'".to_owned()));
    }
    print!("accept? [y/N] ");
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
