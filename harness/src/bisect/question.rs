//! What is searched for.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::metric::{Direction, Kind, Metric, metric};

/// A search: between which commits, for what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Question {
    /// First commit, hexadecimal.
    pub good: String,
    /// Last commit, hexadecimal.
    pub bad: String,
    /// Kernel specification.
    pub kernel: String,
    /// Fixture.
    pub fixture: String,
    /// Metric.
    pub metric: String,
}

impl Question {
    /// Whether commits are compared with the good one, in turns, rather than measured each alone.
    pub fn is_of_times(&self) -> bool {
        metric(&self.metric).is_some_and(|m| m.kind == Kind::Sampled)
    }
}

/// From which value on a commit is bad.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// Worst value that is good.
    pub worst: f64,
    /// Better which way.
    pub direction: Direction,
}

impl Threshold {
    /// Of a value in the middle between good and bad; an error where bad is not worse.
    pub fn between(metric: &'static Metric, good: f64, bad: f64) -> Result<Self, BisectError> {
        let threshold = Self { worst: f64::midpoint(good, bad), direction: metric.direction };
        if !threshold.is_bad(bad) {
            return Err(BisectError::NotWorse { metric: metric.name, good, bad });
        }
        Ok(threshold)
    }

    /// Whether a value is bad.
    pub fn is_bad(&self, value: f64) -> bool {
        match self.direction {
            Direction::Higher => value < self.worst,
            Direction::Lower => value > self.worst,
        }
    }
}

/// A search that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BisectError {
    /// There is nothing to be found.
    #[error(
        "'{metric}' is {good} at the good commit and {bad} at the bad one, which is not worse; give a value with '--worst', or other commits"
    )]
    NotWorse {
        /// Metric.
        metric: &'static str,
        /// Value at the good commit.
        good: f64,
        /// Value at the bad one.
        bad: f64,
    },
    /// The bad commit is not known to be slower.
    #[error(
        "'{metric}' of the bad commit was not found to be worse than that of the good one: {found}; give other commits, or more time with '--budget'"
    )]
    NotSlower {
        /// Metric.
        metric: &'static str,
        /// What was found.
        found: String,
    },
    /// An end of the search cannot be measured.
    #[error("the {which} commit '{commit}' cannot be measured: {reason}; name another")]
    End {
        /// Good or bad.
        which: &'static str,
        /// The commit.
        commit: String,
        /// Why.
        reason: String,
    },
    /// An end of the search is on the wrong side of the value that was given.
    #[error("with '--worst {worst}' the {which} commit is not {which}: its value is {value}")]
    Wrong {
        /// Good or bad.
        which: &'static str,
        /// The value that was given.
        worst: f64,
        /// That of the commit.
        value: f64,
    },
    /// The file of what was found cannot be used.
    #[error("'{}': {message}; '--restart' forgets it", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
}
