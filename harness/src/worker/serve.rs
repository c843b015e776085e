//! The worker's side: reads requests from stdin, answers on stdout, and ends with the input.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::Path;

use rayon::{ThreadPool, ThreadPoolBuilder};
use sha2::{Digest, Sha256};
use weighbridge::artifact::{ArtifactReader, ArtifactWriter, PassedThrough, Tensor, write_tensors};
use weighbridge::conformance::{WRONG_BEYOND, promise_kept};
use weighbridge::fidelity::Fidelity;
use weighbridge::kernel::{AnyKernel, Context, Parts};
use weighbridge::registry::Registry;
use weighbridge::safefile::SafeFile;
use weighbridge::simd::Level;
use weighbridge::weights::Weights;

use super::calibration::{self, Grams};
use super::heap;
use super::protocol::{Checked, Decoded, Encoded, Reply, Request, Sampling, ScoreLine, TensorError, VERSION};
use super::timing::{self, Beside};
use crate::evaluate;
use crate::fixture::{self, Fixture};

/// Why a request failed, in words for the asker.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// A worker's state between requests.
struct Worker {
    registry: Registry,
    model: Vec<Tensor>,
    grams: Grams,
}

/// Serves requests until `bye` or the end of the input.
pub fn serve(registry: Registry, input: impl BufRead, mut output: impl Write) -> std::io::Result<()> {
    let mut worker = Worker { registry, model: Vec::new(), grams: Grams::new() };
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
                self.model = read_model(&model)?;
                self.grams = calibration.as_deref().map(calibration::read).transpose()?.unwrap_or_default();
                let input_bytes = self.model.iter().map(|t| t.raw().3.len() as u64).sum();
                Ok(Reply::Loaded { tensors: self.model.len(), input_bytes })
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

/// A pool of its own: the measured work runs inside it, so that one thread means one thread.
fn pool(threads: usize) -> Result<ThreadPool, Failure> {
    Ok(ThreadPoolBuilder::new().num_threads(threads).build()?)
}

/// Every tensor of a safetensors file, in the order of their names.
pub(crate) fn read_model(path: &Path) -> Result<Vec<Tensor>, Failure> {
    let file = SafeFile::open(path)?;
    let read = |name: String| -> Result<Tensor, Failure> {
        if file.weights_info(&name)?.is_some() {
            return Ok(Tensor::Weights(file.weights(&name)?));
        }
        let info = file.raw_info(&name)?;
        let dtype = serde_json::to_value(info.dtype)?.as_str().unwrap_or_default().to_owned();
        Ok(Tensor::Other { dtype, shape: info.shape.clone(), bytes: file.bytes(&name)?, name })
    };
    file.names().into_iter().map(read).collect()
}

/// A tensor's parts, or why it passes through.
fn encode_tensor(kernel: &dyn AnyKernel, tensor: &Tensor, grams: &Grams) -> Result<Parts, String> {
    match tensor {
        Tensor::Weights(weights) => {
            let context = Context { gram: grams.get(&weights.info().name), ..Context::default() };
            kernel.encode(weights, &context).map_err(|refusal| refusal.0)
        }
        Tensor::Other { dtype, .. } => Err(format!("dtype {dtype} is not one of weights")),
    }
}

fn encode(model: &[Tensor], grams: &Grams, kernel: &dyn AnyKernel, artifact: &Path) -> Result<Encoded, Failure> {
    let mut writer = ArtifactWriter::create(artifact, &kernel.spec())?;
    let mut passed_through = Vec::new();
    let mut peak_heap_bytes = 0;
    let mut digest = Sha256::new();
    for tensor in model {
        let (result, peak) = heap::peak_above(|| encode_tensor(kernel, tensor, grams));
        peak_heap_bytes = peak_heap_bytes.max(peak);
        match (result, tensor) {
            (Ok(parts), Tensor::Weights(weights)) => {
                digest_parts(&mut digest, &parts);
                writer.add_encoded(weights.info(), kernel, &parts)?;
            }
            (result, _) => {
                let reason = result.err().unwrap_or_default();
                let (name, dtype, shape, bytes) = tensor.raw();
                passed_through.push(PassedThrough { name: name.to_owned(), bytes: bytes.len() as u64, reason: reason.clone() });
                writer.add_raw(name, shape, dtype, bytes, &reason)?;
            }
        }
    }
    writer.finish()?;
    Ok(Encoded { parts_sha256: hex(&digest.finalize()), passed_through, peak_heap_bytes, peak_rss_bytes: peak_rss_bytes() })
}

fn time_encode(model: &[Tensor], grams: &Grams, kernel: &dyn AnyKernel, sampling: Sampling) -> Result<Reply, Failure> {
    let pass = || {
        for tensor in model {
            // A refusal is timed too: finding out is part of the work.
            let _ = std::hint::black_box(encode_tensor(kernel, tensor, grams));
        }
        Ok::<(), Failure>(())
    };
    pool(sampling.threads)?.install(|| {
        let mut digest = Sha256::new();
        let first = |beside: &mut Beside| {
            for tensor in model {
                if let Ok(parts) = encode_tensor(kernel, tensor, grams) {
                    beside.spend(|| digest_parts(&mut digest, &parts));
                }
            }
            Ok(())
        };
        let samples = timing::sample(sampling, first, pass)?;
        Ok(Reply::Timed { samples, sha256: hex(&digest.finalize()) })
    })
}

fn digest_parts(digest: &mut Sha256, parts: &Parts) {
    parts.0.iter().for_each(|part| digest.update(&part.bytes));
}

fn decode(reader: &ArtifactReader, output: &Path) -> Result<Decoded, Failure> {
    let mut tensors = Vec::with_capacity(reader.len());
    let mut peak_heap_bytes = 0;
    let mut digest = Sha256::new();
    for i in 0..reader.len() {
        let parts = reader.parts(i)?;
        let (tensor, peak) = heap::peak_above(|| reader.decode(i, &parts, &Context::default()));
        let tensor = tensor?;
        peak_heap_bytes = peak_heap_bytes.max(peak);
        digest.update(tensor.raw().3);
        tensors.push(tensor);
    }
    write_tensors(output, tensors.iter())?;
    Ok(Decoded { decoded_sha256: hex(&digest.finalize()), peak_heap_bytes, peak_rss_bytes: peak_rss_bytes() })
}

fn time_decode(reader: &ArtifactReader, sampling: Sampling) -> Result<Reply, Failure> {
    let parts = (0..reader.len()).map(|i| reader.parts(i)).collect::<Result<Vec<_>, _>>()?;
    let pass = || {
        for (i, parts) in parts.iter().enumerate() {
            std::hint::black_box(reader.decode(i, parts, &Context::default())?);
        }
        Ok::<(), Failure>(())
    };
    pool(sampling.threads)?.install(|| {
        let mut digest = Sha256::new();
        let first = |beside: &mut Beside| {
            for (i, parts) in parts.iter().enumerate() {
                let tensor = reader.decode(i, parts, &Context::default())?;
                beside.spend(|| digest.update(tensor.raw().3));
            }
            Ok(())
        };
        let samples = timing::sample(sampling, first, pass)?;
        Ok(Reply::Timed { samples, sha256: hex(&digest.finalize()) })
    })
}

/// Compares tensor by tensor; what is broken is a finding, not an error.
///
/// Sizes are taken here, not from the worker that encoded: what it claims of itself counts for nothing.
fn check(
    kernel: &dyn AnyKernel,
    artifact: &Path,
    model: &Path,
    decoded: &Path,
    passed_through: &[String],
    grams: &Grams,
) -> Result<Checked, Failure> {
    let (artifact, original, decoded) = (SafeFile::open(artifact)?, SafeFile::open(model)?, SafeFile::open(decoded)?);
    let mut checked = Checked {
        artifact_bytes: artifact.size_bytes(),
        artifact_sha256: fixture::sha256(artifact.path())?,
        weights: 0,
        input_bytes: 0,
        tensors: Vec::new(),
        broken: Vec::new(),
    };
    for name in original.names() {
        let (start, end) = original.raw_info(&name)?.data_offsets;
        checked.input_bytes += (end - start) as u64;
        checked.weights += original.weights_info(&name)?.map_or(0, |info| info.elements() as u64);
    }
    let (names, found) = (original.names(), decoded.names());
    checked.broken.extend(names.iter().filter(|n| !found.contains(n)).map(|n| format!("tensor '{n}' is missing")));
    checked.broken.extend(found.iter().filter(|n| !names.contains(n)).map(|n| format!("tensor '{n}' is not in the original")));
    for name in names.iter().filter(|n| found.contains(n)) {
        let unchanged = passed_through.contains(name);
        if unchanged && original.bytes(name)? != decoded.bytes(name)? {
            checked.broken.push(format!("tensor '{name}' should have passed through unchanged"));
        }
        if original.weights_info(name)? != decoded.weights_info(name)? {
            checked.broken.push(format!("tensor '{name}' came back with another shape or dtype"));
            continue;
        }
        if original.weights_info(name)?.is_none() {
            continue;
        }
        let (before, after) = (original.weights(name)?, decoded.weights(name)?);
        let sums = Fidelity::of(&before.to_f32(), &after.to_f32());
        if !unchanged && let Err(why) = promise_kept(&kernel.promise(&before), WRONG_BEYOND, &before, &after) {
            checked.broken.push(format!("tensor '{name}': {why}"));
        }
        let Fidelity { signal, noise, max_abs_error, count } = sums;
        let output = grams.get(name).and_then(|gram| calibration::output_error(&before, &after, gram));
        checked.tensors.push(TensorError { name: name.clone(), count, signal, noise, max_abs_error, output });
    }
    Ok(checked)
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

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Peak resident set (VmHWM), where the system tells.
fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
