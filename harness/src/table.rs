//! Tables of metric values, joined and summarised with polars: the only module that knows of it.

use polars::prelude::{DataFrame, IntoLazy, JoinArgs, JoinType, NamedFrom, PolarsError, Series, coalesce, col};

use crate::baseline::Row;
use crate::model::metric::{Metric, metric};

/// A table that could not be made; a defect rather than a user's mistake.
#[derive(Debug, thiserror::Error)]
#[error("cannot join baseline and candidate: {0}")]
pub struct TableError(#[from] PolarsError);

/// Before and after of one metric of one case.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Kernel specification.
    pub kernel: String,
    /// Fixture.
    pub fixture: String,
    /// Metric.
    pub metric: &'static Metric,
    /// Baseline's value.
    pub before: Option<f64>,
    /// Candidate's value.
    pub after: Option<f64>,
    /// Candidate's standard error.
    pub after_error: Option<f64>,
}

fn frame(rows: &[Row], value: &str, error: &str) -> Result<DataFrame, TableError> {
    let text = |name: &str, f: &dyn Fn(&Row) -> String| Series::new(name.into(), rows.iter().map(f).collect::<Vec<_>>());
    let columns = vec![
        text("kernel", &|r| r.kernel.clone()).into(),
        text("fixture", &|r| r.fixture.clone()).into(),
        text("metric", &|r| r.metric.name.to_owned()).into(),
        Series::new(value.into(), rows.iter().map(|r| r.value).collect::<Vec<_>>()).into(),
        Series::new(error.into(), rows.iter().map(|r| r.standard_error).collect::<Vec<_>>()).into(),
    ];
    Ok(DataFrame::new(rows.len(), columns)?)
}

/// Full join over (kernel, fixture, metric), ordered by kernel, fixture and metric name.
pub fn join(before: &[Row], after: &[Row]) -> Result<Vec<Pair>, TableError> {
    let keys = [col("kernel"), col("fixture"), col("metric")];
    // A row of one side alone has its key on that side: take whichever is there.
    let key = |name: &str| coalesce(&[col(name), col(format!("{name}_right"))]).alias(name);
    let columns = [key("kernel"), key("fixture"), key("metric"), col("before"), col("after"), col("after_error")];
    let joined = frame(before, "before", "before_error")?
        .lazy()
        .join(frame(after, "after", "after_error")?.lazy(), keys.clone(), keys, JoinArgs::new(JoinType::Full))
        .select(columns)
        .sort(["kernel", "fixture", "metric"], Default::default())
        .collect()?;
    let text = |name: &str| joined.column(name).and_then(|c| c.str().cloned());
    let number = |name: &str| joined.column(name).and_then(|c| c.f64().cloned());
    let (kernels, fixtures, metrics) = (text("kernel")?, text("fixture")?, text("metric")?);
    let (befores, afters, errors) = (number("before")?, number("after")?, number("after_error")?);
    let pair = |i: usize| {
        let kernel = kernels.get(i)?.to_owned();
        let fixture = fixtures.get(i)?.to_owned();
        let metric = metric(metrics.get(i)?)?;
        Some(Pair { kernel, fixture, metric, before: befores.get(i), after: afters.get(i), after_error: errors.get(i) })
    };
    Ok((0..joined.height()).filter_map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(kernel: &str, metric_name: &str, value: f64) -> Row {
        Row { kernel: kernel.into(), fixture: "mlp".into(), metric: metric(metric_name).unwrap(), value, standard_error: None }
    }

    #[test]
    fn rows_of_both_sides_and_of_either_alone_are_kept() {
        let before = [row("b", "sqnr_db", 1.0), row("a", "sqnr_db", 2.0), row("gone", "sqnr_db", 3.0)];
        let after = [row("a", "sqnr_db", 2.5), row("b", "sqnr_db", 1.0), row("new", "sqnr_db", 4.0)];
        let pairs = join(&before, &after).unwrap();
        let found: Vec<_> = pairs.iter().map(|p| (p.kernel.as_str(), p.before, p.after)).collect();
        let expected = [("a", Some(2.0), Some(2.5)), ("b", Some(1.0), Some(1.0)), ("gone", Some(3.0), None), ("new", None, Some(4.0))];
        assert_eq!(found, expected);
    }

    #[test]
    fn empty_sides_join() {
        assert_eq!(join(&[], &[]).unwrap(), []);
        assert_eq!(join(&[row("a", "sqnr_db", 1.0)], &[]).unwrap().len(), 1);
    }
}
