//! Arguments of `fixtures`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ListFormat;

/// What to do with fixtures.
#[derive(Debug, Subcommand)]
pub enum FixturesCommand {
    /// List them by architecture and size, with source, size, licence and whether they are there.
    #[command(after_help = "Example: weighbridge fixtures list --format json")]
    List {
        /// Form of the output.
        #[arg(long, value_enum, default_value_t)]
        format: ListFormat,
    },
    /// Get the packages that fixtures come in and convert their weights, into a cache that all checkouts share.
    #[command(
        after_help = "The cache is the folder that WEIGHBRIDGE_CACHE names, else 'weighbridge' in your cache folder.\n\nExample: weighbridge fixtures fetch magika silero-vad"
    )]
    Fetch(FetchArguments),
    /// Generate the weights of fixtures that have no trained ones, into the cache; a run makes what it needs by itself.
    #[command(after_help = "Example: weighbridge fixtures generate bert-large-generated")]
    Generate(GenerateArguments),
    /// Evaluate the original weights and print the figures beside those of an independent implementation.
    #[command(
        after_help = "Exit code 6 where a figure is farther from the other implementation's than its last digit.\n\nExample: weighbridge fixtures figures minilm smollm2-135m"
    )]
    Figures(FiguresArguments),
    /// Measure what the generator makes beside the trained layers that it imitates.
    #[command(after_help = "Example: weighbridge fixtures statistics --matrices 9")]
    Statistics(StatisticsArguments),
    /// Convert a file of weights to safetensors, without running anything in it.
    #[command(
        after_help = "Example: weighbridge fixtures convert torch tiny.pth --exclude '*.num_batches_tracked' --output tiny.safetensors"
    )]
    Convert(ConvertArguments),
}

/// Arguments of `fixtures generate`.
#[derive(Debug, Args)]
pub struct GenerateArguments {
    /// Fixtures; by default all generated ones.
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
}

/// Arguments of `fixtures figures`.
#[derive(Debug, Args)]
pub struct FiguresArguments {
    /// Fixtures; by default all that have figures and are there.
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    pub format: ListFormat,
}

/// Arguments of `fixtures statistics`.
#[derive(Debug, Args)]
pub struct StatisticsArguments {
    /// Seed of the generator.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Matrices of each kind of layer, of which medians are taken.
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub matrices: u16,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    pub format: ListFormat,
}

/// Arguments of `fixtures fetch`.
#[derive(Debug, Args)]
pub struct FetchArguments {
    /// Fixtures; all that come in packages where none is named.
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Ask no registry: finish what packages in the cache allow, and say what lacks.
    #[arg(long)]
    pub offline: bool,
    /// Say nothing of progress.
    #[arg(long, short)]
    pub quiet: bool,
}

/// Arguments of `fixtures convert`.
#[derive(Debug, Args)]
pub struct ConvertArguments {
    /// Format of the files: npz, safetensors, torch, onnx, gguf, ctranslate2.
    pub format: String,
    /// The file; more than one are joined in this order.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Take only tensors whose name matches this glob; may be given again.
    #[arg(long, value_name = "GLOB")]
    pub keep: Vec<String>,
    /// Leave out tensors whose name matches this glob; may be given again.
    #[arg(long, value_name = "GLOB")]
    pub exclude: Vec<String>,
    /// Begin names with something else, as OLD=NEW; may be given again.
    #[arg(long, value_name = "OLD=NEW", value_parser = rename)]
    pub rename: Vec<crate::convert::Rename>,
    /// Safetensors file to write.
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,
}

fn rename(text: &str) -> Result<crate::convert::Rename, String> {
    let (prefix, with) = text.split_once('=').ok_or("write it as OLD=NEW")?;
    Ok(crate::convert::Rename { prefix: prefix.to_owned(), with: with.to_owned() })
}
