//! The metrics: names, units, directions, and how each is computed from raw records. Derived numbers are never stored in a run.

use super::record::{CaseRecord, Measured};
use super::sampled::{Estimate, Sampled};
use crate::worker::protocol::Samples;

/// Whether two values can be compared exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Same input, same value, on every machine.
    Exact,
    /// Exact up to the numerical tolerance of the inference library, far below what policy calls a loss.
    Evaluated,
    /// Differs from run to run.
    Sampled,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// A metric's definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Name in tables, baselines and policies.
    pub name: &'static str,
    /// Unit, empty for a plain number.
    pub unit: &'static str,
    /// Comparable how.
    pub kind: Kind,
    /// Better which way.
    pub direction: Direction,
    /// One line.
    pub doc: &'static str,
}

impl Metric {
    /// Its name, with its unit in brackets if it has one.
    pub fn with_unit(&self) -> String {
        if self.unit.is_empty() { self.name.to_owned() } else { format!("{} [{}]", self.name, self.unit) }
    }
}

macro_rules! metrics {
    ($($name:literal $unit:literal $kind:ident $direction:ident $doc:literal;)*) => {
        /// Every metric, in the order in which tables print them.
        pub const METRICS: &[Metric] = &[$(Metric { name: $name, unit: $unit, kind: Kind::$kind, direction: Direction::$direction, doc: $doc }),*];
    };
}

metrics! {
    "compression_ratio" "x" Exact Higher "input bytes in their own dtype over the bytes of the artifact file";
    "bits_per_weight" "bit" Exact Lower "bits of the artifact file over the number of floating-point weights";
    "relative_error" "" Exact Lower "Frobenius norm of decoded minus original over that of the original, all tensors";
    "sqnr_db" "dB" Exact Higher "signal to quantisation noise ratio, all tensors; absent where there is no noise";
    "max_abs_error" "" Exact Lower "largest absolute difference of any weight";
    "layer_output_error" "" Evaluated Lower "norm of the change of all layers' outputs on calibration inputs over that of the outputs";
    "encode_peak_heap_bytes" "B" Exact Lower "largest heap in use by encode above the loaded model, on one thread";
    "decode_peak_heap_bytes" "B" Exact Lower "largest heap in use by decode above the packed parts, on one thread";
    "top1_accuracy" "%" Evaluated Higher "share of evaluation examples whose most likely class is right";
    "word_accuracy" "%" Evaluated Higher "share of words whose every phoneme is right";
    "line_accuracy" "%" Evaluated Higher "share of lines whose every character is read right";
    "pitch_accuracy" "%" Evaluated Higher "share of frames whose pitch is right within 50 cents";
    "accuracy_loss_percent" "pt" Evaluated Lower "accuracy of the original (classes, words, lines, pitches) minus that of the decoded weights, in points";
    "phoneme_error_rate" "%" Evaluated Lower "edits to the nearest pronunciation over its phonemes";
    "phoneme_error_increase" "pt" Evaluated Lower "the same minus that of the original, in points";
    "character_error_rate" "%" Evaluated Lower "edits to what lines say over their characters";
    "character_error_increase" "pt" Evaluated Lower "the same minus that of the original, in points";
    "auc" "" Evaluated Higher "chance that a chunk with speech is scored above one without";
    "auc_loss" "" Evaluated Lower "that of the original minus that of the decoded weights";
    "spearman_lee" "" Evaluated Higher "rank correlation of cosines with human scores of 50 documents";
    "spearman_lee_loss" "" Evaluated Lower "that of the original minus that of the decoded weights";
    "pearson_lee" "" Evaluated Higher "linear correlation with the same";
    "spearman_wordsim" "" Evaluated Higher "rank correlation of cosines with WordSim-353";
    "spearman_wordsim_loss" "" Evaluated Lower "that of the original minus that of the decoded weights";
    "spearman_simlex" "" Evaluated Higher "rank correlation of cosines with SimLex-999";
    "spearman_simlex_loss" "" Evaluated Lower "that of the original minus that of the decoded weights";
    "perplexity" "" Evaluated Lower "exponential of the mean negative log-likelihood a character or token";
    "bits_per_char" "bit" Evaluated Lower "mean negative log2-likelihood a character";
    "perplexity_increase_percent" "%" Evaluated Lower "perplexity over that of the original, minus one";
    "kl_divergence" "nat" Evaluated Lower "mean Kullback-Leibler divergence from the original's output distribution";
    "kl_divergence_median" "nat" Evaluated Lower "median of the same";
    "kl_divergence_p99" "nat" Evaluated Lower "99th percentile of the same";
    "kl_divergence_p999" "nat" Evaluated Lower "99.9th percentile of the same";
    "kl_divergence_max" "nat" Evaluated Lower "largest of the same";
    "same_top1" "%" Evaluated Higher "share of examples whose most likely class is the original's";
    "same_word" "%" Evaluated Higher "share of words written as the original writes them";
    "same_line" "%" Evaluated Higher "share of lines read as the original reads them";
    "embedding_distance" "" Evaluated Lower "mean cosine distance of embeddings from the original's";
    "embedding_cosine" "" Evaluated Higher "mean cosine of embeddings to the original's";
    "encode_seconds_per_mb" "s/MB" Sampled Lower "median CPU time to encode 10^6 input bytes";
    "decode_seconds_per_mb" "s/MB" Sampled Lower "median CPU time to decode to 10^6 bytes";
    "encode_wall_seconds_per_mb" "s/MB" Sampled Lower "median wall time to encode 10^6 input bytes";
    "decode_wall_seconds_per_mb" "s/MB" Sampled Lower "median wall time to decode to 10^6 bytes";
    "encode_peak_rss_bytes" "B" Sampled Lower "peak resident set of the encoding process";
    "decode_peak_rss_bytes" "B" Sampled Lower "peak resident set of the decoding process";
}

