//! Errors as people see them, and the exit codes.

use std::process::ExitCode;

use weighbridge::error::{FileError, SpecError};

use crate::baseline::BaselineError;
use crate::bisect::BisectError;
use crate::builds::BuildError;
use crate::convert::ConvertError;
use crate::error_table::ErrorTableError;
use crate::evaluate::EvaluateError;
use crate::fetch::FetchError;
use crate::filter::FilterError;
use crate::fixture::FixtureError;
use crate::git::GitError;
use crate::golden::GoldenError;
use crate::history::HistoryError;
use crate::init::ExampleError;
use crate::journal::JournalError;
use crate::measure::MeasureError;
use crate::measure::plan::PlanError;
use crate::merge::MergeError;
use crate::paired::PairedError;
use crate::policy::{PolicyError, UnknownSuite};
use crate::report::form::ReportError;
use crate::specification::ResolveError;
use crate::standard::SourceError;
use crate::table::TableError;
use crate::waiver::WaiverError;
use crate::worker::client::WorkerError;

/// Exit codes; part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Nothing got worse.
    Pass = 0,
    /// Something unexpected: a defect, or the system said no.
    Unexpected = 1,
    /// Usage or configuration.
    Usage = 2,
    /// A regression.
    Regression = 3,
    /// Nothing was measured, or something is missing.
    Missing = 4,
    /// Something could not be decided.
    Inconclusive = 5,
    /// A case failed its check.
    CaseFailed = 6,
    /// The machine is unfit to measure what was asked.
    Unfit = 7,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Whatever ends a command early.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant wraps the error of one module")]
