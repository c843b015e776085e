//! `verify`: artifacts decode in a fresh process and say what they hold; or fixtures, policy and baselines are what they claim to be.

use std::path::Path;
use std::time::Duration;

use weighbridge::artifact::{ArtifactReader, FORMAT};
use weighbridge::error::FileError;
use weighbridge::registry::Registry;

use super::arguments::VerifyArguments;
use super::notes;
use super::workspace::{Workspace, own_worker};
use super::{CliError, Exit};
use crate::baseline::{Baseline, BaselineError};
use crate::fixture::State;
use crate::golden;
use crate::report::format;
use crate::worker::client::{Client, WorkerError};
use crate::worker::protocol::{Reply, Request};

/// Longest time to decode one artifact.
const TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// `verify`.
pub fn verify(arguments: &VerifyArguments, root: Option<&Path>, registry: &Registry) -> Result<Exit, CliError> {
    if arguments.artifacts.is_empty() {
        if arguments.original.is_some() {
            return Err(CliError::Usage("'--original' needs an artifact to compare with".to_owned()));
        }
        return verify_workspace(&Workspace::find(root)?, registry);
    }
    let mut exit = Exit::Pass;
    for artifact in &arguments.artifacts {
        let sound = match verify_artifact(artifact, arguments.original.as_deref(), registry) {
            // A file that is no artifact is what this command is there to find.
            Err(CliError::File(e @ (FileError::Safetensors { .. } | FileError::NotAnArtifact { .. } | FileError::Spec { .. }))) => {
                println!("  BROKEN: {e}");
                false
            }
            Err(CliError::Worker(WorkerError::Refused { message })) => {
                println!("  BROKEN: {message}");
                false
            }
            other => other?,
        };
        if !sound {
            exit = Exit::CaseFailed;
        }
    }
    Ok(exit)
}

fn verify_workspace(workspace: &Workspace, registry: &Registry) -> Result<Exit, CliError> {
    for fixture in workspace.fixtures()? {
        if let Some(obstacle) = fixture.state()?.obstacle() {
            println!("fixture {}: not checked, {obstacle}", fixture.name());
            continue;
        }
        fixture.verify()?;
        if fixture.state()? == State::ToGenerate {
            println!("fixture {}: parameter count as its manifest says; to be generated", fixture.name());
            continue;
        }
        println!("fixture {}: hashes and parameter count as its manifest says", fixture.name());
    }
    let policy = workspace.policy()?;
    for (suite, held) in &policy.suites {
        if let Some(whole) = &held.baseline {
            println!("baseline {suite}: its part of {whole}'s");
            continue;
        }
        match Baseline::read(&workspace.baselines(), suite) {
            Ok(baseline) => println!("baseline {suite}: {} values", baseline.rows.len()),
            Err(BaselineError::Missing { .. }) => println!("baseline {suite}: none yet"),
            Err(e) => return Err(e.into()),
        }
    }
    println!("policy: valid");
    println!("waivers: {}", workspace.source().waivers()?.waivers.len());
    verify_golden(workspace, registry)
}

/// Golden artifacts of every format that this release reads, where the project has some.
fn verify_golden(workspace: &Workspace, registry: &Registry) -> Result<Exit, CliError> {
    let mut exit = Exit::Pass;
    for format in 1..=FORMAT {
        let folder = golden::folder(&workspace.root, format);
        if !folder.is_dir() {
            println!("golden artifacts of format {format}: none yet");
            continue;
        }
        let broken = golden::check(&folder, registry)?;
        for broken in &broken {
            println!("  BROKEN: {broken}");
            exit = Exit::CaseFailed;
        }
        if broken.is_empty() {
            let count = golden::Manifest::read(&folder)?.artifacts.len();
            println!("golden artifacts of format {format}: {count} decode to the bits they always did");
        }
    }
    Ok(exit)
}

/// Whether an artifact kept its kernels' promises; without an original, whether it decodes.
fn verify_artifact(artifact: &Path, original: Option<&Path>, registry: &Registry) -> Result<bool, CliError> {
    let reader = ArtifactReader::open(artifact, registry)?;
    notes::of_artifact(artifact, &reader);
    println!("'{}': {}, {} tensors, {} bytes", artifact.display(), reader.spec(), reader.len(), reader.size_bytes());
    let mut passed_through = Vec::new();
    for i in 0..reader.len() {
        let tensor = reader.summary(i)?;
        let how = match (&tensor.spec, &tensor.reason) {
            (Some(spec), _) => spec.clone(),
            (None, reason) => format!("unchanged: {}", reason.as_deref().unwrap_or("no reason given")),
        };
        println!("  {} {} {:?}: {} bytes, {how}", tensor.name, tensor.dtype, tensor.shape, tensor.packed_bytes);
        if tensor.spec.is_none() {
            passed_through.push(tensor.name);
        }
    }
    let scratch = tempfile::tempdir()?;
    let decoded = scratch.path().join("decoded.safetensors");
    let launch = own_worker(TIMEOUT, u64::MAX)?;
    let mut worker = Client::start(&launch)?;
    match worker.ask(&Request::Decode { artifact: std::path::absolute(artifact)?, output: decoded.clone() })? {
        Reply::Decoded(d) => println!("  decodes in a fresh process; tensors sha256 {}", d.decoded_sha256),
        other => return Err(worker.unexpected(&other).into()),
    }
    let Some(original) = original else { return Ok(true) };
    let original = std::path::absolute(original)?;
    // Where every tensor passed through, any kernel will do: no promise of it is asked.
    let any = || registry.entries().first().map_or_else(String::new, |entry| entry.info.id.to_owned());
    match worker.ask(&Request::Check {
        kernel: reader.recorded().unwrap_or_else(any),
        artifact: std::path::absolute(artifact)?,
        model: original,
        decoded,
        passed_through,
        calibration: None,
    })? {
        Reply::Checked(checked) => {
            for t in &checked.tensors {
                let error = if t.noise == 0.0 { 0.0 } else { (t.noise / t.signal).sqrt() };
                println!("  {}: relative error {}, largest {}", t.name, format::number(error), format::number(t.max_abs_error));
            }
            for broken in &checked.broken {
                println!("  BROKEN: {broken}");
            }
            Ok(checked.broken.is_empty())
        }
        other => Err(worker.unexpected(&other).into()),
    }
}
