//! `history` and `bisect` over a repository of twenty commits: one makes artifacts larger, all of them make the error a little larger, and one does
//! not build.

use crate::repository::Project;
use crate::support::{error_of, example, output_of};

/// Commit from which on artifacts are larger.
const WIDER: usize = 12;
/// Commit that does not build; the first one that a binary search over twenty tries.
const BROKEN: usize = 9;
/// Growth of the error by commit: less than half of what the policy tolerates.
const DRIFT: f64 = 1.0004;

/// A program that stands in for the whole harness, and builds in a second: it hands over to a worker that is broken in that way, with more arguments.
fn program(sabotage: &str, more: &str) -> String {
    format!(
        "use std::os::unix::process::CommandExt;\n\
         fn main() {{\n\
         let more: &[&str] = &[{more}];\n\
         let worker = std::env::var(\"WEIGHBRIDGE_STAND_IN\").unwrap();\n\
         let error = std::process::Command::new(worker).args(std::env::args().skip(1)).args(more).env(\"WEIGHBRIDGE_SABOTAGE\", \"{sabotage}\").exec();\n\
         panic!(\"{{error}}\");\n\
         }}\n"
    )
}

/// A project whose program stands in for the harness.
fn project_to_build() -> Project {
    let project = Project::new();
    project.write("Cargo.toml", "[workspace]\nmembers = [\"harness\"]\nresolver = \"3\"\n");
    project.write(
        "harness/Cargo.toml",
        "[package]\nname = \"weighbridge-harness\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[[bin]]\nname = \"weighbridge\"\npath = \"src/main.rs\"\n",
    );
    project.write("Cargo.lock", "version = 4\n\n[[package]]\nname = \"weighbridge-harness\"\nversion = \"0.1.0\"\n");
    project
}

/// The project and its commits.
fn twenty_commits() -> (Project, Vec<String>) {
    let project = project_to_build();
    let committed = project.read("baselines/mini.jsonl");
    let line = |metric: &str| {
        let is_it = |l: &&str| l.contains("\"int8\"") && l.contains("\"mlp-mnist\"") && l.contains(&format!("\"{metric}\""));
        committed.lines().find(is_it).unwrap().to_owned()
    };
    let with = |text: &str, metric: &str, factor: f64| {
        let line = line(metric);
        let (head, value) = line.trim_end_matches('}').rsplit_once("\"value\":").unwrap();
        text.replacen(&line, &format!("{head}\"value\":{:?}}}", value.parse::<f64>().unwrap() * factor), 1)
    };
    let mut commits = Vec::new();
    for i in 0..20 {
        let larger = if i < WIDER { 1.0 } else { 0.9 };
        let text = with(&committed, "relative_error", DRIFT.powi(i32::try_from(i).unwrap()));
        project.write("baselines/mini.jsonl", &with(&text, "compression_ratio", larger));
        let source =
            if i == BROKEN { "fn main() { nonsense }".to_owned() } else { program(if i < WIDER { "nothing" } else { "wider" }, "") };
        project.write("harness/src/main.rs", &format!("// Commit {i}\n{source}"));
        commits.push(project.commit(&format!("Change {i}")));
        if i == 0 {
            project.tag("v0.1.0");
        }
    }
    (project, commits)
}

#[test]
fn a_jump_and_a_drift_stand_out_of_a_history() {
    let (project, commits) = twenty_commits();
    let history = |arguments: &[&str], code: i32| output_of(&mut project.command(&[&["history"], arguments].concat()), code);
    let svg = project.root().join("history.svg");
    let ratio = history(&["int8", "mlp-mnist", "compression_ratio", "--svg", svg.to_str().unwrap()], 0);
    let line = ratio.lines().find(|l| l.contains("changes: ")).unwrap_or_else(|| panic!("no change of level:\n{ratio}"));
    assert!(line.contains(&commits[WIDER][..12]) && line.contains("-10.00 %") && line.contains("certain"), "{line}");
    assert!(ratio.contains("1 changes of level") && ratio.contains("20 refreshes in 21 commits"), "{ratio}");
    let drawn = std::fs::read_to_string(&svg).unwrap();
    assert!(drawn.starts_with("<svg") && drawn.contains("change of level at 13") && drawn.contains("compression_ratio"));
    assert!(history(&["int8", "mlp-mnist", "encode_seconds_per_mb"], 0).contains("1 refreshes"), "times were not touched since");

    let all = history(&["--all"], 3);
    let row = |metric: &str| all.lines().position(|l| l.contains("int8") && l.contains("mlp-mnist") && l.contains(metric));
    let accepted = all.lines().position(|l| l.contains("somebody accepted")).unwrap();
    assert!(row("relative_error").unwrap() < accepted && row("compression_ratio").unwrap() > accepted, "{all}");
    assert!(all.contains("since 'v0.1.0': 1 values drifted, 1 were accepted as worse, over 20 refreshes in 20 commits"), "{all}");
    let recent = history(&["--all", "--since", "HEAD~2"], 0);
    assert!(recent.contains("0 values drifted"), "two steps are still within the tolerance:\n{recent}");
    let run = project.run("nothing");
    let page = project.root().join("page.html");
    output_of(&mut project.command(&["report", run.to_str().unwrap(), "--format", &format!("html={}", page.display())]), 0);
    let page = std::fs::read_to_string(&page).unwrap();
    assert!(
        page.contains("History: relative_error of int8 × mlp-mnist") && page.contains("change of level at 13"),
        "the page has no history"
    );
    let error = error_of(&mut project.command(&["history", "int8", "mlp-mnist", "perplexity"]), 4);
    assert!(error.contains("none of 21 commits"), "{error}");
    error_of(&mut project.command(&["history", "int8"]), 2);
}

