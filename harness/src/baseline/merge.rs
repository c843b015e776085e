//! Joins two versions of a baseline file that began as one: what git calls a merge driver.
//!
//! Lines of other cases never stand in each other's way, however near they are. A case that both sides refreshed, to other values, is a conflict
//! as a whole: either side's values are those of its own code, and of the merged code nothing was measured yet. Times are not judged by a file,
//! so ours stay, with their commit.

use std::collections::{BTreeMap, BTreeSet};

use super::conflict::{CONFLICT_END, CONFLICT_MIDDLE, CONFLICT_START};
use super::text::{Part, header_line, line};
use super::values::{Baseline, Row};
use crate::model::record::Case;

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// All that is decided.
    pub baseline: Baseline,
    /// What is not: records of both sides, by case.
    pub conflicts: BTreeMap<Case, [Vec<Row>; 2]>,
}

/// Records by case.
fn by_case(baseline: &Baseline) -> BTreeMap<Case, Vec<Row>> {
    let mut cases = BTreeMap::<Case, Vec<Row>>::new();
    for row in &baseline.rows {
        cases.entry(row.case()).or_default().push(row.clone());
    }
    cases
}

/// Joins both sides of one file.
pub fn merge(base: &Baseline, ours: &Baseline, theirs: &Baseline) -> Merged {
    let [old, mine, others] = [base, ours, theirs].map(by_case);
    let cases: BTreeSet<&Case> = old.keys().chain(mine.keys()).chain(others.keys()).collect();
    let same_machine =
        |a: &Baseline, b: &Baseline| a.machine.as_ref().map(|m| m.fingerprint()) == b.machine.as_ref().map(|m| m.fingerprint());
    // Times of two machines cannot stand in one file.
    let one_machine = same_machine(ours, theirs);
    let mut merged = Baseline { rows: Vec::new(), commits: BTreeMap::new(), ..ours.clone() };
    let mut conflicts = BTreeMap::new();
    for case in cases {
        let none = Vec::new();
        let rows = |side: &BTreeMap<Case, Vec<Row>>| side.get(case).unwrap_or(&none).clone();
        let (before, here, there) = (rows(&old), rows(&mine), rows(&others));
        let sampled = here.iter().chain(&there).any(Row::is_sampled);
        let (taken, from) = if here == there || there == before || (sampled && (here != before || !one_machine)) {
            (here, ours)
        } else if here == before {
            (there, theirs)
        } else {
            conflicts.insert(case.clone(), [here, there]);
            continue;
        };
        if let Some(commit) = from.commits.get(case).filter(|_| !taken.is_empty()) {
            merged.commits.insert(case.clone(), commit.clone());
        }
        merged.rows.extend(taken);
    }
    merged.sort();
    Merged { baseline: merged, conflicts }
}

impl Merged {
    /// Takes a side of a conflict.
    pub fn take(&mut self, case: &Case, theirs: bool) {
        if let Some(sides) = self.conflicts.remove(case) {
            let [ours, others] = sides;
            self.baseline.rows.extend(if theirs { others } else { ours });
            self.baseline.sort();
        }
    }

