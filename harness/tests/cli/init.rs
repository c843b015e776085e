//! `init`: an empty repository becomes one that weighs a model, and its gate passes and turns red.

use std::path::Path;

use crate::support::{contents, error_of, model, output_of, weighbridge};

const COPY: &str = "owner/weighbridge@0123456789abcdef0123456789abcdef01234567";

/// An empty repository with one commit.
fn empty() -> (tempfile::TempDir, git2::Repository) {
    let folder = tempfile::tempdir().unwrap();
    let mut options = git2::RepositoryInitOptions::new();
    let repository = git2::Repository::init_opts(folder.path(), options.initial_head("main")).unwrap();
    let mut config = repository.config().unwrap();
    config.set_str("user.name", "A Maintainer").unwrap();
    config.set_str("user.email", "maintainer@example.org").unwrap();
    commit(&repository, "Begin");
    (folder, repository)
}

fn commit(repository: &git2::Repository, message: &str) {
    let mut index = repository.index().unwrap();
    index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).unwrap();
    index.write().unwrap();
    let tree = repository.find_tree(index.write_tree().unwrap()).unwrap();
    let author = repository.signature().unwrap();
    let parent = repository.head().ok().map(|h| h.peel_to_commit().unwrap());
    repository.commit(Some("HEAD"), &author, &author, message, &tree, &parent.iter().collect::<Vec<_>>()).unwrap();
}

/// A command in the repository's folder, as a user gives it.
fn in_folder(folder: &Path, arguments: &[&str]) -> assert_cmd::Command {
    let mut command = weighbridge();
    command.current_dir(folder).args(arguments);
    command
}

/// Lines of `init`'s output that begin with these words.
fn placed<'a>(text: &'a str, words: &str) -> Vec<&'a str> {
    text.lines().filter(|l| l.starts_with(words)).map(|l| l[words.len()..].trim()).collect()
}

#[test]
fn an_empty_repository_is_gated_in_four_steps() {
    let (folder, repository) = empty();
    let dry = output_of(&mut in_folder(folder.path(), &["init", "--from", COPY, "--dry-run"]), 0);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "a dry run writes nothing beside .git");
    let text = output_of(&mut in_folder(folder.path(), &["init", "--from", COPY]), 0);
    let written = placed(&text, "written");
    assert_eq!(written, placed(&dry, "would be written"));
    for path in [
        "baselines/policy.toml",
        ".github/workflows/gate.yml",
        ".github/pull_request_template.md",
        ".gitattributes",
        "fixtures/example.toml",
    ] {
        assert!(written.contains(&path) && folder.path().join(path).is_file(), "{path}: {text}");
    }
    assert!(std::fs::read_to_string(folder.path().join(".weighbridge-version")).unwrap().ends_with(&format!("\n{COPY}\n")));
    let config = repository.config().unwrap().snapshot().unwrap();
    assert!(config.get_str("merge.weighbridge-baseline.driver").unwrap().ends_with("baseline merge %O %A %B %P"));
    commit(&repository, "Weigh compression");

    // As the printed steps say, of two kernels.
    assert!(
        text.contains("weighbridge run ") && text.contains("weighbridge baseline accept --commit") && text.contains("weighbridge gate")
    );
    let quick = ["--quiet", "--kernel", "int8", "--kernel", "q4_0", "--time-per-case", "5ms"];
    output_of(in_folder(folder.path(), &["run"]).args(quick), 0);
    let accepted =
        output_of(&mut in_folder(folder.path(), &["baseline", "accept", "--yes", "--commit", "--reason", "the first baseline"]), 0);
    assert!(accepted.contains("committed as "), "{accepted}");
    let passed = output_of(in_folder(folder.path(), &["gate"]).args(quick), 0);
    assert!(passed.contains("pass: nothing got worse (") && passed.contains("0 new, 0 missing"), "{passed}");

    // A gate that cannot turn red shows nothing.
    let mut worse = in_folder(folder.path(), &["gate"]);
    assert!(output_of(worse.args(quick).args(["--fault", "wider"]), 3).contains("compression_ratio"));
}

#[test]
fn what_is_there_stays_and_twice_is_once() {
    let (folder, _) = empty();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir_all(path(".github/workflows")).unwrap();
    std::fs::write(path(".github/workflows/gate.yml"), "name: mine\n").unwrap();
    std::fs::write(path(".gitignore"), "/target\n").unwrap();
    let text = output_of(&mut in_folder(folder.path(), &["init"]), 0);
    assert_eq!(placed(&text, "kept: yours differs"), [".github/workflows/gate.yml"]);
    assert_eq!(placed(&text, "lines added"), [".gitignore"]);
    assert!(text.contains("write into .weighbridge-version which copy"), "{text}");
    assert_eq!(std::fs::read_to_string(path(".github/workflows/gate.yml")).unwrap(), "name: mine\n");
    assert!(std::fs::read_to_string(path(".gitignore")).unwrap().starts_with("/target\n/reports/*\n"));
    let all = || ["", ".github", ".github/workflows", "baselines", "fixtures", "fixtures/weights"].map(|name| files(&path(name)));
    let before = all();
    let again = output_of(&mut in_folder(folder.path(), &["init"]), 0);
    assert_eq!(all(), before);
    assert!(placed(&again, "written").is_empty() && placed(&again, "lines added").is_empty(), "{again}");
    assert_eq!(placed(&again, "kept: yours differs"), [".github/workflows/gate.yml"]);
}

/// Files of a folder, without those of the folders in it.
fn files(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let paths = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()).collect::<Vec<_>>();
    let mut all: Vec<_> = paths.into_iter().map(|p| (p.clone(), std::fs::read(p).unwrap())).collect();
    all.sort();
    all
}

#[test]
fn a_model_of_ones_own_becomes_a_fixture_and_no_example_is_added() {
    let (folder, _) = empty();
    let elsewhere = tempfile::tempdir().unwrap();
    let own = model(elsewhere.path(), "mine", &[4, 256], (0..1024).map(|i| (i as f32).sin()).collect());
    output_of(in_folder(folder.path(), &["init", "--ci", "gitlab", "--model"]).arg(&own), 0);
    assert!(folder.path().join(".gitlab-ci.yml").is_file() && !folder.path().join(".github").exists());
    let listed = output_of(&mut in_folder(folder.path(), &["list", "cases", "--kernel", "int8"]), 0);
    assert!(listed.contains("mine") && !listed.contains("example"), "{listed}");
    output_of(&mut in_folder(folder.path(), &["verify"]), 0);
    let again = output_of(&mut in_folder(folder.path(), &["init", "--ci", "gitlab"]), 0);
    assert!(placed(&again, "written").is_empty() && !again.contains("example"), "{again}");
    assert_eq!(contents(&folder.path().join("fixtures/weights")).len(), 1);
}

#[test]
fn what_names_no_copy_or_no_model_is_refused() {
    let (folder, _) = empty();
    for copy in ["weighbridge", "owner/weighbridge@main"] {
        let error = error_of(&mut in_folder(folder.path(), &["init", "--from", copy]), 2);
        assert!(error.contains("OWNER/REPOSITORY@COMMIT"), "{error}");
    }
    let url = COPY.replace("owner", "https://example.org/owner");
    assert!(error_of(&mut in_folder(folder.path(), &["init", "--from", &url]), 2).contains("'--ci gitlab' takes a URL"));
    let error = error_of(&mut in_folder(folder.path(), &["init", "--model", "nothing.safetensors"]), 2);
    assert!(error.contains("nothing.safetensors"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was written");
}
