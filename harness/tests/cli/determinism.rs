//! Same input, same bytes: runs repeat, on one thread and on two, on every SIMD level.

use serde_json::Value;

use crate::support::{project, run_lines, weighbridge};

/// Cases that use every packing but leave the slow text models out.
const CASES: [&str; 6] = ["--kernel", "*", "--fixture", "*-mnist", "--time-per-case", "10ms"];

/// Exact values of a run, the digests of its artifacts and decoded tensors, and its evaluated values.
fn exact(extra: &[&str], simd: Option<&str>) -> Vec<String> {
    let folder = project();
    let output = folder.path().join("out");
    let mut command = weighbridge();
    command.args(["run", "--format", "jsonl", "--quiet", "--root"]).arg(folder.path()).arg("--output").arg(&output).args(CASES).args(extra);
    if let Some(level) = simd {
        command.env("WEIGHBRIDGE_SIMD", level);
    }
    let result = command.output().unwrap();
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    let mut lines: Vec<String> = String::from_utf8(result.stdout).unwrap().lines().map(str::to_owned).collect();
    lines.retain(|l| !l.contains("seconds_per_mb") && !l.contains("rss_bytes"));
    assert!(lines.len() > 100, "{}", lines.len());
    for line in run_lines(&output).iter().filter(|l| l["record"] == "measured") {
        let digest = |part: &str, key: &str| line["measured"][part][key].as_str().unwrap().to_owned();
        lines.push(format!("{} {} {}", line["case"], digest("checked", "artifact-sha256"), digest("decoded", "decoded-sha256")));
        assert!(line["measured"]["encode-times"]["cpu-ns"].as_array().is_some_and(|s: &Vec<Value>| !s.is_empty()));
    }
    lines
}

#[test]
fn exact_metrics_repeat_byte_for_byte_on_one_and_two_threads_and_every_simd_level() {
    let first = exact(&[], None);
    assert_eq!(exact(&["--threads", "2"], None), first, "two threads");
    assert_eq!(exact(&[], Some("scalar")), first, "scalar");
}
