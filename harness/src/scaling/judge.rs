//! Exponents of a run beside those of the baseline, and whether they grew.

use std::collections::BTreeMap;

use crate::compare::{Row, Verdict};
use crate::model::metric::{Kind, metric};
use crate::policy::{GateWhen, Policy};
use crate::store::Run;

use super::cost::{ModelSize, QUANTITIES, Quantity, sizes};
use super::fit::{Fit, fit};

/// Models that an exponent is stated for span at least this factor in parameters: over less, a per cent of one model would bend it.
const LEAST_SPAN: f64 = 10.0;

/// How one cost of a kernel grows with size.
#[derive(Debug, Clone, PartialEq)]
pub struct ScalingRow {
    /// Kernel specification.
    pub kernel: String,
    /// The cost.
    pub quantity: &'static Quantity,
    /// Parameters of the smallest and of the largest model.
    pub span: (f64, f64),
    /// The baseline's exponent, over the models that both sides have.
    pub before: Option<Fit>,
    /// The candidate's exponent, over all of its models.
    pub after: Fit,
    /// What the exponent grew by, over the models that both sides have: the exponent of after ÷ before.
    pub growth: Option<Fit>,
    /// Growth that the policy tolerates; `None` where it does not gate.
    pub tolerance: Option<f64>,
    /// Verdict; `None` where the policy only shows it, or where there is nothing to compare with.
    pub verdict: Option<Verdict>,
}

/// A model's parameters with both costs.
struct Point {
    parameters: f64,
    before: Option<f64>,
    after: f64,
}

/// Fits every kernel that was measured on models of at least three sizes, a factor of ten apart.
pub fn judge(rows: &[Row], run: &Run, policy: &Policy, same_machine: bool) -> Vec<ScalingRow> {
    let sizes = sizes(run);
    let mut kernels: Vec<&str> = Vec::new();
    let mut by_kernel = BTreeMap::<&str, Vec<&Row>>::new();
    for row in rows.iter().filter(|r| QUANTITIES.iter().any(|q| q.metric == r.metric.name)) {
        let kernel = row.case.kernel.as_str();
        let mine = by_kernel.entry(kernel).or_default();
        if mine.is_empty() {
            kernels.push(kernel);
        }
        mine.push(row);
    }
    let mut found = Vec::new();
    for kernel in kernels {
        for quantity in QUANTITIES {
            let mine = by_kernel.get(kernel).into_iter().flatten().copied().filter(|r| r.metric.name == quantity.metric);
            let point = |row: &Row| point(row, quantity, sizes.get(row.case.fixture.as_str())?);
            let points: Vec<Point> = mine.filter_map(point).collect();
            found.extend(row_of(kernel, quantity, &points, policy, same_machine));
        }
    }
    found
}

fn point(row: &Row, quantity: &Quantity, size: &ModelSize) -> Option<Point> {
    let after = quantity.cost(row.after?, size);
    Some(Point { parameters: size.parameters, before: row.before.map(|value| quantity.cost(value, size)), after })
}

/// Parameters of the smallest and the largest of them, where they are far enough apart.
fn span<'a>(points: impl Iterator<Item = &'a Point>) -> Option<(f64, f64)> {
    let (low, high) = points.fold((f64::INFINITY, 0.0f64), |(low, high), p| (low.min(p.parameters), high.max(p.parameters)));
    (high >= LEAST_SPAN * low).then_some((low, high))
}

fn row_of(kernel: &str, quantity: &'static Quantity, points: &[Point], policy: &Policy, same_machine: bool) -> Option<ScalingRow> {
    let after = fit(&points.iter().map(|p| (p.parameters, p.after)).collect::<Vec<_>>())?;
    let span_of_all = span(points.iter())?;
    let both: Vec<(&Point, f64)> = points.iter().filter_map(|p| Some((p, p.before?))).collect();
    let comparable = span(both.iter().map(|(p, _)| *p)).is_some();
    let over_both = |y: &dyn Fn(&Point, f64) -> f64| {
        let points: Vec<_> = both.iter().map(|&(p, before)| (p.parameters, y(p, before))).collect();
        fit(&points).filter(|_| comparable)
    };
    let before = over_both(&|_, before| before);
    let growth = over_both(&|p, before| p.after / before);
    let gated = match policy.metric(quantity.metric).gate {
        GateWhen::Always => true,
        GateWhen::SameMachine => same_machine,
        // How a cost grows with size is not what two builds are compared for.
        GateWhen::Paired | GateWhen::Never => false,
    };
    let tolerance = gated.then(|| policy.exponent_tolerance(quantity.name));
    let largest = both.iter().max_by(|a, b| a.0.parameters.total_cmp(&b.0.parameters)).map(|(p, before)| p.after / before);
    let sampled = metric(quantity.metric).is_some_and(|m| m.kind == Kind::Sampled);
    let verdict = growth.zip(tolerance).zip(largest).map(|((growth, tolerance), largest)| verdict(&growth, tolerance, largest, sampled));
    Some(ScalingRow { kernel: kernel.to_owned(), quantity, span: span_of_all, before, after, growth, tolerance, verdict })
}