#[test]
fn bisect_finds_the_commit_skips_what_does_not_build_and_goes_on_where_it_stopped() {
    let (project, commits) = twenty_commits();
    project.write("harness/src/main.rs", "not even Rust");
    let bisect = |good: &str, more: &[&str]| {
        let question = ["bisect", "--good", good, "--kernel", "int8", "--fixture", "mlp-mnist", "--metric", "compression_ratio"];
        let mut command = project.command(&[&question[..], more].concat());
        command.env("WEIGHBRIDGE_STAND_IN", example("sabotaged_worker"));
        command
    };
    let before = (project.git().head().unwrap().target(), std::fs::read(project.git().path().join("index")).unwrap());
    let output = bisect(&commits[0], &[]).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    assert!(out.starts_with(&format!("first bad commit: {}\n", commits[WIDER])), "{out}{err}");
    assert!(out.contains("Change 11") && out.contains("Change 12"), "{out}");
    assert!(err.contains(&format!("commit {}: skipped: ", &commits[BROKEN][..12])) && err.contains("does not build"), "{err}");
    assert_eq!(before, (project.git().head().unwrap().target(), std::fs::read(project.git().path().join("index")).unwrap()));
    assert_eq!(project.read("harness/src/main.rs"), "not even Rust", "the work tree stays as it is");
    assert_eq!(project.git().worktrees().unwrap().len(), 0);

    // Killed after three measurements: what was found is kept, and only the rest is done.
    let state = project.root().join("target/weighbridge/bisect/state.json");
    let mut kept: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&state).unwrap()).unwrap();
    let findings = kept["findings"].as_object_mut().unwrap();
    assert!(findings.len() <= 9 && findings.contains_key(&commits[BROKEN]), "{findings:?}");
    findings.remove(&commits[WIDER]);
    std::fs::write(&state, kept.to_string()).unwrap();
    let output = bisect(&commits[0], &[]).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(out.starts_with(&format!("first bad commit: {}\n", commits[WIDER])), "{out}{err}");
    assert_eq!(err.matches(": building").count(), 1, "{err}");
    assert!(err.contains("was built before"), "{err}");

    // Between a good commit and one that does not build the answer is as wide as it has to be.
    let error = error_of(&mut bisect(&commits[0], &["--bad", &commits[BROKEN]]), 2);
    assert!(error.contains("the bad commit") && error.contains("cannot be measured"), "{error}");
    let error = error_of(&mut bisect(&commits[WIDER], &[]), 2);
    assert!(error.contains("which is not worse"), "{error}");
    let error = error_of(&mut bisect(&commits[0], &["--worst", "1.0"]), 2);
    assert!(error.contains("with '--worst 1' the bad commit is not bad"), "{error}");
    let wall = ["bisect", "--good", &commits[0], "--kernel", "int8", "--fixture", "mlp-mnist", "--metric", "encode_wall_seconds_per_mb"];
    assert!(error_of(&mut project.command(&wall), 2).contains("differs from run to run"));
}

#[test]
fn bisect_by_times_compares_each_commit_with_the_good_one() {
    let project = project_to_build();
    let source = |i: usize| match i {
        2 => "fn main() { nonsense }".to_owned(),
        0..4 => program("nothing", ""),
        _ => program("nothing", "\"--extra-work\", \"0.8\""),
    };
    let commits: Vec<_> = (0..7)
        .map(|i| {
            project.write("harness/src/main.rs", &format!("// Commit {i}\n{}", source(i)));
            project.commit(&format!("Change {i}"))
        })
        .collect();
    let bisect = |good: &str, bad: &str| {
        let question = ["bisect", "--kernel", "int8", "--fixture", "mlp-mnist", "--metric", "encode_seconds_per_mb", "--links", "4"];
        let mut command = project.command(&[&question[..], &["--batch", "2ms", "--good", good, "--bad", bad]].concat());
        command.env("WEIGHBRIDGE_STAND_IN", example("sabotaged_worker"));
        command
    };
    let output = bisect(&commits[0], "HEAD").output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}{err}");
    assert!(out.starts_with(&format!("first bad commit: {}\n", commits[4])), "{out}{err}");
    let bad = out.lines().find(|l| l.contains("first bad  ")).unwrap();
    let percent: f64 = bad.rsplit_once('+').unwrap().1.trim_end_matches(" %").parse().unwrap();
    assert!((20.0..200.0).contains(&percent), "{out}{err}");
    // What is the same code is not slower than itself, however long one looks; a loaded machine may leave that undecided.
    let error = error_of(&mut bisect(&commits[0], &commits[1]), 2);
    assert!(error.contains("was not found to be worse") || error.contains("its time is not decided"), "{error}");
}
