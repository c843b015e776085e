//! `fixtures figures`: what the original weights do on their tasks, beside what an independent implementation found.

use std::path::Path;

use super::arguments::FiguresArguments;
use super::gate::put;
use super::list::Listing;
use super::workspace::Workspace;
use super::{CliError, Exit};
use crate::evaluate::{outputs, score};
use crate::fixture::{self, Figure, Fixture};

/// `fixtures figures`.
pub fn figures(arguments: &FiguresArguments, root: Option<&Path>) -> Result<Exit, CliError> {
    let workspace = Workspace::find(root)?;
    let fixtures = if arguments.names.is_empty() {
        workspace.fixtures()?
    } else {
        let find = |name: &String| fixture::find(&workspace.root.join("fixtures"), name);
        arguments.names.iter().map(find).collect::<Result<Vec<_>, _>>()?
    };
    let (mut rows, mut off) = (Vec::new(), 0);
    for fixture in &fixtures {
        let expected = fixture.manifest.expected.figures();
        if expected.is_empty() {
            continue;
        }
        if let Some(obstacle) = fixture.state()?.obstacle() {
            eprintln!("note: no figures of fixture '{}': {obstacle}; 'weighbridge fixtures fetch {0}' gets it", fixture.name());
            continue;
        }
        fixture.verify()?;
        let found = evaluate(fixture)?;
        for (metric, figure) in expected {
            let value = found.iter().find(|(name, _)| *name == metric).map(|(_, value)| *value);
            let agrees = value.is_some_and(|value| (value - figure.value).abs() <= figure.tolerance);
            off += usize::from(!agrees);
            rows.push(row(fixture.name(), metric, value, figure, agrees));
        }
    }
    if rows.is_empty() {
        return Err(CliError::Usage(
            "none of these fixtures is there and has figures; 'weighbridge fixtures list' shows what is".to_owned(),
        ));
    }
    let header = &["fixture", "metric", "here", "independent", "tolerance", "verdict"];
    put(None, &Listing { header, rows }.render(arguments.format))?;
    Ok(if off == 0 { Exit::Pass } else { Exit::CaseFailed })
}

/// Metrics of the original weights.
fn evaluate(fixture: &Fixture) -> Result<Vec<(&'static str, f64)>, CliError> {
    let outputs = outputs(fixture, &fixture.weights()?)?;
    Ok(score(fixture, &outputs, &outputs)?.into_iter().map(|s| (s.metric, s.value)).collect())
}

fn row(fixture: &str, metric: &str, value: Option<f64>, figure: Figure, agrees: bool) -> Vec<String> {
    let verdict = if agrees { "agrees" } else { "DIFFERS" };
    // To a tenth of what the figure is held to.
    let value = value.map_or_else(|| "absent".to_owned(), |v| format!("{v:.*}", digits(figure.tolerance / 10.0)));
    let [expected, tolerance] = [figure.value, figure.tolerance].map(|x| x.to_string());
    [fixture, metric, &value, &expected, &tolerance, verdict].map(str::to_owned).to_vec()
}

/// Decimal places in which a step of that size shows.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 to 15")]
fn digits(step: f64) -> usize {
    (-step.log10()).ceil().clamp(0.0, 15.0) as usize
}
