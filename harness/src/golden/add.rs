//! Adds golden artifacts: those that are missing, and none that is there.

use std::path::Path;

use weighbridge::artifact::{Tensor, write_tensors};
use weighbridge::conformance::promise_kept;
use weighbridge::kernel::AnyKernel;
use weighbridge::registry::Registry;
use weighbridge::simd::Level;

use super::pack::{digests, pack, unpack};
use super::{Entry, GoldenError, MANIFEST, MODEL, Manifest, tensors};
use crate::fixture;
use crate::worker::model::Model;

/// What was done about an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Added {
    /// It is new, and the manifest lists it.
    New(String),
    /// The manifest listed it, the file was missing, and it was made again, byte for byte.
    Restored(String),
}

/// Adds the artifact of one specification; an error where there is one.
pub fn add(folder: &Path, spec: &str, calibrated: bool, registry: &Registry) -> Result<Added, GoldenError> {
    let (manifest, model) = open(folder)?;
    let kernel = registry.parse(spec)?;
    let version = kernel.info().version;
    let path = folder.join(Entry::file_name(&kernel.spec(), version, calibrated));
    if manifest.entry(&kernel.spec(), version, calibrated).is_some() || path.exists() {
        return Err(GoldenError::Exists { path });
    }
    new(folder, kernel.as_ref(), calibrated, &model, registry)
}

/// Adds what is missing: files that the manifest lists, where today's encoder still writes the same bytes, and an artifact of each kernel
/// that has none of its present version.
pub fn add_missing(folder: &Path, registry: &Registry) -> Result<Vec<Added>, GoldenError> {
    let (manifest, model) = open(folder)?;
    let mut added = Vec::new();
    for entry in &manifest.artifacts {
        let path = folder.join(&entry.file);
        if path.exists() {
            continue;
        }
        let kernel = registry.parse(&entry.spec)?;
        let scratch = tempfile::tempdir_in(folder).map_err(|source| GoldenError::Io { path: folder.to_owned(), source })?;
        let made = scratch.path().join("made.safetensors");
        pack(&model, kernel.as_ref(), entry.calibrated, &made)?;
        if digest_of(&made)? != entry.sha256 {
            return Err(GoldenError::Lost { path });
        }
        std::fs::rename(&made, &path).map_err(|source| GoldenError::Io { path, source })?;
        added.push(Added::Restored(entry.spec.clone()));
    }
    for entry in registry.entries() {
        if manifest.entry(entry.info.id, entry.info.version, false).is_none() {
            let kernel = entry.build(serde_json::Map::new())?;
            added.push(new(folder, kernel.as_ref(), false, &model, registry)?);
        }
    }
    Ok(added)
}

/// The manifest and the model; makes both where the folder is new.
fn open(folder: &Path) -> Result<(Manifest, Vec<Tensor>), GoldenError> {
    let (manifest_path, model_path) = (folder.join(MANIFEST), folder.join(MODEL));
    if !manifest_path.exists() {
        std::fs::create_dir_all(folder).map_err(|source| GoldenError::Io { path: folder.to_owned(), source })?;
        if model_path.exists() {
            return Err(GoldenError::Manifest { path: manifest_path, message: "is missing, while its model is there".to_owned() });
        }
        let message = |e: weighbridge::error::WeightsError| GoldenError::Manifest { path: model_path.clone(), message: e.to_string() };
        write_tensors(&model_path, tensors().map_err(message)?.iter())?;
        Manifest::create(folder, &digest_of(&model_path)?)?;
    }
    let manifest = Manifest::read(folder)?;
    let model = Model::open(&model_path, u64::MAX)
        .and_then(Model::into_tensors)
        .map_err(|e| GoldenError::Manifest { path: model_path, message: e.to_string() })?;
    Ok((manifest, model))
}

