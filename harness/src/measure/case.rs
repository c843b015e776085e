//! One case: encode in one worker, decode in a fresh one that is given the artifact alone, check in a third, and only then time both.

use std::path::{Path, PathBuf};

use crate::model::record::{Case, CaseFailure, Measured};
use crate::worker::client::{Client, Launch, WorkerError};
use crate::worker::protocol::{Checked, Decoded, Encoded, Reply, Request, Samples, Sampling};

/// Where a case's files go.
#[derive(Debug, Clone)]
pub struct Files {
    /// The artifact.
    pub artifact: PathBuf,
    /// What came back from it.
    pub decoded: PathBuf,
}

impl Files {
    /// Files of a case in a scratch folder.
    pub fn of(case: &Case, scratch: &Path) -> Self {
        let slug: String = format!("{}--{}", case.kernel, case.fixture)
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '.' })
            .collect();
        Self {
            artifact: scratch.join(format!("{slug}.artifact.safetensors")),
            decoded: scratch.join(format!("{slug}.decoded.safetensors")),
        }
    }
}

impl Files {
    /// Removes them, and what a worker that died may have left beside them. What is not there is no matter.
    pub fn remove(&self) {
        for path in [&self.artifact, &self.decoded] {
            let _ = std::fs::remove_file(path);
            for suffix in ["partial", "spool"] {
                let _ = std::fs::remove_file(weighbridge::safewriter::sibling(path, suffix));
            }
        }
    }
}

/// Runs a fixture's calibration data through its original weights.
pub fn calibrate(manifest: &Path, output: &Path, own: &Launch) -> Result<(), WorkerError> {
    let mut worker = Client::start(own)?;
    match worker.ask(&Request::Calibrate { manifest: manifest.to_owned(), output: output.to_owned() })? {
        Reply::Calibrated { .. } => Ok(()),
        other => Err(worker.unexpected(&other)),
    }
}

/// Measures one case. `kernel` is what workers are told to use for it; `launch` starts the workers under test, `own` the harness's, which checks.
pub fn measure(
    kernel: &str,
    model: &Path,
    calibration: Option<&Path>,
    files: &Files,
    launch: &Launch,
    own: &Launch,
    sampling: Sampling,
) -> Result<Measured, CaseFailure> {
    let bytes = std::fs::metadata(model).map_or(0, |m| m.len());
    let (launch, own) = (&launch.for_model(bytes), &own.for_model(bytes));
    let at = |stage: &str| {
        let stage = stage.to_owned();
        move |error: WorkerError| CaseFailure { stage, message: error.to_string() }
    };
    let mut encoder = Client::start(launch).map_err(at("encode"))?;
    let encoded = encode(&mut encoder, kernel, model, calibration, files).map_err(at("encode"))?;
    let mut decoder = Client::start(launch).map_err(at("decode"))?;
    let decoded = decode(&mut decoder, files).map_err(at("decode"))?;
    let checked = check(own, kernel, model, calibration, files, &encoded).map_err(at("check"))?;
    if let Some(first) = checked.broken.first() {
        let more = checked.broken.len() - 1;
        let tail = if more == 0 { String::new() } else { format!(" (and {more} more)") };
        return Err(CaseFailure { stage: "check".to_owned(), message: format!("{first}{tail}") });
    }
    let kernel = kernel.to_owned();
    let encode_times = timed(&mut encoder, &Request::TimeEncode { kernel, sampling }, &encoded.parts_sha256, "encode")?;
    let artifact = files.artifact.clone();
    let decode_times = timed(&mut decoder, &Request::TimeDecode { artifact, sampling }, &decoded.decoded_sha256, "decode")?;
    Ok(Measured { encoded, decoded, checked, encode_times, decode_times, sampled: None })
}

fn encode(worker: &mut Client, kernel: &str, model: &Path, calibration: Option<&Path>, files: &Files) -> Result<Encoded, WorkerError> {
    match worker.ask(&Request::Load { model: model.to_owned(), calibration: calibration.map(Path::to_owned) })? {
        Reply::Loaded { .. } => {}
        other => return Err(worker.unexpected(&other)),
    }
    match worker.ask(&Request::Encode { kernel: kernel.to_owned(), artifact: files.artifact.clone() })? {
        Reply::Encoded(encoded) => Ok(encoded),
        other => Err(worker.unexpected(&other)),
    }
}

fn decode(worker: &mut Client, files: &Files) -> Result<Decoded, WorkerError> {
    match worker.ask(&Request::Decode { artifact: files.artifact.clone(), output: files.decoded.clone() })? {
        Reply::Decoded(decoded) => Ok(decoded),
        other => Err(worker.unexpected(&other)),
    }
}

fn check(
    own: &Launch,
    kernel: &str,
    model: &Path,
    calibration: Option<&Path>,
    files: &Files,
    encoded: &Encoded,
) -> Result<Checked, WorkerError> {
    let mut worker = Client::start(own)?;
    let passed_through = encoded.passed_through.iter().map(|p| p.name.clone()).collect();
    let request = Request::Check {
        kernel: kernel.to_owned(),
        artifact: files.artifact.clone(),
        model: model.to_owned(),
        decoded: files.decoded.clone(),
        passed_through,
        calibration: calibration.map(Path::to_owned),
    };
    match worker.ask(&request)? {
        Reply::Checked(checked) => Ok(checked),
        other => Err(worker.unexpected(&other)),
    }
}

/// Times an operation; what it makes while it is timed must be what was checked.
fn timed(worker: &mut Client, request: &Request, checked_sha256: &str, what: &str) -> Result<Samples, CaseFailure> {
    let fail = |message: String| CaseFailure { stage: "time".to_owned(), message };
    match worker.ask(request).map_err(|e| fail(e.to_string()))? {
        Reply::Timed { samples, sha256 } if sha256 == checked_sha256 => Ok(samples),
        Reply::Timed { samples, .. } => Err(fail(format!("{what} on {} threads gives other bytes than were checked", samples.threads))),
        other => Err(fail(worker.unexpected(&other).to_string())),
    }
}
