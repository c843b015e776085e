//! `encode` and `decode`: one model, one artifact, outside any suite. Both run in workers, as measured cases do.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::arguments::{DecodeArguments, EncodeArguments};
use super::workspace::{own_worker, worker};
use super::{CliError, Exit};
use crate::model::metric::as_f64;
use crate::report::format;
use crate::worker::client::{Client, WorkerError};
use crate::worker::protocol::{Encoded, Reply, Request};

/// Large models take a while; only a hang should end it.
const TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// A path that means the same in a worker.
fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    Ok(std::path::absolute(path)?)
}

/// `encode`.
pub fn encode(arguments: &EncodeArguments) -> Result<Exit, CliError> {
    let mut worker = Client::start(&worker(arguments.worker.as_deref(), TIMEOUT, u64::MAX)?)?;
    let (input_bytes, encoded) = encode_with(&mut worker, &arguments.kernel, &absolute(&arguments.model)?, &absolute(&arguments.output)?)?;
    let artifact_bytes = std::fs::metadata(&arguments.output)?.len();
    let ratio = as_f64(input_bytes) / as_f64(artifact_bytes);
    println!("'{}': {input_bytes} to {artifact_bytes} bytes, {}x", arguments.output.display(), format::number(ratio));
    for passed in &encoded.passed_through {
        println!("passed through unchanged: '{}' ({} bytes): {}", passed.name, passed.bytes, passed.reason);
    }
    Ok(Exit::Pass)
}

fn encode_with(worker: &mut Client, kernel: &str, model: &Path, artifact: &Path) -> Result<(u64, Encoded), WorkerError> {
    let input_bytes = match worker.ask(&Request::Load { model: model.to_owned(), calibration: None })? {
        Reply::Loaded { input_bytes, .. } => input_bytes,
        other => return Err(worker.unexpected(&other)),
    };
    match worker.ask(&Request::Encode { kernel: kernel.to_owned(), artifact: artifact.to_owned() })? {
        Reply::Encoded(encoded) => Ok((input_bytes, encoded)),
        other => Err(worker.unexpected(&other)),
    }
}

/// `decode`.
pub fn decode(arguments: &DecodeArguments) -> Result<Exit, CliError> {
    let mut worker = Client::start(&own_worker(TIMEOUT, u64::MAX)?)?;
    let request = Request::Decode { artifact: absolute(&arguments.artifact)?, output: absolute(&arguments.output)? };
    match worker.ask(&request)? {
        Reply::Decoded(decoded) => println!("'{}': tensors sha256 {}", arguments.output.display(), decoded.decoded_sha256),
        other => return Err(worker.unexpected(&other).into()),
    }
    Ok(Exit::Pass)
}
