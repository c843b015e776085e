//! What a change is judged by: the commit its branch began at, and the waivers there.

use serde_json::Value;

use crate::repository::{Project, command_in};
use crate::support::{error_of, output_of};

const FILTER: [&str; 4] = ["--kernel", "int8", "--fixture", "mlp-mnist"];

/// Judges a run; what it prints and the JSON report.
fn gate(project: &Project, run: &std::path::Path, more: &[&str], code: i32) -> (String, Value) {
    let output = project.root().join("runs/judged");
    let mut command = project.command(&[&["gate", "--quiet"], &FILTER[..], more].concat());
    let text = output_of(command.arg("--run").arg(run).arg("--output").arg(&output), code);
    (text, serde_json::from_str(&std::fs::read_to_string(output.join("report.json")).unwrap()).unwrap())
}

/// A waiver for a metric of `int8` × `mlp-mnist`.
fn waiver(metric: &str, worst: f64) -> String {
    format!(
        "[[waiver]]\nkernel = \"int8\"\nfixture = \"mlp-mnist\"\nmetric = \"{metric}\"\nworst = {worst:?}\nreason = \"the header grew\"\nowner = \"a maintainer\"\nexpires = 2026-06-01\n\n"
    )
}

/// Waivers for all that the broken worker makes worse.
fn waivers() -> String {
    let worse = [("compression_ratio", 2.0), ("bits_per_weight", 30.0), ("encode_peak_heap_bytes", 500_000.0)];
    worse.iter().fold("version = 1\n\n".to_owned(), |text, (metric, worst)| text + &waiver(metric, *worst))
}

/// Lets nothing gate that the broken worker makes worse.
fn loosen(project: &Project) {
    for metric in ["compression_ratio", "bits_per_weight", "encode_peak_heap_bytes"] {
        let header = format!("[metrics.{metric}]\ngate = ");
        project.edit("baselines/policy.toml", &format!("{header}\"always\""), &format!("{header}\"never\""));
    }
}

#[test]
fn nobody_loosens_their_own_bar() {
    let project = Project::new();
    let base = project.git().head().unwrap().target().unwrap().to_string();
    let run = project.run("wider");
    let (text, _) = gate(&project, &run, &[], 3);
    assert!(text.starts_with("Judged by the work tree's baselines/mini.jsonl: HEAD has nothing that 'main' has not."), "{text}");

    project.branch("change");
    loosen(&project);
    let line = project
        .read("baselines/mini.jsonl")
        .lines()
        .find(|l| l.contains("\"int8\"") && l.contains("mlp-mnist") && l.contains("relative_error"))
        .unwrap()
        .to_owned();
    let value = line.rsplit("\"value\":").next().unwrap().trim_end_matches('}');
    project.edit("baselines/mini.jsonl", &line, &line.replace(value, "0.5"));
    project.commit("Loosen the bar");
    let index = std::fs::read(project.git().path().join("index")).unwrap();

    let (text, report) = gate(&project, &run, &[], 3);
    assert!(text.starts_with(&format!("Judged by {}:baselines/mini.jsonl", &base[..12])), "{text}");
    assert!(text.contains("the merge-base of HEAD and 'main'"), "{text}");
    assert!(text.contains("This change edits 4 entries under baselines/, 4 of which would let more pass. They were not used."), "{text}");
    let edited = |what: &str| {
        let line = text.lines().find(|l| l.contains(what) && l.trim_end().ends_with("yes"));
        assert!(line.is_some(), "{what} is not listed:\n{text}");
    };
    edited("int8 × mlp-mnist: relative_error");
    edited("metrics.compression_ratio");
    assert_eq!((report["judged-by"]["commit"].as_str(), report["judged-by"]["edits"].as_array().unwrap().len()), (Some(&*base), 4));
    let markdown = std::fs::read_to_string(project.root().join("runs/judged/report.md")).unwrap();
    assert!(markdown.contains("## Edits of what it is judged by") && markdown.contains("metrics.bits_per_weight"), "{markdown}");

    // The same run passes by the loosened bar, so it was the merge-base that held.
    let (text, _) = gate(&project, &run, &["--against", "HEAD", "--no-times"], 0);
    assert!(text.contains("revision 'HEAD'") && text.contains("pass"), "{text}");
    gate(&project, &run, &["--against", "--no-times"], 3);
    gate(&project, &run, &["--against", "main", "--no-times"], 3);
    gate(&project, &run, &["--baseline", project.root().join("baselines/mini.jsonl").to_str().unwrap()], 0);
    assert_eq!(std::fs::read(project.git().path().join("index")).unwrap(), index, "the index is left alone");
    // The revision whose files judge is the one whose times are compared with: here it is no program.
    let mut built = project.command(&[&["gate", "--quiet", "--against", "main"], &FILTER[..]].concat());
    assert!(error_of(built.arg("--run").arg(&run), 2).contains("does not build"));
    let error = error_of(&mut project.command(&["gate", "--against", "nowhere"]), 2);
    assert!(error.contains("'nowhere' names no commit"), "{error}");

    // HEAD may be detached, and the work tree a linked one.
    let head = project.git().head().unwrap().target().unwrap();
    project.git().set_head_detached(head).unwrap();
    assert!(gate(&project, &run, &[], 3).0.contains("the merge-base of HEAD and 'main'"));
    project.git().set_head("refs/heads/change").unwrap();
    let linked = tempfile::tempdir().unwrap();
    let path = linked.path().join("linked");
    let reference = project.git().reference("refs/heads/other", head, false, "test").unwrap();
    let mut options = git2::WorktreeAddOptions::new();
    options.reference(Some(&reference));
    project.git().worktree("linked", &path, Some(&options)).unwrap();
    std::os::unix::fs::symlink(crate::support::repository().join("fixtures"), path.join("fixtures")).unwrap();
    let mut command = command_in(&path, &[&["gate", "--quiet"], &FILTER[..]].concat());
    let text = output_of(command.arg("--run").arg(&run), 3);
    assert!(text.starts_with(&format!("Judged by {}:baselines/mini.jsonl", &base[..12])), "{text}");
}

