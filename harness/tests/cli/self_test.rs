//! `gate --self-test` from outside: the project's gate passes it, and one that was loosened does not.

use assert_cmd::Command;

use crate::support::{output_of, project, weighbridge};

fn self_test(root: &std::path::Path, extra: &[&str]) -> Command {
    let mut command = weighbridge();
    command
        .args(["gate", "--self-test", "--quiet", "--time-per-case", "5ms", "--batch", "2ms", "--seed", "5", "--root"])
        .arg(root)
        .args(extra);
    command
}

#[test]
fn the_gate_turns_red_for_everything_that_is_planted() {
    let folder = project();
    let before = crate::support::contents(&folder.path().join("baselines"));
    let output = self_test(folder.path(), &["--budget", "3m"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    // A loaded machine may fail to show that equal times are equal, and nothing else.
    assert!(matches!(output.status.code(), Some(0 | 7)), "{output:?}");
    for (step, said) in [
        ("nothing planted", "exit code 0; compression_ratio of int4 unchanged"),
        ("a slow-down", "exit code 3; encode_seconds_per_mb of int4 regression"),
        ("a wider artifact", "exit code 3; compression_ratio of int4 regression"),
        ("a worse accuracy", "exit code 3; relative_error of int4 regression, accuracy_loss_percent of int4 regression"),
        ("a missing case", "exit code 4; compression_ratio of int8 missing"),
    ] {
        assert!(text.lines().any(|l| l.starts_with("ok ") && l.contains(&format!("{step}: {said}"))), "{step}: {said}\n{text}");
    }
    assert_eq!(crate::support::contents(&folder.path().join("baselines")), before);
}

#[test]
fn a_gate_that_was_loosened_is_found_out() {
    let folder = project();
    let policy = folder.path().join("baselines/policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    let loosened = text.replacen("[metrics.compression_ratio]\ngate = \"always\"", "[metrics.compression_ratio]\ngate = \"never\"", 1);
    assert_ne!(text, loosened);
    std::fs::write(&policy, loosened).unwrap();
    // With no time for it, the slow-down is not found either.
    let output = self_test(folder.path(), &["--budget", "1ms"]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(error.contains("the gate does not say what it should of") && error.contains("a slow-down, a wider artifact"), "{error}");
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(out.lines().any(|l| l.starts_with("WRONG  a wider artifact: exit code 3; compression_ratio of int4 is not judged")), "{out}");
    assert!(out.lines().any(|l| l.starts_with("ok     a worse accuracy")), "{out}");
}

#[test]
fn what_it_cannot_test_with_is_named() {
    let folder = project();
    let error = crate::support::error_of(&mut self_test(folder.path(), &["--fixture", "gpt*"]), 2);
    assert!(error.contains("no fixture of suite 'mini' is there that classifies images"), "{error}");
    let error = crate::support::error_of(&mut self_test(folder.path(), &["--against", "main"]), 2);
    assert!(error.contains("cannot be used with"), "{error}");
    assert!(output_of(weighbridge().args(["gate", "--help"]), 0).contains("gate --self-test"));
}
