//! Reading safetensors files tensor by tensor: the header is checked first, the data is read only where it is asked for.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use safetensors::tensor::{Metadata, TensorInfo as RawInfo};

use crate::error::FileError;
use crate::weights::{Dtype, TensorInfo, Weights};

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
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.data_start + start as u64))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|source| FileError::Io { action: "read", path: self.path.clone(), source })?;
        Ok(bytes)
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
        Weights::from_bytes(&info, &self.bytes(name)?).map_err(wrap)
    }
}
