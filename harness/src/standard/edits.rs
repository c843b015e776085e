//! What a change edits of that by which it is judged: values, policy, waivers.

use serde::Serialize;

use super::policy_edits::policy_edits;
use super::source::{BaselineSource, SourceError};
use crate::baseline::{Baseline, BaselineError, Row};
use crate::model::metric::{Direction, METRICS, Metric};
use crate::model::record::Case;

/// One thing that is not as the commit has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Edit {
    /// File under `baselines/`.
    pub file: String,
    /// Case and metric, or key.
    pub what: String,
    /// Old value, if it had one.
    pub before: Option<String>,
    /// New value, if it has one.
    pub after: Option<String>,
    /// Whether more would pass with it.
    pub loosens: bool,
}

/// All of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edits {
    /// Values of the suite's baseline, metric by metric; then policy and waivers, key by key.
    pub edits: Vec<Edit>,
    /// Sampled values that differ; they are never judged by a file alone.
    pub times: usize,
}

impl Edits {
    /// How many would let more pass.
    pub fn loosening(&self) -> usize {
        self.edits.iter().filter(|e| e.loosens).count()
    }
}

/// How `after`, the work tree, differs from `before` in a suite's baseline, in the policy and in the waivers.
pub fn edits(before: &BaselineSource, after: &BaselineSource, suite: &str) -> Result<Edits, SourceError> {
    let read = |source: &BaselineSource| match source.baseline(suite) {
        Err(BaselineError::Missing { .. }) => Ok(Baseline::empty(suite)),
        other => other,
    };
    let (mut edits, times) = value_edits(&read(before)?, &read(after)?, &format!("{suite}.jsonl"));
    edits.extend(policy_edits(&before.policy()?, &after.policy()?));
    let (old, new) = (before.waivers()?, after.waivers()?);
    let edit = |w: &crate::waiver::Waiver, added: bool| {
        let text = format!("down to {} until {}", w.worst, w.expires);
        let (before, after) = if added { (None, Some(text)) } else { (Some(text), None) };
        Edit { file: "waivers.toml".to_owned(), what: format!("{}: {}", w.case, w.metric), before, after, loosens: added }
    };
    edits.extend(old.not_in(&new).iter().map(|w| edit(w, false)));
    edits.extend(new.not_in(&old).iter().map(|w| edit(w, true)));
    Ok(Edits { edits, times })
}

/// Values that differ, and how many sampled ones do.
fn value_edits(before: &Baseline, after: &Baseline, file: &str) -> (Vec<Edit>, usize) {
    let key =
        |r: &Row| (Case { kernel: r.kernel.clone(), fixture: r.fixture.clone() }, METRICS.iter().position(|m| m.name == r.metric.name));
    let mut values = std::collections::BTreeMap::new();
    for (side, baseline) in [before, after].into_iter().enumerate() {
        for row in &baseline.rows {
            values.entry(key(row)).or_insert((row.metric, [None, None])).1[side] = Some(row.value);
        }
    }
    let changed = values.into_iter().filter(|(_, (_, [before, after]))| before != after);
    let (sampled, exact): (Vec<_>, Vec<_>) = changed.partition(|(_, (metric, _))| metric.kind == crate::model::metric::Kind::Sampled);
    let mut edits = Vec::new();
    for ((case, _), (metric, [before, after])) in exact {
        let what = format!("{case}: {}", metric.name);
        let [old, new] = [before, after].map(|value| value.map(|v| v.to_string()));
        edits.push(Edit { file: file.to_owned(), what, before: old, after: new, loosens: loosens(metric, before, after) });
    }
    (edits, sampled.len())
}

/// Whether a candidate could be worse and pass: the new value is worse, or there is none to be compared with.
fn loosens(metric: &Metric, before: Option<f64>, after: Option<f64>) -> bool {
    match (before, after, metric.direction) {
        (Some(before), Some(after), Direction::Higher) => after < before,
        (Some(before), Some(after), Direction::Lower) => after > before,
        (Some(_), None, _) => true,
        (None, _, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::tests::case;
    use crate::store::Run;

    #[test]
    fn values_are_listed_metric_by_metric_with_the_way_they_went() {
        let before = Baseline::of_run(&Run::of(vec![case("int4", "mlp"), case("int8", "mlp")]));
        let mut wider = case("int4", "mlp");
        wider.measured.as_mut().unwrap().checked.artifact_bytes = 2_000_000;
        wider.measured.as_mut().unwrap().encode_times.cpu_ns = vec![1];
        let after = Baseline::of_run(&Run::of(vec![wider]));
        let (edits, times) = value_edits(&before, &after, "mini.jsonl");
        let line = |e: &Edit| format!("{} {:?} {:?} {}", e.what, e.before, e.after, e.loosens);
        assert_eq!(line(&edits[0]), r#"int4 × mlp: compression_ratio Some("8") Some("4") true"#);
        assert!(edits.iter().filter(|e| e.what.starts_with("int8")).all(|e| e.loosens && e.after.is_none()));
        assert!(edits.iter().all(|e| !e.what.contains("seconds")) && times > 1);
        let (back, _) = value_edits(&after, &before, "mini.jsonl");
        assert!(back.iter().all(|e| !e.loosens), "{back:?}");
        assert_eq!(value_edits(&before, &before, "mini.jsonl"), (vec![], 0));
    }
}
