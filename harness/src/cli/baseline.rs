//! `baseline accept`: a stored run becomes the baseline, after its differences were shown.

use std::collections::BTreeSet;
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use weighbridge::registry::Registry;

use super::arguments::AcceptArguments;
use super::gate::run_path;
use super::workspace::Workspace;
use super::{CliError, Exit};
use crate::baseline::accept::{Selection, propose};
use crate::baseline::{
    Baseline, BaselineError, Part, Unknown, exact_path, finish_pending, parse, parse_conflicted, part_text, render, times_path,
};
use crate::compare::{Comparison, Verdict};
use crate::filter::Filter;
use crate::git;
use crate::measure::plan::Plan;
use crate::model::record::Case;
use crate::policy::Policy;
use crate::report::markdown_table::aligned;
use crate::report::{acceptance, terminal};
use crate::store::Run;

/// Changed values that a terminal and a commit's message show.
const MOST_ROWS: usize = 200;

/// `baseline accept`. Nothing but this and `baseline merge` writes under baselines/.
pub fn accept(arguments: &AcceptArguments, root: Option<&Path>, registry: &Registry) -> Result<Exit, CliError> {
    refuse_in_ci(std::env::var("CI").ok().as_deref())?;
    let workspace = Workspace::find(root)?;
    let folder = workspace.baselines();
    let path = run_path(arguments.run.as_deref(), &workspace)?;
    let run = Run::read(&path)?;
    let policy = workspace.policy()?;
    let suite = acceptable(&run, &path, &policy, arguments.force)?;
    let plan = Plan::new(&suite, &policy, workspace.fixtures()?, &[], &Filter::all(), registry, &workspace.root)?;
    if let Some(case) = run.header.cases.iter().find(|case| !arguments.force && !plan.cases.contains(case)) {
        let message =
            format!("'{}' holds '{case}', which suite '{suite}' does not: add it to the policy first, or give '--force'", path.display());
        return Err(CliError::Usage(message));
    }
    let (before, disputed) = read_before(&folder, &suite)?;
    let only = Selection::new(&arguments.only)?;
    if let Some(case) = disputed.iter().find(|case| !run.header.cases.contains(case) || !only.takes_all()) {
        let message = format!(
            "a merge left '{case}' open, and this run does not settle it: run 'weighbridge run --kernel '{}' --fixture '{}'' and accept it whole",
            case.kernel, case.fixture
        );
        return Err(CliError::Usage(message));
    }
    let is_part = run.header.cases.len() < plan.cases.len();
    if is_part {
        println!("the run holds {} of the suite's {} cases: the others keep their values", run.header.cases.len(), plan.cases.len());
    }
    let measured = Baseline { suite: suite.clone(), ..Baseline::of_run(&run) };
    let proposal = propose(&before, &measured, &run.header.cases, is_part, &only);
    if let Some(machine) = &proposal.times_of {
        println!("times are not taken: the others' come from another machine, {machine}");
    }
    let mut comparison = Comparison::new(&proposal.replaced, &run, &policy, &Filter::all())?;
    comparison.rows.retain(|r| only.takes(&r.case, r.metric.name));
    comparison.scaling.clear();
    if let Some(table) = acceptance::changes(comparison.rows.iter(), MOST_ROWS) {
        println!("{}", terminal::show(table));
    }
    let summary = summary(&comparison);
    println!("suite {suite}: {summary}");
    let is_new = |part| -> Result<bool, CliError> {
        Ok(part_text(&folder.as_path(), &suite, part)?.as_deref() != Some(render(&proposal.after, part).as_str()))
    };
    if !is_new(Part::Exact)? && !is_new(Part::Times)? {
        finish_pending(&folder, &suite)?;
        println!("nothing is to be changed");
        return Ok(Exit::Pass);
    }
    if arguments.commit && arguments.reason.is_none() && comparison.count(Verdict::Regression) > 0 {
        let message = "something gets worse: say why it is acceptable, with '--reason', before it is committed";
        return Err(CliError::Usage(message.to_owned()));
    }
    if !arguments.yes && !confirmed()? {
        println!("nothing was written");
        return Ok(Exit::Pass);
    }
    proposal.after.write(&folder)?;
    println!("baseline of suite {suite} written to '{}'", folder.display());
    let message = message(&suite, arguments.reason.as_deref(), &run, &summary, &comparison);
    if arguments.commit {
        let commit = git::commit_files(&workspace.root, &[exact_path(&folder, &suite), times_path(&folder, &suite)], &message)?;
        println!("committed as {commit}");
    } else if arguments.reason.is_some() {
        println!("a message for the commit:\n\n{message}");
    }
    Ok(Exit::Pass)
}