/// An exponent also grows where small models alone got better: that is no regression, so that the largest model has to be worse as well. Of what
/// is sampled the interval of the growth has to lie on one side of nothing.
fn verdict(growth: &Fit, tolerance: f64, at_largest: f64, sampled: bool) -> Verdict {
    let doubt = if sampled { growth.half_width } else { 0.0 };
    if growth.exponent > tolerance && growth.exponent > doubt && at_largest > 1.0 {
        Verdict::Regression
    } else if growth.exponent < -tolerance && growth.exponent < -doubt && at_largest < 1.0 {
        Verdict::Improvement
    } else {
        Verdict::Unchanged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::Baseline;
    use crate::compare::{Comparison, Outcome};
    use crate::filter::Filter;
    use crate::model::record::CaseRecord;
    use crate::model::record::tests::case;

    /// A case on a model of that many parameters in f32, with that encode peak.
    fn sized(fixture: &str, parameters: u64, encode_peak_heap_bytes: u64) -> CaseRecord {
        let mut record = case("int4", fixture);
        let measured = record.measured.as_mut().unwrap();
        (measured.checked.weights, measured.checked.input_bytes) = (parameters, 4 * parameters);
        (measured.checked.artifact_bytes, measured.encoded.peak_heap_bytes) = (parameters / 2, encode_peak_heap_bytes);
        record
    }

    fn models(peak: impl Fn(u64) -> u64) -> Vec<CaseRecord> {
        [("a", 100_000), ("b", 1_000_000), ("c", 10_000_000), ("d", 100_000_000)].map(|(name, n)| sized(name, n, peak(n))).to_vec()
    }

    fn compare(before: Vec<CaseRecord>, after: Vec<CaseRecord>) -> Comparison {
        let policy = Policy::parse(crate::policy::EMBEDDED, "embedded").unwrap();
        Comparison::new(&Baseline::of_run(&Run::of(before)), &Run::of(after), &policy, &Filter::all()).unwrap()
    }

    fn row<'a>(comparison: &'a Comparison, name: &str) -> &'a ScalingRow {
        comparison.scaling.iter().find(|r| r.quantity.name == name).unwrap()
    }

    #[test]
    fn exponents_are_stated_and_equal_runs_are_unchanged() {
        let comparison = compare(models(|n| 4 * n), models(|n| 4 * n));
        assert_eq!(comparison.scaling.len(), QUANTITIES.len());
        let heap = row(&comparison, "encode_peak_heap_bytes");
        assert!((heap.after.exponent - 1.0).abs() < 1e-9 && heap.after.points == 4 && heap.span == (1e5, 1e8), "{heap:?}");
        assert_eq!((heap.verdict, heap.growth.unwrap().exponent), (Some(Verdict::Unchanged), 0.0));
        assert_eq!(row(&comparison, "encode_seconds").verdict, None, "times of single runs are shown, not gated");
        assert_eq!(comparison.outcome(), Outcome::Pass);
    }

    /// Each model is inside its band of a hundredth or 4096 bytes, and all the same the largest ones pay.
    #[test]
    fn growth_inside_every_band_is_a_regression() {
        let creep = |n: u64| if n > 1_000_000 { 4 * n + n / 26 } else { 4 * n - n / 26 };
        let comparison = compare(models(|n| 4 * n), models(creep));
        let bands: Vec<_> = comparison.rows.iter().filter_map(|r| r.verdict).collect();
        assert!(bands.iter().all(|v| *v == Verdict::Unchanged), "{bands:?}");
        assert_eq!(row(&comparison, "encode_peak_heap_bytes").verdict, Some(Verdict::Regression));
        assert_eq!((comparison.outcome(), comparison.count(Verdict::Regression)), (Outcome::Regression, 1));
        assert_eq!(compare(models(|n| 4 * n), models(|n| 4 * n + n / 26)).count(Verdict::Regression), 0, "a factor is no exponent");
        assert_eq!(compare(models(creep), models(|n| 4 * n)).count(Verdict::Regression), 0, "the other way it is an improvement");
    }

    #[test]
    fn what_got_better_on_small_models_alone_is_no_regression() {
        let better = |n: u64| if n < 1_000_000 { 2 * n } else { 4 * n };
        let comparison = compare(models(|n| 4 * n), models(better));
        let heap = row(&comparison, "encode_peak_heap_bytes");
        assert!(heap.growth.unwrap().exponent > 0.05 && heap.verdict == Some(Verdict::Unchanged), "{heap:?}");
    }

    #[test]
    fn too_few_models_or_too_near_ones_have_no_exponent() {
        let near = || vec![sized("a", 100_000, 9), sized("b", 110_000, 10), sized("c", 120_000, 11)];
        assert!(compare(near(), near()).scaling.is_empty());
        let few = || models(|n| n)[..2].to_vec();
        assert!(compare(few(), few()).scaling.is_empty());
        let new = compare(vec![], models(|n| n));
        assert!(new.scaling.iter().all(|r| r.verdict.is_none() && r.before.is_none()) && !new.scaling.is_empty());
    }

    #[test]
    fn what_is_sampled_has_to_be_beyond_doubt() {
        let growth = |exponent: f64, half_width: f64| Fit { exponent, half_width, log_factor: 0.0, points: 5 };
        assert_eq!(verdict(&growth(0.2, 0.3), 0.05, 1.1, true), Verdict::Unchanged);
        assert_eq!(verdict(&growth(0.2, 0.3), 0.05, 1.1, false), Verdict::Regression);
        assert_eq!(verdict(&growth(0.2, 0.1), 0.05, 1.1, true), Verdict::Regression);
        assert_eq!(verdict(&growth(-0.2, 0.1), 0.05, 0.9, true), Verdict::Improvement);
    }
}
