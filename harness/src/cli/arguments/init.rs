//! Arguments of `init`.

use std::path::PathBuf;

use clap::Args;

use crate::init::PinnedCopy;
use crate::init::files::Ci;

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct InitArguments {
    /// Service whose pipelines are written.
    #[arg(long, value_enum, default_value = "github")]
    pub ci: Ci,
    /// Copy of Weighbridge that pipelines build: OWNER/REPOSITORY@COMMIT, or URL@COMMIT on GitLab.
    #[arg(long, value_name = "COPY")]
    pub from: Option<PinnedCopy>,
    /// Model to weigh, a safetensors file, which is copied below fixtures/; may be given again. Without one, and where fixtures/ has none, a small
    /// generated model stands in.
    #[arg(long, value_name = "FILE")]
    pub model: Vec<PathBuf>,
    /// Say what would be written, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
}
