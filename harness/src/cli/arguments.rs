//! What the command line takes. Every help text ends with an example.

mod doctor;
mod init;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use doctor::DoctorArguments;
pub use init::InitArguments;

use super::reporting::{Wanted, WantedParser};
use crate::paired::record::Clock;
use crate::waiver::Day;
use crate::worker::batch::Operation;
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

/// What to do with baselines.
#[derive(Debug, Subcommand)]
pub enum BaselineCommand {
    /// Make a stored run the baseline of its suite.
    #[command(after_help = "Example: weighbridge baseline accept --run reports/run.jsonl --yes")]
    Accept(AcceptArguments),
    /// Merge two versions of a baseline file, as git calls a merge driver; '--install' tells git to.
    #[command(after_help = "Example: weighbridge baseline merge --install")]
    Merge(MergeBaselineArguments),
}

/// Arguments of `baseline merge`.
#[derive(Debug, Args)]
pub struct MergeBaselineArguments {
    /// Tell this repository's git to merge baselines with this program.
    #[arg(long, conflicts_with_all = ["base", "ours", "theirs"])]
    pub install: bool,
    /// The file as it was before both.
    #[arg(value_name = "BASE", required_unless_present = "install")]
    pub base: Option<PathBuf>,
    /// Our file; the result replaces it.
    #[arg(value_name = "OURS", required_unless_present = "install")]
    pub ours: Option<PathBuf>,
    /// Their file.
    #[arg(value_name = "THEIRS", required_unless_present = "install")]
    pub theirs: Option<PathBuf>,
    /// Name of the file, for messages.
    #[arg(value_name = "NAME")]
    pub name: Option<PathBuf>,
    /// Take this side where both refreshed one case, instead of asking or leaving it open.
    #[arg(long, value_enum)]
    pub prefer: Option<Side>,
}

/// A side of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Side {
    /// The branch that is merged into.
    Ours,
    /// The branch that is merged.
    Theirs,
}

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

/// What can be listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListWhat {
    /// Cases of a suite.
    Cases,
    /// Fixtures.
    Fixtures,
    /// Metrics.
    Metrics,
    /// Suites of the policy.
    Suites,
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

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// What to list.
    #[arg(value_enum, default_value = "cases")]
    pub what: ListWhat,
    /// Suite whose cases are listed.
    #[arg(long, default_value = "mini")]
    pub suite: String,
    /// Globs.
    #[command(flatten)]
    pub filter: FilterArguments,
    /// Form of the output.
    #[arg(long, value_enum, default_value_t)]
    pub format: ListFormat,
    /// File to write instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|e| format!("{e}; write it as '90s' or '5m'"))
}

fn size(text: &str) -> Result<u64, String> {
    text.parse::<bytesize::ByteSize>().map(|b| b.0).map_err(|e| format!("{e}; write it as '4GiB'"))
}

/// How to measure.
#[derive(Debug, Clone, Args)]
pub struct MeasureArguments {
    /// Suite to measure.
    #[arg(long, default_value = "mini")]
    pub suite: String,
    /// Kernel to measure besides the suite's, such as int4:group=32, preset:fast or @FILE; may be given again.
    #[arg(long, value_name = "SPEC")]
    pub also: Vec<String>,
    /// Globs.
    #[command(flatten)]
    pub filter: FilterArguments,
    /// Folder for the run file and reports.
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
    /// Go on with the unfinished run in the output folder; finished cases are not repeated.
    #[arg(long)]
    pub resume: bool,
    /// Keep artifacts and decoded models in the output folder.
    #[arg(long)]
    pub keep_artifacts: bool,
    /// Remove generated weights from the cache after their last case: the disk then holds one such model at a time.
    #[arg(long)]
    pub discard_generated: bool,
    /// Measure every kernel on every model, however large, and on all of it: the suite's samples and limits do not count.
    #[arg(long)]
    pub whole: bool,
    /// Longest time for one request to a worker; a model above 100 MB gets half a second more for each MB.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub case_timeout: Duration,
    /// Most memory of a worker.
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = size)]
    pub memory_limit: u64,
    /// Time to spend on samples of each of encode and decode of a case, after warm-up.
    #[arg(long, value_name = "TIME", default_value = "60ms", value_parser = duration)]
    pub time_per_case: Duration,
    /// Most samples of each.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub max_samples: usize,
    /// Threads that kernels run on while they are timed; artifacts are the same for any number.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: u16,
    /// Path of a program to measure instead of this one; run as 'PROGRAM worker --memory-limit BYTES' it must speak the worker protocol.
    #[arg(long, value_name = "PROGRAM")]
    pub worker: Option<PathBuf>,
    /// Say nothing of progress.
    #[arg(long, short)]
    pub quiet: bool,
}

