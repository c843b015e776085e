//! Mixed pipelines, presets and definition files, as users meet them.

use std::path::{Path, PathBuf};

use weighbridge::artifact::{Tensor, write_tensors};
use weighbridge::sample::gaussian;
use weighbridge::weights::{Values, Weights};

use crate::support::{error_of, output_of, project, repository, run_lines, weighbridge};

const MIX: &str = r#"
version = 1
summary = "what the tests use"
default.kernel = "q4_0"

[[rule]]
tensors = ["*.attn.*", "*.self_attn.*"]
kernel = "q8_0"

[[rule]]
tensors = "h.*"
kernel = "int4"
version = 1
config = { group = 64 }
stages = ["zstd"]

[[rule]]
tensors = "h.?.attn.*"
kernel = "int8"

[[rule]]
tensors = "lstm.*"
kernel = "int8"
"#;

/// A model of a few matrices and a vector.
fn model(folder: &Path) -> PathBuf {
    let path = folder.join("model.safetensors");
    let tensor = |name: &str, shape: &[usize], seed: u64| {
        let values = gaussian(shape.iter().product(), 0.02, seed);
        Tensor::Weights(Weights::new(name, shape.to_vec(), Values::F32(values)).unwrap())
    };
    let tensors = [
        tensor("h.0.attn.qkv", &[24, 64], 1),
        tensor("h.0.mlp.fc", &[16, 64], 2),
        tensor("h.0.mlp.fc.bias", &[16], 3),
        tensor("wte", &[10, 64], 4),
    ];
    write_tensors(&path, tensors.iter()).unwrap();
    path
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    format!("@{}", path.display())
}

#[test]
fn each_tensor_gets_its_kernel_and_the_artifact_outlives_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (model, artifact) = (model(folder.path()), folder.path().join("a.safetensors"));
    let mix = write(folder.path(), "gpt.toml", MIX);
    let output = weighbridge().args(["encode", &mix]).arg(&model).arg("--output").arg(&artifact).output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success(), "{err}");
    for line in [
        "int4:group=64|zstd: 1 tensors, ",
        "q4_0: 1 tensors, 360 bytes",
        "q8_0: 1 tensors, 1632 bytes",
        "passed through unchanged: 'h.0.mlp.fc.bias'",
    ] {
        assert!(out.contains(line), "no '{line}' in:\n{out}");
    }
    let warnings: Vec<&str> = err.lines().collect();
    assert_eq!(warnings.len(), 2, "{err}");
    assert!(
        warnings[0].starts_with("warning: mixed:gpt@")
            && warnings[0].contains("model.safetensors': rule 3 ('h.?.attn.*') takes no tensor: rule 1")
    );
    assert!(warnings[1].ends_with("model.safetensors': rule 4 ('lstm.*') matches no tensor"), "{err}");

    std::fs::remove_file(folder.path().join("gpt.toml")).unwrap();
    let verified = output_of(weighbridge().arg("verify").arg(&artifact).arg("--original").arg(&model), 0);
    assert!(verified.contains("mixed:gpt@") && verified.contains("h.0.attn.qkv F32 [24, 64]: 1632 bytes, q8_0"), "{verified}");
    output_of(weighbridge().arg("decode").arg(&artifact).arg("--output").arg(folder.path().join("d")), 0);
    let by_name = verified.split_whitespace().find(|w| w.starts_with("mixed:gpt@")).unwrap().trim_end_matches(',');
    let error = error_of(weighbridge().args(["encode", by_name]).arg(&model).arg("--output").arg(&artifact), 2);
    assert!(error.contains("stands in a file; give the file, as '@FILE'"), "{error}");
}

#[test]
fn an_artifact_that_breaks_the_promise_of_one_rule_is_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let (good, artifact) = (model(folder.path()), folder.path().join("a.safetensors"));
    output_of(weighbridge().args(["encode", &write(folder.path(), "gpt.toml", MIX)]).arg(&good).arg("--output").arg(&artifact), 0);
    let mut bytes = std::fs::read(&artifact).unwrap();
    // The first tensor's codes come first in the file, behind the header.
    let data = 8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    bytes[data + 20] ^= 0x40;
    std::fs::write(&artifact, bytes).unwrap();
    let broken = output_of(weighbridge().arg("verify").arg(&artifact).arg("--original").arg(&good), 6);
    assert!(broken.contains("BROKEN: tensor 'h.0.attn.qkv'") && !broken.contains("BROKEN: tensor 'wte'"), "{broken}");
}

