//! What a run is going to measure: the kernels of a suite × the fixtures that say they are in it.

use std::collections::BTreeMap;
use std::path::Path;

use weighbridge::entry::Migration;
use weighbridge::kernel::AnyKernel;
use weighbridge::registry::Registry;

use crate::filter::Filter;
use crate::fixture::{Fixture, FixtureError};
use crate::model::record::{Case, Limit, NotMeasured, Shard};
use crate::model::sampled::SampleRule;
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
    /// Which kernels are measured on samples of large models.
    pub sample: Vec<SampleRule>,
    /// Which kernels alone are measured on large models.
    pub limits: Vec<Limit>,
    /// Which part of all cases these are.
    pub shard: Option<Shard>,
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
    /// A shard without cases.
    #[error("shard {index} of {count} has none of the {cases} cases; take fewer shards")]
    EmptyShard {
        /// Which shard.
        index: usize,
        /// How many there are.
        count: usize,
        /// Cases of all of them.
        cases: usize,
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
        let parameters = |case: &Case| there.get(&case.fixture).map_or(0, |fixture| fixture.manifest.parameters);
        let beyond =
            |case: &Case| entry.limit.iter().any(|l| parameters(case) > l.above_parameters && !takes_kernel(&l.kernels, &case.kernel));
        let wanted = |case: &Case| filter.takes(&case.kernel, &case.fixture) && !beyond(case);
        let cases: Vec<_> = all.filter(wanted).collect();
        if cases.is_empty() && !not_measured.is_empty() {
            let what = not_measured.iter().map(|n| format!("{} ({})", n.fixture, n.reason)).collect::<Vec<_>>().join(", ");
            return Err(PlanError::NothingThere { suite: suite.to_owned(), what });
        }
        if cases.is_empty() {
            return Err(PlanError::Empty { suite: suite.to_owned() });
        }
        there.retain(|name, _| cases.iter().any(|case| case.fixture == *name));
        let sample = entry.sample.clone();
        let limits = entry.limit.iter().filter(|l| there.values().any(|f| f.manifest.parameters > l.above_parameters)).cloned().collect();
        Ok(Self { suite: suite.to_owned(), cases, fixtures: there, not_measured, kernels, migrations, sample, limits, shard: None })
    }

    /// What workers are told to use for a case's kernel: text that needs no file.
    pub fn text(&self, kernel: &str) -> String {
        self.kernels.get(kernel).map_or_else(|| kernel.to_owned(), |k| k.text())
    }

    /// The rule by which a case is measured on a sample of its model, if it is.
    ///
    /// A fixture with a task is measured whole unless the rule says otherwise: a part of a network does no task.
    pub fn sample_of(&self, case: &Case) -> Option<&SampleRule> {
        let fixture = self.fixtures.get(&case.fixture)?;
        let above = |rule: &SampleRule| if fixture.task().is_some() { rule.tasks_above_parameters } else { Some(rule.above_parameters) };
        let large = |rule: &SampleRule| above(rule).is_some_and(|above| fixture.manifest.parameters > above);
        self.sample.iter().find(|rule| large(rule) && takes_kernel(&rule.kernels, &case.kernel))
    }

    /// Keeps one of `count` parts of about the same cost, as `seconds` expects it for each case.
    ///
    /// The cases stay in order and are cut into runs of neighbours, so that most fixtures are needed by one part only. Each case is in exactly
    /// one part.
    pub fn keep_shard(&mut self, index: usize, count: usize, seconds: &[f64]) -> Result<(), PlanError> {
        let total: f64 = seconds.iter().sum();
        let mut before = 0.0;
        let all_cases = std::mem::take(&mut self.cases);
        for (i, case) in all_cases.iter().enumerate() {
            let cost = seconds.get(i).copied().unwrap_or(0.0);
            if part_of(before + cost / 2.0, total, count) == index {
                self.cases.push(case.clone());
            }
            before += cost;
        }
        if self.cases.is_empty() {
            return Err(PlanError::EmptyShard { index, count, cases: all_cases.len() });
        }
        self.fixtures.retain(|name, _| self.cases.iter().any(|c| c.fixture == *name));
        self.shard = Some(Shard { index, count, all_cases });
        Ok(())
    }
}

/// Whether globs take a kernel.
fn takes_kernel(globs: &[String], kernel: &str) -> bool {
    Filter::new(globs, &[], &[]).is_ok_and(|filter| filter.takes_kernel(kernel))
}

/// The part, from 1, in which the middle of a case falls.
fn part_of(middle: f64, total: f64, count: usize) -> usize {
    let share = if total > 0.0 { middle / total } else { 0.0 };
    #[expect(clippy::cast_precision_loss, reason = "a number of parts")]
    let ends = (1..count).map(|part| part as f64 / count as f64);
    1 + ends.take_while(|end| share >= *end).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(cases: usize) -> Plan {
        let case = |i: usize| Case { kernel: format!("k{}", i % 5), fixture: format!("f{}", i / 5) };
        let cases = (0..cases).map(case).collect();
        Plan {
            suite: "s".into(),
            cases,
            fixtures: BTreeMap::new(),
            not_measured: Vec::new(),
            kernels: BTreeMap::new(),
            migrations: Vec::new(),
            sample: Vec::new(),
            limits: Vec::new(),
            shard: None,
        }
    }

    #[test]
    fn shards_hold_each_case_once_and_about_the_same_cost() {
        let seconds: Vec<f64> = (0..40u32).map(|i| 1.0 + f64::from(i * i % 7)).collect();
        let total: f64 = seconds.iter().sum();
        let whole = plan(40);
        let mut joined = Vec::new();
        for index in 1..=4 {
            let mut part = plan(40);
            part.keep_shard(index, 4, &seconds).unwrap();
            let cost: f64 = part.cases.iter().map(|c| seconds[whole.cases.iter().position(|w| w == c).unwrap()]).sum();
            assert!((cost - total / 4.0).abs() < 8.0, "{cost} of {total}");
            assert_eq!(part.shard.unwrap().all_cases, whole.cases);
            joined.extend(part.cases);
        }
        assert_eq!(joined, whole.cases);
    }

    #[test]
    fn costs_of_nothing_and_too_many_shards_are_fine_or_named() {
        let mut all = plan(3);
        all.keep_shard(1, 3, &[0.0; 3]).unwrap();
        assert_eq!(all.cases.len(), 3);
        let error = plan(2).keep_shard(3, 5, &[1.0, 1.0]).unwrap_err().to_string();
        assert_eq!(error, "shard 3 of 5 has none of the 2 cases; take fewer shards");
    }
}
