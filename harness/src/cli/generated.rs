//! `fixtures generate` and `fixtures statistics`: generated weights, and how like trained ones they are.

use std::path::Path;
use std::time::Instant;

use super::arguments::{GenerateArguments, StatisticsArguments};
use super::gate::put;
use super::list::Listing;
use super::workspace::Workspace;
use super::{CliError, Exit};
use crate::fixture::{self, Fixture};
use crate::generate::{VERSION, survey::survey};
use crate::report::format;

/// `fixtures generate`.
pub fn generate(arguments: &GenerateArguments, root: Option<&Path>) -> Result<Exit, CliError> {
    let workspace = Workspace::find(root)?;
    let fixtures = if arguments.names.is_empty() {
        workspace.fixtures()?.into_iter().filter(Fixture::is_generated).collect()
    } else {
        let find = |name: &String| fixture::find(&workspace.root.join("fixtures"), name);
        arguments.names.iter().map(find).collect::<Result<Vec<_>, _>>()?
    };
    if let Some(fixture) = fixtures.iter().find(|f| !f.is_generated()) {
        return Err(CliError::Usage(format!("the weights of fixture '{}' are not generated; there is nothing to make", fixture.name())));
    }
    for fixture in fixtures {
        let start = Instant::now();
        let mut bytes = 0;
        let path = fixture.prepare(&mut |_, total| bytes = total)?;
        let what = if bytes == 0 { "was there".to_owned() } else { format!("{bytes} bytes in {:.1} s", start.elapsed().as_secs_f64()) };
        println!("{}: {what}: '{}'", fixture.name(), path.display());
    }
    Ok(Exit::Pass)
}

/// `fixtures statistics`.
pub fn statistics(arguments: &StatisticsArguments) -> Result<Exit, CliError> {
    let surveyed = survey(VERSION, arguments.seed, usize::from(arguments.matrices));
    let mut rows = Vec::new();
    let mut exit = Exit::Pass;
    for layer in &surveyed {
        for compared in layer.comparisons() {
            let (low, high) = compared.trained;
            let trained = if low == high { format::number(low) } else { format!("{} to {}", format::number(low), format::number(high)) };
            let verdict = if compared.is_like() { "like" } else { "UNLIKE" };
            if !compared.is_like() {
                exit = Exit::CaseFailed;
            }
            let (layer, statistic) = (layer.layer.id.to_owned(), compared.statistic.name().to_owned());
            rows.push(vec![layer, statistic, trained, format::number(compared.generated), verdict.to_owned()]);
        }
    }
    let listing = Listing { header: &["layer", "statistic", "trained", "generated", "verdict"], rows };
    put(None, &listing.render(arguments.format))?;
    Ok(exit)
}
