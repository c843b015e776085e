//! What an artifact's header says, and so how large the artifact is. The form is described in [`crate::artifact`].

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::kernel::{AnyKernel, PartSize};
use crate::weights::TensorInfo;

/// The newest artifact format, the one that is written.
pub const FORMAT: u32 = 1;
/// Metadata key.
pub(crate) const KEY: &str = "weighbridge";
/// Part that holds the bytes of a tensor that passed through.
pub(crate) const RAW: &str = "raw";

/// What the metadata says, as stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireIndex {
    pub format: u32,
    pub spec: String,
    pub codecs: Vec<WireCodec>,
    pub tensors: Vec<WireTensor>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireCodec {
    pub kernel: String,
    pub version: u32,
    pub config: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WireTensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub dtype: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub parts: Vec<String>,
}

/// What an artifact's header says, tensor by tensor. Nothing else decides the artifact's size, so that is known without packing a byte.
#[derive(Debug, Clone)]
pub struct Outline {
    spec: String,
    codecs: Vec<WireCodec>,
    tensors: Vec<WireTensor>,
    entries: Vec<(String, u64, u64)>,
    offset: u64,
}

impl Outline {
    /// An artifact without tensors, for a kernel or pipeline of that specification.
    pub fn new(spec: &str) -> Self {
        Self { spec: spec.to_owned(), codecs: Vec::new(), tensors: Vec::new(), entries: Vec::new(), offset: 0 }
    }

    /// Adds a tensor packed into parts of these sizes; of a mixed pipeline the kernel that took the tensor is recorded.
    pub fn add_encoded(&mut self, info: &TensorInfo, kernel: &dyn AnyKernel, parts: &[PartSize]) {
        let kernel = kernel.for_tensor(info);
        let id = kernel.info();
        let codec = WireCodec { kernel: id.id.to_owned(), version: id.version, config: kernel.config(), stages: kernel.stages() };
        let index = self.codecs.iter().position(|c| *c == codec).unwrap_or_else(|| {
            self.codecs.push(codec);
            self.codecs.len() - 1
        });
        self.add(&info.name, &info.shape, info.dtype.name(), Some(index), None, parts);
    }

    /// Adds a tensor of that many bytes unchanged; `dtype` is safetensors' name of its type.
    pub fn add_raw(&mut self, name: &str, shape: &[usize], dtype: &str, bytes: u64, reason: &str) {
        let part = PartSize { name: RAW.to_owned(), bytes };
        self.add(name, shape, dtype, None, Some(reason.to_owned()), &[part]);
    }

    /// Bytes of all parts together.
    pub fn packed_bytes(&self) -> u64 {
        self.offset
    }

    /// Size of the whole file.
    pub fn size_bytes(&self) -> u64 {
        self.header().len() as u64 + self.offset
    }

    fn add(&mut self, name: &str, shape: &[usize], dtype: &str, codec: Option<usize>, reason: Option<String>, parts: &[PartSize]) {
        for part in parts {
            let end = self.offset + part.bytes;
            self.entries.push((format!("{name}/{}", part.name), self.offset, end));
            self.offset = end;
        }
        self.tensors.push(WireTensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
            dtype: dtype.to_owned(),
            codec,
            reason,
            parts: parts.iter().map(|p| p.name.clone()).collect(),
        });
    }

    /// Length field and header, padded with spaces to a multiple of eight as the format asks.
    pub(crate) fn header(&self) -> Vec<u8> {
        let index = WireIndex { format: FORMAT, spec: self.spec.clone(), codecs: self.codecs.clone(), tensors: self.tensors.clone() };
        let index = serde_json::to_string(&index).unwrap_or_default();
        let mut text = format!("{{\"__metadata__\":{{\"{KEY}\":{}}}", Value::String(index));
        for (name, start, end) in &self.entries {
            let entry = format!(
                ",{}:{{\"dtype\":\"U8\",\"shape\":[{}],\"data_offsets\":[{start},{end}]}}",
                Value::String(name.clone()),
                end - start
            );
            text.push_str(&entry);
        }
        text.push('}');
        while text.len() % 8 != 0 {
            text.push(' ');
        }
        let mut header = (text.len() as u64).to_le_bytes().to_vec();
        header.extend_from_slice(text.as_bytes());
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::ArtifactWriter;
    use crate::kernel::Context;
    use crate::registry::Registry;
    use crate::sample;
    use crate::weights::{Values, Weights};

    #[test]
    fn the_size_is_known_before_anything_is_packed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let kernel = Registry::default().parse("seedlm:bits=3").unwrap();
        let mut writer = ArtifactWriter::create(&path, &kernel.spec()).unwrap();
        let mut outline = Outline::new(&kernel.spec());
        for (name, shape) in [("a", vec![5, 7]), ("quoted \"b\"", vec![2, 3, 3])] {
            let values = sample::gaussian(shape.iter().product(), 0.1, 1);
            let weights = Weights::new(name, shape, Values::F32(values)).unwrap();
            let parts = kernel.encode(&weights, &Context::default()).unwrap();
            writer.add_encoded(weights.info(), kernel.as_ref(), &parts).unwrap();
            outline.add_encoded(weights.info(), kernel.as_ref(), &kernel.packed_sizes(weights.info()).unwrap());
        }
        writer.add_raw("indices", &[3], "I64", &[0; 24], "dtype I64 is not one of weights").unwrap();
        outline.add_raw("indices", &[3], "I64", 24, "dtype I64 is not one of weights");
        let size = writer.finish().unwrap();
        assert_eq!((outline.size_bytes(), std::fs::metadata(&path).unwrap().len()), (size, size));
    }
}
