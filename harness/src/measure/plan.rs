//! What a run is going to measure: the kernels of a suite × the fixtures that say they are in it.

use std::collections::BTreeMap;

use weighbridge::error::SpecError;
use weighbridge::registry::Registry;

use crate::filter::Filter;
use crate::fixture::Fixture;
use crate::model::record::Case;
use crate::policy::{Policy, UnknownSuite};

/// Cases to measure and the fixtures they need.
#[derive(Debug)]
pub struct Plan {
    /// Suite.
    pub suite: String,
    /// Cases: fixture by fixture, kernels in the suite's order.
    pub cases: Vec<Case>,
    /// Fixtures by name.
    pub fixtures: BTreeMap<String, Fixture>,
}

/// A plan that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// No such suite.
    #[error(transparent)]
    Suite(#[from] UnknownSuite),
    /// A kernel specification of the suite is wrong.
    #[error(transparent)]
    Spec(#[from] SpecError),
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
    /// `extra` kernels are measured as if the suite named them: a way to try a configuration that no suite holds.
    pub fn new(
        suite: &str,
        policy: &Policy,
        fixtures: Vec<Fixture>,
        extra: &[String],
        filter: &Filter,
        registry: &Registry,
    ) -> Result<Self, PlanError> {
        let entry = policy.known_suite(suite)?;
        let mut kernels = Vec::new();
        for text in entry.kernels.iter().chain(extra) {
            let spec = registry.parse(text)?.spec();
            if !kernels.contains(&spec) {
                kernels.push(spec);
            }
        }
        let fixtures: BTreeMap<_, _> =
            fixtures.into_iter().filter(|f| f.manifest.in_suite(suite)).map(|f| (f.name().to_owned(), f)).collect();
        let all = fixtures.keys().flat_map(|fixture| kernels.iter().map(|k| Case { kernel: k.clone(), fixture: fixture.clone() }));
        let cases: Vec<_> = all.filter(|case| filter.takes(&case.kernel, &case.fixture)).collect();
        if cases.is_empty() {
            return Err(PlanError::Empty { suite: suite.to_owned() });
        }
        Ok(Self { suite: suite.to_owned(), cases, fixtures })
    }
}
