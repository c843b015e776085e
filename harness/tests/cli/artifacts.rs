//! Artifacts as users handle them: made, opened, checked, and found out when they were tampered with.

use weighbridge::safefile::SafeFile;
use weighbridge::sample::gaussian;

use crate::support::{error_of, model, output_of, repository, weighbridge};

#[test]
fn a_real_model_goes_there_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let original = repository().join("fixtures/weights/gpt-moby.safetensors");
    let (artifact, decoded) = (folder.path().join("a.safetensors"), folder.path().join("d.safetensors"));
    let printed = output_of(weighbridge().args(["encode", "zstd"]).arg(&original).arg("--output").arg(&artifact), 0);
    let input_bytes: usize = {
        let file = SafeFile::open(&original).unwrap();
        file.names().iter().map(|n| file.bytes(n).unwrap().len()).sum()
    };
    let artifact_bytes = std::fs::metadata(&artifact).unwrap().len();
    assert!(printed.contains(&format!(": {input_bytes} to {artifact_bytes} bytes, 1.")), "{printed}");
    output_of(weighbridge().arg("decode").arg(&artifact).arg("--output").arg(&decoded), 0);
    let (before, after) = (SafeFile::open(&original).unwrap(), SafeFile::open(&decoded).unwrap());
    for name in before.names() {
        assert_eq!(before.bytes(&name).unwrap(), after.bytes(&name).unwrap(), "{name}");
    }
    let verified = output_of(weighbridge().arg("verify").arg(&artifact).arg("--original").arg(&original), 0);
    assert!(verified.contains("decodes in a fresh process"), "{verified}");
}

#[test]
fn cell_lists_change_the_time_of_encode_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let (cache, lists) = (folder.path().join("cache"), folder.path().join("cache/seedlm-lists/1.bin"));
    let large = model(folder.path(), "large", &[1024, 1024], gaussian(1 << 20, 0.02, 1));
    let encode = |name: &str, more: &[&str]| {
        let artifact = folder.path().join(name);
        let mut command = weighbridge();
        command.env("WEIGHBRIDGE_CACHE", &cache).args(["encode", "seedlm"]).arg(&large).arg("--output").arg(&artifact).args(more);
        output_of(&mut command, 0);
        std::fs::read(artifact).unwrap()
    };
    let scanned = encode("scanned", &[]);
    assert!(!lists.exists(), "lists for a million weights are not worth building");
    // A worker that is given a place for lists builds and keeps them.
    weighbridge().args(["worker", "--seed-lists"]).arg(&lists).write_stdin("{\"op\":\"bye\"}\n").assert().success();
    assert!(std::fs::metadata(&lists).unwrap().len() > 100_000_000);
    assert!(encode("by-lists", &[]) == scanned && encode("without", &["--no-seed-lists"]) == scanned);
    // A damaged file is replaced, and harms nothing.
    std::fs::write(&lists, b"damaged").unwrap();
    assert!(encode("rebuilt", &[]) == scanned);
    assert!(std::fs::metadata(&lists).unwrap().len() > 100_000_000);
}

#[test]
fn an_artifact_of_another_model_or_a_plain_model_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let one = model(folder.path(), "one", &[8, 32], gaussian(256, 0.02, 1));
    let other = model(folder.path(), "other", &[8, 32], gaussian(256, 0.02, 2));
    let artifact = folder.path().join("a.safetensors");
    output_of(weighbridge().args(["encode", "int8"]).arg(&one).arg("--output").arg(&artifact), 0);
    let broken = output_of(weighbridge().arg("verify").arg(&artifact).arg("--original").arg(&other), 6);
    assert!(broken.contains("BROKEN") && broken.contains("layer.weight"), "{broken}");
    let found = output_of(weighbridge().arg("verify").arg(&one), 6);
    assert!(found.contains("one.safetensors' is not a Weighbridge artifact"), "{found}");
}

#[test]
fn an_artifact_of_a_later_format_names_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let one = model(folder.path(), "one", &[8, 32], gaussian(256, 0.02, 1));
    let artifact = folder.path().join("a.safetensors");
    output_of(weighbridge().args(["encode", "int8"]).arg(&one).arg("--output").arg(&artifact), 0);
    let text = std::fs::read(&artifact).unwrap();
    let at = text.windows(12).position(|w| w == br#"\"format\":1,"#.get(..12).unwrap()).unwrap();
    let mut later = text.clone();
    later[at + 11] = b'9';
    std::fs::write(&artifact, later).unwrap();
    let error = error_of(weighbridge().arg("verify").arg(&artifact), 2);
    assert!(error.contains("artifact format 9") && error.contains("newer release"), "{error}");
}
