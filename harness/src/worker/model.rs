//! A model that a worker was given: in memory where it is small, so that it can be timed without files, else read tensor by tensor.

use std::borrow::Cow;
use std::path::Path;

use weighbridge::artifact::Tensor;
use weighbridge::error::FileError;
use weighbridge::safefile::SafeFile;

use super::timing::Beside;

/// Data up to this size is kept in memory between passes. A pass over more takes so long that reading it can be taken off the time.
pub const RESIDENT_BYTES: u64 = 256 << 20;

/// An opened model.
#[derive(Debug)]
pub struct Model {
    names: Vec<String>,
    input_bytes: u64,
    tensors: Tensors,
}

#[derive(Debug)]
enum Tensors {
    Resident(Vec<Tensor>),
    Streamed(SafeFile),
}

impl Model {
    /// A model without tensors.
    pub fn empty() -> Self {
        Self { names: Vec::new(), input_bytes: 0, tensors: Tensors::Resident(Vec::new()) }
    }

    /// Opens a safetensors file; tensors come in the order of their names.
    pub fn open(path: &Path, resident_bytes: u64) -> Result<Self, FileError> {
        let file = SafeFile::open(path)?;
        let names = file.names();
        let mut input_bytes = 0;
        for name in &names {
            input_bytes += file.data_bytes(name)?;
        }
        let tensors = if input_bytes <= resident_bytes {
            Tensors::Resident(names.iter().map(|name| read(&file, name)).collect::<Result<_, _>>()?)
        } else {
            Tensors::Streamed(file)
        };
        Ok(Self { names, input_bytes, tensors })
    }

    /// Number of tensors.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    /// Bytes of all tensors, each in its own dtype.
    pub fn input_bytes(&self) -> u64 {
        self.input_bytes
    }

    /// Tensor `i`, read anew where the model is streamed.
    pub fn tensor(&self, i: usize) -> Result<Cow<'_, Tensor>, FileError> {
        match &self.tensors {
            Tensors::Resident(tensors) => Ok(Cow::Borrowed(&tensors[i])),
            Tensors::Streamed(file) => read(file, &self.names[i]).map(Cow::Owned),
        }
    }

    /// Tensor `i` for an operation that is being timed: what reading it takes is taken off.
    pub fn beside(&self, i: usize, beside: &mut Beside) -> Result<Cow<'_, Tensor>, FileError> {
        match &self.tensors {
            // Without a look at the clocks, which would be much of the time of a small tensor.
            Tensors::Resident(tensors) => Ok(Cow::Borrowed(&tensors[i])),
            Tensors::Streamed(_) => beside.spend(|| self.tensor(i)),
        }
    }

    /// All tensors at once; read anew where the model is streamed.
    pub fn all(&self) -> Result<Cow<'_, [Tensor]>, FileError> {
        match &self.tensors {
            Tensors::Resident(tensors) => Ok(Cow::Borrowed(tensors)),
            Tensors::Streamed(file) => self.names.iter().map(|name| read(file, name)).collect::<Result<_, _>>().map(Cow::Owned),
        }
    }

    /// All tensors at once, for small models.
    pub fn into_tensors(self) -> Result<Vec<Tensor>, FileError> {
        match self.tensors {
            Tensors::Resident(tensors) => Ok(tensors),
            Tensors::Streamed(file) => self.names.iter().map(|name| read(&file, name)).collect(),
        }
    }
}

fn read(file: &SafeFile, name: &str) -> Result<Tensor, FileError> {
    if file.weights_info(name)?.is_some() {
        return Ok(Tensor::Weights(file.weights(name)?));
    }
    let info = file.raw_info(name)?;
    Ok(Tensor::Other { name: name.to_owned(), dtype: dtype_name(info.dtype), shape: info.shape.clone(), bytes: file.bytes(name)? })
}

/// What safetensors calls a type.
pub fn dtype_name(dtype: safetensors::Dtype) -> String {
    serde_json::to_value(dtype).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Why a tensor of that type passes through every kernel.
pub fn no_weights(dtype: &str) -> String {
    format!("dtype {dtype} is not one of weights")
}