#[test]
fn a_shallow_clone_says_how_to_get_the_rest_and_no_git_needs_a_file() {
    let project = Project::new();
    let run = project.run("nothing");
    let main = project.git().head().unwrap().target().unwrap();
    project.branch("change");
    project.write("a", "1");
    project.commit("Change");
    project.write("a", "2");
    let tip = project.commit("Change again");
    let mut gate = project.command(&[&["gate", "--quiet"], &FILTER[..]].concat());
    gate.arg("--run").arg(&run);
    assert!(output_of(&mut gate, 0).contains("the merge-base of HEAD and 'main'"));
    // What a clone of depth 1 has: its commits seem to have no parents.
    std::fs::write(project.git().path().join("shallow"), format!("{tip}\n{main}\n")).unwrap();
    let error = error_of(&mut gate, 2);
    assert!(error.contains("cannot tell where HEAD and 'main' parted: this clone is shallow, with 1 commits"), "{error}");
    assert!(error.contains("git fetch --deepen=200 origin") && error.contains("git fetch --unshallow origin"), "{error}");

    let outside = crate::support::project();
    let gate = |more: &[&str]| {
        let mut command = command_in(outside.path(), &[&["gate", "--quiet"], &FILTER[..], more].concat());
        command.arg("--run").arg(&run);
        command
    };
    assert!(output_of(&mut gate(&[]), 0).contains("there is no branch to take a merge-base with"));
    let error = error_of(&mut gate(&["--against", "main"]), 2);
    assert!(error.contains("not inside a git repository") && error.contains("--baseline FILE"), "{error}");
    let file = project.root().join("baselines/mini.jsonl");
    let text = output_of(&mut gate(&["--baseline", file.to_str().unwrap()]), 0);
    assert!(text.starts_with(&format!("Judged by '{}'", file.display())), "{text}");
}

#[test]
fn waivers_hold_up_to_a_day_and_not_for_those_who_bring_them() {
    let project = Project::new();
    let run = project.run("wider");
    let on = |day: &'static str| ["--today", day];
    project.branch("change");
    let all = waivers();
    project.write("baselines/waivers.toml", &all);
    project.commit("Bring a waiver along");
    let (text, report) = gate(&project, &run, &on("2026-05-31"), 3);
    assert!(text.contains("not counted: added by this change") && text.contains("comes with this change"), "{text}");
    assert_eq!(report["waivers"][0]["standing"], "not-counted");
    assert!(text.contains("This change edits 3 entries under baselines/, 3 of which would let more pass. They were not used."), "{text}");

    // The same waivers, there before the change.
    project.git().set_head("refs/heads/main").unwrap();
    project.write("baselines/waivers.toml", &(all + &waiver("sqnr_db", 1.0)));
    project.commit("Waive the header");
    project.branch("later");
    project.write("a", "1");
    project.commit("Change");
    let (text, report) = gate(&project, &run, &on("2026-05-31"), 0);
    assert!(text.contains("3 waived") && text.contains("the header grew") && text.contains("a maintainer"), "{text}");
    assert!(text.contains("warning: the waiver for sqnr_db of int8 × mlp-mnist is not used; remove it"), "{text}");
    let verdicts: Vec<_> = report["rows"].as_array().unwrap().iter().filter(|r| r["verdict"] == "waived").collect();
    assert_eq!(verdicts.len(), 3);
    let markdown = std::fs::read_to_string(project.root().join("runs/judged/report.md")).unwrap();
    assert!(markdown.contains("## Waivers") && markdown.contains("waived |"), "{markdown}");
    assert!(std::fs::read_to_string(project.root().join("runs/judged/report.csv")).unwrap().contains(",waived,"));
    let (text, _) = gate(&project, &run, &on("2026-06-01"), 3);
    assert!(text.contains("warning: the waiver for compression_ratio of int8 × mlp-mnist expired on 2026-06-01"), "{text}");

    // Worse than is allowed, and a file that says nothing useful.
    project.edit("baselines/waivers.toml", "worst = 2.0", "worst = 3.99");
    let (text, _) = gate(&project, &run, &["--today", "2026-05-31", "--against", "main", "--no-times"], 0);
    assert!(text.contains("not counted"), "a stricter one of one's own does nothing either:\n{text}");
    project.write("baselines/waivers.toml", "version = 1\nwaver = []\n");
    let error = error_of(&mut project.command(&["gate", "--quiet"]), 2);
    assert!(error.contains("waivers.toml") && error.contains("waver"), "{error}");
}

#[test]
fn a_policy_may_let_waivers_count_that_come_with_a_change() {
    let project = Project::new();
    let run = project.run("wider");
    project.edit("baselines/policy.toml", "own = \"listed\"", "own = \"counted\"");
    project.commit("Trust those who change");
    project.branch("change");
    project.write("baselines/waivers.toml", &waivers());
    let (text, report) = gate(&project, &run, &["--today", "2026-05-31", "--against", "--no-times"], 0);
    assert!(text.contains("comes with this change itself, and the policy lets it count"), "{text}");
    assert!(text.contains("3 of which would let more pass. Of them its waivers count."), "{text}");
    assert_eq!(
        (&report["waivers"][0]["standing"], &report["waivers"][0]["added-by-this-change"]),
        (&Value::from("allows"), &Value::from(true))
    );
}
