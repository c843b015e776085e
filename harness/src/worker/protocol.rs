//! The worker protocol, version 1: one JSON object a line, a request on stdin, a reply on stdout, in turn.
//!
//! A session is `hello`, then any of the others, then `bye`. Paths are absolute. A worker that cannot do what is asked answers `error` and
//! stays; one that dies costs only the case it was serving. Anything on stderr is kept and shown when it dies.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use weighbridge::artifact::PassedThrough;

use super::batch::{Batch, BatchTimes};

/// Version of this protocol; a worker answers `hello` with its own.
pub const VERSION: u32 = 1;

/// What a worker is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Who are you?
    Hello {
        /// Protocol version of the asker.
        protocol: u32,
    },
    /// Open a model, a safetensors file. A small one is read into memory, a large one may be read tensor by tensor.
    Load {
        /// The file.
        model: PathBuf,
        /// Statistics of the layers' inputs on calibration data, for kernels that use them: a safetensors file in which the matrix XᵀX of
        /// tensor `w` is `w`, f32, n × n, and its number of samples is `w#samples`, f32, one element.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        calibration: Option<PathBuf>,
    },
    /// Encode the loaded model once and write the artifact; one thread, peak heap measured.
    Encode {
        /// Kernel specification, or the definition of a mixed pipeline as JSON.
        kernel: String,
        /// Where the artifact goes.
        artifact: PathBuf,
    },
    /// Encode the loaded model again and again, in memory, and time it; reading is not part of the time.
    TimeEncode {
        /// Kernel specification.
        kernel: String,
        /// How long and on how many threads.
        sampling: Sampling,
    },
    /// Decode an artifact once and write the model it holds; one thread, peak heap measured.
    Decode {
        /// The artifact.
        artifact: PathBuf,
        /// Where the decoded safetensors file goes.
        output: PathBuf,
    },
    /// Decode an artifact again and again, in memory, and time it.
    TimeDecode {
        /// The artifact.
        artifact: PathBuf,
        /// How long and on how many threads.
        sampling: Sampling,
    },
    /// Time a stated number of passes in a fresh process, for the comparison of two builds.
    TimeBatch(Batch),
    /// Compare a decoded model with the original, and with what the kernel promised.
    Check {
        /// Kernel specification, for its promise.
        kernel: String,
        /// The artifact, which is weighed.
        artifact: PathBuf,
        /// The original model.
        model: PathBuf,
        /// The decoded one.
        decoded: PathBuf,
        /// Names of tensors that passed through and so must be equal.
        passed_through: Vec<String>,
        /// Statistics of the layers' inputs, for the error of the layers' outputs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        calibration: Option<PathBuf>,
    },
    /// Run a fixture's calibration data through its original weights and write the statistics of the layers' inputs.
    Calibrate {
        /// The fixture's manifest.
        manifest: PathBuf,
        /// Where the statistics go.
        output: PathBuf,
    },
    /// Run a fixture's evaluation task on a model's weights.
    Evaluate {
        /// The fixture's manifest.
        manifest: PathBuf,
        /// The weights: the original's or decoded ones.
        weights: PathBuf,
        /// Outputs of the original weights; `None` makes them.
        reference: Option<PathBuf>,
        /// Where the outputs go, where they are wanted.
        outputs: Option<PathBuf>,
    },
    /// Leave.
    Bye,
}

/// How a timed operation is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Sampling {
    /// Threads of the pool that the kernel runs in.
    pub threads: usize,
    /// Time to spend on samples, after warm-up.
    pub budget_ms: u64,
    /// Samples to stop at.
    pub max_samples: usize,
}