/// A job that accepts what it measured would pass whatever happened.
fn refuse_in_ci(ci: Option<&str>) -> Result<(), CliError> {
    match ci {
        None | Some("" | "0" | "false") => Ok(()),
        Some(value) => Err(CliError::Usage(format!(
            "a baseline is accepted by a person, not in CI (the variable 'CI' is '{value}'); accept on your machine and commit the files"
        ))),
    }
}

/// The suite whose baseline a run may become.
fn acceptable(run: &Run, path: &Path, policy: &Policy, force: bool) -> Result<String, CliError> {
    let usage = |message: String| Err(CliError::Usage(message));
    if let Some(record) = run.records.iter().find(|r| r.failure.is_some()) {
        return usage(format!("'{}' has a failed case, '{}': a baseline holds what works", path.display(), record.case));
    }
    if !run.is_finished() {
        return usage(format!("'{}' is not finished; finish it with 'weighbridge run --resume'", path.display()));
    }
    if run.header.dirty == Some(true) && !force {
        return usage(format!(
            "'{}' was measured with uncommitted changes, so that nobody can measure it again: commit, run and accept, or give '--force'",
            path.display()
        ));
    }
    let suite = &run.header.suite;
    match policy.suites.get(suite).and_then(|s| s.baseline.as_ref()) {
        Some(whole) if force => Ok(whole.clone()),
        Some(whole) => {
            usage(format!("suite '{suite}' is judged by the baseline of '{whole}': accept a run of that one, or give '--force'"))
        }
        None => Ok(suite.clone()),
    }
}

/// The baseline as it is, and the cases that a merge left open in it.
fn read_before(folder: &Path, suite: &str) -> Result<(Baseline, BTreeSet<Case>), CliError> {
    let (mut before, mut disputed) = (Baseline::empty(suite), BTreeSet::new());
    for part in [Part::Exact, Part::Times] {
        let Some(text) = part_text(&folder, suite, part)? else { continue };
        let place = folder.join(part.file_name(suite));
        let read = match parse(&text, &place, Unknown::Refuse) {
            Err(BaselineError::Conflict { .. }) => {
                let conflicted = parse_conflicted(&text, &place)?;
                disputed.extend(conflicted.cases);
                conflicted.ours
            }
            other => other?,
        };
        match part {
            Part::Exact => before = read,
            Part::Times => before.add_times(read),
        }
    }
    before.sort();
    Ok((before, disputed))
}

fn summary(comparison: &Comparison) -> String {
    let c = comparison;
    format!(
        "{} regressions, {} improvements, {} new and {} dropped values; exact values that stay: {}",
        c.count(Verdict::Regression),
        c.count(Verdict::Improvement),
        c.count(Verdict::New),
        c.count(Verdict::Missing),
        c.count(Verdict::Unchanged),
    )
}

fn message(suite: &str, reason: Option<&str>, run: &Run, summary: &str, comparison: &Comparison) -> String {
    let commit = run.header.commit.as_deref().map_or_else(String::new, |c| format!(" at {}", c.get(..12).unwrap_or(c)));
    let dirty = if run.header.dirty == Some(true) { " with uncommitted changes" } else { "" };
    let reason = reason.map_or_else(String::new, |r| format!("{}\n\n", r.trim()));
    let table = acceptance::changes(comparison.rows.iter(), MOST_ROWS).map_or_else(String::new, |table| format!("\n{}\n", aligned(table)));
    format!(
        "Refresh the baseline of suite {suite}\n\n{reason}Accepted {} cases measured{commit}{dirty}: {summary}.\n{table}",
        run.records.len()
    )
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ci_is_told_by_its_variable() {
        for no in [None, Some(""), Some("0"), Some("false")] {
            assert!(refuse_in_ci(no).is_ok(), "{no:?}");
        }
        assert!(refuse_in_ci(Some("true")).unwrap_err().to_string().contains("not in CI"));
        assert!(refuse_in_ci(Some("1")).is_err());
    }
}
