//! Configurations of an older version: in artifacts and in files they still work, and what changed is said once.

use std::path::Path;

use assert_cmd::Command;
use weighbridge::sample::gaussian;

use crate::support::{example, model, output_of, project, run_lines};

const NOTE: &str = "configuration of kernel 'grouped' brought from version 1 to 2: 'block' is called 'group' now";

/// A release of the program whose kernel `grouped` got a new version in between.
fn release(number: u32) -> Command {
    let mut command = Command::new(example("two_releases"));
    command.env("WEIGHBRIDGE_RELEASE", number.to_string()).env("NO_COLOR", "1");
    command
}

/// Standard output and standard error of a command that must end with this code.
fn both(command: &mut Command, code: i32) -> (String, String) {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout:\n{out}\nstderr:\n{err}");
    (out, err)
}

fn encode(number: u32, kernel: &str, model: &Path, artifact: &Path) -> String {
    both(release(number).args(["encode", kernel]).arg(model).arg("--output").arg(artifact), 0).1
}

#[test]
fn an_artifact_of_an_older_release_decodes_to_the_same_bits_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), "m", &[8, 96], gaussian(768, 0.02, 1));
    let artifact = folder.path().join("a.safetensors");
    assert_eq!(encode(1, "grouped:block=32", &model, &artifact), "");
    let decoded = |number: u32| {
        let path = folder.path().join(format!("decoded-{number}"));
        let (_, err) = both(release(number).arg("decode").arg(&artifact).arg("--output").arg(&path), 0);
        (std::fs::read(path).unwrap(), err)
    };
    let ((old, silence), (new, note)) = (decoded(1), decoded(2));
    assert!(old == new, "the two releases decode to other bits");
    assert_eq!((silence.as_str(), note), ("", format!("note: '{}': {NOTE}\n", artifact.display())));
    let (out, err) = both(release(2).arg("verify").arg(&artifact).arg("--original").arg(&model), 0);
    assert!(out.contains("grouped:group=32") && !out.contains("BROKEN"), "{out}");
    assert_eq!(err.matches(NOTE).count(), 1, "{err}");
}

#[test]
fn an_artifact_of_a_newer_release_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), "m", &[8, 96], gaussian(768, 0.02, 1));
    let artifact = folder.path().join("a.safetensors");
    encode(2, "grouped:group=32", &model, &artifact);
    let (_, err) = both(release(1).arg("decode").arg(&artifact).arg("--output").arg(folder.path().join("d")), 2);
    assert!(err.contains("a.safetensors': kernel 'grouped' has no version 2; this release knows versions 1 to 1"), "{err}");
}

#[test]
fn a_file_for_an_older_version_is_migrated_with_one_note() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), "m", &[8, 96], gaussian(768, 0.02, 1));
    let (old, mixed) = (folder.path().join("old.toml"), folder.path().join("mixed.toml"));
    std::fs::write(&old, "kernel = \"grouped\"\nversion = 1\n[config]\nblock = 64\n").unwrap();
    let rule = |glob: &str| format!("[[rule]]\ntensors = \"{glob}\"\nkernel = \"grouped:block=32\"\nversion = 1\n");
    std::fs::write(&mixed, format!("version = 1\ndefault.kernel = \"grouped\"\n{}{}", rule("layer.*"), rule("*.weight*"))).unwrap();
    for (file, recorded) in [(&old, "grouped:group=64"), (&mixed, "grouped:group=32")] {
        let artifact = folder.path().join("a.safetensors");
        let given = format!("@{}", file.display());
        let err = encode(2, &given, &model, &artifact);
        assert_eq!(err.matches(NOTE).count(), 1, "{err}");
        let (out, err) = both(release(2).arg("verify").arg(&artifact).arg("--original").arg(&model), 0);
        assert!(out.contains(recorded), "{out}");
        assert_eq!(err, "", "what is written is up to date");
    }
    let (out, err) = both(release(2).args(["kernels", "show", "--toml"]).arg(format!("@{}", old.display())), 0);
    assert_eq!(out, "kernel = \"grouped\"\nversion = 2\n\n[config]\ngroup = 64\n");
    assert_eq!(err, format!("note: {NOTE}\n"));
}

#[test]
fn a_run_of_an_old_file_says_so_once_and_records_the_new_name() {
    let folder = project();
    let policy = folder.path().join("baselines/policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    let (head, rest) = text.split_once("kernels = [").unwrap();
    std::fs::write(&policy, format!("{head}kernels = []{}", rest.split_once(']').unwrap().1)).unwrap();
    let old = folder.path().join("old.toml");
    std::fs::write(&old, "kernel = \"grouped:block=64\"\nversion = 1\n").unwrap();
    let mut command = release(2);
    command.args(["run", "--fixture", "mlp-mnist", "--time-per-case", "10ms", "--root"]).arg(folder.path());
    let (_, err) = both(command.arg("--also").arg(format!("@{}", old.display())), 0);
    assert_eq!(err.matches(NOTE).count(), 1, "{err}");
    let lines = run_lines(&folder.path().join("reports"));
    assert!(lines.iter().any(|l| l["record"] == "measured" && l["case"]["kernel"] == "grouped:group=64"), "{lines:?}");
    let listed = output_of(release(2).args(["kernels", "list"]), 0);
    assert!(listed.contains("grouped") && !listed.contains("preset:"), "presets of kernels that are not there are not listed:\n{listed}");
}