pub enum CliError {
    #[error(transparent)]
    Baseline(#[from] BaselineError),
    #[error(transparent)]
    Bisect(#[from] BisectError),
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error("'{file}': {source}")]
    Convert { file: String, source: ConvertError },
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    ErrorTable(#[from] ErrorTableError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Filter(#[from] FilterError),
    #[error(transparent)]
    Fixture(#[from] FixtureError),
    #[error(transparent)]
    Git(#[from] GitError),
    #[error(transparent)]
    Example(#[from] ExampleError),
    #[error(transparent)]
    Golden(#[from] GoldenError),
    #[error(transparent)]
    Measure(#[from] MeasureError),
    #[error(transparent)]
    Paired(#[from] PairedError),
    #[error(transparent)]
    Merge(#[from] MergeError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Policy(#[from] PolicyError),
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Kernel(#[from] ResolveError),
    #[error(transparent)]
    Report(#[from] ReportError),
    #[error(transparent)]
    Store(#[from] JournalError),
    #[error(transparent)]
    Table(#[from] TableError),
    #[error(transparent)]
    Suite(#[from] UnknownSuite),
    #[error(transparent)]
    Waiver(#[from] WaiverError),
    #[error(transparent)]
    Worker(#[from] WorkerError),
    #[error("{0}")]
    Nothing(String),
    #[error("{0}")]
    Usage(String),
    #[error("{0}")]
    Unexpected(String),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl From<SourceError> for CliError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Baseline(BaselineError::Git(e)) | SourceError::Git(e) => e.into(),
            SourceError::Baseline(e) => e.into(),
            SourceError::Policy(e) => e.into(),
            SourceError::Waiver(e) => e.into(),
        }
    }
}

impl From<SpecError> for CliError {
    fn from(error: SpecError) -> Self {
        Self::Kernel(error.into())
    }
}

impl CliError {
    /// The exit code it ends with.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Plan(PlanError::NothingThere { .. }) => Exit::Missing,
            Self::Merge(MergeError::Missing { .. } | MergeError::Case { .. }) => Exit::Missing,
            Self::Merge(_) => Exit::Usage,
            Self::Fixture(FixtureError::NoRoom { .. } | FixtureError::File(FileError::Io { action: "write", .. })) => Exit::Unexpected,
            Self::Filter(_) | Self::Suite(_) | Self::Plan(_) | Self::Policy(_) | Self::Kernel(_) | Self::Usage(_) | Self::Fixture(_) => {
                Exit::Usage
            }
            Self::ErrorTable(ErrorTableError::Size { .. } | ErrorTableError::Scale { .. } | ErrorTableError::Empty) => Exit::Usage,
            Self::ErrorTable(ErrorTableError::Broken { .. }) => Exit::CaseFailed,
            Self::ErrorTable(ErrorTableError::Spec(_)) => Exit::Unexpected,
            Self::Golden(GoldenError::Broken { .. }) => Exit::CaseFailed,
            Self::Golden(_) => Exit::Usage,
            Self::Convert { source: ConvertError::Io(_), .. } => Exit::Unexpected,
            Self::Convert { .. } => Exit::Usage,
            Self::Fetch(e) => fetch_exit(e),
            Self::Baseline(BaselineError::Missing { .. }) => Exit::Missing,
            Self::Build(BuildError::Git(_) | BuildError::Failed { .. } | BuildError::NoProgram { .. }) => Exit::Usage,
            Self::Build(BuildError::Io { action: "use", .. }) | Self::Paired(PairedError::Store(_) | PairedError::Variant(_)) => {
                Exit::Usage
            }
            Self::Build(_) | Self::Paired(_) => Exit::Unexpected,
            Self::Nothing(_) => Exit::Missing,
            Self::Example(ExampleError::Io { .. } | ExampleError::Recipe(_)) => Exit::Unexpected,
            Self::Example(_) => Exit::Usage,
            Self::Git(GitError::Write { .. }) => Exit::Unexpected,
            Self::Git(_) | Self::Waiver(_) | Self::History(_) | Self::Bisect(_) => Exit::Usage,
            Self::Baseline(_) | Self::Store(_) | Self::File(_) | Self::Measure(MeasureError::Store(_)) => Exit::Usage,
            Self::Worker(WorkerError::Refused { .. }) => Exit::Usage,
            Self::Evaluate(_)
            | Self::Measure(_)
            | Self::Report(_)
            | Self::Table(_)
            | Self::Worker(_)
            | Self::Unexpected(_)
            | Self::Io(_) => Exit::Unexpected,
        }
    }

    /// What to do next.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Baseline(BaselineError::Missing { .. }) => {
                Some("measure with 'weighbridge run' and accept the result with 'weighbridge baseline accept'")
            }
            Self::Git(GitError::Shallow { .. }) => Some(
                "fetch more commits, 'git fetch --deepen=200 origin', or all of them, 'git fetch --unshallow origin'; or name what to judge by with '--against' or '--baseline'",
            ),
            Self::Git(GitError::NoRepository { .. } | GitError::NoTrunk { .. }) => {
                Some("name the commit to judge by, '--against REV', or, outside git too, a file: '--baseline FILE'")
            }
            Self::Kernel(ResolveError::Spec(_)) | Self::Plan(PlanError::Kernel(ResolveError::Spec(_))) => {
                Some("'weighbridge kernels list' prints the kernels, 'weighbridge kernels show KERNEL' their parameters")
            }
            Self::Kernel(ResolveError::File(FileError::Spec { .. }))
            | Self::Plan(PlanError::Kernel(ResolveError::File(FileError::Spec { .. }))) => {
                Some("'weighbridge kernels show KERNEL --toml' prints a kernel or a preset as a file to start from")
            }
            Self::ErrorTable(ErrorTableError::Empty) => Some("without '--kernel' the table has a row for every kernel"),
            Self::Plan(PlanError::NothingThere { .. }) => Some("'weighbridge fixtures fetch' gets what packages hold"),
            Self::Plan(PlanError::Empty { .. }) => Some("'weighbridge list cases' prints the cases of a suite"),
            Self::Build(BuildError::Failed { .. }) => {
                Some("a revision that does not build has no times; name another with '--against', or a ready program with '--baseline-bin'")
            }
            Self::Paired(PairedError::Store(JournalError::Busy { .. }))
            | Self::Store(JournalError::Busy { .. })
            | Self::Measure(MeasureError::Store(JournalError::Busy { .. })) => Some("wait for it, or give another folder with '--output'"),
            Self::Store(JournalError::Io { action: "read", .. }) => Some("'weighbridge run' makes a run file"),
            _ => None,
        }
    }
}

/// The exit code of a fixture that was not fetched: what is wrong with manifests and packages is told from what the system or network did.
pub fn fetch_exit(error: &FetchError) -> Exit {
    match error {
        FetchError::Fixture(_) | FetchError::Digest { .. } | FetchError::Archive { .. } => Exit::Usage,
        FetchError::Convert { .. } | FetchError::Parameters { .. } => Exit::Usage,
        FetchError::Offline { .. } => Exit::Missing,
        FetchError::NoClient { .. } | FetchError::Unreachable { .. } | FetchError::NotTried { .. } => Exit::Unexpected,
        FetchError::Client { .. } | FetchError::CutShort { .. } | FetchError::Full { .. } | FetchError::Io { .. } => Exit::Unexpected,
    }
}
