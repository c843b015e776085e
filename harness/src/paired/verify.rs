//! Whether all layout variants of a build are what they should be: they answer, and encode to the same bytes.

use super::letter::{Party, load};
use super::prepare::Ready;
use crate::worker::batch::{Batch, Operation};
use crate::worker::client::{Client, WorkerError};
use crate::worker::protocol::{Reply, Request};

/// Why a variant cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VariantError {
    /// It does not answer.
    #[error("layout variant '{program}': {source}")]
    Worker {
        /// The variant.
        program: String,
        /// Why.
        source: WorkerError,
    },
    /// It was built before the request that times are asked with.
    #[error("'{program}' does not know the request 'time-batch' of the worker protocol; compare with a revision that does")]
    Older {
        /// The program.
        program: String,
    },
    /// It makes something else.
    #[error(
        "layout variant '{program}' encodes {item} to other bytes than '{first}'; the linker's shuffling changed what the program does"
    )]
    Differs {
        /// The variant.
        program: String,
        /// The first of its build.
        first: String,
        /// What it encoded.
        item: String,
    },
}

/// Whether a side's build knows the request that times are asked with; `kernel` is one that it may or may not have.
pub fn knows_batches(party: &Party, kernel: &str) -> Result<(), VariantError> {
    let launch = &party.launches[0];
    let program = launch.program.display().to_string();
    let ask = || {
        let mut worker = Client::start(launch)?;
        let (kernel, operation) = (kernel.to_owned(), Operation::Encode);
        worker.ask(&Request::TimeBatch(Batch { operation, kernel, artifact: None, warm_up: 0, passes: 1, threads: 1, core: None }))
    };
    match ask() {
        Err(WorkerError::Refused { message }) if message.contains("unknown variant") => Err(VariantError::Older { program }),
        // A kernel that it does not have is no matter here.
        Ok(_) | Err(WorkerError::Refused { .. }) => Ok(()),
        Err(source) => Err(VariantError::Worker { program, source }),
    }
}

/// Has every variant of a side encode the item and compares what comes out.
pub fn verify(party: &Party, ready: &Ready) -> Result<(), VariantError> {
    let mut first: Option<(String, String)> = None;
    for launch in &party.launches {
        let program = launch.program.display().to_string();
        let encode = || {
            let mut worker = Client::start(launch)?;
            load(&mut worker, ready)?;
            let artifact = ready.artifact(party.side).with_extension("variant");
            let reply = worker.ask(&Request::Encode { kernel: ready.kernel.clone(), artifact: artifact.clone() })?;
            let _ = std::fs::remove_file(artifact);
            match reply {
                Reply::Encoded(encoded) => Ok(encoded.parts_sha256),
                other => Err(worker.unexpected(&other)),
            }
        };
        let digest = encode().map_err(|source| VariantError::Worker { program: program.clone(), source })?;
        match &first {
            None => first = Some((program, digest)),
            Some((_, expected)) if *expected == digest => {}
            Some((first, _)) => {
                return Err(VariantError::Differs { program, first: first.clone(), item: ready.item.to_string() });
            }
        }
    }
    Ok(())
}
