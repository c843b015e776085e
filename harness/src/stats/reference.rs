//! Values that other programs give, for tests; `testdata/reference.py` makes them again.

use std::collections::BTreeMap;

/// A table of `testdata/reference.json`: named lists of rows.
pub fn reference(name: &str) -> BTreeMap<String, Vec<Vec<f64>>> {
    let all = serde_json::from_str::<BTreeMap<String, BTreeMap<String, Vec<Vec<f64>>>>>(include_str!("testdata/reference.json"));
    all.unwrap().remove(name).unwrap_or_else(|| panic!("no table '{name}'"))
}

/// Asserts that two values differ by at most that share of the expected one (and rounding about zero).
#[track_caller]
pub fn assert_close(found: f64, expected: f64, relative: f64) {
    assert!((found - expected).abs() <= relative * expected.abs() + 1e-15, "{found} is not {expected}");
}
