//! Why there is no build.

use std::path::PathBuf;

use crate::git::GitError;

/// A build that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The revision.
    #[error(transparent)]
    Git(#[from] GitError),
    /// Cargo itself cannot be run.
    #[error("cannot run '{program}': {source}")]
    NoCargo {
        /// What was run.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// It does not compile or link.
    #[error("{what} does not build: '{command}' in '{}' ended with {status}; its last lines:\n{tail}", folder.display())]
    Failed {
        /// The side in words.
        what: String,
        /// The command.
        command: String,
        /// Where it ran.
        folder: PathBuf,
        /// How it ended.
        status: String,
        /// Last lines of the compiler.
        tail: String,
    },
    /// Cargo was content and there is no program.
    #[error("{what} builds, but cargo named no program 'weighbridge'")]
    NoProgram {
        /// The side in words.
        what: String,
    },
    /// The system said no.
    #[error("cannot {action} '{}': {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Wraps what the system said of a file.
pub fn io(action: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> BuildError {
    let path = path.to_owned();
    move |source| BuildError::Io { action, path, source }
}
