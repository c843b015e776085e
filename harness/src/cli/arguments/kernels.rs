//! Arguments of `kernels`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ListFormat, TableFormat};

/// What to do with kernels.
#[derive(Debug, Subcommand)]
pub enum KernelsCommand {
    /// List them.
    #[command(after_help = "Example: weighbridge kernels list --format json")]
    List {
        /// Form of the output.
        #[arg(long, value_enum, default_value_t)]
        format: ListFormat,
    },
    /// Show a kernel, stage, pipeline or preset: what it is held to, its parameters and their defaults, its rules.
    #[command(after_help = "Example: weighbridge kernels show preset:balanced --model model.safetensors")]
    Show(ShowArguments),
    /// Pack Gaussian weights with every kernel, and print the errors beside published ones and the rate-distortion bound.
    #[command(after_help = "Example: weighbridge kernels errors --kernel 'q*' --format markdown")]
    Errors(ErrorsArguments),
}

/// Arguments of `kernels errors`.
#[derive(Debug, Args)]
pub struct ErrorsArguments {
    /// Output features of the sample.
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub rows: usize,
    /// Inputs of the sample.
    #[arg(long, value_name = "N", default_value_t = 4096)]
    pub cols: usize,
    /// Standard deviation of the weights.
    #[arg(long, value_name = "SIGMA", default_value_t = 0.02)]
    pub scale: f64,
    /// Seed of the weights.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Only kernels that match this glob, by name or whole specification; may be given again.
    #[arg(long, value_name = "GLOB")]
    pub kernel: Vec<String>,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
    /// File to write instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Say nothing of progress.
    #[arg(long, short)]
    pub quiet: bool,
}

/// Arguments of `kernels show`.
#[derive(Debug, Args)]
pub struct ShowArguments {
    /// Name or specification of a kernel, '|STAGE', preset:NAME, or @FILE.
    pub kernel: String,
    /// Print it as a definition file instead, to be changed and given as @FILE.
    #[arg(long, conflicts_with = "model")]
    pub toml: bool,
    /// Show which kernel takes each tensor of this safetensors file.
    #[arg(long, value_name = "MODEL")]
    pub model: Option<PathBuf>,
}
