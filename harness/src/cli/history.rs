//! `history`: a series with its change points, or all that drifted.

use std::path::Path;

use super::arguments::HistoryArguments;
use super::gate::put;
use super::workspace::Workspace;
use super::{CliError, Exit};
use crate::git;
use crate::history::{Drift, Refreshes, Series, drifts, refreshes, series};
use crate::model::metric::{METRICS, metric};
use crate::model::record::Case;
use crate::report::{format, plot, tables, terminal};

/// `history`.
pub fn history(arguments: &HistoryArguments, root: Option<&Path>) -> Result<Exit, CliError> {
    let workspace = Workspace::find(root)?;
    match (&arguments.kernel, &arguments.fixture, &arguments.metric) {
        (Some(kernel), Some(fixture), Some(metric)) => {
            let case = Case { kernel: kernel.clone(), fixture: fixture.clone() };
            one(arguments, &case, metric, &workspace)
        }
        _ => all(arguments, &workspace),
    }
}

fn one(arguments: &HistoryArguments, case: &Case, name: &str, workspace: &Workspace) -> Result<Exit, CliError> {
    let known = || METRICS.iter().map(|m| m.name).collect::<Vec<_>>().join(", ");
    let metric = metric(name).ok_or_else(|| CliError::Usage(format!("unknown metric '{name}'; known metrics: {}", known())))?;
    let refreshes = refreshes(&workspace.root, &arguments.suite, &arguments.from, None)?;
    let series = series(&refreshes, case, metric)?;
    if series.values.is_empty() {
        let walked = refreshes.walked();
        return Err(CliError::Nothing(format!(
            "none of {walked} commits accepted a value of '{name}' for '{case}' in suite '{}'",
            arguments.suite
        )));
    }
    println!("{}", table(&series));
    println!("{} refreshes in {} commits, {} changes of level", series.values.len(), refreshes.walked(), series.changes.len());
    say_cut(&refreshes);
    if let Some(path) = &arguments.svg {
        let numbers: Vec<_> = series.values.iter().map(|v| v.value).collect();
        let drawn = plot::series(&format!("{case}: {}", metric.with_unit()), &numbers, &series.changes);
        put(Some(path), &drawn.map_err(|e| CliError::Unexpected(format!("cannot draw the history: {e}")))?)?;
        println!("drawn into '{}'", path.display());
    }
    Ok(Exit::Pass)
}

/// The first value, and each that is another than the one before; with where the level changed.
fn table(series: &Series) -> String {
    let mut table = tables::table(&["Day", "Commit", "Value", "Change", "Level", "Subject"], 6);
    let mut before = None;
    for (i, value) in series.values.iter().enumerate() {
        let point = series.changes.iter().find(|p| p.index == i);
        if before == Some(value.value) && point.is_none() {
            continue;
        }
        let level = point.map_or_else(String::new, |p| {
            let mean = |x| format::value(series.metric, x);
            let p_value = if p.p == 0.0 { "certain".to_owned() } else { format!("p = {:.1e}", p.p) };
            format!("changes: {} → {} ({p_value})", mean(p.mean_before), mean(p.mean_after))
        });
        table.add_row([
            value.day(),
            value.commit.get(..12).unwrap_or(&value.commit).to_owned(),
            format::value(series.metric, value.value),
            format::change(series.metric, before, Some(value.value)),
            level,
            value.subject.clone(),
        ]);
        before = Some(value.value);
    }
    terminal::show(table)
}

fn all(arguments: &HistoryArguments, workspace: &Workspace) -> Result<Exit, CliError> {
    let release = match &arguments.since {
        Some(revision) => Some((revision.clone(), git::resolve(&workspace.root, revision)?)),
        None => git::last_release(&workspace.root, &arguments.from)?,
    };
    let (name, since) = match &release {
        Some((name, commit)) => (format!("'{name}'"), Some(commit.as_str())),
        None => ("the first commit, because no tag such as v0.1.0 is there".to_owned(), None),
    };
    let refreshes = refreshes(&workspace.root, &arguments.suite, &arguments.from, since)?;
    let found = drifts(&refreshes, &workspace.policy()?)?;
    if let Some(table) = drift_table(&found.slow) {
        println!("Drift that no gate saw, in steps within the tolerance:\n{table}\n");
    }
    if let Some(table) = drift_table(&found.accepted) {
        println!("Worse by steps that a gate saw and somebody accepted:\n{table}\n");
    }
    println!(
        "since {name}: {} values drifted, {} were accepted as worse, over {} refreshes in {} commits",
        found.slow.len(),
        found.accepted.len(),
        refreshes.touches().len(),
        refreshes.walked()
    );
    say_cut(&refreshes);
    Ok(if found.slow.is_empty() { Exit::Pass } else { Exit::Regression })
}

fn drift_table(drifts: &[Drift]) -> Option<String> {
    let mut table = tables::table(&["Kernel", "Fixture", "Metric", "First", "Last", "Change", "Tolerated", "Steps", "Largest step"], 3);
    for d in drifts {
        let largest = if d.largest_step.is_finite() {
            format!("{:.0} % of the tolerance", 100.0 * d.largest_step)
        } else {
            "nothing is tolerated".to_owned()
        };
        table.add_row([
            d.case.kernel.clone(),
            d.case.fixture.clone(),
            d.metric.name.to_owned(),
            format::value(d.metric, d.first),
            format::value(d.metric, d.last),
            format::change(d.metric, Some(d.first), Some(d.last)),
            format::value(d.metric, d.tolerance),
            d.steps.to_string(),
            largest,
        ]);
    }
    (!drifts.is_empty()).then(|| terminal::show(table))
}

fn say_cut(refreshes: &Refreshes) {
    if refreshes.is_cut() {
        eprintln!("note: this clone is shallow, so the history begins late; 'git fetch --unshallow origin' gets the rest");
    }
}
