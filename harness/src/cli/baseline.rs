//! `baseline accept`: a stored run becomes the baseline, after its differences were shown.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use super::arguments::AcceptArguments;
use super::gate::run_path;
use super::workspace::Workspace;
use super::{CliError, Exit};
use crate::baseline::{Baseline, BaselineError};
use crate::compare::{Comparison, Verdict};
use crate::filter::Filter;
use crate::report::{Report, tables};
use crate::store::Run;

/// `baseline accept`. Nothing but this writes under baselines/.
pub fn accept(arguments: &AcceptArguments, root: Option<&Path>) -> Result<Exit, CliError> {
    let workspace = Workspace::find(root)?;
    let path = run_path(arguments.run.as_deref(), &workspace)?;
    let run = Run::read(&path)?;
    if let Some(record) = run.records.iter().find(|r| r.failure.is_some()) {
        return Err(CliError::Usage(format!("'{}' has a failed case, '{}': a baseline holds what works", path.display(), record.case)));
    }
    if !run.is_finished() {
        return Err(CliError::Usage(format!("'{}' is not finished; finish it with 'weighbridge run --resume'", path.display())));
    }
    let candidate = Baseline::of_run(&run);
    let before = match Baseline::read(&workspace.baselines(), &run.header.suite) {
        Err(BaselineError::Missing { .. }) => Baseline { suite: run.header.suite.clone(), ..Baseline::default() },
        other => other?,
    };
    let policy = workspace.policy()?;
    let comparison = Comparison::new(&before, &run, &policy, &Filter::all())?;
    let report = Report::new(&run, comparison, &policy, String::new(), Vec::new());
    if let Some(mut table) = tables::changes(&report) {
        table.load_preset(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
        println!("{}", table.trim_fmt());
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
