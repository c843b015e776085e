//! Every command does what its help says.

use predicates::str::contains;

use crate::support::{QUICK, output_of, project, repository, weighbridge};

#[test]
fn every_command_has_help_with_an_example() {
    for command in [
        &["list"][..],
        &["kernels", "list"],
        &["kernels", "show"],
        &["kernels", "errors"],
        &["golden", "add"],
        &["fixtures", "list"],
        &["fixtures", "fetch"],
        &["fixtures", "figures"],
        &["fixtures", "convert"],
        &["run"],
        &["merge"],
        &["compare"],
        &["gate"],
        &["baseline", "accept"],
        &["baseline", "merge"],
        &["history"],
        &["bisect"],
        &["report"],
        &["verify"],
        &["init"],
        &["doctor"],
        &["encode"],
        &["decode"],
        &["completions"],
        &["man"],
    ] {
        let example = format!("Example: weighbridge {}", command.join(" "));
        weighbridge().args(command).arg("--help").assert().success().stdout(contains(example));
    }
    weighbridge().arg("--help").assert().success().stdout(contains("Exit codes"));
    weighbridge().assert().code(2);
    weighbridge().arg("--version").assert().success().stdout(contains(env!("CARGO_PKG_VERSION")));
}

#[test]
fn lists_are_filtered_and_come_as_json() {
    let folder = project();
    let list = |arguments: &[&str]| output_of(weighbridge().args(["list", "--root"]).arg(folder.path()).args(arguments), 0);
    let cases = list(&["cases", "--kernel", "int4", "--fixture", "gpt*"]);
    assert!(cases.contains("int4:group=32") && cases.contains("gpt-moby") && !cases.contains("int8") && !cases.contains("mnist"));
    let json: serde_json::Value = serde_json::from_str(&list(&["metrics", "--metric", "*ratio", "--format", "json"])).unwrap();
    assert_eq!(json.as_array().unwrap().len(), 1);
    assert_eq!(json[0]["metric"], "compression_ratio");
    assert!(list(&["fixtures"]).contains("lstm-moby"));
    assert!(list(&["suites"]).contains("mini"));
    let kernels = output_of(weighbridge().args(["kernels", "show", "int4:group=64"]), 0);
    assert!(kernels.contains("group") && kernels.contains("64") && kernels.contains("default"), "{kernels}");
}

#[test]
fn figures_of_originals_stand_beside_independent_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (fixtures, committed) = (folder.path().join("fixtures"), repository().join("fixtures"));
    std::fs::create_dir_all(folder.path().join("baselines")).unwrap();
    std::fs::create_dir(&fixtures).unwrap();
    for name in ["weights", "data"] {
        std::os::unix::fs::symlink(committed.join(name), fixtures.join(name)).unwrap();
    }
    let manifest = std::fs::read_to_string(committed.join("cnn-mnist.toml")).unwrap();
    let figures = |manifest: &str, code: i32| {
        std::fs::write(fixtures.join("cnn-mnist.toml"), manifest).unwrap();
        output_of(weighbridge().args(["fixtures", "figures", "--root"]).arg(folder.path()), code)
    };
    let agreeing = figures(&manifest, 0);
    assert!(agreeing.contains("top1_accuracy") && agreeing.contains("98.1000") && agreeing.contains("agrees"), "{agreeing}");
    let other = manifest.replace("value = 98.10,", "value = 98.15,");
    assert!(other != manifest && figures(&other, 6).contains("DIFFERS"));
}

#[test]
fn completions_and_manual_come_from_the_parser() {
    assert!(output_of(weighbridge().args(["completions", "bash"]), 0).contains("_weighbridge()"));
    assert!(output_of(weighbridge().arg("man"), 0).contains(".TH weighbridge"));
}

#[test]
fn run_accept_compare_report() {
    let folder = project();
    let with_root = |arguments: &[&str]| {
        let mut command = weighbridge();
        command.args(arguments).arg("--root").arg(folder.path());
        command
    };
    for entry in ["mini.jsonl", "mini-times.jsonl"] {
        std::fs::remove_file(folder.path().join("baselines").join(entry)).unwrap();
    }
    let run = [&["run", "--quiet"], QUICK].concat();
    let values = output_of(&mut with_root(&run), 0);
    assert!(values.contains("compression_ratio") && values.contains("top1_accuracy"), "{values}");
    with_root(&["compare"]).assert().code(4).stderr(contains("no baseline for suite 'mini'"));
    with_root(&["baseline", "accept"]).assert().code(2).stderr(contains("--yes"));
    output_of(&mut with_root(&["baseline", "accept", "--yes"]), 0);
    let compared = output_of(&mut with_root(&["compare"]), 0);
    assert!(compared.contains("pass: nothing got worse") && compared.contains("Compression Ratio"), "{compared}");
    let only = output_of(&mut with_root(&["compare", "--metric", "*ratio", "--format", "csv"]), 0);
    assert_eq!(only.lines().count(), 2, "{only}");
    let run_file = folder.path().join("reports/run.jsonl");
    output_of(with_root(&["compare"]).arg("--against").arg(&run_file), 0);
    let written = output_of(&mut with_root(&["report", "--format", "markdown", "--format", "svg"]), 0);
    assert!(written.contains("report.md") && written.contains("rate-distortion.svg"), "{written}");
    let markdown = std::fs::read_to_string(folder.path().join("reports/report.md")).unwrap();
    for wanted in ["# Weighbridge: pass", "| Compression Ratio", "## Key results", "passed through", "fc1.bias", "Not tested here"] {
        assert!(markdown.contains(wanted), "no '{wanted}' in:\n{markdown}");
    }
    let judged = output_of(with_root(&["gate"]).arg("--run").arg(&run_file), 0);
    assert!(judged.contains("pass"), "{judged}");
    let checked = output_of(&mut with_root(&["verify"]), 0);
    assert!(checked.contains("fixture mlp-mnist") && checked.contains("baseline mini"), "{checked}");
}
