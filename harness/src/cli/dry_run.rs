//! `run --dry-run`: the cases, what each is expected to take, and how that is known.

use std::path::Path;
use std::time::Duration;

use super::arguments::ListFormat;
use super::gate::put;
use super::list::Listing;
use super::{CliError, Exit};
use crate::measure::cost::{Costs, expect};
use crate::measure::plan::Plan;
use crate::store::Run;

/// Prints the plan; `last` is the run file that measuring would replace.
pub fn show(plan: &Plan, costs: &Costs, last: &Path) -> Result<Exit, CliError> {
    let last_run = if last.exists() { Some(Run::read(last)?) } else { None };
    let expected = expect(plan, costs, last_run.as_ref());
    let row = |(case, e): (&crate::model::record::Case, &crate::measure::cost::Expected)| {
        let how = if e.measured { "last run" } else { "estimate" };
        let what = if plan.sample_of(case).is_some() { "sample" } else { "whole" };
        vec![case.kernel.clone(), case.fixture.clone(), what.to_owned(), format!("{:.1}", e.seconds), how.to_owned()]
    };
    let rows = plan.cases.iter().zip(&expected).map(row).collect();
    let listing = Listing { header: &["kernel", "fixture", "model", "seconds", "known from"], rows };
    let total: f64 = expected.iter().map(|e| e.seconds).sum();
    let estimated = expected.iter().filter(|e| !e.measured).count();
    let told = match estimated {
        0 => format!("as in the last run, '{}'", last.display()),
        n if n == expected.len() => "an estimate from committed times and sizes: no run here has these cases".to_owned(),
        n => format!("{n} of them estimated from committed times and sizes, the others as in '{}'", last.display()),
    };
    let shard =
        plan.shard.as_ref().map_or_else(String::new, |s| format!(", shard {} of {} ({} cases)", s.index, s.count, s.all_cases.len()));
    let time = humantime::format_duration(Duration::from_secs_f64(total.round()));
    let not_measured = plan.not_measured.iter().map(|n| format!("{} ({})", n.fixture, n.reason)).collect::<Vec<_>>().join(", ");
    let left_out = if not_measured.is_empty() { String::new() } else { format!("\nnot measured: {not_measured}") };
    let table = listing.render(ListFormat::Table);
    put(None, &format!("{table}{} cases{shard}, {time} on one worker: {told}{left_out}\n", plan.cases.len()))?;
    Ok(Exit::Pass)
}
