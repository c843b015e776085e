//! What can be wrong with golden artifacts, and what to do.

use std::path::PathBuf;

use weighbridge::error::{FileError, SpecError};

/// Golden artifacts that cannot be read or added to.
#[derive(Debug, thiserror::Error)]
pub enum GoldenError {
    /// The system said no.
    #[error("cannot use '{}': {source}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The manifest makes no sense.
    #[error("manifest '{}': {message}", path.display())]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The model is not the one that the artifacts were made of.
    #[error("model '{}' has sha256 {found}, the manifest says {expected}; restore it from version control", path.display())]
    Model {
        /// The file.
        path: PathBuf,
        /// Digest in the manifest.
        expected: String,
        /// Digest of the file.
        found: String,
    },
    /// There is one already.
    #[error("'{}' is there already, and golden artifacts are never replaced; where the layout changed, raise the kernel's version", path.display())]
    Exists {
        /// The artifact.
        path: PathBuf,
    },
    /// A listed file is missing and cannot be made again.
    #[error("'{}' is missing, and today's encoder writes other bytes; restore it from version control", path.display())]
    Lost {
        /// The artifact.
        path: PathBuf,
    },
    /// What was encoded is not what it should be.
    #[error("artifact of '{spec}', tensor '{tensor}': {message}")]
    Broken {
        /// Specification.
        spec: String,
        /// The tensor.
        tensor: String,
        /// What is wrong.
        message: String,
    },
    /// An artifact or model that does not read or write.
    #[error(transparent)]
    File(#[from] FileError),
    /// No such kernel.
    #[error(transparent)]
    Spec(#[from] SpecError),
}
