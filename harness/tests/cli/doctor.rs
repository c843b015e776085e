//! `doctor`: what a machine can measure, found out by trying.

use serde_json::Value;

use crate::support::{output_of, weighbridge};

#[test]
fn each_check_has_a_line_and_a_figure_where_it_measured() {
    let folder = tempfile::tempdir().unwrap();
    let doctor = |arguments: &[&str]| {
        let mut command = weighbridge();
        command.current_dir(folder.path()).env("WEIGHBRIDGE_CACHE", folder.path()).arg("doctor").args(arguments);
        output_of(&mut command, 0)
    };
    let text = doctor(&[]);
    let report: Value = serde_json::from_str(&doctor(&["--format", "json"])).unwrap();
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(text.lines().count(), findings.len());
    for (line, finding) in text.lines().zip(findings) {
        let words: Vec<_> = line.split_whitespace().collect();
        assert!(["ok", "limited"].contains(&words[0]) && words[1] == finding["check"], "{line}");
        assert_eq!(finding["advice"].is_null(), finding["state"] == "good", "whatever is limited says what to do: {finding}");
    }
    let figure = |check: &str, name: &str| {
        let finding = findings.iter().find(|f| f["check"] == check).unwrap();
        finding["figures"][name].as_f64().unwrap_or_else(|| panic!("{finding}"))
    };
    assert!(figure("clock", "reading-ns") > 0.0 && figure("clock", "step-ns") >= 1.0);
    assert!(figure("noise", "interquartile-percent") >= 0.0 && figure("cores", "processors") >= 1.0);
    assert!(figure("worker", "answer-ms") > 0.0 && figure("disk", "free-bytes") > 0.0);
    assert_eq!(report["weighbridge-doctor"], 1);
    assert!(report["machine"]["cpu"].is_string() && report["fingerprint"].as_str().unwrap().len() == 12);
}
