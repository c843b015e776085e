//! `list`: what there is to measure.

use std::path::Path;

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;
use weighbridge::registry::Registry;

use super::arguments::{ListArguments, ListFormat, ListWhat};
use super::gate::put;
use super::workspace::Workspace;
use super::{CliError, Exit};
use crate::filter::Filter;
use crate::measure::plan::Plan;
use crate::model::metric::METRICS;

/// A list: column names, and a row of texts for each thing.
pub(super) struct Listing {
    /// Names of the columns.
    pub header: &'static [&'static str],
    /// A text for each column.
    pub rows: Vec<Vec<String>>,
}

impl Listing {
    /// The list as text.
    pub fn render(&self, format: ListFormat) -> String {
        match format {
            ListFormat::Table => {
                let mut table = Table::new();
                table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
                table.set_header(self.header.to_vec());
                table.add_rows(&self.rows);
                format!("{}\n", table.trim_fmt())
            }
            ListFormat::Json => {
                let object = |row: &Vec<String>| {
                    let pairs = self.header.iter().zip(row).map(|(k, v)| ((*k).to_owned(), Value::String(v.clone())));
                    Value::Object(pairs.collect())
                };
                format!("{:#}\n", Value::Array(self.rows.iter().map(object).collect()))
            }
        }
    }
}

/// `list`.
pub fn list(arguments: &ListArguments, root: Option<&Path>, registry: &Registry) -> Result<Exit, CliError> {
    let filter = Filter::new(&arguments.filter.kernel, &arguments.filter.fixture, &arguments.filter.metric)?;
    let listing = match arguments.what {
        ListWhat::Metrics => Listing {
            header: &["metric", "unit", "kind", "better", "description"],
            rows: METRICS
                .iter()
                .filter(|m| filter.takes_metric(m.name))
                .map(|m| {
                    let (kind, better) = (format!("{:?}", m.kind).to_lowercase(), format!("{:?}", m.direction).to_lowercase());
                    vec![m.name.to_owned(), m.unit.to_owned(), kind, better, m.doc.to_owned()]
                })
                .collect(),
        },
        ListWhat::Suites => {
            let policy = Workspace::find(root)?.policy()?;
            let row = |(name, suite): (&String, &crate::policy::Suite)| vec![name.clone(), suite.kernels.join(" "), suite.reason.clone()];
            Listing { header: &["suite", "kernels", "reason"], rows: policy.suites.iter().map(row).collect() }
        }
        ListWhat::Fixtures => {
            let fixtures = Workspace::find(root)?.fixtures()?;
            let kept = fixtures.iter().filter(|f| filter.takes("", f.name()) || !arguments.filter.kernel.is_empty());
            let row = |f: &crate::fixture::Fixture| vec![f.name().to_owned(), f.manifest.suites.join(" "), crate::report::fixture_line(f)];
            Listing { header: &["fixture", "suites", "description"], rows: kept.map(row).collect() }
        }
        ListWhat::Cases => {
            let workspace = Workspace::find(root)?;
            let plan = Plan::new(&arguments.suite, &workspace.policy()?, workspace.fixtures()?, &[], &filter, registry, &workspace.root)?;
            for left_out in &plan.not_measured {
                eprintln!("{}: {}", left_out.fixture, left_out.reason);
            }
            let rows = plan.cases.iter().map(|c| vec![c.kernel.clone(), c.fixture.clone()]).collect();
            Listing { header: &["kernel", "fixture"], rows }
        }
    };
    put(arguments.output.as_deref(), &listing.render(arguments.format))?;
    Ok(Exit::Pass)
}
