//! What cases are expected to cost: from the last run where it has them, else an estimate from committed times and sizes.
//!
//! Shards are cut by the estimate alone, which is the same in every checkout of a commit; a last run is not.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::baseline::{Baseline, times_path};
use crate::fixture::{Fixture, Source};
use crate::measure::plan::Plan;
use crate::model::metric::as_f64;
use crate::model::record::Case;
use crate::store::Run;

/// Starting three processes, and files that do not depend on size.
const CASE_SECONDS: f64 = 0.3;
/// A MB (10⁶ bytes) of a model: read to be encoded, read to be checked, and written, digested and read again once it is decoded.
const MODEL_SECONDS_PER_MB: f64 = 0.006;
/// A MB of an artifact: spooled, written, digested and read.
const ARTIFACT_SECONDS_PER_MB: f64 = 0.01;
/// A MB that is generated.
const GENERATED_SECONDS_PER_MB: f64 = 0.006;
/// A MB of a model that a sample is drawn from: it is read once, because kernels refuse values that are not finite.
const SCANNED_SECONDS_PER_MB: f64 = 0.001;
/// A kernel that no baseline has times for, encode and decode together.
const UNKNOWN_SECONDS_PER_MB: f64 = 0.01;
/// Operations are timed at least once besides being carried out.
const PASSES: f64 = 2.0;
/// Time spent on samples of each operation, with warm-up.
const TIMING_SECONDS: f64 = 0.6;
/// A task, with a small model.
const TASK_SECONDS: f64 = 1.5;
/// What a task takes longer for each parameter, with another beside it.
const TASK_SECONDS_PER_PARAMETER: f64 = 5e-8;
/// Part of a large model that whole tensors of a sample come to.
const TENSORS_SHARE: f64 = 0.13;

/// What kernels took, from committed baselines.
#[derive(Debug, Default)]
pub struct Costs {
    /// Seconds for a MB, encode and decode together.
    seconds_per_mb: BTreeMap<String, f64>,
    /// Compression ratios.
    ratios: BTreeMap<String, f64>,
}

/// What a case is expected to take, and how that is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// Wall time on one worker.
    pub seconds: f64,
    /// Whether a run took it; else it is an estimate.
    pub measured: bool,
}

impl Costs {
    /// Medians over fixtures in the baselines of these suites. A baseline that is not there tells nothing.
    pub fn read<'a>(baselines: &Path, suites: impl Iterator<Item = &'a String>) -> Self {
        let (mut seconds, mut ratios) = (ByKernel::new(), ByKernel::new());
        for suite in suites.filter(|suite| times_path(baselines, suite).exists()) {
            let Ok(baseline) = Baseline::read(baselines, suite) else { continue };
            for row in &baseline.rows {
                let found = match row.metric.name {
                    "encode_seconds_per_mb" | "decode_seconds_per_mb" => &mut seconds,
                    "compression_ratio" => &mut ratios,
                    _ => continue,
                };
                *found.entry(row.kernel.clone()).or_default().entry(row.fixture.clone()).or_default() += row.value;
            }
        }
        Self { seconds_per_mb: medians(seconds), ratios: medians(ratios) }
    }

    /// The estimate for each case of a plan.
    pub fn estimate(&self, plan: &Plan) -> Vec<f64> {
        let mut seen = BTreeSet::new();
        let first = |case: &Case| {
            let fixture = plan.fixtures.get(&case.fixture);
            let made = fixture.filter(|f| f.is_generated() && seen.insert(case.fixture.clone()));
            made.map_or(0.0, |f| megabytes(f) * (GENERATED_SECONDS_PER_MB + SCANNED_SECONDS_PER_MB))
        };
        let firsts: Vec<f64> = plan.cases.iter().map(first).collect();
        plan.cases.iter().zip(firsts).map(|(case, first)| first + self.estimate_case(plan, case)).collect()
    }

    fn estimate_case(&self, plan: &Plan, case: &Case) -> f64 {
        let Some(fixture) = plan.fixtures.get(&case.fixture) else { return CASE_SECONDS };
        let whole = megabytes(fixture);
        let measured = plan.sample_of(case).map_or(whole, |rule| {
            let rows = whole * as_f64(rule.parameters) / as_f64(fixture.manifest.parameters.max(1));
            let by_rows = plan.kernels.get(&case.kernel).is_some_and(|kernel| kernel.rows_apart());
            rows.max(if by_rows { 0.0 } else { TENSORS_SHARE * whole }).min(whole)
        });
        let does_task = fixture.task().is_some() && plan.sample_of(case).is_none();
        let task = if does_task { TASK_SECONDS + TASK_SECONDS_PER_PARAMETER * as_f64(fixture.manifest.parameters) } else { 0.0 };
        let rate = self.seconds_per_mb.get(&case.kernel).copied().unwrap_or(UNKNOWN_SECONDS_PER_MB);
        let artifact = measured / self.ratios.get(&case.kernel).copied().unwrap_or(1.0);
        let files = measured * MODEL_SECONDS_PER_MB + artifact * ARTIFACT_SECONDS_PER_MB;
        // Rates are of f32: a MB in half precision holds twice as many weights.
        let weights = as_f64(fixture.manifest.parameters) * 4.0 / 1e6 / whole.max(1e-6);
        CASE_SECONDS + TIMING_SECONDS + measured * weights * PASSES * rate + files + task
    }
}

