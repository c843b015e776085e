//! What can be wrong with a baseline.

use std::path::PathBuf;

use super::text::VERSION;

/// A baseline that cannot be used. Paths of committed files begin with the commit, as in `0123456789ab:baselines/mini.jsonl`.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// There is none.
    #[error("no baseline for suite '{suite}' at '{}'", path.display())]
    Missing {
        /// Suite.
        suite: String,
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The system said no.
    #[error("cannot {action} baseline '{}': {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is no record.
    #[error("baseline '{}', line {line}: {message}; restore it from version control, or accept a run anew", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// Two branches refreshed one case, and nobody decided yet.
    #[error(
        "baseline '{}', line {line}: a merge left a conflict here; measure its cases with 'weighbridge run --kernel KERNEL --fixture FIXTURE' and accept the run",
        path.display()
    )]
    Conflict {
        /// The file.
        path: PathBuf,
        /// Line number of the first marker, from 1.
        line: usize,
    },
    /// Written by a later release.
    #[error(
        "baseline '{}' has version {found}; this release, {}, reads versions up to {VERSION}: use release {release}",
        path.display(), env!("CARGO_PKG_VERSION")
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The release that reads it, as its header says.
        release: String,
    },
    /// Version control could not give it.
    #[error(transparent)]
    Git(#[from] crate::git::GitError),
}
