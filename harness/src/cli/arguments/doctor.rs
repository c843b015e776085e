//! Arguments of `doctor`.

use clap::Args;

use super::ListFormat;

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArguments {
    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    pub format: ListFormat,
}
