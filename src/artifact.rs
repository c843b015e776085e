//! Artifacts: valid safetensors files that hold everything decode needs, and nothing else does.
//!
//! Format 1. Packed parts are one-dimensional U8 tensors named `tensor/part`. The file's `__metadata__` has one key, `weighbridge`: a JSON
//! object with the artifact's `format`, its `spec`, the `codecs` used (kernel, version, configuration, stages behind it) and the `tensors` in order (name,
//! shape, dtype, codec and its parts). A tensor without codec passed through unchanged: its one part `raw` holds its original bytes, and
//! `reason` says why. One metadata key only, because the readers of the format keep metadata in hash maps, whose order is not fixed.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::entry::Migration;
use crate::error::{DecodeError, FileError, WeightsError};
use crate::kernel::{AnyKernel, Context, Part, PartSize, Parts};
pub use crate::outline::{FORMAT, Outline};
use crate::outline::{KEY, RAW, WireIndex};
use crate::pipeline::mixed;
use crate::registry::Registry;
use crate::safefile::SafeFile;
use crate::safewriter::{Entry, SafeWriter, sibling};
use crate::weights::{Dtype, TensorInfo, Weights};

/// A tensor that was stored unchanged, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassedThrough {
    /// The tensor.
    pub name: String,
    /// Its size in its own dtype.
    pub bytes: u64,
    /// Why the kernel did not take it.
    pub reason: String,
}

/// Writes an artifact tensor by tensor; memory holds one tensor's parts at a time.
///
/// Data goes to a scratch file beside the target first, because the header, which comes before it, is known only at the end. The target
/// appears by rename, whole or not at all.
#[derive(Debug)]
pub struct ArtifactWriter {
    path: PathBuf,
    spool: BufWriter<File>,
    outline: Outline,
}

impl ArtifactWriter {
    /// Starts an artifact at `path` for a kernel or pipeline of that specification.
    pub fn create(path: &Path, spec: &str) -> Result<Self, FileError> {
        let spool_path = sibling(path, "spool");
        let file = File::options().create(true).truncate(true).read(true).write(true).open(&spool_path);
        let file = file.map_err(|source| FileError::Io { action: "create", path: spool_path, source })?;
        Ok(Self { path: path.to_owned(), spool: BufWriter::new(file), outline: Outline::new(spec) })
    }

    /// Adds a tensor's packed parts; of a mixed pipeline the kernel that took the tensor is recorded.
    pub fn add_encoded(&mut self, info: &TensorInfo, kernel: &dyn AnyKernel, parts: &Parts) -> Result<(), FileError> {
        for part in &parts.0 {
            self.spool.write_all(&part.bytes).map_err(|source| self.write_error(source))?;
        }
        self.outline.add_encoded(info, kernel, &PartSize::of(parts));
        Ok(())
    }

    /// Adds a tensor unchanged; `dtype` is safetensors' name of its type, which need not be one of weights.
    pub fn add_raw(&mut self, name: &str, shape: &[usize], dtype: &str, bytes: &[u8], reason: &str) -> Result<(), FileError> {
        self.spool.write_all(bytes).map_err(|source| self.write_error(source))?;
        self.outline.add_raw(name, shape, dtype, bytes.len() as u64, reason);
        Ok(())
    }

    /// Writes header and data to the target and returns its size in bytes.
    pub fn finish(mut self) -> Result<u64, FileError> {
        let header = self.outline.header();
        let target_path = sibling(&self.path, "partial");
        let result = self.assemble(&header, &target_path);
        let _ = std::fs::remove_file(sibling(&self.path, "spool"));
        result.and_then(|()| std::fs::rename(&target_path, &self.path)).map_err(|source| {
            let _ = std::fs::remove_file(&target_path);
            self.write_error(source)
        })?;
        Ok(header.len() as u64 + self.outline.packed_bytes())
    }

    fn assemble(&mut self, header: &[u8], target: &Path) -> std::io::Result<()> {
        self.spool.flush()?;
        let spool = self.spool.get_mut();
        spool.seek(SeekFrom::Start(0))?;
        let mut out = File::create(target)?;
        out.write_all(header)?;
        std::io::copy(spool, &mut out)?;
        out.sync_all()
    }

    fn write_error(&self, source: std::io::Error) -> FileError {
        FileError::Io { action: "write", path: self.path.clone(), source }
    }
}

/// A decoded tensor: weights, or the bytes of one that is no weights.
#[derive(Debug, Clone, PartialEq)]
pub enum Tensor {
    /// Floating-point weights.
    Weights(Weights),
    /// Anything else, such as integer indices: safetensors' dtype name, shape, bytes.
    Other {
        /// Name.
        name: String,
        /// Type as safetensors names it.
        dtype: String,
        /// Dimensions.
        shape: Vec<usize>,
        /// Little-endian bytes.
        bytes: Vec<u8>,
    },
}

