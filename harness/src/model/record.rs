//! What a run stores: a header, then a record for each stage of each case as it ends. All of it is raw.

use serde::{Deserialize, Serialize};
use weighbridge::fidelity::Fidelity;

use super::machine::Machine;
use super::sampled::{SampleRule, Sampled};
use crate::worker::protocol::{Checked, Decoded, Encoded, Samples, Sampling, ScoreLine};

/// Version of the run file.
pub const VERSION: u32 = 1;

/// Kernel × fixture.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Case {
    /// Kernel specification.
    pub kernel: String,
    /// Fixture name.
    pub fixture: String,
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} × {}", self.kernel, self.fixture)
    }
}

/// A fixture of the suite that a run leaves out, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct NotMeasured {
    /// Fixture name.
    pub fixture: String,
    /// Why, such as `not fetched`.
    pub reason: String,
}

/// First line of a run file: what was to be measured, with what, where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Header {
    /// Version of the file.
    pub weighbridge_run: u32,
    /// Suite.
    pub suite: String,
    /// When it began, RFC 3339, UTC.
    pub started: String,
    /// Release of the harness.
    pub release: String,
    /// The command that began it.
    pub command: String,
    /// Commit of the work tree, where there is one.
    pub commit: Option<String>,
    /// Whether tracked files differed from that commit.
    pub dirty: Option<bool>,
    /// SHA-256 of the worker program: a run is only resumed with the same one.
    pub worker_sha256: String,
    /// The machine.
    pub machine: Machine,
    /// How times were sampled.
    pub sampling: Sampling,
    /// The cases, in order.
    pub cases: Vec<Case>,
    /// Fixtures that belong to the suite and are not there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_measured: Vec<NotMeasured>,
    /// Which kernels were measured on samples of large models; the first rule that takes a case counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sample: Vec<SampleRule>,
    /// Which kernels alone were measured on large models.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// Which part of a suite's cases this run has, where it is one of several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
}

/// The kernels that are measured on models above some size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Limit {
    /// Models with more parameters.
    pub above_parameters: u64,
    /// Globs over the kernels that they are measured with, by name or whole specification.
    pub kernels: Vec<String>,
    /// Why these.
    pub reason: String,
}

impl Limit {
    /// It in words.
    pub fn line(&self) -> String {
        let kernels = self.kernels.join(", ");
        format!("Models of more than {} parameters were measured with {kernels} only: {}.", self.above_parameters, self.reason)
    }
}

/// A part of a suite's cases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Shard {
    /// From 1.
    pub index: usize,
    /// How many there are.
    pub count: usize,
    /// The cases of all of them, in the order of one run.
    pub all_cases: Vec<Case>,
}

impl Header {
    /// A header of nothing, to be filled in.
    pub fn empty() -> Self {
        Self {
            weighbridge_run: VERSION,
            suite: String::new(),
            started: String::new(),
            release: env!("CARGO_PKG_VERSION").to_owned(),
            command: String::new(),
            commit: None,
            dirty: None,
            worker_sha256: String::new(),
            machine: Machine::current(),
            sampling: Sampling { threads: 1, budget_ms: 0, max_samples: 0 },
            cases: Vec::new(),
            not_measured: Vec::new(),
            sample: Vec::new(),
            limits: Vec::new(),
            shard: None,
        }
    }

    /// What of the suite was not measured, in words; nothing where all was.
    pub fn not_measured_line(&self) -> Option<String> {
        let named = self.not_measured.iter().map(|n| format!("{} ({})", n.fixture, n.reason)).collect::<Vec<_>>();
        (!named.is_empty()).then(|| format!("Not measured: {}; 'weighbridge fixtures fetch' gets what packages hold.", named.join(", ")))
    }
}

/// Later lines of a run file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Line {
    /// A case was encoded, decoded, checked and timed.
    Measured {
        /// The case.
        case: Case,
        /// What came out.
        measured: Box<Measured>,
        /// Wall time it took, workers and files included.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<f64>,
    },
    /// A case's decoded weights did their fixture's task.
    Evaluated {
        /// The case.
        case: Case,
        /// Scores; empty where the fixture has no task.
        scores: Vec<ScoreLine>,
        /// Wall time it took, with as many others beside it as there are processors.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seconds: Option<f64>,
    },
    /// A case failed.
    Failed {
        /// The case.
        case: Case,
        /// Where: `load`, `encode`, `decode`, `check`, `time` or `evaluate`.
        stage: String,
        /// Why.
        message: String,
    },
    /// The run is complete.
    Finished {
        /// When, RFC 3339, UTC.
        at: String,
        /// How long it took, over all its sittings.
        seconds: f64,
    },
}

