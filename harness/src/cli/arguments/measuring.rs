//! Arguments of `list`, `run`, `merge`, `compare` and `report`: measuring, and what stored runs say.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{DEFAULT_REPORTS, FilterArguments, ListFormat, duration, size};
use crate::cli::reporting::{Wanted, WantedParser};

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
