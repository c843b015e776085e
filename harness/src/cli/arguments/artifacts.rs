//! Arguments of `encode`, `decode`, `verify` and `golden`: what works with artifacts.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What to do with golden artifacts.
#[derive(Debug, Subcommand)]
pub enum GoldenCommand {
    /// Add artifacts where there are none: of every kernel, or of the specifications given. What is there is never replaced.
    #[command(after_help = "Example: weighbridge golden add int4:group=32 'int4|zstd'")]
    Add(GoldenAddArguments),
}

/// Arguments of `golden add`.
#[derive(Debug, Args)]
pub struct GoldenAddArguments {
    /// Kernel specifications; by default every kernel that has no artifact, and files that are missing.
    #[arg(value_name = "SPEC")]
    pub kernels: Vec<String>,
    /// Encode with made-up calibration statistics, for layouts that only calibration brings out.
    #[arg(long, requires = "kernels")]
    pub calibrated: bool,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// Artifacts to check.
    #[arg(value_name = "ARTIFACT")]
    pub artifacts: Vec<PathBuf>,
    /// Model that the artifact was made from: compare with it.
    #[arg(long, value_name = "MODEL")]
    pub original: Option<PathBuf>,
}

/// Arguments of `encode`.
#[derive(Debug, Args)]
pub struct EncodeArguments {
    /// Kernel, such as int4:group=64, preset:balanced or @FILE, a definition file.
    pub kernel: String,
    /// Model, a safetensors file.
    pub model: PathBuf,
    /// Artifact to write.
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
    /// Program to use as the worker.
    #[arg(long, value_name = "PROGRAM")]
    pub worker: Option<PathBuf>,
    /// Search seeds of 4-bit seedlm without cell lists. Those make large models several times as fast, take 128 MB of memory, and are built
    /// once, in seconds, in the cache directory. The artifact is the same.
    #[arg(long)]
    pub no_seed_lists: bool,
}

/// Arguments of `decode`.
#[derive(Debug, Args)]
pub struct DecodeArguments {
    /// The artifact.
    pub artifact: PathBuf,
    /// Model to write, a safetensors file.
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
}
