//! Slow drift: steps that every gate let pass, which together are more than the policy tolerates.

use std::collections::BTreeMap;

use super::read::{HistoryError, Refreshes};
use crate::baseline::Part;
use crate::model::metric::{Direction, METRICS, Metric};
use crate::model::record::Case;
use crate::policy::{GateWhen, Policy};

/// A value that is worse by more than the policy tolerates.
#[derive(Debug, Clone, PartialEq)]
pub struct Drift {
    /// The case.
    pub case: Case,
    /// The metric.
    pub metric: &'static Metric,
    /// First value.
    pub first: f64,
    /// Last value.
    pub last: f64,
    /// Tolerated change from the first.
    pub tolerance: f64,
    /// Steps for the worse.
    pub steps: usize,
    /// Largest step for the worse as a share of what was tolerated of it.
    pub largest_step: f64,
}

/// What is worse than at the start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Drifts {
    /// In steps that the policy tolerates, each of them.
    pub slow: Vec<Drift>,
    /// With at least one step that a gate saw and somebody accepted.
    pub accepted: Vec<Drift>,
}

struct Track {
    metric: &'static Metric,
    first: f64,
    last: f64,
    steps: usize,
    largest_step: f64,
}

/// Sums the steps of every value over the refreshes, and holds sums and steps against the policy. A value that was dropped and came back starts anew.
pub fn drifts(refreshes: &Refreshes, policy: &Policy) -> Result<Drifts, HistoryError> {
    let mut tracks = BTreeMap::<(Case, Option<usize>), Track>::new();
    let mut last_blob = None;
    for touch in refreshes.touches() {
        let blob = touch.blobs.first().cloned().flatten();
        if blob.is_none() || blob == last_blob {
            continue;
        }
        last_blob = blob;
        let text = refreshes.text(touch, Part::Exact)?.unwrap_or_default();
        let mut next = BTreeMap::new();
        for row in refreshes.parse(&text, touch, Part::Exact)?.rows {
            let key = (row.case(), METRICS.iter().position(|m| m.name == row.metric.name));
            let track = match tracks.remove(&key) {
                Some(track) => track.to(row.value, policy),
                None => Track { metric: row.metric, first: row.value, last: row.value, steps: 0, largest_step: 0.0 },
            };
            next.insert(key, track);
        }
        tracks = next;
    }
    let mut found = Drifts::default();
    for ((case, _), track) in tracks {
        let Track { metric, first, last, steps, largest_step } = track;
        let entry = policy.metric(metric.name);
        let tolerance = entry.tolerance(first);
        if entry.gate == GateWhen::Never || worse_by(metric, first, last) <= tolerance {
            continue;
        }
        let drift = Drift { case, metric, first, last, tolerance, steps, largest_step };
        if largest_step > 1.0 { &mut found.accepted } else { &mut found.slow }.push(drift);
    }
    Ok(found)
}

impl Track {
    fn to(self, value: f64, policy: &Policy) -> Self {
        let worse = worse_by(self.metric, self.last, value);
        let tolerance = policy.metric(self.metric.name).tolerance(self.last);
        let step = if worse <= 0.0 { 0.0 } else { worse / tolerance };
        Self { last: value, steps: self.steps + usize::from(worse > 0.0), largest_step: self.largest_step.max(step), ..self }
    }
}

fn worse_by(metric: &Metric, before: f64, after: f64) -> f64 {
    match metric.direction {
        Direction::Higher => before - after,
        Direction::Lower => after - before,
    }
}
