//! What the command line takes. Every help text ends with an example.

mod artifacts;
mod baseline;
mod doctor;
mod fixtures;
mod gate;
mod init;
mod kernels;
mod measuring;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use artifacts::{DecodeArguments, EncodeArguments, GoldenAddArguments, GoldenCommand, VerifyArguments};
pub use baseline::{AcceptArguments, BaselineCommand, BisectArguments, HistoryArguments, MergeBaselineArguments, Side};
pub use doctor::DoctorArguments;
pub use fixtures::{ConvertArguments, FetchArguments, FiguresArguments, FixturesCommand, GenerateArguments, StatisticsArguments};
pub use gate::{CalibrateArguments, GateArguments, StandardArguments};
pub use init::InitArguments;
pub use kernels::{ErrorsArguments, KernelsCommand, ShowArguments};
pub use measuring::{
    CompareArguments, ListArguments, ListWhat, MeasureArguments, MergeArguments, ReportArguments, RunArguments, RunFormat,
};

use crate::worker::fault::Fault;

/// Benchmarks neural-network weight compression and fails a change that made ratio, memory or accuracy worse.
#[derive(Debug, Parser)]
#[command(
    name = "weighbridge",
    version,
    propagate_version = true,
    after_help = "Exit codes: 0 pass, 1 unexpected, 2 usage or configuration, 3 regression, 4 nothing measured or missing, 5 inconclusive, 6 a case failed its check, 7 the machine is unfit to measure what was asked.\n\nExample: weighbridge gate --suite mini"
)]
pub struct Cli {
    /// Project folder, which holds baselines/ and fixtures/; by default the nearest one upwards.
    #[arg(long, global = true, value_name = "DIR")]
    pub root: Option<PathBuf>,
    /// Show which workers start, and what they say on standard error.
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the cases, fixtures, metrics or suites there are.
    #[command(after_help = "Example: weighbridge list cases --suite mini --kernel 'int*'")]
    List(ListArguments),
    /// List kernels, or show one with its parameters.
    Kernels {
        /// What to do with them.
        #[command(subcommand)]
        command: KernelsCommand,
    },
    /// List fixtures by architecture and size, fetch those that packages hold, or convert a file of weights.
    Fixtures {
        /// What to do with them.
        #[command(subcommand)]
        command: FixturesCommand,
    },
    /// Measure a suite into a run file, without judging it.
    #[command(after_help = "Example: weighbridge run --suite mini --kernel int4 --resume
         weighbridge run --suite full --dry-run
         weighbridge run --suite full --shard 1/4 --discard-generated --output shard-1")]
    Run(RunArguments),
    /// Join the run files of all shards into the one that a single run would have made.
    #[command(after_help = "Example: weighbridge merge shard-*/run.jsonl --output reports")]
    Merge(MergeArguments),
    /// Judge a stored run by the baseline and print the table.
    #[command(after_help = "Example: weighbridge compare reports/run.jsonl --metric '*ratio'")]
    Compare(CompareArguments),
    /// Measure a suite, judge it by the baseline, write reports, and exit with the verdict.
    #[command(
        after_help = "Example: weighbridge gate --against main --budget 5m\n         weighbridge gate --against origin/main --no-times\n         weighbridge gate --self-test"
    )]
    Gate(GateArguments),
    /// Find out how often the comparison of times calls what did not change, and how small a slow-down it sees, on this machine.
    #[command(
        after_help = "A later sitting goes on with the file of trials; '--rounds 0' prints its table.\n\nExample: weighbridge calibrate --rounds 20 --share 0,1,2,5 --format markdown"
    )]
    Calibrate(CalibrateArguments),
    /// Write reports of a stored run.
    #[command(after_help = "Example: weighbridge report --format html --format pr=/tmp/comment.md --output reports")]
    Report(ReportArguments),
    /// Work with the committed baselines.
    Baseline {
        /// What to do with them.
        #[command(subcommand)]
        command: BaselineCommand,
    },
    /// Show how an accepted value went over the commits, or which values drifted since the last release.
    #[command(
        after_help = "Example: weighbridge history int4 mlp-mnist compression_ratio --svg history.svg\n         weighbridge history --all"
    )]
    History(HistoryArguments),
    /// Find the commit that made a metric worse, by building and measuring commits beside the work tree.
    #[command(
        after_help = "Example: weighbridge bisect --good v0.1.0 --bad HEAD --kernel int4 --fixture mlp-mnist --metric compression_ratio"
    )]
    Bisect(BisectArguments),
    /// Check artifacts by decoding them in a fresh process; without arguments check fixtures, policy and baselines.
    #[command(after_help = "Example: weighbridge verify model.artifact.safetensors --original model.safetensors")]
    Verify(VerifyArguments),
    /// Work with golden artifacts, which every release decodes to the same bits.
    Golden {
        /// What to do with them.
        #[command(subcommand)]
        command: GoldenCommand,
    },
    /// Compress a safetensors model into an artifact.
    #[command(after_help = "Example: weighbridge encode int4:group=64 model.safetensors --output model.artifact.safetensors")]
    Encode(EncodeArguments),
    /// Decompress an artifact into a safetensors model.
    #[command(after_help = "Example: weighbridge decode model.artifact.safetensors --output model.safetensors")]
    Decode(DecodeArguments),
    /// Write what a repository needs to weigh its models: policy, an example, workflows, the pull-request template. What is there stays.
    #[command(
        after_help = "Example: weighbridge init --from OWNER/weighbridge@COMMIT\n         weighbridge init --ci gitlab --model model.safetensors --dry-run"
    )]
    Init(InitArguments),
    /// Say what this machine can measure, found out by trying, and what to do about the rest; takes two seconds.
    #[command(after_help = "Exit code 7 where nothing can be measured.\n\nExample: weighbridge doctor --format json")]
    Doctor(DoctorArguments),
    /// Print shell completions.
    #[command(after_help = "Example: weighbridge completions bash > /etc/bash_completion.d/weighbridge")]
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    #[command(after_help = "Example: weighbridge man > weighbridge.1")]
    Man,
    /// Serve the worker protocol on stdin and stdout.
    #[command(hide = true)]
    Worker {
        /// Most heap, in bytes.
        #[arg(long)]
        memory_limit: Option<u64>,
        /// Share of real extra work to do in each pass that is timed in batches: stands for a slower build.
        #[arg(long, hide = true)]
        extra_work: Option<f64>,
        /// Encode with a fault: stands for a worse build.
        #[arg(long, hide = true)]
        fault: Option<Fault>,
        /// Use the cell lists of seedlm that are kept in this file, or build and keep them there.
        #[arg(long, value_name = "FILE")]
        seed_lists: Option<PathBuf>,
    },
}

/// Form of the table of errors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// Aligned columns.
    #[default]
    Table,
    /// A Markdown document.
    Markdown,
    /// JSON, at full precision.
    Json,
}

/// Globs over cases and metrics.
#[derive(Debug, Clone, Args)]
pub struct FilterArguments {
    /// Only kernels that match this glob, by name or whole specification; may be given again.
    #[arg(long, value_name = "GLOB")]
    pub kernel: Vec<String>,
    /// Only fixtures that match this glob; may be given again.
    #[arg(long, value_name = "GLOB")]
    pub fixture: Vec<String>,
    /// Only metrics that match this glob; may be given again.
    #[arg(long, value_name = "GLOB")]
    pub metric: Vec<String>,
}

/// Form of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// Aligned columns.
    #[default]
    Table,
    /// JSON.
    Json,
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|e| format!("{e}; write it as '90s' or '5m'"))
}

fn size(text: &str) -> Result<u64, String> {
    text.parse::<bytesize::ByteSize>().map(|b| b.0).map_err(|e| format!("{e}; write it as '4GiB'"))
}

/// Reports that are written unless others are wanted.
const DEFAULT_REPORTS: [&str; 5] = ["markdown", "json", "csv", "svg", "html"];