#[test]
fn a_suite_may_name_a_file_and_its_cases_are_accepted_compared_and_missed() {
    let folder = project();
    let root = folder.path();
    std::fs::create_dir(root.join("mixes")).unwrap();
    let file = root.join("mixes/mine.toml");
    let rules = "version = 1\ndefault.kernel = \"q4_0\"\n[[rule]]\ntensors = \"fc1.*\"\nkernel = \"int8\"\n";
    std::fs::write(&file, rules).unwrap();
    let policy = root.join("baselines/policy.toml");
    let text = std::fs::read_to_string(&policy).unwrap();
    let (head, rest) = text.split_once("kernels = [").unwrap();
    let kernels = "kernels = [\"@mixes/mine.toml\", \"preset:fast\"]";
    std::fs::write(&policy, format!("{head}{kernels}{}", rest.split_once(']').unwrap().1)).unwrap();
    for entry in ["mini.jsonl", "mini-times.jsonl"] {
        std::fs::remove_file(root.join("baselines").join(entry)).unwrap();
    }
    let command = |arguments: &[&str]| {
        let mut command = weighbridge();
        command.args(arguments).arg("--root").arg(root);
        command
    };
    let run = ["run", "--quiet", "--fixture", "mlp-mnist", "--time-per-case", "10ms"];
    output_of(&mut command(&run), 0);
    output_of(&mut command(&["baseline", "accept", "--yes"]), 0);
    let baseline = std::fs::read_to_string(root.join("baselines/mini.jsonl")).unwrap();
    assert!(baseline.contains("\"kernel\":\"mixed:mine@") && baseline.contains("\"kernel\":\"preset:fast\""), "{baseline}");
    let gate = ["gate", "--quiet", "--fixture", "mlp-mnist", "--time-per-case", "10ms"];
    std::fs::write(&file, format!("# The same, with a comment.\n{rules}")).unwrap();
    let passed = output_of(&mut command(&gate), 0);
    assert!(passed.contains("mixed:mine@") && passed.contains("pass: nothing got worse"), "{passed}");
    std::fs::write(&file, rules.replace("int8", "q8_0")).unwrap();
    let missed = output_of(&mut command(&gate), 4);
    assert!(missed.contains("missing") && missed.contains("new"), "{missed}");
}

#[test]
fn a_run_takes_files_and_presets_and_warns_of_rules_that_no_fixture_has_a_tensor_for() {
    let folder = project();
    let mix = write(folder.path(), "mine.toml", MIX);
    let mut command = weighbridge();
    command.args(["run", "--also", &mix, "--also", "preset:balanced|entropy", "--kernel", "mixed", "--kernel", "preset:*entropy"]);
    command.args(["--fixture", "*-mnist", "--time-per-case", "10ms", "--root"]).arg(folder.path());
    let output = command.output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{err}");
    let warnings: Vec<&str> = err.lines().filter(|l| l.starts_with("warning: ")).collect();
    assert_eq!(warnings.len(), 4, "{err}");
    assert!(warnings.iter().all(|w| w.contains(" on cnn-mnist, mlp-mnist: rule ")), "{err}");
    let lines = run_lines(&folder.path().join("reports"));
    let measured = lines.iter().filter(|l| l["record"] == "measured").map(|l| l["case"]["kernel"].as_str().unwrap());
    let mut kernels: Vec<&str> = measured.collect();
    kernels.sort_unstable();
    assert_eq!(kernels.len(), 4, "{kernels:?}");
    assert!(kernels[0].starts_with("mixed:mine@") && kernels[2] == "preset:balanced|entropy", "{kernels:?}");
}

#[test]
fn a_preset_that_no_tensor_of_the_model_is_known_to_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let artifact = folder.path().join("a.safetensors");
    let encode = |model: &Path| {
        let output = weighbridge().args(["encode", "preset:balanced"]).arg(model).arg("--output").arg(&artifact).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    assert_eq!(encode(&model(folder.path())), "", "one rule matches, which is what rules for many models are like");
    let plain = repository().join("fixtures/weights/mlp-mnist.safetensors");
    let warning = format!("warning: preset:balanced on '{}': no rule matches a tensor, so its default takes them all\n", plain.display());
    assert_eq!(encode(&plain), warning);
}

#[test]
fn files_that_are_wrong_are_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let refused = |text: &str| {
        let file = write(folder.path(), "wrong.toml", text);
        let artifact = folder.path().join("a.safetensors");
        let error = error_of(weighbridge().args(["encode", &file]).arg(&model).arg("--output").arg(&artifact), 2);
        assert!(error.contains("wrong.toml': ") && error.contains("hint: ") && !artifact.exists(), "{error}");
        error
    };
    assert!(refused(&MIX.replace("kernel = \"int8\"", "kernal = \"int8\"")).contains("unknown field `kernal`"));
    assert!(
        refused(&MIX.replace("group = 64", "group = 65")).contains("rule 2 ('h.*'): kernel 'int4': group is 65; it must be 32, 64 or 128")
    );
    assert!(refused(&MIX.replace("version = 1\nconfig", "version = 7\nconfig")).contains("kernel 'int4' has no version 7"));
    assert!(refused(&MIX.replace("\"lstm.*\"", "\"lstm.[\"")).contains("'lstm.[' is not a glob"));
    assert!(
        refused(&MIX.replace("\nversion = 1\nsummary", "\nversion = 9\nsummary"))
            .contains("it has version 9; this release reads version 1")
    );
    let gone = format!("@{}", folder.path().join("gone.toml").display());
    let error = error_of(weighbridge().args(["kernels", "show", &gone]), 2);
    assert!(error.contains("cannot read") && error.contains("gone.toml"), "{error}");
    let unknown = error_of(weighbridge().args(["kernels", "show", "preset:best"]), 2);
    assert!(unknown.contains("unknown preset 'best'; known presets: fast, balanced, quality"), "{unknown}");
}