/// Raw results of a case that passed its check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Measured {
    /// Encode: sizes, digest, heap.
    pub encoded: Encoded,
    /// Decode: digest, heap.
    pub decoded: Decoded,
    /// Error sums by tensor.
    pub checked: Checked,
    /// Encode times.
    pub encode_times: Samples,
    /// Decode times.
    pub decode_times: Samples,
    /// How the model was sampled, where it was: all of the above is then of the sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sampled: Option<Sampled>,
}

impl Measured {
    /// Error sums of the whole model.
    pub fn fidelity(&self) -> Fidelity {
        let mut whole = Fidelity::default();
        for t in &self.checked.tensors {
            whole.add(Fidelity { signal: t.signal, noise: t.noise, max_abs_error: t.max_abs_error, count: t.count });
        }
        whole
    }
}

impl Measured {
    /// ‖X(Ŵ − W)ᵀ‖ / ‖XWᵀ‖ over all layers that there are calibration inputs for.
    pub fn layer_output_error(&self) -> Option<f64> {
        let sums = self.checked.tensors.iter().filter_map(|t| t.output);
        let (signal, noise) = sums.fold((0.0, 0.0), |(s, n), o| (s + o.signal, n + o.noise));
        (signal > 0.0).then(|| (noise.max(0.0) / signal).sqrt())
    }
}

/// A case's failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseFailure {
    /// Where.
    pub stage: String,
    /// Why.
    pub message: String,
}

/// All that a run knows of a case.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseRecord {
    /// The case.
    pub case: Case,
    /// Raw results, once measured.
    pub measured: Option<Measured>,
    /// Scores, once evaluated.
    pub scores: Option<Vec<ScoreLine>>,
    /// Its failure, if it failed.
    pub failure: Option<CaseFailure>,
    /// Wall time of its measurement.
    pub measure_seconds: Option<f64>,
    /// Wall time of its evaluation.
    pub evaluate_seconds: Option<f64>,
}

impl CaseRecord {
    /// A case nothing is known of yet.
    pub fn pending(case: Case) -> Self {
        Self { case, measured: None, scores: None, failure: None, measure_seconds: None, evaluate_seconds: None }
    }

    /// Whether nothing is left to do for it.
    pub fn is_finished(&self) -> bool {
        self.failure.is_some() || (self.measured.is_some() && self.scores.is_some())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::worker::protocol::TensorError;

    /// A made-up record: 8 MB to 1 MB, relative error 0.1.
    pub(crate) fn case(kernel: &str, fixture: &str) -> CaseRecord {
        let samples = |ns: &[u64]| Samples { threads: 1, repetitions: 2, warmup: 1, wall_ns: ns.to_vec(), cpu_ns: ns.to_vec() };
        let tensor = |name: &str, signal, noise| TensorError {
            name: name.into(),
            count: 1_000_000,
            signal,
            noise,
            max_abs_error: 0.5,
            output: None,
        };
        CaseRecord {
            case: Case { kernel: kernel.into(), fixture: fixture.into() },
            measured: Some(Measured {
                encoded: Encoded {
                    parts_sha256: "ef".into(),
                    passed_through: vec![],
                    peak_heap_bytes: 1 << 20,
                    peak_rss_bytes: Some(1 << 24),
                },
                decoded: Decoded { decoded_sha256: "cd".into(), peak_heap_bytes: 1 << 21, peak_rss_bytes: None },
                checked: Checked {
                    artifact_bytes: 1_000_000,
                    artifact_sha256: "ab".into(),
                    weights: 2_000_000,
                    input_bytes: 8_000_000,
                    tensors: vec![tensor("a", 75.0, 0.5), tensor("b", 25.0, 0.5)],
                    broken: vec![],
                },
                encode_times: samples(&[17_000_000, 16_000_000, 15_000_000]),
                decode_times: samples(&[1_600_000, 3_200_000]),
                sampled: None,
            }),
            scores: Some(vec![ScoreLine { metric: "kl_divergence".into(), value: 0.02, standard_error: Some(0.001) }]),
            failure: None,
            measure_seconds: None,
            evaluate_seconds: None,
        }
    }
}