    /// The file's text, with markers around what is not decided.
    pub fn text(&self, part: Part) -> String {
        let mut blocks = BTreeMap::<Case, String>::new();
        for (case, rows) in by_case(&self.baseline) {
            blocks.insert(case, rows.iter().map(|r| line(r, &self.baseline)).collect());
        }
        let side = |rows: &[Row]| rows.iter().map(|r| line(r, &self.baseline)).collect::<String>();
        for (case, [ours, theirs]) in &self.conflicts {
            let text = format!("{CONFLICT_START} ours\n{}{CONFLICT_MIDDLE}\n{}{CONFLICT_END} theirs\n", side(ours), side(theirs));
            blocks.insert(case.clone(), text);
        }
        header_line(&self.baseline, part) + &blocks.into_values().collect::<String>()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::baseline::{Unknown, parse, parse_conflicted, render};
    use crate::model::metric::metric;

    fn file(values: &[(&str, f64)]) -> Baseline {
        let row = |(kernel, value): &(&str, f64)| Row {
            kernel: (*kernel).to_owned(),
            fixture: "mlp".into(),
            metric: metric("compression_ratio").unwrap(),
            value: *value,
            standard_error: None,
        };
        Baseline { suite: "mini".into(), rows: values.iter().map(row).collect(), ..Baseline::default() }
    }

    fn values(baseline: &Baseline) -> Vec<(&str, f64)> {
        baseline.rows.iter().map(|r| (r.kernel.as_str(), r.value)).collect()
    }

    #[test]
    fn other_cases_join_however_near_they_are() {
        let base = file(&[("a", 1.0), ("b", 1.0), ("c", 1.0), ("d", 1.0)]);
        let ours = file(&[("a", 2.0), ("b", 1.0), ("c", 1.0), ("d", 5.0), ("new", 1.0)]);
        let theirs = file(&[("a", 1.0), ("b", 3.0), ("d", 5.0), ("other", 1.0)]);
        let merged = merge(&base, &ours, &theirs);
        assert!(merged.conflicts.is_empty());
        assert_eq!(values(&merged.baseline), [("a", 2.0), ("b", 3.0), ("d", 5.0), ("new", 1.0), ("other", 1.0)]);
        assert_eq!(merged.text(Part::Exact), render(&merged.baseline, Part::Exact));
    }

    #[test]
    fn one_case_refreshed_twice_stays_open_until_it_is_decided() {
        let (base, ours, theirs) = (file(&[("a", 1.0), ("b", 1.0)]), file(&[("a", 2.0), ("b", 1.0)]), file(&[("a", 3.0), ("b", 4.0)]));
        let mut merged = merge(&base, &ours, &theirs);
        let text = merged.text(Part::Exact);
        assert_eq!(text.matches(CONFLICT_START).count(), 1);
        let error = parse(&text, Path::new("m"), Unknown::Refuse).unwrap_err().to_string();
        assert!(error.contains("line 2: a merge left a conflict here"), "{error}");
        let open = parse_conflicted(&text, Path::new("m")).unwrap();
        assert_eq!(values(&open.ours), [("a", 2.0), ("b", 4.0)]);
        assert_eq!(open.cases.iter().map(|c| c.kernel.as_str()).collect::<Vec<_>>(), ["a"]);
        let case = open.cases.first().unwrap().clone();
        merged.take(&case, true);
        assert_eq!((values(&merged.baseline), merged.conflicts.len()), (vec![("a", 3.0), ("b", 4.0)], 0));
        let gone = merge(&base, &ours, &file(&[("b", 1.0)]));
        assert_eq!(gone.conflicts.len(), 1, "refreshed here and dropped there");
    }

    #[test]
    fn times_never_stand_in_the_way() {
        let times = |value: f64, commit: &str| {
            let mut baseline = file(&[("a", value)]);
            baseline.rows[0].metric = metric("encode_seconds_per_mb").unwrap();
            baseline.commits = [(baseline.rows[0].case(), commit.to_owned())].into();
            baseline
        };
        let merged = merge(&times(1.0, "base"), &times(2.0, "ours"), &times(3.0, "theirs"));
        assert_eq!((values(&merged.baseline), merged.conflicts.len()), (vec![("a", 2.0)], 0));
        assert_eq!(merged.baseline.commits.values().collect::<Vec<_>>(), ["ours"]);
        let merged = merge(&times(1.0, "base"), &times(1.0, "base"), &times(3.0, "theirs"));
        assert_eq!(
            (values(&merged.baseline), merged.baseline.commits.values().next().map(String::as_str)),
            (vec![("a", 3.0)], Some("theirs"))
        );
    }
}
