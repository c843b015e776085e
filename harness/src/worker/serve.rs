//! The worker's side: reads requests from stdin, answers on stdout, and ends with the input.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::Path;

use rayon::{ThreadPool, ThreadPoolBuilder};
use weighbridge::artifact::ArtifactReader;
use weighbridge::registry::Registry;
use weighbridge::safefile::SafeFile;
use weighbridge::simd::Level;
use weighbridge::weights::Weights;

use super::batch;
use super::calibration::{self, Grams};
use super::check::check;
use super::decode::{decode, time_decode};
use super::encode::{encode, time_encode};
use super::model::{Model, RESIDENT_BYTES};
use super::protocol::{Reply, Request, ScoreLine, VERSION};
use crate::evaluate;
use crate::fixture::Fixture;

/// Why a request failed, in words for the asker.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A worker's state between requests.
struct Worker {
    registry: Registry,
    model: Model,
    grams: Grams,
    extra_work: Option<f64>,
}

/// Serves requests until `bye` or the end of the input. `extra_work` is a share of work to do on top while `time-batch` is answered.
pub fn serve(registry: Registry, extra_work: Option<f64>, input: impl BufRead, mut output: impl Write) -> std::io::Result<()> {
    let mut worker = Worker { registry, model: Model::empty(), grams: Grams::new(), extra_work };
    for line in input.lines() {
        let line = line?;
        let reply = match serde_json::from_str::<Request>(&line) {
            Ok(Request::Bye) => break,
            Ok(request) => worker.answer(request).unwrap_or_else(|e| Reply::Error { message: chain(e.as_ref()) }),
            Err(e) => Reply::Error { message: format!("cannot read the request: {e}") },
        };
        serde_json::to_writer(&mut output, &reply)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
    Ok(())
}

/// An error and its causes, each said once.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

impl Worker {
    fn answer(&mut self, request: Request) -> Result<Reply, Failure> {
        match request {
            Request::Hello { .. } | Request::Bye => Ok(Reply::Hello {
                name: "weighbridge".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                protocol: VERSION,
                simd: Level::current().name().to_owned(),
            }),
            Request::Load { model, calibration } => {
                self.model = Model::open(&model, RESIDENT_BYTES)?;
                self.grams = calibration.as_deref().map(calibration::read).transpose()?.unwrap_or_default();
                Ok(Reply::Loaded { tensors: self.model.count(), input_bytes: self.model.input_bytes() })
            }
            Request::Encode { kernel, artifact } => {
                let kernel = self.registry.parse(&kernel)?;
                pool(1)?.install(|| encode(&self.model, &self.grams, kernel.as_ref(), &artifact)).map(Reply::Encoded)
            }
            Request::TimeEncode { kernel, sampling } => {
                let kernel = self.registry.parse(&kernel)?;
                time_encode(&self.model, &self.grams, kernel.as_ref(), sampling)
            }
            Request::Decode { artifact, output } => {
                let reader = ArtifactReader::open(&artifact, &self.registry)?;
                pool(1)?.install(|| decode(&reader, &output)).map(Reply::Decoded)
            }
            Request::TimeDecode { artifact, sampling } => time_decode(&ArtifactReader::open(&artifact, &self.registry)?, sampling),
            Request::TimeBatch(request) => {
                batch::time_batch(&self.model.all()?, &self.grams, &self.registry, &request, self.extra_work).map(Reply::BatchTimed)
            }
            Request::Check { kernel, artifact, model, decoded, passed_through, calibration } => {
                let kernel = self.registry.parse(&kernel)?;
                let grams = calibration.as_deref().map(calibration::read).transpose()?.unwrap_or_default();
                check(kernel.as_ref(), &artifact, &model, &decoded, &passed_through, &grams).map(Reply::Checked)
            }
            Request::Calibrate { manifest, output } => {
                let fixture = Fixture::load(&manifest)?;
                let grams = evaluate::layer_inputs(&fixture, &fixture.weights()?)?;
                calibration::write(&output, &grams)?;
                Ok(Reply::Calibrated { tensors: grams.len() })
            }
            Request::Evaluate { manifest, weights, reference, outputs } => {
                evaluate_weights(&manifest, &weights, reference.as_deref(), outputs.as_deref())
            }
        }
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A pool of its own: the measured work runs inside it, so that one thread means one thread.
pub fn pool(threads: usize) -> Result<ThreadPool, Failure> {
    Ok(ThreadPoolBuilder::new().num_threads(threads).build()?)
}

fn evaluate_weights(manifest: &Path, weights: &Path, reference: Option<&Path>, outputs: Option<&Path>) -> Result<Reply, Failure> {
    let fixture = Fixture::load(manifest)?;
    let file = SafeFile::open(weights)?;
    let mut tensors = BTreeMap::<String, Weights>::new();
    for name in file.names() {
        if file.weights_info(&name)?.is_some() {
            tensors.insert(name.clone(), file.weights(&name)?);
        }
    }
    let result = evaluate::outputs(&fixture, &tensors)?;
    if let Some(path) = outputs {
        result.save(path)?;
    }
    let reference = reference.map(|path: &Path| evaluate::Outputs::load(path)).transpose()?;
    let scores = evaluate::score(&fixture, reference.as_ref().unwrap_or(&result), &result)?;
    let line = |s: evaluate::Score| ScoreLine { metric: s.metric.to_owned(), value: s.value, standard_error: s.standard_error };
    Ok(Reply::Evaluated { scores: scores.into_iter().map(line).collect() })
}

/// Peak resident set (VmHWM), where the system tells.
pub fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