impl Tensor {
    /// Name, dtype, shape and bytes, as a safetensors file holds them.
    pub fn raw(&self) -> (&str, &str, &[usize], &[u8]) {
        match self {
            Self::Weights(w) => (&w.info().name, w.info().dtype.name(), &w.info().shape, w.bytes()),
            Self::Other { name, dtype, shape, bytes } => (name, dtype, shape, bytes),
        }
    }
}

/// What an artifact says of one of its tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorSummary {
    /// Name.
    pub name: String,
    /// Dimensions.
    pub shape: Vec<usize>,
    /// Type as safetensors names it.
    pub dtype: String,
    /// Specification of its kernel; `None` where it passed through.
    pub spec: Option<String>,
    /// Why it passed through.
    pub reason: Option<String>,
    /// Bytes of its parts.
    pub packed_bytes: u64,
}

/// Reads an artifact tensor by tensor.
pub struct ArtifactReader {
    file: SafeFile,
    index: WireIndex,
    kernels: Vec<Box<dyn AnyKernel>>,
    migrations: Vec<Migration>,
}

impl ArtifactReader {
    /// Opens an artifact and builds the kernels it names.
    pub fn open(path: &Path, registry: &Registry) -> Result<Self, FileError> {
        let file = SafeFile::open(path)?;
        let not = |message: String| FileError::NotAnArtifact { path: path.to_owned(), message };
        let text = file.metadata_value(KEY).ok_or_else(|| not(format!("its metadata has no key '{KEY}'")))?;
        let found = serde_json::from_str::<Value>(text).ok().and_then(|v| v.get("format").and_then(Value::as_u64));
        let found = found.and_then(|f| u32::try_from(f).ok()).ok_or_else(|| not("its metadata has no format number".to_owned()))?;
        if found > FORMAT {
            return Err(FileError::NewerFormat { path: path.to_owned(), found, newest: FORMAT });
        }
        let index: WireIndex = serde_json::from_str(text).map_err(|e| not(format!("its metadata does not parse: {e}")))?;
        let spec_error = |source| FileError::Spec { path: path.to_owned(), source };
        let kernels = index.codecs.iter().map(|c| registry.recorded(&c.kernel, c.version, c.config.clone(), &c.stages));
        let (kernels, migrated): (Vec<_>, Vec<_>) = kernels.collect::<Result<Vec<_>, _>>().map_err(spec_error)?.into_iter().unzip();
        let mut migrations: Vec<Migration> = Vec::new();
        for migration in migrated.into_iter().flatten() {
            if !migrations.contains(&migration) {
                migrations.push(migration);
            }
        }
        if let Some(tensor) = index.tensors.iter().find(|t| t.codec.is_some_and(|c| c >= kernels.len())) {
            return Err(not(format!("tensor '{}' names a codec that is not listed", tensor.name)));
        }
        Ok(Self { file, index, kernels, migrations })
    }

    /// Specification the artifact was written with.
    pub fn spec(&self) -> &str {
        &self.index.spec
    }

    /// Configurations that older versions of kernels recorded, and what brought them up to date.
    pub fn migrations(&self) -> &[Migration] {
        &self.migrations
    }

    /// Text of a kernel that does to each tensor what this artifact records of it, as [`AnyKernel::text`] has it; `None` where every tensor
    /// passed through. The artifact's own [`spec`](Self::spec) may be the name of a file that is long gone.
    pub fn recorded(&self) -> Option<String> {
        let names =
            |codec| self.index.tensors.iter().filter(move |t| t.codec == Some(codec)).map(|t| globset::escape(&t.name)).collect::<Vec<_>>();
        let rules = self.kernels.iter().enumerate().map(|(i, kernel)| (names(i), kernel.spec()));
        let rules: Vec<(Vec<String>, String)> = rules.filter(|(names, _)| !names.is_empty()).collect();
        match rules.as_slice() {
            [] => None,
            [(_, spec)] => Some(spec.clone()),
            [(_, first), ..] => Some(mixed::text(Some("recorded"), &first.clone(), rules.iter().cloned())),
        }
    }

    /// Size of the whole file.
    pub fn size_bytes(&self) -> u64 {
        self.file.size_bytes()
    }

    /// Number of tensors.
    pub fn len(&self) -> usize {
        self.index.tensors.len()
    }

    /// Whether there are no tensors.
    pub fn is_empty(&self) -> bool {
        self.index.tensors.is_empty()
    }