/// What a worker answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "reply", rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Reply {
    /// To `hello`.
    Hello {
        /// Program name.
        name: String,
        /// Its version.
        version: String,
        /// Protocol version it speaks.
        protocol: u32,
        /// SIMD level its kernels use.
        simd: String,
    },
    /// To `load`.
    Loaded {
        /// Tensors read.
        tensors: usize,
        /// Their bytes, each in its own dtype.
        input_bytes: u64,
    },
    /// To `encode`.
    Encoded(Encoded),
    /// To `decode`.
    Decoded(Decoded),
    /// To `time-encode` and `time-decode`.
    Timed {
        /// The times.
        samples: Samples,
        /// SHA-256 of what was made on that many threads: parts for encode, decoded tensors for decode.
        sha256: String,
    },
    /// To `time-batch`.
    BatchTimed(BatchTimes),
    /// To `check`.
    Checked(Checked),
    /// To `calibrate`.
    Calibrated {
        /// Tensors there are statistics for.
        tensors: usize,
    },
    /// To `evaluate`.
    Evaluated {
        /// Scores against the reference.
        scores: Vec<ScoreLine>,
    },
    /// The request could not be carried out.
    Error {
        /// Why, with the file, tensor or key in it.
        message: String,
    },
}

/// Outcome of an encode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Encoded {
    /// SHA-256 of all packed parts in order, hexadecimal.
    pub parts_sha256: String,
    /// Tensors stored unchanged, and why.
    pub passed_through: Vec<PassedThrough>,
    /// Largest heap in use above what the loaded model needs, over all tensors.
    pub peak_heap_bytes: u64,
    /// Peak resident set of the process; sampled by the system.
    pub peak_rss_bytes: Option<u64>,
}

/// Outcome of a decode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Decoded {
    /// SHA-256 over all decoded tensors' bytes in the artifact's order, hexadecimal.
    pub decoded_sha256: String,
    /// Largest heap in use above the packed parts, over all tensors.
    pub peak_heap_bytes: u64,
    /// Peak resident set of the process; sampled by the system.
    pub peak_rss_bytes: Option<u64>,
}

/// Raw times. Each sample is the sum over `repetitions` passes over the whole model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Samples {
    /// Threads of the pool.
    pub threads: usize,
    /// Passes a sample.
    pub repetitions: u64,
    /// Passes made before the first sample.
    pub warmup: u64,
    /// Wall time of each sample.
    pub wall_ns: Vec<u64>,
    /// CPU time of each sample: of the thread where there is one, of the process where there are more.
    pub cpu_ns: Vec<u64>,
}

/// Outcome of a check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Checked {
    /// Size of the artifact file, which is a valid safetensors file.
    pub artifact_bytes: u64,
    /// SHA-256 of the artifact file, hexadecimal.
    pub artifact_sha256: String,
    /// Elements of the original's floating-point tensors.
    pub weights: u64,
    /// Bytes of all tensors of the original, each in its own dtype.
    pub input_bytes: u64,
    /// One entry a tensor of floating-point weights, in file order.
    pub tensors: Vec<TensorError>,
    /// What the decoded model got wrong; empty when it kept every promise.
    pub broken: Vec<String>,
}

/// Error sums of one tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct TensorError {
    /// The tensor.
    pub name: String,
    /// Elements.
    pub count: u64,
    /// Σ original².
    pub signal: f64,
    /// Σ (decoded − original)².
    pub noise: f64,
    /// Largest |decoded − original|.
    pub max_abs_error: f64,
    /// Error sums of the layer's outputs on calibration inputs, where there are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<OutputError>,
}

/// Error sums of a layer's outputs XWᵀ, from XᵀX.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OutputError {
    /// ‖XWᵀ‖².
    pub signal: f64,
    /// ‖X(Ŵ − W)ᵀ‖².
    pub noise: f64,
}

/// A score of an evaluation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ScoreLine {
    /// Metric name.
    pub metric: String,
    /// Value in the metric's unit.
    pub value: f64,
    /// Standard error, paired where the metric is a difference.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_error: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_one_line_each_and_come_back() {
        let request =
            Request::TimeEncode { kernel: "int4:group=64".into(), sampling: Sampling { threads: 1, budget_ms: 250, max_samples: 50 } };
        let line = serde_json::to_string(&request).unwrap();
        assert_eq!(line, r#"{"op":"time-encode","kernel":"int4:group=64","sampling":{"threads":1,"budget-ms":250,"max-samples":50}}"#);
        assert_eq!(serde_json::from_str::<Request>(&line).unwrap(), request);
    }

    #[test]
    fn unknown_keys_are_refused() {
        let error = serde_json::from_str::<Request>(r#"{"op":"load","model":"/m","modell":1}"#).unwrap_err();
        assert!(error.to_string().contains("modell"), "{error}");
    }
}
