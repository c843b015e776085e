//! `baseline accept` and `baseline merge`, from outside.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use weighbridge::sample::uniform;
use weighbridge_harness::baseline::Baseline;

use crate::repository::Project;
use crate::support::{error_of, output_of};

/// The file of exact values, and the lines of it that are not in another version.
fn new_lines(before: &str, after: &str) -> Vec<String> {
    let old: std::collections::HashSet<_> = before.lines().collect();
    after.lines().filter(|l| !old.contains(l)).map(str::to_owned).collect()
}

/// Removes the file of times, which names the machine that made it: of a part times are taken from one machine alone.
fn forget_times(project: &Project) {
    std::fs::remove_file(project.root().join("baselines/mini-times.jsonl")).unwrap();
}

#[test]
fn accepting_shows_asks_commits_and_changes_those_lines_alone() {
    let project = Project::new();
    // The files as this release and this machine write them, so that only values differ below.
    let same = project.run("nothing");
    forget_times(&project);
    output_of(project.command(&["baseline", "accept", "--yes"]).arg("--run").arg(&same), 0);
    project.commit("Write the baseline anew");
    let before = project.read("baselines/mini.jsonl");
    let run = project.run("wider");
    let accept = |more: &[&str]| {
        let mut command = project.command(&["baseline", "accept"]);
        command.args(more).arg("--run").arg(&run);
        command
    };
    assert!(error_of(accept(&["--yes"]).env("CI", "true"), 2).contains("not in CI"));
    assert!(error_of(&mut accept(&[]), 2).contains("'--yes'"));
    assert!(error_of(&mut accept(&["--yes", "--commit"]), 2).contains("'--reason'"), "something got worse");
    assert_eq!(project.read("baselines/mini.jsonl"), before);

    let only = output_of(&mut accept(&["--yes", "--only", "int8/*/bits_per_weight"]), 0);
    assert!(only.contains("1 regressions") && only.contains("less is better; any change counts"), "{only}");
    let after = project.read("baselines/mini.jsonl");
    let changed = new_lines(&before, &after);
    assert!(changed.len() == 1 && changed[0].contains("bits_per_weight"), "{changed:?}");
    project.write("baselines/mini.jsonl", &before);

    project.write("staged", "stays staged");
    let mut index = project.git().index().unwrap();
    index.add_path(Path::new("staged")).unwrap();
    index.write().unwrap();
    let head = project.git().head().unwrap().target().unwrap();
    let text = output_of(&mut accept(&["--yes", "--commit", "--reason", "the header grew on purpose"]), 0);
    assert!(text.contains("3 regressions") && text.contains("committed as "), "{text}");
    let commit = project.git().head().unwrap().peel_to_commit().unwrap();
    assert_eq!(commit.parent_id(0).unwrap(), head);
    let message = commit.message().unwrap();
    assert!(
        message.starts_with("Refresh the baseline of suite mini\n\nthe header grew on purpose\n\nAccepted 1 cases measured at "),
        "{message}"
    );
    assert!(message.lines().any(|l| l.contains("| int8") && l.contains("compression_ratio") && l.contains("regression")), "{message}");
    let diff =
        project.git().diff_tree_to_tree(Some(&commit.parent(0).unwrap().tree().unwrap()), Some(&commit.tree().unwrap()), None).unwrap();
    let files: Vec<_> = diff.deltas().map(|d| d.new_file().path().unwrap().display().to_string()).collect();
    assert_eq!(files, ["baselines/mini-times.jsonl", "baselines/mini.jsonl"]);
    let changed = new_lines(&before, &project.read("baselines/mini.jsonl"));
    assert!(changed.len() <= 4 && changed.iter().all(|l| l.contains("\"int8\"") && l.contains("mlp-mnist")), "{changed:?}");
    let status = |path: &str| project.git().status_file(Path::new(path)).unwrap();
    assert_eq!((status("baselines/mini.jsonl"), status("staged")), (git2::Status::CURRENT, git2::Status::INDEX_NEW));
    assert!(output_of(&mut accept(&["--yes", "--only", "int8/*_ratio"]), 0).contains("nothing is to be changed"));
}

#[test]
fn what_was_measured_with_uncommitted_changes_is_refused() {
    let project = Project::new();
    project.edit("baselines/policy.toml", "version = 1", "version = 1 # edited");
    forget_times(&project);
    let run = project.run("nothing");
    let accept = |more: &[&str]| {
        let mut command = project.command(&["baseline", "accept", "--yes"]);
        command.args(more).arg("--run").arg(&run);
        command
    };
    let error = error_of(&mut accept(&[]), 2);
    assert!(error.contains("uncommitted changes") && error.contains("'--force'"), "{error}");
    output_of(&mut accept(&["--force"]), 0);
    let times = project.read("baselines/mini-times.jsonl");
    let line = times.lines().find(|l| l.contains("\"int8\"") && l.contains("mlp-mnist")).unwrap();
    assert!(line.contains("-dirty\""), "{line}");
}

