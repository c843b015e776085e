//! Arguments of `gate` and `calibrate`: judging, and how far it can be trusted.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::DEFAULT_REPORTS;
use super::measuring::MeasureArguments;
use super::{TableFormat, duration};
use crate::cli::reporting::{Wanted, WantedParser};
use crate::paired::record::Clock;
use crate::waiver::Day;
use crate::worker::batch::Operation;
use crate::worker::fault::Fault;

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
