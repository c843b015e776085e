//! One metric of one case over the refreshes.

use std::time::{Duration, SystemTime};

use super::read::{HistoryError, Refreshes};
use crate::baseline::{Part, Row};
use crate::model::metric::{Kind, Metric};
use crate::model::record::Case;
use crate::stats::change_points::{ChangePoint, change_points};

/// Error level of a change point.
const LEVEL: f64 = 0.01;

/// What a refresh accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// The commit, hexadecimal.
    pub commit: String,
    /// When, in seconds since 1970, UTC.
    pub seconds: i64,
    /// First line of its message.
    pub subject: String,
    /// The value.
    pub value: f64,
}

impl Value {
    /// Its day, as 2026-01-31.
    pub fn day(&self) -> String {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(self.seconds).unwrap_or_default());
        humantime::format_rfc3339_seconds(time).to_string().chars().take(10).collect()
    }
}

/// Values in order, and where their level changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// The metric.
    pub metric: &'static Metric,
    /// One for each refresh that has one, oldest first.
    pub values: Vec<Value>,
    /// Changes of level: E-divisive with a t-test at 1 %, which needs three values on either side.
    pub changes: Vec<ChangePoint>,
}

/// The series of a metric of a case.
pub fn series(refreshes: &Refreshes, case: &Case, metric: &'static Metric) -> Result<Series, HistoryError> {
    let part = if metric.kind == Kind::Sampled { Part::Times } else { Part::Exact };
    let is_it = |row: &Row| row.case() == *case && row.metric.name == metric.name;
    // Other lines need not be parsed: a line of this value has its kernel and its metric in quotes.
    let quoted = [serde_json::to_string(&case.kernel).unwrap_or_default(), format!("\"{}\"", metric.name)];
    let wanted = |line: &str| quoted.iter().all(|text| line.contains(text));
    let mut values = Vec::<Value>::new();
    let mut last = None::<(String, Option<f64>)>;
    for touch in refreshes.touches() {
        let Some(blob) = touch.blobs.get(usize::from(part == Part::Times)).cloned().flatten() else { continue };
        let value = match &last {
            Some((same, value)) if *same == blob => *value,
            _ => {
                let text = refreshes.text(touch, part)?.unwrap_or_default();
                let kept: String = text.split_inclusive('\n').enumerate().filter(|(i, l)| *i == 0 || wanted(l)).map(|(_, l)| l).collect();
                refreshes.parse(&kept, touch, part)?.rows.iter().find(|r| is_it(r)).map(|r| r.value)
            }
        };
        let changed = last.as_ref().is_none_or(|(same, _)| *same != blob);
        last = Some((blob, value));
        // A commit that touched the other file alone accepted nothing here.
        if let Some(value) = value.filter(|_| changed) {
            let (commit, subject) = (touch.commit.clone(), touch.subject.clone());
            values.push(Value { commit, seconds: touch.seconds, subject, value });
        }
    }
    let numbers: Vec<_> = values.iter().map(|v| v.value).collect();
    Ok(Series { metric, changes: change_points(&numbers, LEVEL), values })
}
