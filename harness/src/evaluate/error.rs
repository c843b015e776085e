//! Why a model could not be evaluated. Each message names the fixture or file.

use std::path::PathBuf;

use weighbridge::error::FileError;

use crate::fixture::FixtureError;

/// An evaluation that cannot be done, or whose result means nothing.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// The manifest has no such section.
    #[error("fixture '{fixture}' has no {what}; add '[{what}]' to its manifest or leave it out of the suite")]
    NoData {
        /// The fixture.
        fixture: String,
        /// `evaluation` or `calibration`.
        what: &'static str,
    },
    /// The weights lack a tensor of the original.
    #[error("fixture '{fixture}': the weights have no tensor '{tensor}', which the original has; decode all tensors of the artifact")]
    MissingTensor {
        /// The fixture.
        fixture: String,
        /// The tensor.
        tensor: String,
    },
    /// A tensor has another shape than the original's.
    #[error("fixture '{fixture}': tensor '{tensor}' has shape {found:?}, the original has {expected:?}")]
    Shape {
        /// The fixture.
        fixture: String,
        /// The tensor.
        tensor: String,
        /// Shape in the weights given.
        found: Vec<usize>,
        /// Shape in the fixture's file.
        expected: Vec<usize>,
    },
    /// A logit is NaN or infinite.
    #[error("fixture '{fixture}': the output for example {example} holds {value}; look for non-finite or huge values among the weights")]
    NonFinite {
        /// The fixture.
        fixture: String,
        /// Index of the example.
        example: usize,
        /// The value.
        value: f32,
    },
    /// Evaluation or calibration data that cannot be read.
    #[error("data '{}': {message}", path.display())]
    Data {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A file of stored outputs that makes no sense.
    #[error("outputs '{}': {message}; delete the file, and it will be computed again", path.display())]
    Outputs {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// Two outputs that do not answer the same questions.
    #[error("the outputs cannot be compared: {message}; evaluate both on the same data")]
    Incomparable {
        /// What differs.
        message: String,
    },
    /// The inference library failed.
    #[error("fixture '{fixture}': inference failed: {message}")]
    Inference {
        /// The fixture.
        fixture: String,
        /// The library's message.
        message: String,
    },
    /// The fixture itself is at fault.
    #[error(transparent)]
    Fixture(#[from] FixtureError),
    /// A file is at fault.
    #[error(transparent)]
    File(#[from] FileError),
}
