//! Times of two builds, from outside: a planted slow-down turns the gate red, equal builds do not, and nothing is lost.

use std::path::Path;
use std::process::Command as Process;

use assert_cmd::Command;
use serde_json::Value;

use crate::support::{error_of, output_of, project, weighbridge};

/// The gate on one case with a short batch, against a copy of the same program.
fn gate(root: &Path, extra: &[&str]) -> Command {
    let mut command = weighbridge();
    command.args(["gate", "--quiet", "--kernel", "int8", "--fixture", "cnn-mnist", "--time-per-case", "5ms", "--batch", "2ms"]);
    command.args(["--seed", "11", "--baseline-bin", env!("CARGO_BIN_EXE_weighbridge"), "--root"]).arg(root).args(extra);
    command
}

fn report(root: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(root.join("reports/report.json")).unwrap()).unwrap()
}

/// The report's row of an operation's time.
fn time<'a>(report: &'a Value, operation: &str) -> &'a Value {
    let metric = format!("{operation}_seconds_per_mb");
    report["rows"].as_array().unwrap().iter().find(|r| r["metric"] == metric.as_str()).unwrap()
}

#[test]
fn a_planted_slow_down_turns_the_gate_red_and_is_as_large_as_was_planted() {
    let folder = project();
    let text = output_of(&mut gate(folder.path(), &["--plant", "0.5", "--budget", "3m"]), 3);
    assert!(text.contains("A slow-down was planted: the candidate did 50 % of extra work"), "{text}");
    let report = report(folder.path());
    let row = time(&report, "encode");
    assert_eq!(row["verdict"], "regression", "{row}");
    let paired = &row["paired"];
    let [change, planted] = ["change", "planted"].map(|key| paired[key].as_f64().unwrap());
    assert!(planted > 0.2 && (change - planted).abs() < 0.1, "planted {planted}, found {change}");
    let [low, high] = [0, 1].map(|i| paired["interval"][i].as_f64().unwrap());
    assert!(0.0 < low && low <= change && change <= high, "{paired}");
    assert!(paired["p-holm"].as_f64().unwrap() < 0.05 && paired["blocks"].as_u64().unwrap() >= 8 + 12, "{paired}");
    let line = text.lines().find(|l| l.contains("int8") && l.contains("encode") && l.contains("regression"));
    assert!(line.is_some_and(|l| l.contains('%')), "no line names the slow-down:\n{text}");
    let csv = std::fs::read_to_string(folder.path().join("reports/report.csv")).unwrap();
    let line = csv.lines().find(|l| l.contains("encode_seconds_per_mb")).unwrap();
    assert!(line.contains(&format!("regression,,{low},{high}")), "{line}");
    assert!(std::fs::read_to_string(folder.path().join("reports/report.md")).unwrap().contains("## Times of both builds"));
}

#[test]
fn copies_of_one_program_are_an_a_a_comparison_without_a_regression() {
    let folder = project();
    let output = gate(folder.path(), &["--budget", "3m"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    // A loaded machine may leave it undecided; it must not call a change.
    assert!(matches!(output.status.code(), Some(0 | 5 | 7)), "{:?}\n{text}", output.status);
    assert!(text.contains("A/A comparison") && text.contains("Layout is confounded"), "{text}");
    let report = report(folder.path());
    assert_eq!((&report["times"]["same-code"], &report["times"]["seed"]), (&Value::Bool(true), &Value::from(11)));
    for operation in ["encode", "decode"] {
        let row = time(&report, operation);
        assert!(matches!(row["verdict"].as_str(), Some("unchanged" | "inconclusive")), "{row}");
        assert!(row["paired"]["blocks"].as_u64().unwrap() >= 8 && row["smallest-detectable"].as_f64().unwrap() > 0.0, "{row}");
    }
}

#[test]
fn what_the_time_was_too_short_for_is_listed_and_gone_on_with() {
    let folder = project();
    let text = output_of(&mut gate(folder.path(), &["--budget", "1ms"]), 5);
    assert!(
        text.contains("What would decide the rest") && text.contains("the time was up before its first look; that lacks 8 blocks"),
        "{text}"
    );
    let file = folder.path().join("reports/paired.jsonl");
    let lines = || std::fs::read_to_string(&file).unwrap().lines().map(str::to_owned).collect::<Vec<_>>();
    let before = lines();
    assert!(before.iter().filter(|l| l.contains("\"record\":\"prepared\"")).count() == 2, "{before:?}");
    // A torn last line, as a kill leaves it.
    std::fs::write(&file, format!("{}\n{{\"record\":\"blo", before.join("\n"))).unwrap();
    let output = gate(folder.path(), &["--budget", "3m", "--resume"]).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 5 | 7)), "{output:?}");
    let after = lines();
    assert_eq!(after[..before.len()], before[..], "what was there stays");
    let blocks: Vec<Value> = after[before.len()..].iter().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert!(blocks.len() >= 16, "{}", blocks.len());
    for block in &blocks {
        let letters = block["letters"].as_array().unwrap();
        assert!(letters.len() == 4 && letters.iter().all(|l| l["thread-cpu-ns"].as_u64().unwrap() > 0), "{block}");
    }
    let error = error_of(&mut gate(folder.path(), &["--resume", "--plant", "0.1"]), 2);
    assert!(error.contains("it compares other builds"), "{error}");
}

#[test]
fn what_cannot_be_compared_with_is_named_before_anything_is_measured() {
    let folder = project();
    let with = |extra: &[&str]| {
        let mut command = weighbridge();
        command.args(["gate", "--root"]).arg(folder.path()).args(extra);
        error_of(&mut command, 2)
    };
    let error = with(&["--against", "main"]);
    assert!(error.contains("not inside a git repository") && error.contains("'main'"), "{error}");
    let error = with(&["--baseline-bin", "/nowhere/weighbridge"]);
    assert!(error.contains("cannot use '/nowhere/weighbridge'"), "{error}");
    assert!(with(&["--against", "main", "--baseline-bin", "x"]).contains("cannot be used with"));
    older_workers_are_named(folder.path());
    if Process::new("git").arg("--version").output().is_err() {
        eprintln!("git is not installed: a revision that does not build is not tested");
        return;
    }
    for arguments in
        [&["init", "--quiet"][..], &["add", "baselines"], &["-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "x"]]
    {
        assert!(Process::new("git").args(arguments).current_dir(folder.path()).status().unwrap().success());
    }
    let error = with(&["--against", "nothing"]);
    assert!(error.contains("'nothing' names no commit"), "{error}");
    let error = with(&["--against", "HEAD"]);
    assert!(error.contains("does not build") && error.contains("Cargo.toml") && error.contains("hint: "), "{error}");
}

/// A worker that speaks the protocol as it was before batches: it greets, and refuses what it does not know in the words of this program's.
fn older_workers_are_named(root: &Path) {
    let script = root.join("older");
    let reply = r#"{"reply":"hello","name":"older","version":"0","protocol":1,"simd":"none"}"#;
    let error = r#"{"reply":"error","message":"cannot read the request: unknown variant `time-batch`, expected one of `hello`"}"#;
    let text = format!(
        "#!/bin/sh\nwhile read -r line; do case \"$line\" in *hello*) echo '{reply}';; *bye*) exit;; *) echo '{error}';; esac; done\n"
    );
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut command = weighbridge();
    command.args(["gate", "--quiet", "--kernel", "bf16", "--fixture", "cnn-mnist", "--time-per-case", "5ms", "--baseline-bin"]);
    let error = error_of(command.arg(&script).arg("--root").arg(root), 2);
    assert!(error.contains("does not know the request 'time-batch'"), "{error}");
}
