//! The gate: the innocent pass, and each way of breaking a kernel is caught and named.

use serde_json::Value;

use crate::support::{QUICK, contents, error_of, example, output_of, project, weighbridge};

/// Runs the gate on `int8` × `mlp-mnist` with a worker broken that way; standard output and the JSON report.
fn gate_with(sabotage: &str, code: i32, extra: &[&str]) -> (String, Value) {
    let folder = project();
    let output = folder.path().join("reports");
    let before = contents(&folder.path().join("baselines"));
    let mut command = weighbridge();
    command.args(["gate", "--root"]).arg(folder.path()).args(QUICK).args(extra).arg("--output").arg(&output);
    command.arg("--worker").arg(example("sabotaged_worker")).env("WEIGHBRIDGE_SABOTAGE", sabotage);
    let text = output_of(&mut command, code);
    assert_eq!(contents(&folder.path().join("baselines")), before, "a gate never writes under baselines/");
    let report = serde_json::from_str(&std::fs::read_to_string(output.join("report.json")).unwrap()).unwrap();
    (text, report)
}

/// The report's row for a metric; its before and after.
fn row<'a>(report: &'a Value, metric: &str) -> &'a Value {
    report["rows"].as_array().unwrap().iter().find(|r| r["metric"] == metric).unwrap()
}

/// Asserts that a line of the table names kernel, fixture, metric and verdict together with both values.
fn assert_named(text: &str, report: &Value, metric: &str, verdict: &str) {
    let found = row(report, metric);
    assert_eq!(found["verdict"], verdict, "{found}");
    assert!(found["before"].is_number(), "{found}");
    let line = text.lines().find(|l| l.contains("int8") && l.contains("mlp-mnist") && l.contains(metric) && l.contains(verdict));
    assert!(line.is_some(), "no line names int8, mlp-mnist, {metric} and {verdict}:\n{text}");
}

#[test]
fn an_honest_worker_passes() {
    let (text, report) = gate_with("nothing", 0, &[]);
    assert!(text.contains("pass: nothing got worse"), "{text}");
    assert_eq!(report["outcome"], "pass");
    assert_eq!(report["failures"], Value::Array(vec![]));
}

#[test]
fn a_wider_artifact_is_a_regression() {
    let (text, report) = gate_with("wider", 3, &[]);
    assert_named(&text, &report, "compression_ratio", "regression");
    assert_named(&text, &report, "bits_per_weight", "regression");
}

#[test]
fn worse_rounding_is_a_regression() {
    let (text, report) = gate_with("rounding", 3, &[]);
    assert_named(&text, &report, "relative_error", "regression");
    let found = row(&report, "relative_error");
    let ratio = found["after"].as_f64().unwrap() / found["before"].as_f64().unwrap();
    assert!((1.8..2.2).contains(&ratio), "cutting doubles the error of rounding: {ratio}");
}

#[test]
fn an_extra_allocation_is_a_regression() {
    let (text, report) = gate_with("allocation", 3, &[]);
    assert_named(&text, &report, "encode_peak_heap_bytes", "regression");
    let found = row(&report, "encode_peak_heap_bytes");
    assert!(found["after"].as_f64().unwrap() >= f64::from(1 << 22), "{found}");
}

#[test]
fn a_wrong_decode_fails_its_case() {
    let (text, report) = gate_with("decode", 6, &[]);
    assert_named(&text, &report, "compression_ratio", "failed");
    assert_eq!(report["failures"][0]["stage"], "check");
    assert!(text.contains("failed at check: int8 × mlp-mnist: tensor"), "{text}");
}

#[test]
fn a_panic_fails_its_case() {
    let (text, report) = gate_with("panic", 6, &[]);
    assert_named(&text, &report, "compression_ratio", "failed");
    assert_eq!(report["failures"][0]["stage"], "decode");
    assert!(text.contains("worker panicked") && text.contains("sabotaged"), "{text}");
}

#[test]
fn what_decode_needs_cannot_hide_outside_the_artifact() {
    let (text, report) = gate_with("hidden", 6, &[]);
    assert_eq!(report["failures"][0]["stage"], "decode");
    assert!(text.contains("part 'scales' is missing"), "{text}");
}

#[test]
fn a_hang_and_a_memory_hog_cost_their_case_only() {
    let (text, _) = gate_with("hang", 6, &["--case-timeout", "1s"]);
    assert!(text.contains("no answer within 1s"), "{text}");
    let (text, _) = gate_with("memory", 6, &["--memory-limit", "200MiB"]);
    assert!(text.contains("memory limit of 200.0 MiB"), "{text}");
}

#[test]
fn a_missing_value_and_a_missing_baseline_fail() {
    let folder = project();
    let baseline = folder.path().join("baselines/mini.jsonl");
    let text = std::fs::read_to_string(&baseline).unwrap();
    let extra = r#"{"kernel":"int8","fixture":"mlp-mnist","metric":"perplexity","value":4.0}"#;
    std::fs::write(&baseline, format!("{text}{extra}\n")).unwrap();
    let gate = || {
        let mut command = weighbridge();
        command.args(["gate", "--quiet", "--root"]).arg(folder.path()).args(QUICK);
        command
    };
    let out = output_of(&mut gate(), 4);
    let line = out.lines().find(|l| l.contains("perplexity")).unwrap();
    assert!(line.contains("missing") && line.contains("4.000"), "{line}");
    std::fs::remove_file(&baseline).unwrap();
    let error = error_of(&mut gate(), 4);
    assert!(error.contains("no baseline for suite 'mini'") && error.contains("hint: "), "{error}");
}

#[test]
fn a_worker_in_another_language_is_measured_like_any_other() {
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        eprintln!("python3 is not installed: the example worker is not tested");
        return;
    }
    let folder = project();
    let mut command = weighbridge();
    command.args(["run", "--quiet", "--kernel", "bf16", "--fixture", "mlp-mnist", "--time-per-case", "20ms", "--root"]).arg(folder.path());
    command.arg("--worker").arg(crate::support::repository().join("docs/examples/worker.py"));
    output_of(&mut command, 0);
    let mut compare = weighbridge();
    compare.args(["compare", "--metric", "[bcrs]*", "--kernel", "bf16", "--fixture", "mlp-mnist", "--root"]).arg(folder.path());
    let text = output_of(&mut compare, 0);
    assert!(text.contains("pass: nothing got worse"), "the same bytes as the built-in kernel's:\n{text}");
}

#[test]
fn workers_are_shown_where_that_is_asked_for() {
    let errors = |more: &[&str]| {
        let folder = project();
        let mut command = weighbridge();
        command.args(["run", "--quiet", "--kernel", "int8", "--fixture", "mlp-mnist", "--root"]).arg(folder.path()).args(more);
        command.arg("--worker").arg(example("sabotaged_worker")).env("WEIGHBRIDGE_SABOTAGE", "panic");
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(6));
        String::from_utf8(output.stderr).unwrap()
    };
    let shown = errors(&["--verbose"]);
    assert!(shown.contains("sabotaged_worker worker --memory-limit") && shown.contains("panicked at"), "{shown}");
    let silent = errors(&[]);
    assert!(!silent.contains("sabotaged_worker worker") && !silent.contains("panicked at"), "{silent}");
}
