//! The report's rows as comma-separated values, at full precision.

use super::Report;
use crate::compare::Verdict;

/// One line a metric of a case, after a header line.
pub fn render(report: &Report) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "kernel",
        "fixture",
        "metric",
        "unit",
        "before",
        "after",
        "standard_error",
        "relative_change",
        "smallest_detectable",
        "verdict",
        "estimate",
        "change_lower",
        "change_upper",
        "wall_change",
        "blocks",
    ])?;
    let number = |x: Option<f64>| x.map(|x| x.to_string()).unwrap_or_default();
    for r in &report.comparison.rows {
        writer.write_record([
            r.case.kernel.as_str(),
            &r.case.fixture,
            r.metric.name,
            r.metric.unit,
            &number(r.before),
            &number(r.after),
            &number(r.after_error),
            &number(r.relative_change()),
            &number(r.smallest_detectable),
            r.verdict.map_or("", Verdict::word),
            if report.is_estimate(&r.case, r.metric.name) { "sample" } else { "" },
            &number(r.paired.as_ref().and_then(|p| Some(p.interval?[0]))),
            &number(r.paired.as_ref().and_then(|p| Some(p.interval?[1]))),
            &number(r.paired.as_ref().and_then(|p| p.wall_change)),
            &r.paired.as_ref().map(|p| p.blocks.to_string()).unwrap_or_default(),
        ])?;
    }
    let bytes = writer.into_inner().map_err(|e| csv::Error::from(e.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