/// The metric of that name.
pub fn metric(name: &str) -> Option<&'static Metric> {
    METRICS.iter().find(|m| m.name == name)
}

/// A metric's value for one case.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// Metric name.
    pub metric: &'static str,
    /// Value in the metric's unit.
    pub value: f64,
    /// Standard error, where one is known.
    pub standard_error: Option<f64>,
}

/// All metrics that a case's records allow, in the order of [`METRICS`].
pub fn derive(case: &CaseRecord) -> Vec<Value> {
    let (mut values, mut estimates) = (Vec::new(), Vec::new());
    let mut push = |metric: &'static str, value: Option<f64>| {
        if let Some(value) = value {
            values.push(Value { metric, value, standard_error: None });
        }
    };
    if let Some(measured) = &case.measured {
        match &measured.sampled {
            None => push_whole(measured, &mut push),
            Some(sampled) => estimates.extend(estimate(measured, sampled)),
        }
        push("encode_seconds_per_mb", seconds_per_mb(measured, &measured.encode_times, |s| &s.cpu_ns));
        push("decode_seconds_per_mb", seconds_per_mb(measured, &measured.decode_times, |s| &s.cpu_ns));
        push("encode_wall_seconds_per_mb", seconds_per_mb(measured, &measured.encode_times, |s| &s.wall_ns));
        push("decode_wall_seconds_per_mb", seconds_per_mb(measured, &measured.decode_times, |s| &s.wall_ns));
    }
    values.extend(estimates);
    for score in case.scores.iter().flatten() {
        if let Some(metric) = metric(&score.metric) {
            values.push(Value { metric: metric.name, value: score.value, standard_error: score.standard_error });
        }
    }
    values.sort_by_key(|v| METRICS.iter().position(|m| m.name == v.metric));
    values
}

