//! Where things are: the project folder with its fixtures and baselines, and the workers.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::CliError;
use crate::fixture::{self, Fixture};
use crate::policy::Policy;
use crate::standard::BaselineSource;
use crate::worker::client::Launch;

/// A project folder.
#[derive(Debug)]
pub struct Workspace {
    /// The folder.
    pub root: PathBuf,
}

impl Workspace {
    /// The folder given, or the nearest one upwards that holds fixtures/ and baselines/.
    pub fn find(given: Option<&Path>) -> Result<Self, CliError> {
        if let Some(root) = given {
            let root = root.canonicalize().map_err(|e| CliError::Usage(format!("cannot use folder '{}': {e}", root.display())))?;
            return Ok(Self { root });
        }
        let current = std::env::current_dir()?;
        let found = current.ancestors().find(|folder| folder.join("fixtures").is_dir() && folder.join("baselines").is_dir());
        let message = || format!("no folder from '{}' upwards holds fixtures/ and baselines/; give one with '--root'", current.display());
        found.map(|root| Self { root: root.to_owned() }).ok_or_else(|| CliError::Usage(message()))
    }

    /// Folder of the baselines.
    pub fn baselines(&self) -> PathBuf {
        self.root.join("baselines")
    }

    /// Folder of reports and runs.
    pub fn output(&self, given: Option<&Path>) -> Result<PathBuf, CliError> {
        let folder = given.map_or_else(|| self.root.join("reports"), Path::to_owned);
        std::fs::create_dir_all(&folder).map_err(|e| CliError::Usage(format!("cannot create folder '{}': {e}", folder.display())))?;
        Ok(folder.canonicalize()?)
    }

    /// The policy.
    pub fn policy(&self) -> Result<Policy, CliError> {
        Ok(Policy::load(&self.baselines())?)
    }

    /// The work tree as what is judged by.
    pub fn source(&self) -> BaselineSource {
        BaselineSource::WorkTree { folder: self.baselines(), why: None }
    }

    /// All fixtures.
    pub fn fixtures(&self) -> Result<Vec<Fixture>, CliError> {
        Ok(fixture::load_all(&self.root.join("fixtures"))?)
    }
}

/// Workers of this same program.
pub fn own_worker(timeout: Duration, memory_limit: u64) -> Result<Launch, CliError> {
    Ok(Launch::own(std::env::current_exe()?, timeout, memory_limit))
}

/// Workers of a given program, or of this one.
pub fn worker(program: Option<&Path>, timeout: Duration, memory_limit: u64) -> Result<Launch, CliError> {
    let Some(program) = program else { return own_worker(timeout, memory_limit) };
    let program = program.canonicalize().map_err(|e| CliError::Usage(format!("cannot use worker '{}': {e}", program.display())))?;
    Ok(Launch::own(program, timeout, memory_limit))
}
