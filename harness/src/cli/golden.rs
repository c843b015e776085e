//! `golden add`: golden artifacts of today's kernels, where there are none.

use std::path::Path;

use weighbridge::artifact::FORMAT;
use weighbridge::registry::Registry;

use super::arguments::GoldenAddArguments;
use super::workspace::Workspace;
use super::{CliError, Exit};
use crate::golden::{self, Added};

/// `golden add`.
pub fn add(arguments: &GoldenAddArguments, root: Option<&Path>, registry: &Registry) -> Result<Exit, CliError> {
    let folder = golden::folder(&Workspace::find(root)?.root, FORMAT);
    let added = if arguments.kernels.is_empty() {
        golden::add_missing(&folder, registry)?
    } else {
        let add = |spec: &String| golden::add(&folder, spec, arguments.calibrated, registry);
        arguments.kernels.iter().map(add).collect::<Result<_, _>>()?
    };
    for added in &added {
        match added {
            Added::New(spec) => println!("added '{spec}'"),
            Added::Restored(spec) => println!("made '{spec}' again, byte for byte"),
        }
    }
    println!("'{}': {} added; commit them, they are never replaced", folder.display(), added.len());
    Ok(Exit::Pass)
}
