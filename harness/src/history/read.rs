//! The commits that refreshed a suite's baseline, with a way to read what each of them accepted.

use std::path::Path;

use crate::baseline::{Baseline, BaselineError, Part, Unknown, parse};
use crate::git::{GitError, History, Touch};

/// A history that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// Version control.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A baseline of some commit.
    #[error("commit '{commit}': {source}")]
    Baseline {
        /// The commit, abbreviated.
        commit: String,
        /// What is wrong with it.
        source: BaselineError,
    },
}

/// The refreshes of a suite's baseline, oldest first.
pub struct Refreshes {
    history: History,
    suite: String,
}

/// Walks the commits from a revision back, to `since` where one is given.
pub fn refreshes(root: &Path, suite: &str, from: &str, since: Option<&str>) -> Result<Refreshes, HistoryError> {
    let files = [Part::Exact, Part::Times].map(|part| format!("baselines/{}", part.file_name(suite)));
    Ok(Refreshes { history: History::walk(root, &files, from, since)?, suite: suite.to_owned() })
}

impl Refreshes {
    /// The commits.
    pub fn touches(&self) -> &[Touch] {
        &self.history.touches
    }

    /// Commits that were walked.
    pub fn walked(&self) -> usize {
        self.history.walked
    }

    /// Whether a shallow clone ends it.
    pub fn is_cut(&self) -> bool {
        self.history.is_cut
    }

    /// One of a refresh's files as text; `None` where the commit has none.
    pub(super) fn text(&self, touch: &Touch, part: Part) -> Result<Option<String>, HistoryError> {
        let blob = touch.blobs.get(usize::from(part == Part::Times)).and_then(Option::as_ref);
        Ok(blob.map(|id| self.history.text(id)).transpose()?)
    }

    /// The values that `text`, a file of a refresh or some of its lines, holds. Metrics that were dropped since are left out.
    pub(super) fn parse(&self, text: &str, touch: &Touch, part: Part) -> Result<Baseline, HistoryError> {
        let commit = touch.commit.get(..12).unwrap_or(&touch.commit).to_owned();
        let place = format!("{commit}:baselines/{}", part.file_name(&self.suite));
        parse(text, Path::new(&place), Unknown::Skip).map_err(|source| HistoryError::Baseline { commit, source })
    }
}
