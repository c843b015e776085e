//! Arguments of `baseline`, `history` and `bisect`: what works with committed baselines.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::{duration, size};

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
    #[arg(long, value_name = "K", default_value_t = crate::cli::paired::LINKS, value_parser = clap::value_parser!(u32).range(4..=64))]
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
