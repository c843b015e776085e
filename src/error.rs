//! Error kinds of the kernel library. Each names the tensor, part, key or byte it is about.

use std::path::PathBuf;

/// Why a kernel leaves a tensor alone.
///
/// A refused tensor is not a failure: it passes through unchanged, is counted in the ratio and is named, with this reason, in the
/// artifact's metadata and in the report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

impl Refusal {
    /// A refusal for the given reason: lower case, no full stop.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// What has parameters: a kernel, or a stage behind one. Some have the same name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// A kernel, by its id.
    Kernel(String),
    /// A stage, by its id.
    Stage(String),
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Kernel(id) => write!(f, "kernel '{id}'"),
            Self::Stage(id) => write!(f, "stage '{id}'"),
        }
    }
}

/// A kernel specification that cannot be used, such as `int4:group=7`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// No kernel of that name is registered.
    #[error("unknown kernel '{kernel}'; known kernels: {known}")]
    UnknownKernel {
        /// The name asked for.
        kernel: String,
        /// The registered names, comma-separated.
        known: String,
    },
    /// The kernel or stage has no such parameter.
    #[error("{owner} has no parameter '{key}'; its parameters: {known}")]
    UnknownKey {
        /// The kernel or stage.
        owner: Owner,
        /// The offending key.
        key: String,
        /// The parameters it has, comma-separated.
        known: String,
    },
    /// A parameter's value is out of its range or of the wrong type.
    #[error("{owner}: {message}")]
    BadValue {
        /// The kernel or stage.
        owner: Owner,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// A parameter stands twice in a specification.
    #[error("'{spec}' gives parameter '{key}' twice")]
    Twice {
        /// The text as given.
        spec: String,
        /// The parameter.
        key: String,
    },
    /// A configuration for a version of the kernel that does not exist, or not yet.
    #[error("kernel '{kernel}' has no version {version}; this release knows versions 1 to {newest}")]
    UnknownVersion {
        /// The kernel.
        kernel: String,
        /// The version asked for.
        version: u32,
        /// The newest.
        newest: u32,
    },
    /// No stage of that name can stand behind a kernel.
    #[error("unknown stage '{stage}'; known stages: {known}")]
    UnknownStage {
        /// The name asked for.
        stage: String,
        /// The stages there are, comma-separated.
        known: String,
    },
    /// No preset of that name is shipped.
    #[error("unknown preset '{preset}'; known presets: {known}")]
    UnknownPreset {
        /// The name asked for.
        preset: String,
        /// The presets there are, comma-separated.
        known: String,
    },
    /// The name of a mixed pipeline that stands in a file: the name alone does not say what is in it.
    #[error("'{spec}' names a mixed pipeline that stands in a file; give the file, as '@FILE'")]
    NotAtHand {
        /// The text as given.
        spec: String,
    },
    /// A rule of a mixed pipeline, or its default, cannot be used.
    #[error("{rule}: {source}")]
    Rule {
        /// Which, with its globs.
        rule: String,
        /// Why.
        source: Box<SpecError>,
    },
    /// A definition of a kernel or a mixed pipeline that does not parse, or says something that means nothing.
    #[error("{message}")]
    Definition {
        /// What is wrong, and what is allowed.
        message: String,
    },
    /// The text is none of the forms of a specification.
    #[error(
        "cannot read kernel specification '{spec}'; write it as 'kernel', 'kernel:key=value,key=value' or 'preset:NAME', with '|stage' behind it for a lossless stage"
    )]
    Malformed {
        /// The text as given.
        spec: String,
    },
}

/// Weights that contradict their own description.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WeightsError {
    /// The product of the dimensions does not fit in memory's index type.
    #[error("tensor '{name}': shape {shape:?} has more elements than can be addressed")]
    TooLarge {
        /// Tensor.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// Shape and data disagree.
    #[error("tensor '{name}': shape {shape:?} wants {expected} elements, got {found}")]
    WrongLength {
        /// Tensor.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Elements the shape asks for.
        expected: usize,
        /// Elements given.
        found: usize,
    },
    /// An integer or 8-bit tensor where floating-point weights are needed.
    #[error("tensor '{name}' has dtype {dtype}; weights are F32, F16 or BF16")]
    Dtype {
        /// Tensor.
        name: String,
        /// Its dtype.
        dtype: String,
    },
}

/// Packed parts that do not decode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A part the kernel wrote is not there.
    #[error("part '{part}' is missing")]
    MissingPart {
        /// The part's name.
        part: String,
    },
    /// A part has another length than its shape asks for.
    #[error("part '{part}' holds {found} bytes, expected {expected}")]
    PartLength {
        /// The part's name.
        part: String,
        /// Bytes expected.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// The bytes are of the right length and mean nothing.
    #[error("part '{part}': {message}")]
    Corrupt {
        /// The part's name.
        part: String,
        /// What is wrong.
        message: String,
    },
    /// Decoded values contradict the shape.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

impl DecodeError {
    /// A part whose bytes mean nothing.
    pub fn corrupt(part: &str, message: impl Into<String>) -> Self {
        Self::Corrupt { part: part.to_owned(), message: message.into() }
    }
}

/// A file that is no valid artifact or model, or cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system said no.
    #[error("cannot {action} '{}': {source}", path.display())]
    Io {
        /// What was tried: `read`, `write`, `create`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Not a safetensors file, or a truncated or lying one.
    #[error("'{}' is not a valid safetensors file: {message}", path.display())]
    Safetensors {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A safetensors file without Weighbridge's metadata, or with metadata that makes no sense.
    #[error("'{}' is not a Weighbridge artifact: {message}", path.display())]
    NotAnArtifact {
        /// The file.
        path: PathBuf,
        /// What is missing or wrong.
        message: String,
    },
    /// Written by a later release.
    #[error("'{}' has artifact format {found}; this release reads formats 1 to {newest}: use a newer release", path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest this release reads.
        newest: u32,
    },
    /// No tensor of that name.
    #[error("'{}' has no tensor '{tensor}'", path.display())]
    MissingTensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
    },
    /// A tensor's packed parts do not decode.
    #[error("'{}', tensor '{tensor}': {source}", path.display())]
    Decode {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Why.
        source: DecodeError,
    },
    /// The kernel named in the artifact cannot be built.
    #[error("'{}': {source}", path.display())]
    Spec {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SpecError,
    },
    /// A tensor that is no weights, or not consistent.
    #[error("'{}': {source}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// Why.
        source: WeightsError,
    },
}