/// Two runs, accepted in turns and killed at any moment: a reader sees one of them, never parts of both.
#[test]
fn accept_killed_at_200_moments_leaves_one_of_both_baselines() {
    let project = Project::new();
    let folder = project.root().join("baselines");
    let runs = [project.run("nothing"), project.run("wider")];
    forget_times(&project);
    let accept = |run: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_weighbridge"));
        command.args(["baseline", "accept", "--yes", "--root"]).arg(project.root()).arg("--run").arg(run).env_remove("CI");
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let files = || ["mini.jsonl", "mini-times.jsonl"].map(|name| std::fs::read_to_string(folder.join(name)).unwrap());
    let (mut states, mut texts, mut longest) = (Vec::new(), Vec::new(), Duration::ZERO);
    for run in &runs {
        let start = Instant::now();
        assert!(accept(run).status().unwrap().success());
        longest = longest.max(start.elapsed());
        states.push(Baseline::read(&folder, "mini").unwrap());
        texts.push(files());
    }
    assert_ne!(states[0], states[1]);
    let (mut killed, mut seen, mut now) = (0, [0, 0], 1);
    for attempt in 0..200 {
        let target = 1 - now;
        let mut child = accept(&runs[target]).spawn().unwrap();
        // Most of the time goes by before anything is written, so later moments are tried more often.
        let share = uniform(11, attempt);
        std::thread::sleep(longest.mul_f64(0.3 + 0.9 * share));
        let running = child.try_wait().unwrap().is_none();
        let _ = child.kill();
        child.wait().unwrap();
        killed += usize::from(running);
        let read = Baseline::read(&folder, "mini").unwrap();
        let found = states.iter().position(|state| *state == read);
        assert!(found.is_some(), "attempt {attempt}: neither the old baseline nor the new one");
        for (part, text) in files().iter().enumerate() {
            assert!(texts.iter().any(|t| t[part] == *text), "attempt {attempt}: a file is neither the old one nor the new one");
        }
        now = found.unwrap();
        seen[now] += 1;
    }
    assert!(killed >= 20 && seen.iter().all(|n| *n > 0), "{killed} of 200 were killed while they ran; {seen:?}");
    assert!(accept(&runs[0]).status().unwrap().success() && accept(&runs[1]).status().unwrap().success());
    assert_eq!(files(), texts[1]);
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().all(|n| !n.starts_with('.') && !n.ends_with(".pending")), "nothing is left behind: {names:?}");
}

#[test]
fn branches_that_refresh_other_cases_merge_and_one_case_stays_open_until_it_is_measured() {
    let project = Project::new();
    let run = project.run("nothing");
    output_of(project.command(&["baseline", "accept", "--yes"]).arg("--run").arg(&run), 0);
    let base = project.read("baselines/mini.jsonl");
    let line = |kernel: &str| base.lines().find(|l| l.contains(&format!("\"{kernel}\"")) && l.contains("mlp-mnist")).unwrap().to_owned();
    let with = |kernel: &str, value: f64| {
        let line = line(kernel);
        let at = line.rfind("\"value\":").unwrap();
        base.replacen(&line, &format!("{}\"value\":{value:?}}}", &line[..at]), 1)
    };
    let merge = |ours: &str, theirs: &str, more: &[&str], code: i32| {
        for (name, text) in [("base", &*base), ("ours", ours), ("theirs", theirs)] {
            project.write(&format!("runs/{name}"), text);
        }
        let path = |name: &str| project.root().join("runs").join(name);
        let mut command = project.command(&["baseline", "merge"]);
        let said = error_of(command.args([path("base"), path("ours"), path("theirs")]).arg("baselines/mini.jsonl").args(more), code);
        (project.read("runs/ours"), said)
    };
    // `int8` and the kernel after it are neighbours in the file, which git alone would call a conflict.
    let (merged, _) = merge(&with("int8", 9.0), &with("mxfp4", 8.5), &[], 0);
    assert_eq!(new_lines(&base, &merged).len(), 2);
    let (open, said) = merge(&with("int8", 9.0), &with("int8", 8.0), &[], 1);
    assert!(open.contains("<<<<<<< ours") && said.contains("weighbridge run --kernel 'int8' --fixture 'mlp-mnist'"), "{said}");
    assert_eq!(merge(&with("int8", 9.0), &with("int8", 8.0), &["--prefer", "theirs"], 0).0, with("int8", 8.0));

    project.write("baselines/mini.jsonl", &open);
    let error = error_of(&mut project.command(&["gate", "--quiet"]), 2);
    assert!(error.contains("a merge left a conflict here"), "{error}");
    output_of(project.command(&["baseline", "accept", "--yes"]).arg("--run").arg(&run), 0);
    assert_eq!(project.read("baselines/mini.jsonl"), base, "measured anew, it is as it was");

    let said = output_of(&mut project.command(&["baseline", "merge", "--install"]), 0);
    assert!(said.contains("baselines/*.jsonl merge=weighbridge-baseline"), "{said}");
    let config = project.git().config().unwrap().snapshot().unwrap();
    assert!(config.get_str("merge.weighbridge-baseline.driver").unwrap().ends_with("baseline merge %O %A %B %P"));
}
