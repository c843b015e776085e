//! Bad input: a right result or one clear error that names the file, tensor or key; never a panic, never a silent change.

use std::path::{Path, PathBuf};

use weighbridge::safefile::SafeFile;
use weighbridge::sample::gaussian;

use crate::support::{QUICK, error_of, model, output_of, project, weighbridge};

/// Kernels of every kind: per row, grouped, blocks with f16 scales, ternary, lossless.
const KERNELS: [&str; 7] = ["int8", "int4:group=32", "q8_0", "q4_0", "bitnet", "bitnet:packing=tq1_0", "zstd"];

/// Encodes a model, decodes the artifact, and returns what encode printed and the largest relative error of a tensor.
fn round_trip(folder: &Path, kernel: &str, model: &Path) -> (String, f64) {
    let artifact = folder.join("a.safetensors");
    let decoded = folder.join("d.safetensors");
    let printed = output_of(weighbridge().arg("encode").arg(kernel).arg(model).arg("--output").arg(&artifact), 0);
    output_of(weighbridge().arg("decode").arg(&artifact).arg("--output").arg(&decoded), 0);
    output_of(weighbridge().arg("verify").arg(&artifact).arg("--original").arg(model), 0);
    let (before, after) = (SafeFile::open(model).unwrap(), SafeFile::open(&decoded).unwrap());
    assert_eq!(before.names(), after.names());
    let error = |name: String| {
        let (x, y) = (before.weights(&name).unwrap(), after.weights(&name).unwrap());
        assert_eq!(x.info(), y.info());
        weighbridge::fidelity::Fidelity::of(&x.to_f32(), &y.to_f32()).relative_error()
    };
    (printed, before.names().into_iter().map(error).fold(0.0, f64::max))
}

/// Round trips through every kernel. A tensor is either named as passed through, and then equal, or within the bound.
fn each_kernel(name: &str, shape: &[usize], values: Vec<f32>, bound: f64) {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), name, shape, values);
    for kernel in KERNELS {
        let (printed, error) = round_trip(folder.path(), kernel, &model);
        let passed = printed.contains("passed through unchanged: 'layer.weight'");
        let bound = if passed || kernel == "zstd" { 0.0 } else { bound };
        assert!(error <= bound, "{kernel} on {name}: error {error}, bound {bound}, printed:\n{printed}");
    }
}

#[test]
fn empty_tensor() {
    each_kernel("empty", &[0, 16], vec![], 0.0);
}

#[test]
fn scalar() {
    each_kernel("scalar", &[], vec![0.5], 0.0);
}

#[test]
fn one_dimension() {
    each_kernel("vector", &[40], gaussian(40, 0.02, 1), 0.0);
}

#[test]
fn three_by_seven() {
    each_kernel("3x7", &[3, 7], gaussian(21, 0.02, 1), 0.7);
}

#[test]
fn nan() {
    let mut values = gaussian(64, 0.02, 1);
    values[17] = f32::NAN;
    each_kernel("nan", &[2, 32], values.clone(), 0.0);
    let folder = tempfile::tempdir().unwrap();
    let (printed, _) = round_trip(folder.path(), "q8_0", &model(folder.path(), "nan", &[2, 32], values));
    assert!(printed.contains("'layer.weight'") && printed.contains("element 17 is NaN"), "{printed}");
}

#[test]
fn infinities() {
    for infinity in [f32::INFINITY, f32::NEG_INFINITY] {
        let mut values = gaussian(64, 0.02, 1);
        values[3] = infinity;
        each_kernel("infinity", &[2, 32], values, 0.0);
    }
}

#[test]
fn times_1e8() {
    each_kernel("large", &[4, 64], gaussian(256, 0.02, 1).into_iter().map(|x| x * 1e8).collect(), 0.7);
}

#[test]
fn times_1e_minus_30() {
    each_kernel("small", &[4, 64], gaussian(256, 0.02, 1).into_iter().map(|x| x * 1e-30).collect(), 0.7);
}

fn encode_error(model: &Path, kernel: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let artifact = folder.path().join("a.safetensors");
    let error = error_of(weighbridge().arg("encode").arg(kernel).arg(model).arg("--output").arg(&artifact), 2);
    assert!(!artifact.exists(), "nothing is left of an encode that failed");
    error
}

#[test]
fn truncated_model_and_artifact() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), "whole", &[8, 32], gaussian(256, 0.02, 1));
    let artifact = folder.path().join("a.safetensors");
    output_of(weighbridge().arg("encode").arg("int8").arg(&model).arg("--output").arg(&artifact), 0);
    for (file, command) in [(&model, "encode"), (&artifact, "decode")] {
        let bytes = std::fs::read(file).unwrap();
        let cut = folder.path().join("cut.safetensors");
        for length in [0, 7, 8, 60, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&cut, &bytes[..length]).unwrap();
            let error = if command == "encode" {
                encode_error(&cut, "int8")
            } else {
                error_of(weighbridge().arg("decode").arg(&cut).arg("--output").arg(folder.path().join("d")), 2)
            };
            assert!(error.contains("cut.safetensors"), "{error}");
        }
    }
}

