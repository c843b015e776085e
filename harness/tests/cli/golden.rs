//! `golden add` and `verify` over golden artifacts.

use crate::support::{contents, error_of, output_of, weighbridge};

#[test]
fn artifacts_are_added_checked_and_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["fixtures", "baselines"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    let call = |arguments: &[&str]| {
        let mut command = weighbridge();
        command.args(arguments).arg("--root").arg(folder.path());
        command
    };
    let added = output_of(&mut call(&["golden", "add", "int4", "int4|zstd"]), 0);
    assert!(added.contains("added 'int4'") && added.contains("added 'int4|zstd'") && added.contains("2 added"), "{added}");
    let golden = folder.path().join("fixtures/legacy/v1");
    let before = contents(&golden);
    assert_eq!(before.len(), 4, "two artifacts, model and manifest");

    let refused = error_of(&mut call(&["golden", "add", "int4"]), 2);
    assert!(refused.contains("int4.safetensors") && refused.contains("never replaced"), "{refused}");
    error_of(&mut call(&["golden", "add", "int5"]), 2);
    error_of(&mut call(&["golden", "add", "--calibrated"]), 2);
    assert_eq!(contents(&golden), before);

    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/../baselines/policy.toml"), folder.path().join("baselines/policy.toml")).unwrap();
    let verified = output_of(&mut call(&["verify"]), 0);
    assert!(verified.contains("golden artifacts of format 1: 2 decode to the bits they always did"), "{verified}");
    std::fs::copy(golden.join("int4+zstd.safetensors"), golden.join("int4.safetensors")).unwrap();
    let broken = output_of(&mut call(&["verify"]), 6);
    assert!(broken.contains("BROKEN: 'int4.safetensors' is not the file that was written"), "{broken}");
}