/// What a whole model gives.
fn push_whole(measured: &Measured, push: &mut impl FnMut(&'static str, Option<f64>)) {
    let (encoded, checked) = (&measured.encoded, &measured.checked);
    let sums = measured.fidelity();
    push("compression_ratio", Some(ratio(checked.input_bytes, checked.artifact_bytes)));
    push("bits_per_weight", (checked.weights > 0).then(|| 8.0 * ratio(checked.artifact_bytes, checked.weights)));
    push("relative_error", Some(sums.relative_error()));
    push("sqnr_db", sums.sqnr_db());
    push("max_abs_error", Some(sums.max_abs_error));
    push("layer_output_error", measured.layer_output_error());
    push("encode_peak_heap_bytes", Some(as_f64(encoded.peak_heap_bytes)));
    push("decode_peak_heap_bytes", Some(as_f64(measured.decoded.peak_heap_bytes)));
    push("encode_peak_rss_bytes", encoded.peak_rss_bytes.map(as_f64));
    push("decode_peak_rss_bytes", measured.decoded.peak_rss_bytes.map(as_f64));
}

/// What a sample says of the whole. A largest error and a memory peak cannot be told from a sample, and are left out.
fn estimate(measured: &Measured, sampled: &Sampled) -> Vec<Value> {
    let size = sampled.artifact_bytes(&measured.checked);
    let (input, weights) = (as_f64(sampled.input_bytes), as_f64(sampled.weights));
    let estimates = [
        ("compression_ratio", size.map(|s| s.through(input / s.value, input / (s.value * s.value)))),
        ("bits_per_weight", size.filter(|_| sampled.weights > 0).map(|s| s.through(8.0 * s.value / weights, 8.0 / weights))),
        ("relative_error", sampled.relative_error(&measured.checked)),
        ("sqnr_db", sampled.sqnr_db(&measured.checked)),
    ];
    let value =
        |(metric, e): (&'static str, Option<Estimate>)| e.map(|e| Value { metric, value: e.value, standard_error: e.standard_error });
    estimates.into_iter().filter_map(value).collect()
}

/// Compression ratio of the whole model.
pub fn compression_ratio(measured: &Measured) -> Option<f64> {
    let Some(sampled) = &measured.sampled else { return Some(ratio(measured.checked.input_bytes, measured.checked.artifact_bytes)) };
    sampled.artifact_bytes(&measured.checked).map(|size| as_f64(sampled.input_bytes) / size.value)
}

/// Median time of one pass over one MB (10⁶ bytes) of input.
fn seconds_per_mb(measured: &Measured, samples: &Samples, clock: impl Fn(&Samples) -> &Vec<u64>) -> Option<f64> {
    let mut times = clock(samples).clone();
    times.sort_unstable();
    let n = times.len();
    let middle = match n {
        0 => return None,
        _ if n % 2 == 1 => as_f64(times[n / 2]),
        _ => f64::midpoint(as_f64(times[n / 2 - 1]), as_f64(times[n / 2])),
    };
    let megabytes = as_f64(measured.checked.input_bytes) / 1e6;
    (megabytes > 0.0).then(|| middle / 1e9 / as_f64(samples.repetitions.max(1)) / megabytes)
}

fn ratio(numerator: u64, denominator: u64) -> f64 {
    as_f64(numerator) / as_f64(denominator)
}

/// Counts of bytes and nanoseconds stay below 2⁵³ here.
#[expect(clippy::cast_precision_loss, reason = "counts below 2^53 convert exactly")]
pub fn as_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::tests::case;

    #[test]
    fn metrics_are_derived_from_raw_records() {
        let values = derive(&case("int4", "mlp"));
        let get = |name: &str| values.iter().find(|v| v.metric == name).map(|v| v.value);
        assert_eq!(get("compression_ratio"), Some(8.0));
        assert_eq!(get("bits_per_weight"), Some(4.0));
        assert_eq!(get("relative_error"), Some(0.1));
        assert_eq!(get("sqnr_db"), Some(20.0));
        // 8 MB, 2 passes a sample, median 16 ms of CPU.
        assert_eq!(get("encode_seconds_per_mb"), Some(0.001));
        assert_eq!(get("kl_divergence"), Some(0.02));
    }

    #[test]
    fn names_are_unique_and_documented() {
        for (i, m) in METRICS.iter().enumerate() {
            assert!(METRICS[..i].iter().all(|other| other.name != m.name), "{}", m.name);
            assert!(!m.doc.is_empty() && m.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
        }
    }
}