#[test]
fn headers_that_lie() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lie.safetensors");
    let lie = |header: &str, data: usize| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(header.as_bytes());
        bytes.resize(bytes.len() + data, 0);
        std::fs::write(&path, bytes).unwrap();
        let error = encode_error(&path, "int8");
        assert!(error.contains("lie.safetensors"), "{error}");
    };
    let huge = u64::MAX / 2;
    lie(&format!(r#"{{"w":{{"dtype":"F32","shape":[{huge},{huge}],"data_offsets":[0,16]}}}}"#), 16);
    lie(r#"{"w":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}}"#, 16);
    lie(r#"{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"v":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}}"#, 24);
    lie(r#"{"w":{"dtype":"F32","shape":[5],"data_offsets":[0,16]}}"#, 16);
    lie(r#"{"w":{"dtype":"F99","shape":[4],"data_offsets":[0,16]}}"#, 16);
    lie("not json", 16);
    std::fs::write(&path, 126_000_000u64.to_le_bytes()).unwrap();
    assert!(encode_error(&path, "int8").contains("126000000"));
    let missing: PathBuf = folder.path().join("missing.safetensors");
    assert!(encode_error(&missing, "int8").contains("missing.safetensors"));
}

#[test]
fn unknown_kernel_key_and_value() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path(), "m", &[8, 32], gaussian(256, 0.02, 1));
    let unknown = encode_error(&model, "int5");
    assert!(unknown.contains("'int5'") && unknown.contains("int8"), "{unknown}");
    let key = encode_error(&model, "int4:groups=64");
    assert!(key.contains("'groups'") && key.contains("group"), "{key}");
    let value = encode_error(&model, "int4:group=33");
    assert!(value.contains("'int4'") && value.contains("33"), "{value}");
    let kind = encode_error(&model, "int4:group=wide");
    assert!(kind.contains("'int4'"), "{kind}");
    assert!(encode_error(&model, "int4:").contains("'int4:'"));
}

#[test]
fn unknown_policy_key_and_malformed_baseline() {
    let folder = project();
    let gate = || {
        let mut command = weighbridge();
        command.args(["gate", "--root"]).arg(folder.path()).args(QUICK);
        command
    };
    let baseline = folder.path().join("baselines/mini.jsonl");
    let text = std::fs::read_to_string(&baseline).unwrap();
    let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
    lines[4].truncate(20);
    std::fs::write(&baseline, lines.join("\n") + "\n").unwrap();
    let error = error_of(&mut gate(), 2);
    assert!(error.contains("mini.jsonl', line 5") && error.contains("restore it"), "{error}");
    std::fs::write(&baseline, text).unwrap();
    let policy = folder.path().join("baselines/policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    std::fs::write(&policy, text.replacen("\nrelative-tolerance =", "\nrelative-tolerances =", 1)).unwrap();
    let error = error_of(&mut gate(), 2);
    assert!(error.contains("policy.toml") && error.contains("relative-tolerances"), "{error}");
}

#[test]
fn filters_and_suites_that_leave_nothing() {
    let folder = project();
    let run = |arguments: &[&str]| {
        let mut command = weighbridge();
        command.args(["run", "--root"]).arg(folder.path()).args(arguments);
        error_of(&mut command, 2)
    };
    assert!(run(&["--kernel", "no-such-*"]).contains("no case of suite 'mini'"));
    assert!(run(&["--kernel", "a[b"]).contains("'a[b'"));
    assert!(run(&["--suite", "maxi"]).contains("unknown suite 'maxi'"));
    assert!(run(&["--case-timeout", "soon"]).contains("soon"));
    let elsewhere = tempfile::tempdir().unwrap();
    let error = error_of(weighbridge().arg("run").current_dir(elsewhere.path()), 2);
    assert!(error.contains("fixtures/") && error.contains("--root"), "{error}");
}

#[test]
fn a_changed_fixture_is_named() {
    let folder = project();
    let fixtures = folder.path().join("fixtures");
    std::fs::remove_file(&fixtures).unwrap();
    let copy = |from: &Path, to: &Path| {
        for entry in std::fs::read_dir(from).unwrap().map(|e| e.unwrap()) {
            if entry.file_type().unwrap().is_file() {
                std::fs::create_dir_all(to).unwrap();
                std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    };
    let source = crate::support::repository().join("fixtures");
    copy(&source, &fixtures);
    for part in ["weights", "data"] {
        copy(&source.join(part), &fixtures.join(part));
    }
    let weights = fixtures.join("weights/mlp-mnist.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    let error = error_of(weighbridge().args(["run", "--root"]).arg(folder.path()).args(QUICK), 2);
    assert!(error.contains("mlp-mnist") && error.contains("sha256") || error.contains("SHA-256"), "{error}");
}