fn show(arguments: &[&str]) -> String {
    output_of(weighbridge().args(["kernels", "show"]).args(arguments), 0)
}

#[test]
fn a_preset_is_shown_with_its_rules() {
    insta::assert_snapshot!(show(&["preset:balanced"]));
}

#[test]
fn a_pipeline_is_shown_with_the_parameters_of_all_its_links() {
    insta::assert_snapshot!(show(&["int4:group=64|entropy|zstd:level=9"]));
}

#[test]
fn stages_are_shown_alone() {
    assert!(show(&["entropy"]).starts_with("entropy: canonical Huffman codes"));
    let stage = show(&["|zstd:level=7"]);
    assert!(stage.contains("level = 1 to 19 (default 3, here 7)") && stage.contains("'KERNEL|zstd:level=7'"), "{stage}");
    let kernel = show(&["zstd"]);
    assert!(kernel.contains("byte planes") && kernel.contains("'weighbridge kernels show \"|zstd\"'"), "{kernel}");
    assert!(error_of(weighbridge().args(["kernels", "show", "|lzma"]), 2).contains("unknown stage 'lzma'"));
    assert!(error_of(weighbridge().args(["kernels", "show", "entropy:x=1"]), 2).contains("stage 'entropy' has no parameter 'x'"));
}

#[test]
fn what_takes_each_tensor_of_a_model_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(folder.path());
    let table = show(&["preset:balanced", "--model", model.to_str().unwrap()]);
    let line =
        |name: &str| table.lines().find(|l| l.trim_start().starts_with(name)).unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(line("h.0.attn.qkv"), "h.0.attn.qkv F32 [24, 64] 2 q5_k");
    assert_eq!(line("h.0.mlp.fc "), "h.0.mlp.fc F32 [16, 64] q4_k");
}

#[test]
fn what_is_printed_as_a_file_makes_the_same_kernel_again() {
    let folder = tempfile::tempdir().unwrap();
    let mix = write(folder.path(), "mix.toml", MIX);
    for kernel in ["int8", "int4:group=64|zstd:level=9", "vptq:permute=true,seed=7", "hyper-lattice:side=4.5", "preset:fast|entropy", &mix]
    {
        let printed = show(&[kernel, "--toml"]);
        let again = write(folder.path(), "again.toml", &printed);
        assert_eq!(show(&[&again, "--toml"]), printed, "{kernel}");
        let name = |kernel: &str| show(&[kernel]).lines().next().unwrap().to_owned();
        if !kernel.starts_with("preset") && !kernel.starts_with('@') {
            assert_eq!(name(&again), name(kernel));
        }
    }
    let preset = show(&["preset:balanced", "--toml"]);
    assert_eq!(preset, std::fs::read_to_string(repository().join("src/pipeline/presets/balanced.toml")).unwrap());
    let mine = show(&[&write(folder.path(), "balanced.toml", &preset)]);
    let rules = |text: &str| {
        text.split_once("\n\n")
            .unwrap()
            .1
            .lines()
            .take_while(|l| !l.starts_with("its file says"))
            .collect::<Vec<_>>()
            .join("\n")
            .trim()
            .to_owned()
    };
    assert_eq!(rules(&mine), rules(&show(&["preset:balanced"])));
    assert!(mine.starts_with("mixed:balanced@"), "{mine}");
}

#[test]
fn presets_and_stages_are_listed_with_the_kernels() {
    let json: serde_json::Value = serde_json::from_str(&output_of(weighbridge().args(["kernels", "list", "--format", "json"]), 0)).unwrap();
    let find = |name: &str| json.as_array().unwrap().iter().find(|k| k["kernel"] == name).unwrap_or_else(|| panic!("{name}"));
    for preset in ["preset:fast", "preset:balanced", "preset:quality"] {
        assert!(find(preset)["summary"].as_str().unwrap().starts_with("about "), "{preset}");
    }
    assert_eq!(find("KERNEL|zstd")["parameters"], "level");
}