/// Which part of the cases, written `2/4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShardArgument {
    /// From 1.
    pub index: usize,
    /// How many parts there are.
    pub count: usize,
}

fn shard(text: &str) -> Result<ShardArgument, String> {
    let parts = text.split_once('/').and_then(|(i, n)| Some((i.parse::<usize>().ok()?, n.parse::<usize>().ok()?)));
    match parts {
        Some((index, count)) if (1..=count).contains(&index) => Ok(ShardArgument { index, count }),
        _ => Err("write the second of four parts as '2/4'".to_owned()),
    }
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// How to measure.
    #[command(flatten)]
    pub measure: MeasureArguments,
    /// Measure one part of the cases, such as 2/4; 'merge' joins the run files of all parts.
    #[arg(long, value_name = "I/N", value_parser = shard)]
    pub shard: Option<ShardArgument>,
    /// Print the cases and the time they are expected to take, and measure nothing.
    #[arg(long, conflicts_with = "resume")]
    pub dry_run: bool,
    /// Form of the values printed at the end.
    #[arg(long, value_enum, default_value_t)]
    pub format: RunFormat,
}

/// Form of a run's values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum RunFormat {
    /// Aligned columns.
    #[default]
    Table,
    /// The baseline's form: one JSON object a line.
    Jsonl,
}

