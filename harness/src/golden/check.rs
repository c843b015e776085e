//! Checks golden artifacts: each is the file that was written, and decodes to the bits that it decoded to then.

use std::path::Path;

use weighbridge::registry::Registry;
use weighbridge::simd::Level;

use super::pack::{digests, pack, unpack};
use super::{Entry, GoldenError, MODEL, Manifest};
use crate::fixture;
use crate::worker::model::Model;

/// Checks a folder's artifacts on every SIMD level of this machine; what is broken, in words. An error where files are missing.
pub fn check(folder: &Path, registry: &Registry) -> Result<Vec<String>, GoldenError> {
    let manifest = Manifest::read(folder)?;
    let mut broken = Vec::new();
    for entry in &manifest.artifacts {
        let path = folder.join(&entry.file);
        let found = fixture::sha256(&path).map_err(|e| GoldenError::Manifest { path: path.clone(), message: e.to_string() })?;
        if found != entry.sha256 {
            broken.push(format!("'{}' is not the file that was written: restore it from version control", entry.file));
            continue;
        }
        for level in Level::available() {
            match unpack(&path, registry, level) {
                Ok(tensors) => {
                    let found = digests(&tensors);
                    let all = entry.decoded_sha256.keys().chain(found.keys().filter(|name| !entry.decoded_sha256.contains_key(*name)));
                    let differ = all.filter(|name| entry.decoded_sha256.get(*name) != found.get(*name));
                    broken.extend(differ.map(|name| format!("'{}', {}: tensor '{name}' decodes to other bits", entry.file, level.name())));
                }
                Err(e) => broken.push(format!("'{}', {}: {e}", entry.file, level.name())),
            }
        }
    }
    Ok(broken)
}

/// Whether today's encoder writes the bytes of this entry's file.
pub fn encoded_today(folder: &Path, entry: &Entry, registry: &Registry) -> Result<bool, GoldenError> {
    let path = folder.join(MODEL);
    let model =
        Model::open(&path, u64::MAX).and_then(Model::into_tensors).map_err(|e| GoldenError::Manifest { path, message: e.to_string() })?;
    let scratch = tempfile::tempdir().map_err(|source| GoldenError::Io { path: std::env::temp_dir(), source })?;
    let made = scratch.path().join("made.safetensors");
    let kernel = registry.parse(&entry.spec)?;
    pack(&model, kernel.as_ref(), entry.calibrated, &made)?;
    let read = |path: &Path| std::fs::read(path).map_err(|source| GoldenError::Io { path: path.to_owned(), source });
    Ok(read(&made)? == read(&folder.join(&entry.file))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighbridge::artifact::{FORMAT, Tensor};
    use weighbridge::pipeline::STAGES;

    use crate::golden::{MANIFEST, folder, tensors};

    /// The committed artifacts of the format that is written today.
    fn committed() -> std::path::PathBuf {
        folder(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap(), FORMAT)
    }

    #[test]
    fn every_golden_artifact_decodes_to_the_bits_it_always_did() {
        for format in 1..=FORMAT {
            let folder = folder(Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap(), format);
            assert_eq!(check(&folder, &Registry::default()).unwrap(), Vec::<String>::new());
        }
    }

    #[test]
    fn every_kernel_and_every_stage_has_a_golden_artifact() {
        let manifest = Manifest::read(&committed()).unwrap();
        for entry in Registry::default().entries() {
            let (id, version) = (entry.info.id, entry.info.version);
            assert!(
                manifest.entry(id, version, false).is_some(),
                "no golden artifact of '{id}', version {version}: 'weighbridge golden add'"
            );
        }
        for stage in STAGES {
            let follows = |e: &Entry| e.spec.split('|').skip(1).any(|s| s.split(':').next() == Some(stage.info.id));
            assert!(manifest.artifacts.iter().any(follows), "no golden artifact of a pipeline with '{}'", stage.info.id);
        }
    }

    #[test]
    fn todays_encoder_writes_the_same_bytes_or_the_manifest_says_why_not() {
        let (folder, registry) = (committed(), Registry::default());
        let mut wrong = Vec::new();
        for entry in Manifest::read(&folder).unwrap().artifacts {
            match (encoded_today(&folder, &entry, &registry).unwrap(), &entry.encoder_changed) {
                (false, None) => wrong
                    .push(format!("'{}': other bytes; a new layout needs a new version, a better choice 'encoder-changed'", entry.spec)),
                (true, Some(why)) => wrong.push(format!("'{}': the same bytes, while the manifest says '{why}'", entry.spec)),
                _ => {}
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn the_model_is_what_the_code_makes_and_holds_what_its_documentation_says() {
        let mut made = tensors().unwrap();
        made.sort_by(|a, b| a.raw().0.cmp(b.raw().0));
        assert_eq!(Model::open(&committed().join(MODEL), u64::MAX).and_then(Model::into_tensors).unwrap(), made);
        let dtypes: Vec<_> = made.iter().map(|t| t.raw().1).collect();
        assert!(["F32", "F16", "BF16", "I64"].iter().all(|d| dtypes.contains(d)), "{dtypes:?}");
        assert!(made.iter().any(|t| matches!(t, Tensor::Weights(w) if w.info().shape == [5, 131])));
    }

    #[test]
    fn files_that_changed_are_told_from_decoders_that_did() {
        let copy = tempfile::tempdir().unwrap();
        for name in [MANIFEST, MODEL, "q8_0.safetensors"] {
            std::fs::copy(committed().join(name), copy.path().join(name)).unwrap();
        }
        let path = copy.path().join(MANIFEST);
        let text = std::fs::read_to_string(&path).unwrap();
        let at = text.find("[[artifacts]]\nspec = \"q8_0\"").unwrap();
        let header = &text[..text.find("[[artifacts]]").unwrap()];
        let rest = &text[at..];
        let text = format!("{header}{}", &rest[..rest[1..].find("[[artifacts]]\n").map_or(rest.len(), |end| end + 1)]);
        std::fs::write(&path, &text).unwrap();
        let check = || check(copy.path(), &Registry::default()).unwrap();
        assert_eq!(check(), Vec::<String>::new());

        // As if the decoder gave other bits than it did then.
        let entry = Manifest::read(copy.path()).unwrap().artifacts.remove(0);
        std::fs::write(&path, text.replace(&entry.decoded_sha256["odd.weight"], &"0".repeat(64))).unwrap();
        let broken = check();
        assert_eq!(broken.len(), Level::available().len());
        assert!(broken[0].contains("'odd.weight' decodes to other bits"), "{broken:?}");

        std::fs::write(&path, &text).unwrap();
        let artifact = copy.path().join("q8_0.safetensors");
        let mut bytes = std::fs::read(&artifact).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&artifact, bytes).unwrap();
        assert!(matches!(check().as_slice(), [one] if one.contains("not the file that was written")));
    }
}
