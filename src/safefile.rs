//! Reading safetensors files tensor by tensor: the header is checked first, the data is read only where it is asked for.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::tensor::{Metadata, TensorInfo as RawInfo};

use crate::error::FileError;
use crate::weights::{Dtype, TensorInfo, Values, Weights};

/// Longest header taken, in bytes; the limit of the format's own reader.
const MAX_HEADER_BYTES: u64 = 100_000_000;

/// An open safetensors file whose header is consistent with its length.
#[derive(Debug)]
pub struct SafeFile {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    data_start: u64,
    size_bytes: u64,
}

impl SafeFile {
    /// Opens a file and checks its header: offsets in order, without gaps or overlaps, and exactly as long as the file.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let io = |source| FileError::Io { action: "read", path: path.to_owned(), source };
        let invalid = |message: String| FileError::Safetensors { path: path.to_owned(), message };
        let mut file = File::open(path).map_err(io)?;
        let size_bytes = file.metadata().map_err(io)?.len();
        let mut length = [0u8; 8];
        if size_bytes < 8 {
            return Err(invalid(format!("{size_bytes} bytes are too few for a header")));
        }
        file.read_exact(&mut length).map_err(io)?;
        let header_bytes = u64::from_le_bytes(length);
        if header_bytes > MAX_HEADER_BYTES {
            return Err(invalid(format!("it announces a header of {header_bytes} bytes; the limit is {MAX_HEADER_BYTES}")));
        }
        let data_start = 8 + header_bytes;
        if data_start > size_bytes {
            return Err(invalid(format!("truncated: the header ends at byte {data_start}, the file at {size_bytes}")));
        }
        let mut header = vec![0u8; usize::try_from(header_bytes).map_err(|e| invalid(e.to_string()))?];
        file.read_exact(&mut header).map_err(io)?;
        let text = std::str::from_utf8(&header).map_err(|_| invalid("the header is not UTF-8".to_owned()))?;
        let metadata: Metadata = serde_json::from_str(text).map_err(|e| invalid(e.to_string()))?;
        let end = data_start + metadata.data_len() as u64;
        if end != size_bytes {
            let what = if end > size_bytes { "truncated" } else { "too long" };
            return Err(invalid(format!("{what}: its tensors end at byte {end}, the file at {size_bytes}")));
        }
        Ok(Self { path: path.to_owned(), file, metadata, data_start, size_bytes })
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Size of the whole file.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Value of a key of the file's `__metadata__`.
    pub fn metadata_value(&self, key: &str) -> Option<&str> {
        self.metadata.metadata().as_ref().and_then(|m| m.get(key)).map(String::as_str)
    }

