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
    assert!(printed.contains("3275104 to ") || printed.contains("to "), "{printed}");
    output_of(weighbridge().arg("decode").arg(&artifact).arg("--output").arg(&decoded), 0);
    let (before, after) = (SafeFile::open(&original).unwrap(), SafeFile::open(&decoded).unwrap());
    for name in before.names() {
        assert_eq!(before.bytes(&name).unwrap(), after.bytes(&name).unwrap(), "{name}");
    }
    let verified = output_of(weighbridge().arg("verify").arg(&artifact).arg("--original").arg(&original), 0);
    assert!(verified.contains("decodes in a fresh process"), "{verified}");
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
