//! What a search has found, kept so that it can go on after it was interrupted.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::question::{BisectError, Question};
use crate::files;

/// Version of the file.
const VERSION: u32 = 1;

/// What is known of a commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "finding", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Finding {
    /// It was measured.
    Value {
        /// The metric's value.
        value: f64,
    },
    /// It could not be.
    Skipped {
        /// Why.
        reason: String,
    },
}

/// A search and what it found so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct State {
    weighbridge_bisect: u32,
    /// What is searched for.
    pub question: Question,
    /// What is known, by commit.
    pub findings: BTreeMap<String, Finding>,
}

impl State {
    /// The state of a search: what the file has of the same question, or nothing.
    pub fn load(path: &Path, question: Question) -> Result<Self, BisectError> {
        let new = || Self { weighbridge_bisect: VERSION, question: question.clone(), findings: BTreeMap::new() };
        let failed = |message: String| BisectError::State { path: path.to_owned(), message };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(new()),
            Err(e) => return Err(failed(e.to_string())),
        };
        let state: Self = serde_json::from_str(&text).map_err(|e| failed(e.to_string()))?;
        if state.weighbridge_bisect != VERSION {
            return Err(failed(format!("version {} is not known; this release reads version {VERSION}", state.weighbridge_bisect)));
        }
        // Exact values do not depend on between which commits one searches; times are changes against the good one.
        let Question { kernel, fixture, metric, good, .. } = &state.question;
        let same = *kernel == question.kernel && *fixture == question.fixture && *metric == question.metric;
        let same = same && (!question.is_of_times() || *good == question.good);
        Ok(if same { Self { question, ..state } } else { new() })
    }

    /// Notes what was found, on the disk before anything else is tried.
    pub fn note(&mut self, commit: &str, finding: Finding, path: &Path) -> Result<(), BisectError> {
        self.findings.insert(commit.to_owned(), finding);
        let failed = |message: String| BisectError::State { path: path.to_owned(), message };
        let text = serde_json::to_string_pretty(self).map_err(|e| failed(e.to_string()))?;
        files::replace(path, |out| writeln!(out, "{text}")).map_err(|e| failed(e.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_comes_back_for_the_same_question_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bisect.json");
        let question = |metric: &str| Question {
            good: "a".into(),
            bad: "b".into(),
            kernel: "int4".into(),
            fixture: "mlp".into(),
            metric: metric.into(),
        };
        let mut state = State::load(&path, question("sqnr_db")).unwrap();
        state.note("c1", Finding::Value { value: 0.1 + 0.2 }, &path).unwrap();
        state.note("c2", Finding::Skipped { reason: "it does not build".into() }, &path).unwrap();
        assert_eq!(State::load(&path, question("sqnr_db")).unwrap(), state);
        let wider = Question { good: "older".into(), ..question("sqnr_db") };
        assert_eq!(State::load(&path, wider).unwrap().findings.len(), 2);
        assert!(State::load(&path, question("perplexity")).unwrap().findings.is_empty());
        std::fs::write(&path, "{\"weighbridge-bisect\":1}").unwrap();
        assert!(State::load(&path, question("sqnr_db")).unwrap_err().to_string().contains("--restart"));
    }
}
