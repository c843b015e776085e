//! Which values went furthest since they were first accepted.

use std::collections::BTreeMap;

use super::read::{HistoryError, Refreshes};
use crate::baseline::{Part, Row};
use crate::git::Touch;
use crate::model::metric::Metric;
use crate::model::record::Case;

/// Exact values of the last refresh that are furthest from those of the first, as shares of these; at most `most`, the furthest first.
pub fn moved(refreshes: &Refreshes, most: usize) -> Result<Vec<(Case, &'static Metric)>, HistoryError> {
    let rows = |touch: &Touch| -> Result<Vec<Row>, HistoryError> {
        let text = refreshes.text(touch, Part::Exact)?.unwrap_or_default();
        Ok(refreshes.parse(&text, touch, Part::Exact)?.rows)
    };
    let mut exact = refreshes.touches().iter().filter(|touch| touch.blobs.first().is_some_and(Option::is_some));
    let (Some(first), Some(last)) = (exact.next(), exact.next_back()) else { return Ok(Vec::new()) };
    let before: BTreeMap<_, _> = rows(first)?.into_iter().map(|r| ((r.case(), r.metric.name), r.value)).collect();
    let share = |row: &Row| {
        let before = before.get(&(row.case(), row.metric.name))?;
        Some(((row.value - before) / before).abs()).filter(|share| *share > 0.0 && share.is_finite())
    };
    let mut far: Vec<_> = rows(last)?.iter().filter_map(|row| Some((share(row)?, row.case(), row.metric))).collect();
    far.sort_by(|a, b| b.0.total_cmp(&a.0));
    Ok(far.into_iter().take(most).map(|(_, case, metric)| (case, metric)).collect())
}
