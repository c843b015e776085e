//! `encode` and `decode`: one model, one artifact, outside any suite. Both run in workers, as measured cases do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use weighbridge::artifact::ArtifactReader;
use weighbridge::error::FileError;
use weighbridge::kernel::AnyKernel;
use weighbridge::registry::Registry;
use weighbridge::safefile::SafeFile;

use super::arguments::{DecodeArguments, EncodeArguments};
use super::notes;
use super::workspace::{own_worker, worker};
use super::{CliError, Exit};
use crate::fixture::Cache;
use crate::model::metric::as_f64;
use crate::report::format;
use crate::seed_lists;
use crate::specification::{ResolveError, resolve};
use crate::worker::client::{Client, WorkerError};
use crate::worker::protocol::{Encoded, Reply, Request};

/// Large models take a while; only a hang should end it.
const TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// A path that means the same in a worker.
fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    Ok(std::path::absolute(path)?)
}

/// `encode`.
pub fn encode(arguments: &EncodeArguments, registry: &Registry) -> Result<Exit, CliError> {
    let kernel = match resolve(&arguments.kernel, Path::new(""), registry) {
        Ok(resolved) => {
            notes::of_migrations(&resolved.migrations);
            Some(resolved.kernel)
        }
        // Another program may know kernels that this one does not.
        Err(ResolveError::Spec(_)) if arguments.worker.is_some() => None,
        Err(e) => return Err(e.into()),
    };
    let text = kernel.as_ref().map_or_else(|| arguments.kernel.clone(), |k| k.text());
    let mixed = kernel.as_ref().and_then(|k| k.mixed());
    if let Some(mixed) = mixed {
        let names = SafeFile::open(&arguments.model)?.names();
        notes::of_idle_rules(mixed, &format!("'{}'", arguments.model.display()), &names);
    }
    let mut launch = worker(arguments.worker.as_deref(), TIMEOUT, u64::MAX)?;
    let lists = match &kernel {
        Some(kernel) if arguments.worker.is_none() && !arguments.no_seed_lists => lists(kernel.as_ref(), &arguments.model)?,
        _ => None,
    };
    if let Some(place) = &lists {
        launch.arguments.extend(["--seed-lists".to_owned(), place.display().to_string()]);
    }
    let mut worker = Client::start(&launch)?;
    let (input_bytes, encoded) = encode_with(&mut worker, &text, &absolute(&arguments.model)?, &absolute(&arguments.output)?)?;
    if let Some(place) = lists.filter(|place| !place.exists()) {
        eprintln!("warning: the cell lists of seedlm could not be kept in '{}' and will be built again", place.display());
    }
    let artifact_bytes = std::fs::metadata(&arguments.output)?.len();
    let ratio = as_f64(input_bytes) / as_f64(artifact_bytes);
    println!("'{}': {input_bytes} to {artifact_bytes} bytes, {}x", arguments.output.display(), format::number(ratio));
    if mixed.is_some() {
        print!("{}", shares(&ArtifactReader::open(&arguments.output, registry)?)?);
    }
    for passed in &encoded.passed_through {
        println!("passed through unchanged: '{}' ({} bytes): {}", passed.name, passed.bytes, passed.reason);
    }
    Ok(Exit::Pass)
}

/// The file of cell lists for a kernel and model, where lists save time; says so where they are to be built.
fn lists(kernel: &dyn AnyKernel, model: &Path) -> Result<Option<PathBuf>, CliError> {
    let weights = seed_lists::weights_served(kernel, &SafeFile::open(model)?)?;
    // Without a cache directory there is nowhere to keep them, and the search works without.
    let Ok(place) = seed_lists::place(&Cache::locate()) else { return Ok(None) };
    if !seed_lists::pay(&place, weights) {
        return Ok(None);
    }
    if !place.exists() {
        eprintln!("note: building the cell lists of seedlm in '{}', once; this takes seconds", place.display());
    }
    Ok(Some(place))
}

/// A line for each kernel of an artifact: how many tensors it took, and their packed bytes.
fn shares(reader: &ArtifactReader) -> Result<String, FileError> {
    let mut shares = BTreeMap::<String, (usize, u64)>::new();
    for i in 0..reader.len() {
        let tensor = reader.summary(i)?;
        if let Some(spec) = tensor.spec {
            let share = shares.entry(spec).or_default();
            *share = (share.0 + 1, share.1 + tensor.packed_bytes);
        }
    }
    Ok(shares.iter().map(|(spec, (tensors, bytes))| format!("{spec}: {tensors} tensors, {bytes} bytes\n")).collect())
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
pub fn decode(arguments: &DecodeArguments, registry: &Registry) -> Result<Exit, CliError> {
    notes::of_artifact(&arguments.artifact, &ArtifactReader::open(&arguments.artifact, registry)?);
    let mut worker = Client::start(&own_worker(TIMEOUT, u64::MAX)?)?;
    let request = Request::Decode { artifact: absolute(&arguments.artifact)?, output: absolute(&arguments.output)? };
    match worker.ask(&request)? {
        Reply::Decoded(decoded) => println!("'{}': tensors sha256 {}", arguments.output.display(), decoded.decoded_sha256),
        other => return Err(worker.unexpected(&other).into()),
    }
    Ok(Exit::Pass)
}
