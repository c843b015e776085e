//! What the tests share: the binary, project folders, models made on the spot.

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;
use weighbridge::artifact::{Tensor, write_tensors};
use weighbridge::weights::{Values, Weights};

/// The project's own folder.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// The binary, outside any project unless told otherwise.
pub fn weighbridge() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weighbridge"));
    command.env_remove("WEIGHBRIDGE_SIMD").env_remove("CI").env("NO_COLOR", "1");
    command
}

/// The example of that name; `cargo test` builds it beside the binary.
pub fn example(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_weighbridge")).parent().unwrap().join("examples").join(name);
    assert!(path.exists(), "'{}' is not built: run all tests, or 'cargo build --release --examples' first", path.display());
    path
}

/// Arguments that make a run short: two cases, a few samples.
pub const QUICK: &[&str] = &["--kernel", "int8", "--fixture", "mlp-mnist", "--time-per-case", "20ms"];

/// A project folder with the committed fixtures, and baselines of its own that start as the committed ones.
pub fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(repository().join("fixtures"), folder.path().join("fixtures")).unwrap();
    let baselines = folder.path().join("baselines");
    std::fs::create_dir(&baselines).unwrap();
    for entry in std::fs::read_dir(repository().join("baselines")).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            std::fs::copy(entry.path(), baselines.join(entry.file_name())).unwrap();
        }
    }
    folder
}

/// Every file below a folder with its contents.
pub fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|p| (p.clone(), std::fs::read(p).unwrap())).collect()
}

/// The lines of a run file as JSON.
pub fn run_lines(output: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(output.join("run.jsonl")).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

/// A model file of one f32 tensor.
pub fn model(folder: &Path, name: &str, shape: &[usize], values: Vec<f32>) -> PathBuf {
    let path = folder.join(format!("{name}.safetensors"));
    let tensor = Tensor::Weights(Weights::new("layer.weight", shape.to_vec(), Values::F32(values)).unwrap());
    write_tensors(&path, [&tensor].into_iter()).unwrap();
    path
}

/// Standard output of a command that must end with this code.
pub fn output_of(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "stdout:\n{out}\nstderr:\n{err}");
    assert!(!err.contains("panicked at") || code == 6, "a panic reached the user:\n{err}");
    out.into_owned()
}

/// Standard error of a command that must end with this code.
pub fn error_of(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "stderr:\n{err}");
    assert!(!err.contains("panicked at"), "a panic reached the user:\n{err}");
    err
}