/// Packs, makes sure that what comes back is what the kernel promises, and lists it.
fn new(folder: &Path, kernel: &dyn AnyKernel, calibrated: bool, model: &[Tensor], registry: &Registry) -> Result<Added, GoldenError> {
    let (spec, kernel_version) = (kernel.spec(), kernel.info().version);
    let file = Entry::file_name(&spec, kernel_version, calibrated);
    let path = folder.join(&file);
    if path.exists() {
        return Err(GoldenError::Exists { path });
    }
    pack(model, kernel, calibrated, &path)?;
    let decoded = unpack(&path, registry, Level::Scalar)?;
    for (before, after) in model.iter().zip(&decoded) {
        let kept = match (before, after) {
            (Tensor::Weights(before), Tensor::Weights(after)) if before.bytes() != after.bytes() => {
                promise_kept(&kernel.promise(before), 1.0, before, after)
            }
            (before, after) if before == after => Ok(()),
            _ => Err("passed through, and came back as another".to_owned()),
        };
        if let Err(message) = kept {
            let _ = std::fs::remove_file(&path);
            return Err(GoldenError::Broken { spec, tensor: before.raw().0.to_owned(), message });
        }
    }
    let entry = Entry {
        spec: spec.clone(),
        kernel_version,
        calibrated,
        sha256: digest_of(&path)?,
        file,
        encoder_changed: None,
        decoded_sha256: digests(&decoded),
    };
    Manifest::append(folder, &[entry])?;
    Ok(Added::New(spec))
}

fn digest_of(path: &Path) -> Result<String, GoldenError> {
    fixture::sha256(path).map_err(|e| GoldenError::Manifest { path: path.to_owned(), message: e.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::golden::check;

    fn listed(folder: &Path) -> Vec<String> {
        Manifest::read(folder).unwrap().artifacts.into_iter().map(|e| e.file).collect()
    }

    #[test]
    fn what_is_there_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, registry) = (folder.path(), Registry::default());
        assert_eq!(add(folder, "int4:group=128", false, &registry).unwrap(), Added::New("int4".into()));
        let (manifest, artifact) = (folder.join(MANIFEST), folder.join("int4.safetensors"));
        let before = (std::fs::read(&manifest).unwrap(), std::fs::read(&artifact).unwrap());
        for spec in ["int4", "int4:group=128"] {
            let error = add(folder, spec, false, &registry).unwrap_err().to_string();
            assert!(error.contains("never replaced"), "{error}");
        }
        assert_eq!((std::fs::read(&manifest).unwrap(), std::fs::read(&artifact).unwrap()), before);
        // Neither is a file that no manifest lists.
        std::fs::write(folder.join("int8.safetensors"), "precious").unwrap();
        assert!(matches!(add(folder, "int8", false, &registry), Err(GoldenError::Exists { .. })));
        assert_eq!(std::fs::read(folder.join("int8.safetensors")).unwrap(), b"precious");
        add(folder, "gptq", true, &registry).unwrap();
        assert_eq!(listed(folder), ["int4.safetensors", "gptq-calibrated.safetensors"]);
        assert!(std::fs::read(&manifest).unwrap().starts_with(&before.0));
    }

    #[test]
    fn what_is_missing_is_made_again_or_said_to_be_lost() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, registry) = (folder.path(), Registry::default());
        add_missing(folder, &registry).unwrap();
        assert_eq!(listed(folder).len(), registry.entries().len());
        assert_eq!(add_missing(folder, &registry).unwrap(), []);
        let artifact = folder.join("q4_k.safetensors");
        std::fs::remove_file(&artifact).unwrap();
        assert!(check(folder, &registry).unwrap_err().to_string().contains("q4_k.safetensors"));
        assert_eq!(add_missing(folder, &registry).unwrap(), [Added::Restored("q4_k".into())]);
        assert_eq!(check(folder, &registry).unwrap(), Vec::<String>::new());
        // An encoder that has changed since: the recorded digest is another.
        let text = std::fs::read_to_string(folder.join(MANIFEST)).unwrap();
        let digest = Manifest::read(folder).unwrap().entry("q4_k", 1, false).unwrap().sha256.clone();
        std::fs::write(folder.join(MANIFEST), text.replace(&digest, &"0".repeat(64))).unwrap();
        std::fs::remove_file(&artifact).unwrap();
        let error = add_missing(folder, &registry).unwrap_err().to_string();
        assert!(error.contains("q4_k.safetensors") && error.contains("version control") && !artifact.exists(), "{error}");
    }
}
