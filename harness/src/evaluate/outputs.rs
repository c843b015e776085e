//! What a model answered, and the file that keeps it.
//!
//! The file is plain safetensors: `logits` (F32, examples × classes), `targets` (U32, examples) and `layout` (U32: version of this layout,
//! examples a window).

use std::path::Path;

use weighbridge::artifact::{Tensor, write_tensors};
use weighbridge::safefile::SafeFile;
use weighbridge::weights::{Values, Weights};

use super::EvaluateError;

/// Version of the stored form.
const VERSION: u32 = 1;

/// Logits for every example, in the data's order, and the right answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    /// Number of classes.
    pub classes: usize,
    /// Examples × classes, row-major.
    pub logits: Vec<f32>,
    /// The right class of each example.
    pub targets: Vec<u32>,
    /// Consecutive examples that depend on each other: the characters of a window, or 1. Windows are independent of each other.
    pub window: usize,
}

impl Outputs {
    /// Number of examples.
    pub fn examples(&self) -> usize {
        self.targets.len()
    }

    /// Logits of example `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.logits[i * self.classes..(i + 1) * self.classes]
    }

    /// What is wrong with the fields, if anything.
    pub(super) fn fault(&self) -> Option<String> {
        let examples = self.examples();
        if examples == 0 || self.classes == 0 {
            return Some(format!("{examples} examples of {} classes", self.classes));
        }
        if self.classes.checked_mul(examples) != Some(self.logits.len()) {
            return Some(format!("{} logits for {examples} examples of {} classes", self.logits.len(), self.classes));
        }
        if self.window == 0 || !examples.is_multiple_of(self.window) {
            return Some(format!("{examples} examples in windows of {}", self.window));
        }
        let wrong = self.targets.iter().position(|&t| t as usize >= self.classes);
        wrong.map(|i| format!("target {} of example {i} is not one of {} classes", self.targets[i], self.classes))
    }

    /// Stores the outputs; the file appears whole or not at all.
    pub fn save(&self, path: &Path) -> Result<(), EvaluateError> {
        let invalid = |message: String| EvaluateError::Outputs { path: path.to_owned(), message };
        self.fault().map_or(Ok(()), |message| Err(invalid(message)))?;
        let window = u32::try_from(self.window).map_err(|e| invalid(e.to_string()))?;
        let logits = Weights::new("logits", vec![self.examples(), self.classes], Values::F32(self.logits.clone()));
        let logits = Tensor::Weights(logits.map_err(|e| invalid(e.to_string()))?);
        let tensors = [logits, integers("targets", &self.targets), integers("layout", &[VERSION, window])];
        Ok(write_tensors(path, tensors.iter())?)
    }

    /// Reads stored outputs.
    pub fn load(path: &Path) -> Result<Self, EvaluateError> {
        let invalid = |message: String| EvaluateError::Outputs { path: path.to_owned(), message };
        let file = SafeFile::open(path)?;
        let (version, window) = match read_integers(&file, "layout")?[..] {
            [version, window] => (version, window),
            _ => return Err(invalid("'layout' does not hold two numbers".to_owned())),
        };
        if version != VERSION {
            return Err(invalid(format!("layout version {version}; this release reads {VERSION}")));
        }
        let logits = file.weights("logits")?;
        let outputs = Self {
            classes: logits.info().rows_cols().1,
            logits: logits.to_f32().into_owned(),
            targets: read_integers(&file, "targets")?,
            window: window as usize,
        };
        outputs.fault().map_or(Ok(outputs), |message| Err(invalid(message)))
    }
}

fn integers(name: &str, values: &[u32]) -> Tensor {
    let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Tensor::Other { name: name.to_owned(), dtype: "U32".to_owned(), shape: vec![values.len()], bytes }
}

fn read_integers(file: &SafeFile, name: &str) -> Result<Vec<u32>, EvaluateError> {
    let dtype = file.raw_info(name)?.dtype;
    if dtype != safetensors::Dtype::U32 {
        let message = format!("'{name}' is {dtype:?}, not U32");
        return Err(EvaluateError::Outputs { path: file.path().to_owned(), message });
    }
    let bytes = file.bytes(name)?;
    Ok(bytes.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Outputs {
        Outputs { classes: 3, logits: (0..12u8).map(f32::from).collect(), targets: vec![0, 2, 1, 1], window: 2 }
    }

    #[test]
    fn outputs_come_back_from_their_file() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("original.safetensors");
        sample().save(&path).unwrap();
        assert_eq!(Outputs::load(&path).unwrap(), sample());
        let bytes = std::fs::read(&path).unwrap();
        for length in [0, 7, 20, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            let error = Outputs::load(&path).unwrap_err().to_string();
            assert!(error.contains("original.safetensors"), "{error}");
        }
    }

    #[test]
    fn inconsistent_outputs_are_refused() {
        let path = Path::new("/nonexistent/x");
        let broken = [
            Outputs { targets: vec![0, 2, 1, 3], ..sample() },
            Outputs { window: 3, ..sample() },
            Outputs { window: 0, ..sample() },
            Outputs { classes: 4, ..sample() },
            Outputs { logits: vec![], targets: vec![], ..sample() },
        ];
        for outputs in broken {
            assert!(matches!(outputs.save(path), Err(EvaluateError::Outputs { .. })), "{outputs:?}");
        }
    }
}
