//! Reading weights out of other formats and writing them as safetensors. Nothing that a file holds is ever run.
//!
//! A reader takes the whole file as bytes and gives tensors that borrow from it. Any bytes give tensors or one error: counts, ranks, sizes
//! and offsets are checked against the bytes there are before anything is allocated for them. Dtypes are kept; ggml's blocks become f32.
//! One file a format, one line each in [`FORMATS`].

mod ctranslate2;
mod cursor;
mod error;
mod gguf;
mod inflate;
mod members;
mod npy;
mod npz;
mod onnx;
mod pickle;
mod safetensors;
mod select;
mod strided;
mod tensor;
#[cfg(test)]
pub(crate) mod testing;
mod torch;
mod write;

pub use error::ConvertError;
pub use inflate::{EXPANSION_LIMIT, Limited, inflate};
pub use select::{Rename, Selection, check_dtype};
pub use tensor::{Data, Tensor};
pub use write::write_safetensors;

/// Reads all tensors of a file.
pub type ReadTensors = for<'a> fn(&'a [u8]) -> Result<Vec<Tensor<'a>>, ConvertError>;
/// Gives what a file says beside its tensors, as JSON with sorted keys.
pub type ReadMetadata = fn(&[u8]) -> Result<String, ConvertError>;

/// A format that weights are read from.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// Name in manifests and on the command line.
    pub id: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    /// Reads all tensors of a file.
    pub read: ReadTensors,
    /// Gives its metadata, where the format has such a thing.
    pub metadata: Option<ReadMetadata>,
}

/// All formats, in the order in which lists print them.
pub const FORMATS: &[Format] = &[
    Format { id: "npz", summary: "NumPy's archive of arrays; pickled objects are refused", read: npz::read, metadata: None },
    Format { id: "safetensors", summary: "safetensors, as written by any library", read: safetensors::read, metadata: None },
    Format {
        id: "torch",
        summary: "files of torch.save, zip archives and the form before; only tensors and dictionaries",
        read: torch::read,
        metadata: None,
    },
    Format { id: "onnx", summary: "ONNX models: initialisers and Constant nodes", read: onnx::read, metadata: Some(onnx::metadata) },
    Format {
        id: "gguf",
        summary: "GGUF: plain tensors, and ggml's blocks decoded to f32",
        read: gguf::read,
        metadata: Some(gguf::metadata),
    },
    Format { id: "ctranslate2", summary: "CTranslate2's model.bin", read: ctranslate2::read, metadata: None },
];

/// The format of that name.
pub fn format(id: &str) -> Result<&'static Format, String> {
    let known = || FORMATS.iter().map(|f| f.id).collect::<Vec<_>>().join(", ");
    FORMATS.iter().find(|f| f.id == id).ok_or_else(|| format!("unknown format '{id}'; known formats: {}", known()))
}