type ByKernel = BTreeMap<String, BTreeMap<String, f64>>;

/// The median over fixtures of each kernel's values.
fn medians(found: ByKernel) -> BTreeMap<String, f64> {
    let median = |(kernel, by_fixture): (String, BTreeMap<String, f64>)| {
        let mut values: Vec<f64> = by_fixture.into_values().collect();
        values.sort_by(f64::total_cmp);
        Some((kernel, *values.get(values.len() / 2)?))
    };
    found.into_iter().filter_map(median).collect()
}

/// What the cases of a plan are expected to take: as in `last`, where it has the case from a machine of this kind, else the estimate.
pub fn expect(plan: &Plan, costs: &Costs, last: Option<&Run>) -> Vec<Expected> {
    let of_last = |case: &Case| {
        let record = last?.records.iter().find(|r| r.case == *case)?;
        Some(record.measure_seconds? + record.evaluate_seconds.unwrap_or(0.0))
    };
    let estimates = costs.estimate(plan);
    let expected = |(case, estimate): (&Case, f64)| match of_last(case) {
        Some(seconds) => Expected { seconds, measured: true },
        None => Expected { seconds: estimate, measured: false },
    };
    plan.cases.iter().zip(estimates).map(expected).collect()
}

/// Size of a fixture's weights in 10⁶ bytes, as its manifest says.
fn megabytes(fixture: &Fixture) -> f64 {
    let bytes = match &fixture.manifest.source {
        Source::Package(source) => source.dtype.size_bytes(),
        Source::Generator(recipe) => recipe.dtype.size_bytes(),
        Source::Committed(_) | Source::Local(_) | Source::Hub(_) => 4,
    };
    as_f64(fixture.manifest.parameters) * as_f64(bytes as u64) / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filter;
    use crate::fixture::load_all;
    use crate::policy::{EMBEDDED, Policy};
    use weighbridge::registry::Registry;

    fn plan(suite: &str) -> Plan {
        let fixtures = load_all(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")).unwrap();
        let policy = Policy::parse(EMBEDDED, "embedded").unwrap();
        Plan::new(suite, &policy, fixtures, &[], &Filter::all(), &Registry::default(), Path::new("")).unwrap()
    }

    #[test]
    fn large_models_cost_more_and_samples_less() {
        let plan = plan("full");
        let seconds_per_mb = BTreeMap::from([("seedlm".to_owned(), 0.9), ("int8".to_owned(), 0.001)]);
        let costs = Costs { seconds_per_mb, ratios: BTreeMap::from([("int8".to_owned(), 4.0)]) };
        let cost = |kernel: &str, fixture: &str| costs.estimate_case(&plan, &Case { kernel: kernel.into(), fixture: fixture.into() });
        assert!(cost("int8", "bert-1b-generated") > 50.0 * cost("int8", "lstm-medium-generated") / 10.0);
        let whole = 5105.0 * 0.9;
        assert!(cost("seedlm", "bert-1b-generated") < whole / 50.0 && cost("seedlm", "moe-small-generated") > 20.0);
        assert!(cost("unheard-of", "bert-1b-generated") > 100.0);
        let each = costs.estimate(&plan);
        let of = |fixture: &str| plan.cases.iter().position(|c| c.fixture == fixture).map(|i| (each[i], each[i + 1])).unwrap();
        let (first, second) = of("mlp-xl-generated");
        assert!(first > second + 10.0, "the first case waits for the weights to be made: {first} {second}");
    }

    #[test]
    fn a_last_run_is_believed_where_it_has_the_case() {
        let plan = plan("mini");
        let mut record = crate::model::record::CaseRecord::pending(plan.cases[1].clone());
        (record.measure_seconds, record.evaluate_seconds) = (Some(2.0), Some(1.5));
        let expected = expect(&plan, &Costs::default(), Some(&Run::of(vec![record])));
        assert_eq!(expected[1], Expected { seconds: 3.5, measured: true });
        assert!(!expected[0].measured && expected[0].seconds > 0.0 && expected.len() == plan.cases.len());
    }
}