    /// Names of all tensors, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names = self.metadata.tensors().into_keys().collect::<Vec<_>>();
        names.sort_unstable();
        names
    }

    /// Shape and dtype as the header gives them.
    pub fn raw_info(&self, name: &str) -> Result<&RawInfo, FileError> {
        let missing = || FileError::MissingTensor { path: self.path.clone(), tensor: name.to_owned() };
        self.metadata.info(name).ok_or_else(missing)
    }

    /// A tensor's bytes.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>, FileError> {
        let (start, end) = self.raw_info(name)?.data_offsets;
        let mut bytes = vec![0u8; end - start];
        self.read(start, &mut bytes)?;
        Ok(bytes)
    }

    /// Size of a tensor's data.
    pub fn data_bytes(&self, name: &str) -> Result<u64, FileError> {
        let (start, end) = self.raw_info(name)?.data_offsets;
        Ok((end - start) as u64)
    }

    /// Fills a buffer from a place in the data.
    fn read(&self, start: usize, buffer: &mut [u8]) -> Result<(), FileError> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.data_start + start as u64)).and_then(|_| file.read_exact(buffer)).map_err(|source| FileError::Io {
            action: "read",
            path: self.path.clone(),
            source,
        })
    }

    /// Description of a tensor of floating-point weights; `None` where the dtype is another.
    pub fn weights_info(&self, name: &str) -> Result<Option<TensorInfo>, FileError> {
        let raw = self.raw_info(name)?;
        let dtype = match raw.dtype {
            safetensors::Dtype::F32 => Dtype::F32,
            safetensors::Dtype::F16 => Dtype::F16,
            safetensors::Dtype::BF16 => Dtype::Bf16,
            _ => return Ok(None),
        };
        Ok(Some(TensorInfo { name: name.to_owned(), shape: raw.shape.clone(), dtype }))
    }

    /// A tensor as weights; an error where its dtype is not F32, F16 or BF16.
    pub fn weights(&self, name: &str) -> Result<Weights, FileError> {
        let wrap = |source| FileError::Weights { path: self.path.clone(), source };
        let info = self.weights_info(name)?.ok_or_else(|| {
            let dtype = self.raw_info(name).map(|i| format!("{:?}", i.dtype)).unwrap_or_default();
            wrap(crate::error::WeightsError::Dtype { name: name.to_owned(), dtype })
        })?;
        let rows = 0..info.rows_cols().0;
        self.values(&info, rows).and_then(|values| Weights::new(info.name, info.shape, values).map_err(wrap))
    }

    /// Rows of a tensor of weights (elements of a vector) as weights of their own, of that many rows and the same name.
    ///
    /// Rows are those of [`TensorInfo::rows_cols`]. An error where the tensor has fewer.
    pub fn rows(&self, name: &str, rows: Range<usize>) -> Result<Weights, FileError> {
        let invalid = |message: String| FileError::Safetensors { path: self.path.clone(), message };
        let mut info = self.weights_info(name)?.ok_or_else(|| invalid(format!("tensor '{name}' is not one of weights")))?;
        if rows.start > rows.end || rows.end > info.rows_cols().0 {
            return Err(invalid(format!("tensor '{name}' has {} rows, not {rows:?}", info.rows_cols().0)));
        }
        let values = self.values(&info, rows.clone())?;
        if let Some(first) = info.shape.first_mut() {
            *first = rows.len();
        }
        Weights::new(info.name, info.shape, values).map_err(|source| FileError::Weights { path: self.path.clone(), source })
    }

    /// Values of rows, read into a buffer of their own type: once in memory, not twice.
    fn values(&self, info: &TensorInfo, rows: Range<usize>) -> Result<Values, FileError> {
        let start = self.raw_info(&info.name)?.data_offsets.0;
        let cols = info.rows_cols().1;
        // The header was checked: the data is as long as shape and dtype say.
        let (start, elements) = (start + rows.start * cols * info.dtype.size_bytes(), rows.len() * cols);
        Ok(match info.dtype {
            Dtype::F32 => {
                let mut values = vec![0f32; elements];
                self.read(start, bytemuck::cast_slice_mut(&mut values))?;
                Values::F32(values)
            }
            Dtype::F16 => {
                let mut values = vec![f16::ZERO; elements];
                self.read(start, bytemuck::cast_slice_mut(&mut values))?;
                Values::F16(values)
            }
            Dtype::Bf16 => {
                let mut values = vec![bf16::ZERO; elements];
                self.read(start, bytemuck::cast_slice_mut(&mut values))?;
                Values::Bf16(values)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::{Tensor, write_tensors};

    #[test]
    fn rows_are_parts_of_the_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        let matrix = Weights::new("w", vec![4, 3, 2], Values::F16((0..24u8).map(|i| f16::from_f32(f32::from(i))).collect())).unwrap();
        let vector = Weights::new("b", vec![5], Values::F32(vec![1.0, 2.0, 3.0, 4.0, 5.0])).unwrap();
        write_tensors(&path, [Tensor::Weights(matrix.clone()), Tensor::Weights(vector.clone())].iter()).unwrap();
        let file = SafeFile::open(&path).unwrap();
        assert_eq!((file.weights("w").unwrap(), file.weights("b").unwrap()), (matrix.clone(), vector));
        let rows = file.rows("w", 1..3).unwrap();
        assert_eq!((rows.info().shape.as_slice(), rows.to_f32().as_ref()), (&[2, 3, 2][..], &matrix.to_f32()[6..18]));
        assert_eq!(file.rows("b", 3..5).unwrap().to_f32().as_ref(), [4.0, 5.0]);
        assert!(file.rows("b", 3..6).unwrap_err().to_string().contains("has 5 rows"));
        assert!(file.rows("x", 0..1).is_err());
    }
}