/// Arguments of `merge`.
#[derive(Debug, Args)]
pub struct MergeArguments {
    /// Run file of each shard.
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// Folder for the run file.
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArguments {
    /// Run file; by default the last run's.
    #[arg(value_name = "RUN")]
    pub run: Option<PathBuf>,
    /// Run file to compare with, instead of the baseline.
    #[arg(long, value_name = "RUN")]
    pub against: Option<PathBuf>,
    /// Globs.
    #[command(flatten)]
    pub filter: FilterArguments,
    /// Form of the output.
    #[arg(long, value_name = "FORM", value_parser = WantedParser, default_value = "terminal")]
    pub format: Wanted,
    /// File to write instead of standard output.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Reports that are written unless others are wanted.
const DEFAULT_REPORTS: [&str; 5] = ["markdown", "json", "csv", "svg", "html"];

/// How times of two builds are compared.
#[derive(Debug, Args)]
pub struct PairedArguments {
    /// Ready program to compare times with, instead of the build of a revision.
    #[arg(long, value_name = "PROGRAM")]
    pub baseline_bin: Option<PathBuf>,
    /// Time for the whole comparison of times, without building.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub budget: Duration,
    /// Seed of the order in which builds, their layout variants and processors take turns; by default another each time, which the report names.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// CPU time of one batch.
    #[arg(long, hide = true, value_name = "TIME", default_value = "8ms", value_parser = duration)]
    pub batch: Duration,
    /// Plant a slow-down: share of real extra work that the candidate does.
    #[arg(long, hide = true, value_name = "SHARE")]
    pub plant: Option<f64>,
}

/// Arguments of `calibrate`.
#[derive(Debug, Args)]
pub struct CalibrateArguments {
    /// Trials of each class and share: odd rounds compare shuffled links of the work tree, even ones copies of this program.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub rounds: u32,
    /// Extra work to plant, in per cent; 0 plants nothing.
    #[arg(long, value_name = "PERCENT", value_delimiter = ',', default_values_t = [0.0, 1.0, 2.0, 5.0], value_parser = percent)]
    pub share: Vec<f64>,
    /// Kernel to time instead of one of each class; may be given again.
    #[arg(long, value_name = "SPEC")]
    pub kernel: Vec<String>,
    /// Fixture to time it on; may be given again.
    #[arg(long, value_name = "NAME")]
    pub fixture: Vec<String>,
    /// Operation of the kernels that are named.
    #[arg(long, value_name = "OPERATION", default_value = "encode")]
    pub operation: Operation,
    /// Clock by which a trial has to be decided before it ends, and which the table has; may be given again. By default all; the first alone is quicker.
    #[arg(long, value_enum, value_name = "CLOCK")]
    pub clock: Vec<Clock>,
    /// Time for the blocks of a comparison.
    #[arg(long, value_name = "SECONDS", default_value_t = 6.0)]
    pub seconds_per_comparison: f64,
    /// Links of a side; with 0 copies are compared alone.
    #[arg(long, value_name = "K", default_value_t = 16, value_parser = clap::value_parser!(u32).range(0..=64))]
    pub links: u32,
    /// CPU time of one batch.
    #[arg(long, hide = true, value_name = "TIME", default_value = "8ms", value_parser = duration)]
    pub batch: Duration,
    /// Seed of the trials; by default the file's, or 1.
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// File of trials, which is appended to; by default reports/calibrate.jsonl.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Form of the table.
    #[arg(long, value_enum, default_value_t)]
    pub format: TableFormat,
    /// Say nothing of progress.
    #[arg(long, short)]
    pub quiet: bool,
}

fn percent(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok().filter(|value| (0.0..=100.0).contains(value));
    value.map(f64::abs).ok_or_else(|| "give per cent from 0 to 100".to_owned())
}

/// What a run is judged by.
#[derive(Debug, Clone, Args)]
pub struct StandardArguments {
    /// Revision to judge by: a branch, a tag, HEAD~3. Its baseline, policy and waivers count, and it is built, so that times are compared with its
    /// own, interleaved on this machine. Without a name it is the commit at which this branch parted from origin's or from main; that commit's
    /// files judge by default too.
    #[arg(long, value_name = "REV", num_args = 0..=1, conflicts_with_all = ["baseline", "baseline_bin"])]
    pub against: Option<Option<String>>,
    /// Do not build that revision: its files judge, and times are only shown.
    #[arg(long, requires = "against")]
    pub no_times: bool,
    /// Judge by this baseline file instead, with the work tree's policy; needs no git.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// The day on which waivers are looked at, instead of today.
    #[arg(long, hide = true, value_name = "DAY")]
    pub today: Option<Day>,
}

/// Arguments of `gate`.
#[derive(Debug, Args)]
pub struct GateArguments {
    /// How to measure.
    #[command(flatten)]
    pub measure: MeasureArguments,
    /// What to judge by.
    #[command(flatten)]
    pub standard: StandardArguments,
    /// Judge this stored run instead of measuring.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["resume", "worker"])]
    pub run: Option<PathBuf>,
    /// Gate nothing, but see the gate turn red: for a slow-down, a wider artifact, a worse accuracy and a missing case, planted one after the other, and
    /// stay green without. Ends with code 1 where it does not.
    #[arg(long, conflicts_with_all = ["run", "worker", "also", "kernel", "metric", "output", "resume", "whole", "against", "baseline_bin", "plant"])]
    pub self_test: bool,
    /// Plant a fault in the workers under test.
    #[arg(long, hide = true)]
    pub fault: Option<Fault>,
    /// How times are compared.
    #[command(flatten)]
    pub paired: PairedArguments,
    /// Report to write into the output folder, or FORM=FILE; may be given again.
    #[arg(long, value_name = "FORM[=FILE]", value_parser = WantedParser, default_values = DEFAULT_REPORTS)]
    pub format: Vec<Wanted>,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArguments {
    /// Run file; by default the last run's.
    #[arg(value_name = "RUN")]
    pub run: Option<PathBuf>,
    /// Report to write into the output folder, or FORM=FILE; may be given again. Where GitHub Actions runs it, 'github' also prints its
    /// annotations and appends the comment to the job's summary.
    #[arg(long, value_name = "FORM[=FILE]", value_parser = WantedParser, default_values = DEFAULT_REPORTS)]
    pub format: Vec<Wanted>,
    /// Globs.
    #[command(flatten)]
    pub filter: FilterArguments,
    /// Folder to write into.
    #[arg(long, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

/// Arguments of `baseline accept`.
#[derive(Debug, Args)]
pub struct AcceptArguments {
    /// Run file; by default the last run's.
    #[arg(long, value_name = "RUN")]
    pub run: Option<PathBuf>,
    /// Do not ask.
    #[arg(long, short)]
    pub yes: bool,
    /// Accept only values whose KERNEL/FIXTURE/METRIC matches this glob, where `*` stands for any characters; may be given again.
    #[arg(long, value_name = "GLOB")]
    pub only: Vec<String>,
    /// Why: part of the commit's message.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Accept a run of uncommitted code, or cases of another suite.
    #[arg(long)]
    pub force: bool,
    /// Commit the files of the baseline, with the table in the message.
    #[arg(long)]
    pub commit: bool,
}

/// Arguments of `history`.
#[derive(Debug, Args)]
pub struct HistoryArguments {
    /// Kernel specification, as baselines have it.
    #[arg(value_name = "KERNEL", required_unless_present = "all")]
    pub kernel: Option<String>,
    /// Fixture.
    #[arg(value_name = "FIXTURE", required_unless_present = "all")]
    pub fixture: Option<String>,
    /// Metric.
    #[arg(value_name = "METRIC", required_unless_present = "all")]
    pub metric: Option<String>,
    /// Look at all values, and name those that drifted since the last release by more than the policy tolerates, in steps that it tolerates.
    #[arg(long, conflicts_with_all = ["kernel", "fixture", "metric", "svg"])]
    pub all: bool,
    /// Suite whose baseline it is.
    #[arg(long, default_value = "mini")]
    pub suite: String,
    /// Revision that the drift is counted from, instead of the last release's tag.
    #[arg(long, value_name = "REV", requires = "all")]
    pub since: Option<String>,
    /// Revision to look back from.
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    pub from: String,
    /// Draw the series into this file.
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
}

/// Arguments of `bisect`.
#[derive(Debug, Args)]
pub struct BisectArguments {
    /// A revision at which the metric was good.
    #[arg(long, value_name = "REV")]
    pub good: String,
    /// A later one at which it is bad.
    #[arg(long, value_name = "REV", default_value = "HEAD")]
    pub bad: String,
    /// Kernel to measure.
    #[arg(long, value_name = "SPEC")]
    pub kernel: String,
    /// Fixture to measure it on.
    #[arg(long, value_name = "NAME")]
    pub fixture: String,
    /// Metric to look at: one that does not differ from run to run, or encode_seconds_per_mb or decode_seconds_per_mb, of which each commit's build is
    /// compared with the good one's, in turns.
    #[arg(long, value_name = "NAME")]
    pub metric: String,
    /// Worst value that is still good, of times the largest change in per cent; by default the middle between the good and the bad revision's.
    #[arg(long, value_name = "VALUE")]
    pub worst: Option<f64>,
    /// Links of each commit whose times are compared, half of them for a confirmation.
    #[arg(long, value_name = "K", default_value_t = super::paired::LINKS, value_parser = clap::value_parser!(u32).range(4..=64))]
    pub links: u32,
    /// Time for comparing the times of one commit.
    #[arg(long, value_name = "TIME", default_value = "2m", value_parser = duration)]
    pub budget: Duration,
    /// CPU time of one batch.
    #[arg(long, hide = true, value_name = "TIME", default_value = "8ms", value_parser = duration)]
    pub batch: Duration,
    /// Suite that the fixture is in.
    #[arg(long, default_value = "mini")]
    pub suite: String,
    /// Forget what an interrupted search of the same question found.
    #[arg(long)]
    pub restart: bool,
    /// Longest time for one request to a worker.
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = duration)]
    pub case_timeout: Duration,
    /// Most memory of a worker.
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = size)]
    pub memory_limit: u64,
    /// Say nothing of progress.
    #[arg(long, short)]
    pub quiet: bool,
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
