//! Why a file of weights could not be read or written. The caller adds which file it was.

/// A file that is not what its format asks for.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// It ends too early, or points outside itself.
    #[error("truncated: {what} wants {wanted} bytes at byte {at}, and the file has {length}")]
    Truncated {
        /// What was being read.
        what: String,
        /// Where.
        at: usize,
        /// Bytes wanted.
        wanted: u64,
        /// Bytes there are.
        length: usize,
    },
    /// It contradicts its format or itself.
    #[error("{0}")]
    Invalid(String),
    /// It is sound, and this reader does not take it.
    #[error("{0}")]
    Unsupported(String),
    /// A pickle wants something called that is not known to be harmless.
    #[error("the pickle names '{0}', which is not read: nothing beyond tensors, their storages and dictionaries is")]
    Global(String),
    /// The selection does not fit the tensors.
    #[error("{0}")]
    Selection(String),
    /// The output could not be written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl ConvertError {
    /// Contradicts its format.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid(message.into())
    }

    /// Not taken.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::Unsupported(message.into())
    }
}