    /// What the artifact says of tensor `i`.
    pub fn summary(&self, i: usize) -> Result<TensorSummary, FileError> {
        let tensor = &self.index.tensors[i];
        let mut packed_bytes = 0;
        for part in &tensor.parts {
            let (start, end) = self.file.raw_info(&format!("{}/{part}", tensor.name))?.data_offsets;
            packed_bytes += (end - start) as u64;
        }
        Ok(TensorSummary {
            name: tensor.name.clone(),
            shape: tensor.shape.clone(),
            dtype: tensor.dtype.clone(),
            spec: tensor.codec.map(|c| self.kernels[c].spec()),
            reason: tensor.reason.clone(),
            packed_bytes,
        })
    }

    /// Tensor `i` as an entry of the decoded file: known from the metadata, before anything is decoded.
    pub fn entry(&self, i: usize) -> Result<Entry, FileError> {
        let tensor = &self.index.tensors[i];
        let wrap = |source: WeightsError| FileError::Decode {
            path: self.file.path().to_owned(),
            tensor: tensor.name.clone(),
            source: source.into(),
        };
        let dtype = [Dtype::F32, Dtype::F16, Dtype::Bf16].into_iter().find(|d| d.name() == tensor.dtype);
        let bytes = match dtype {
            Some(dtype) => {
                let info = TensorInfo { name: tensor.name.clone(), shape: tensor.shape.clone(), dtype };
                (info.checked_elements().map_err(wrap)? * dtype.size_bytes()) as u64
            }
            None => self.file.data_bytes(&format!("{}/{RAW}", tensor.name))?,
        };
        Ok(Entry { name: tensor.name.clone(), dtype: tensor.dtype.clone(), shape: tensor.shape.clone(), bytes })
    }

    /// Reads the packed parts of tensor `i`.
    pub fn parts(&self, i: usize) -> Result<Parts, FileError> {
        let tensor = &self.index.tensors[i];
        let read = |part: &String| {
            let bytes = self.file.bytes(&format!("{}/{part}", tensor.name))?;
            Ok(Part { name: part.clone(), bytes })
        };
        tensor.parts.iter().map(read).collect::<Result<Vec<_>, _>>().map(Parts)
    }

    /// Decodes tensor `i` from its parts, as [`ArtifactReader::parts`] read them.
    pub fn decode(&self, i: usize, parts: &Parts, context: &Context<'_>) -> Result<Tensor, FileError> {
        let tensor = &self.index.tensors[i];
        let wrap = |source| FileError::Decode { path: self.file.path().to_owned(), tensor: tensor.name.clone(), source };
        let dtype = [Dtype::F32, Dtype::F16, Dtype::Bf16].into_iter().find(|d| d.name() == tensor.dtype);
        let info = |dtype| TensorInfo { name: tensor.name.clone(), shape: tensor.shape.clone(), dtype };
        match (tensor.codec, dtype) {
            (Some(codec), Some(dtype)) => {
                let info = info(dtype);
                let weights = self.kernels[codec].decode(parts, &info, context).map_err(wrap)?;
                if *weights.info() != info {
                    return Err(wrap(DecodeError::corrupt("", "the kernel decoded another shape or dtype")));
                }
                Ok(Tensor::Weights(weights))
            }
            (None, Some(dtype)) => {
                let bytes = parts.get(RAW).map_err(wrap)?;
                Ok(Tensor::Weights(Weights::from_bytes(&info(dtype), bytes).map_err(|e| wrap(e.into()))?))
            }
            (None, None) => Ok(Tensor::Other {
                name: tensor.name.clone(),
                dtype: tensor.dtype.clone(),
                shape: tensor.shape.clone(),
                bytes: parts.get(RAW).map_err(wrap)?.to_vec(),
            }),
            (Some(_), None) => Err(wrap(WeightsError::Dtype { name: tensor.name.clone(), dtype: tensor.dtype.clone() }.into())),
        }
    }
}

impl std::fmt::Debug for ArtifactReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ArtifactReader").field("file", &self.file).field("index", &self.index).finish_non_exhaustive()
    }
}

/// Writes tensors as a plain safetensors file, in order, by rename.
pub fn write_tensors<'a>(path: &Path, tensors: impl Iterator<Item = &'a Tensor> + Clone) -> Result<(), FileError> {
    let entry = |tensor: &Tensor| {
        let (name, dtype, shape, bytes) = tensor.raw();
        Entry { name: name.to_owned(), dtype: dtype.to_owned(), shape: shape.to_vec(), bytes: bytes.len() as u64 }
    };
    let mut writer = SafeWriter::create(path, tensors.clone().map(entry))?;
    for tensor in tensors {
        writer.write(tensor.raw().3)?;
    }
    writer.finish()
}

/// Reads a whole file into memory; a helper for callers that need digests.
pub fn read_bytes(path: &Path) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    File::open(path).and_then(|mut f| f.read_to_end(&mut bytes)).map_err(|source| FileError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    })?;
    Ok(bytes)
}
