//! What can go wrong while fetching. Each message names the package or file, and what to do.

use std::path::PathBuf;

use crate::convert::ConvertError;
use crate::fixture::FixtureError;

/// A fixture that could not be fetched. The cache is sound whatever it says.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The fixture itself.
    #[error(transparent)]
    Fixture(#[from] FixtureError),
    /// The registry's client is not installed.
    #[error("'{client}' is not on the path, and {package} comes through it; install it, or fetch elsewhere and share the cache")]
    NoClient {
        /// The client.
        client: &'static str,
        /// The package.
        package: String,
    },
    /// Nothing is to be asked, and something is wanted.
    #[error("{package} is not in the cache, and '--offline' forbids to ask for it; fetch without it")]
    Offline {
        /// The package.
        package: String,
    },
    /// The registry was not reached.
    #[error("cannot reach {registry}: {message}; fetch {package} when connected, what is finished is kept")]
    Unreachable {
        /// The registry.
        registry: &'static str,
        /// The package.
        package: String,
        /// What the client said.
        message: String,
    },
    /// The registry failed for another package.
    #[error("{package} was not asked for: {registry} failed before, for another package")]
    NotTried {
        /// The package.
        package: String,
        /// The registry.
        registry: &'static str,
    },
    /// The client failed in another way.
    #[error("'{client}' did not get {package}: {message}{hint}")]
    Client {
        /// The client.
        client: &'static str,
        /// The package.
        package: String,
        /// What it said.
        message: String,
        /// What may help.
        hint: &'static str,
    },
    /// The package is shorter than it should be.
    #[error("{package} is cut short: {found} of {expected} bytes came; fetch again")]
    CutShort {
        /// The package.
        package: String,
        /// Bytes that came.
        found: u64,
        /// Bytes there should be.
        expected: u64,
    },
    /// The bytes are others than those that are meant.
    #[error(
        "{what} has sha256 {found}, the manifest says {expected}; it is not what the manifest was written for, and nothing of it is used"
    )]
    Digest {
        /// Package or file.
        what: String,
        /// Digest in the manifest.
        expected: String,
        /// Digest of what came.
        found: String,
    },
    /// A package that does not unpack.
    #[error("{package}: {message}")]
    Archive {
        /// The package.
        package: String,
        /// What is wrong with it.
        message: String,
    },
    /// Weights that do not convert.
    #[error("'{file}' as {format}: {source}")]
    Convert {
        /// The file in the package.
        file: String,
        /// Format it was read as.
        format: String,
        /// What is wrong with it.
        source: ConvertError,
    },
    /// The weights hold another number of parameters than the manifest says.
    #[error("fixture '{fixture}' holds {found} parameters, its manifest says {expected}")]
    Parameters {
        /// The fixture.
        fixture: String,
        /// In the manifest.
        expected: u64,
        /// In the file.
        found: u64,
    },
    /// The disk is full.
    #[error("no space is left for '{}'; free some, or name another cache directory with {}; what is finished is kept", path.display(), crate::fixture::CACHE_VARIABLE)]
    Full {
        /// What was being written.
        path: PathBuf,
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

impl FetchError {
    /// A system's error at a path, a full disk told from others.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::Full { path },
            _ => Self::Io { action, path, source },
        }
    }

    /// Whether another package of the same registry would fail in the same way.
    pub fn is_registry_s(&self) -> bool {
        matches!(self, Self::NoClient { .. } | Self::Unreachable { .. })
    }
}
