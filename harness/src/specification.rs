//! Kernels as people give them, on the command line and in suites: a specification, a preset, or `@FILE`, a definition file.

use std::path::Path;

use weighbridge::error::{FileError, SpecError};
use weighbridge::registry::{Registry, Resolved};

/// What files are given with.
pub const FILE_PREFIX: char = '@';

/// A kernel that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The specification is wrong.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The file cannot be read, or is wrong.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The kernel that a text names; a file's path is relative to `folder`.
pub fn resolve(text: &str, folder: &Path, registry: &Registry) -> Result<Resolved, ResolveError> {
    match text.strip_prefix(FILE_PREFIX) {
        Some(path) => Ok(registry.read(&folder.join(path))?),
        None => Ok(registry.resolve(text)?),
    }
}
