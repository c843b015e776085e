//! A generated model: what decides its bytes, and writing them.

use std::path::Path;

use serde::Deserialize;
use weighbridge::error::FileError;
use weighbridge::safewriter::{Entry, SafeWriter};
use weighbridge::weights::{Dtype, TensorInfo, Weights};

use super::VERSION;
use super::architecture::Architecture;
use super::tensor::{Prepared, TensorSpec};

/// Elements that are in memory at a time.
const CHUNK_ELEMENTS: usize = 1 << 22;

/// All that decides a generated model's bytes, and their digest.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Recipe {
    /// Version of the generator.
    pub version: u32,
    /// Seed; each tensor's numbers depend on it and on the tensor's name.
    pub seed: u64,
    /// Dtype of all tensors.
    pub dtype: Dtype,
    /// SHA-256 of the safetensors file, in lower-case hex.
    pub sha256: String,
    /// The network.
    pub architecture: Architecture,
}

impl Recipe {
    /// Tensors to make; a message that names the key where the recipe makes no sense.
    pub fn tensors(&self) -> Result<Vec<TensorSpec>, String> {
        if self.version != VERSION {
            return Err(format!("key 'source.generator.version' is {}; this release makes version {VERSION}", self.version));
        }
        self.architecture.tensors(self.dtype).map_err(|e| format!("key 'source.generator': {e}"))
    }

    /// Writes the model; memory holds some megabytes at a time. `observe` is told bytes written and bytes in all.
    pub fn write(&self, specs: &[TensorSpec], path: &Path, observe: &mut dyn FnMut(u64, u64)) -> Result<(), FileError> {
        let entry = |spec: &TensorSpec| Entry {
            name: spec.info.name.clone(),
            dtype: spec.info.dtype.name().to_owned(),
            shape: spec.info.shape.clone(),
            bytes: spec.info.size_bytes() as u64,
        };
        let total = specs.iter().map(|s| s.info.size_bytes() as u64).sum();
        let mut done = 0;
        let mut writer = SafeWriter::create(path, specs.iter().map(entry))?;
        for spec in specs {
            let prepared = Prepared::new(self.version, self.seed, spec);
            let (rows, columns) = spec.info.rows_cols();
            let step = (CHUNK_ELEMENTS / columns.max(1)).max(1);
            for start in (0..rows).step_by(step) {
                let values = prepared.rows(start..rows.min(start + step));
                let info = TensorInfo { shape: vec![values.len()], ..spec.info.clone() };
                let weights = Weights::from_f32(&info, values).map_err(|source| FileError::Weights { path: path.to_owned(), source })?;
                writer.write(weights.bytes())?;
                done += weights.bytes().len() as u64;
                observe(done, total);
            }
        }
        writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighbridge::safefile::SafeFile;

    fn recipe(dtype: &str) -> Recipe {
        let text =
            format!("version = 1\nseed = 5\ndtype = '{dtype}'\nsha256 = ''\narchitecture = {{ family = 'mlp', widths = [300, 40, 7] }}\n");
        toml::from_str(&text).unwrap()
    }

    #[test]
    fn a_written_model_holds_what_was_prepared() {
        let folder = tempfile::tempdir().unwrap();
        for dtype in ["F32", "F16", "BF16"] {
            let recipe = recipe(dtype);
            let specs = recipe.tensors().unwrap();
            let path = folder.path().join(dtype);
            let mut last = (0, 0);
            recipe.write(&specs, &path, &mut |done, total| last = (done, total)).unwrap();
            assert!(last.0 == last.1 && last.0 > 0);
            let file = SafeFile::open(&path).unwrap();
            assert_eq!(file.names().len(), specs.len());
            for spec in &specs {
                let values = Prepared::new(1, 5, spec).rows(0..spec.info.shape[0]);
                assert_eq!(file.weights(&spec.info.name).unwrap(), Weights::from_f32(&spec.info, values).unwrap());
            }
        }
    }

    #[test]
    fn another_version_is_refused() {
        let recipe = Recipe { version: 2, ..recipe("F32") };
        assert!(recipe.tensors().unwrap_err().contains("'source.generator.version' is 2"));
    }
}
