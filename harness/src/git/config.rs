//! The repository's own configuration.

use std::path::Path;

use super::GitError;
use super::tree::open;

/// The command that merges files with the attribute `merge=NAME`, if git was told one.
pub fn merge_driver(root: &Path, name: &str) -> Option<String> {
    let config = open(root, "HEAD").and_then(|r| {
        r.config()
            .and_then(|mut c| c.snapshot())
            .map_err(|e| GitError::Write { action: "read the repository's configuration", message: e.message().to_owned() })
    });
    config.ok()?.get_string(&format!("merge.{name}.driver")).ok()
}

/// Tells git how files with the attribute `merge=NAME` are merged, in this repository alone.
pub fn install_merge_driver(root: &Path, name: &str, description: &str, command: &str) -> Result<(), GitError> {
    let repository = open(root, "HEAD")?;
    let fail = |e: git2::Error| GitError::Write { action: "write the repository's configuration", message: e.message().to_owned() };
    let mut config = repository.config().and_then(|c| c.open_level(git2::ConfigLevel::Local)).map_err(fail)?;
    config.set_str(&format!("merge.{name}.name"), description).map_err(fail)?;
    config.set_str(&format!("merge.{name}.driver"), command).map_err(fail)
}
