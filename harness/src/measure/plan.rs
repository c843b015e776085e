//! What a run is going to measure: the kernels of a suite × the fixtures that say they are in it.

use std::collections::BTreeMap;
use std::path::Path;

use weighbridge::entry::Migration;
use weighbridge::kernel::AnyKernel;
use weighbridge::registry::Registry;

use crate::filter::Filter;
use crate::fixture::{Fixture, FixtureError};
use crate::model::record::{Case, NotMeasured};
use crate::policy::{Policy, UnknownSuite};
use crate::specification::{ResolveError, resolve};

/// Cases to measure and the fixtures they need.
#[derive(Debug)]
pub struct Plan {
    /// Suite.
    pub suite: String,
    /// Cases: fixture by fixture, kernels in the suite's order.
    pub cases: Vec<Case>,
    /// Fixtures by name.
    pub fixtures: BTreeMap<String, Fixture>,
    /// Fixtures that the suite and the filters ask for and that are not there.
    pub not_measured: Vec<NotMeasured>,
    /// Kernels by the name that cases have for them.
    pub kernels: BTreeMap<String, Box<dyn AnyKernel>>,
    /// Configurations of older versions among them.
    pub migrations: Vec<Migration>,
}

/// A plan that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// No such suite.
    #[error(transparent)]
    Suite(#[from] UnknownSuite),
    /// A kernel that the suite or the command line names cannot be made.
    #[error(transparent)]
    Kernel(#[from] ResolveError),
    /// Whether a fixture is there cannot be told.
    #[error(transparent)]
    Fixture(#[from] FixtureError),
    /// Nothing that is asked for is there.
    #[error("no fixture of suite '{suite}' is there: {what}")]
    NothingThere {
        /// The suite.
        suite: String,
        /// Each fixture and why.
        what: String,
    },
    /// The filters leave nothing.
    #[error("no case of suite '{suite}' is left by the filters")]
    Empty {
        /// The suite.
        suite: String,
    },
}

impl Plan {
    /// The cases of a suite that a filter takes.
    ///
    /// `extra` kernels are measured as if the suite named them: a way to try a configuration that no suite holds. Definition files that a
    /// suite names are looked for in `root`, the project folder.
    pub fn new(
        suite: &str,
        policy: &Policy,
        fixtures: Vec<Fixture>,
        extra: &[String],
        filter: &Filter,
        registry: &Registry,
        root: &Path,
    ) -> Result<Self, PlanError> {
        let entry = policy.known_suite(suite)?;
        let texts = entry.kernels.iter().map(|text| (text, root)).chain(extra.iter().map(|text| (text, Path::new(""))));
        let (mut order, mut kernels, mut migrations) = (Vec::new(), BTreeMap::new(), Vec::new());
        for (text, folder) in texts {
            let resolved = resolve(text, folder, registry)?;
            migrations.extend(resolved.migrations);
            let spec = resolved.kernel.spec();
            if kernels.insert(spec.clone(), resolved.kernel).is_none() {
                order.push(spec);
            }
        }
        let (mut there, mut not_measured) = (BTreeMap::new(), Vec::new());
        for fixture in fixtures.into_iter().filter(|f| f.manifest.in_suite(suite)) {
            let name = fixture.name().to_owned();
            if !order.iter().any(|kernel| filter.takes(kernel, &name)) {
                continue;
            }
            match fixture.state()?.obstacle() {
                None => drop(there.insert(name, fixture)),
                Some(reason) => not_measured.push(NotMeasured { fixture: name, reason: reason.to_owned() }),
            }
        }
        let all = there.keys().flat_map(|fixture| order.iter().map(|k| Case { kernel: k.clone(), fixture: fixture.clone() }));
        let cases: Vec<_> = all.filter(|case| filter.takes(&case.kernel, &case.fixture)).collect();
        if cases.is_empty() && !not_measured.is_empty() {
            let what = not_measured.iter().map(|n| format!("{} ({})", n.fixture, n.reason)).collect::<Vec<_>>().join(", ");
            return Err(PlanError::NothingThere { suite: suite.to_owned(), what });
        }
        if cases.is_empty() {
            return Err(PlanError::Empty { suite: suite.to_owned() });
        }
        Ok(Self { suite: suite.to_owned(), cases, fixtures: there, not_measured, kernels, migrations })
    }

    /// What workers are told to use for a case's kernel: text that needs no file.
    pub fn text(&self, kernel: &str) -> String {
        self.kernels.get(kernel).map_or_else(|| kernel.to_owned(), |k| k.text())
    }
}
