//! What a model answered, and the file that keeps it.
//!
//! The file is plain safetensors: `values` (F32, rows × width), `groups` (U32, rows of each item), `layout` (U32: version of this layout),
//! `data` (U8: the SHA-256 of the evaluation data, in hex). Where sequences were written, `sequences` (U32, one after the other) and `lengths` (U32).

use std::path::Path;

use weighbridge::artifact::{Tensor, write_tensors};
use weighbridge::safefile::SafeFile;
use weighbridge::weights::{Values, Weights};

use super::EvaluateError;

/// Version of the stored form.
const VERSION: u32 = 2;

/// What a network made of every item, in the data's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Outputs {
    /// Numbers a row: classes, or dimensions of an embedding.
    pub width: usize,
    /// Rows × width, row-major: logits, or embeddings.
    pub values: Vec<f32>,
    /// Rows that each item made: the characters of a window, the chunks of a clip, or 1. Items are independent of each other.
    pub groups: Vec<usize>,
    /// What was written for each item, where the task is to write; else empty.
    pub sequences: Vec<Vec<u32>>,
    /// SHA-256 of the evaluation data, in hex.
    pub data: String,
}

impl Outputs {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.values.len() / self.width.max(1)
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.values[i * self.width..(i + 1) * self.width]
    }

    /// First row of each group, and the number of rows.
    pub(super) fn starts(&self) -> Vec<usize> {
        let ends = self.groups.iter().scan(0, |end, rows| {
            *end += rows;
            Some(*end)
        });
        std::iter::once(0).chain(ends).collect()
    }

    /// What is wrong with the fields, if anything.
    pub(super) fn fault(&self) -> Option<String> {
        let rows = self.groups.iter().sum::<usize>();
        if rows == 0 || self.width == 0 || self.groups.contains(&0) {
            return Some(format!("{} items with {rows} rows of {} numbers", self.groups.len(), self.width));
        }
        if self.width.checked_mul(rows) != Some(self.values.len()) {
            return Some(format!("{} numbers for {rows} rows of {}", self.values.len(), self.width));
        }
        let written = self.sequences.len();
        (written != 0 && written != self.groups.len()).then(|| format!("{written} sequences for {} items", self.groups.len()))
    }

    /// Stores the outputs; the file appears whole or not at all.
    pub fn save(&self, path: &Path) -> Result<(), EvaluateError> {
        let invalid = |message: String| EvaluateError::Outputs { path: path.to_owned(), message };
        self.fault().map_or(Ok(()), |message| Err(invalid(message)))?;
        let counts = |counts: &mut dyn Iterator<Item = usize>| counts.map(u32::try_from).collect::<Result<Vec<_>, _>>();
        let groups = counts(&mut self.groups.iter().copied()).map_err(|e| invalid(e.to_string()))?;
        let lengths = counts(&mut self.sequences.iter().map(Vec::len)).map_err(|e| invalid(e.to_string()))?;
        let values = Weights::new("values", vec![self.rows(), self.width], Values::F32(self.values.clone()));
        let mut tensors = vec![
            Tensor::Weights(values.map_err(|e| invalid(e.to_string()))?),
            integers("groups", vec![groups.len()], &groups),
            integers("layout", vec![1], &[VERSION]),
            Tensor::Other { name: "data".into(), dtype: "U8".into(), shape: vec![self.data.len()], bytes: self.data.clone().into_bytes() },
        ];
        if !self.sequences.is_empty() {
            let symbols = self.sequences.concat();
            tensors.push(integers("sequences", vec![symbols.len()], &symbols));
            tensors.push(integers("lengths", vec![lengths.len()], &lengths));
        }
        Ok(write_tensors(path, tensors.iter())?)
    }

    /// Reads stored outputs.
    pub fn load(path: &Path) -> Result<Self, EvaluateError> {
        let invalid = |message: String| EvaluateError::Outputs { path: path.to_owned(), message };
        let file = SafeFile::open(path)?;
        match read_integers(&file, "layout")?[..] {
            [VERSION] => {}
            [version, ..] => return Err(invalid(format!("layout version {version}; this release reads {VERSION}"))),
            [] => return Err(invalid("'layout' is empty".to_owned())),
        }
        let values = file.weights("values")?;
        let mut sequences = Vec::new();
        if file.names().iter().any(|name| name == "sequences") {
            let symbols = read_integers(&file, "sequences")?;
            let mut rest = symbols.as_slice();
            for length in read_integers(&file, "lengths")? {
                let split = rest.split_at_checked(length as usize);
                let (sequence, after) = split.ok_or_else(|| invalid("'sequences' is shorter than 'lengths' say".to_owned()))?;
                sequences.push(sequence.to_vec());
                rest = after;
            }
        }
        let outputs = Self {
            width: values.info().rows_cols().1,
            values: values.to_f32().into_owned(),
            groups: read_integers(&file, "groups")?.into_iter().map(|n| n as usize).collect(),
            sequences,
            data: String::from_utf8(file.bytes("data")?).map_err(|e| invalid(e.to_string()))?,
        };
        outputs.fault().map_or(Ok(outputs), |message| Err(invalid(message)))
    }
}

/// A U32 tensor.
pub(super) fn integers(name: &str, shape: Vec<usize>, values: &[u32]) -> Tensor {
    let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Tensor::Other { name: name.to_owned(), dtype: "U32".to_owned(), shape, bytes }
}

/// The values of a U32 tensor.
pub(super) fn read_integers(file: &SafeFile, name: &str) -> Result<Vec<u32>, EvaluateError> {
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
        let values = (0..12u8).map(f32::from).collect();
        let sequences = vec![vec![7, 8], vec![], vec![9]];
        Outputs { width: 3, values, groups: vec![1, 2, 1], sequences, data: "0123abcd".to_owned() }
    }

    #[test]
    fn outputs_come_back_from_their_file() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("original.safetensors");
        let silent = Outputs { sequences: vec![], ..sample() };
        silent.save(&path).unwrap();
        assert_eq!(Outputs::load(&path).unwrap(), silent);
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
            Outputs { groups: vec![1, 2], ..sample() },
            Outputs { groups: vec![0, 2, 2], ..sample() },
            Outputs { groups: vec![], values: vec![], ..sample() },
            Outputs { width: 4, ..sample() },
            Outputs { width: 0, ..sample() },
            Outputs { sequences: vec![vec![]], ..sample() },
        ];
        for outputs in broken {
            assert!(matches!(outputs.save(path), Err(EvaluateError::Outputs { .. })), "{outputs:?}");
        }
    }

    #[test]
    fn groups_start_where_the_ones_before_end() {
        assert_eq!(sample().starts(), [0, 1, 3, 4]);
    }
}
