//! What a check found.

use serde::Serialize;

/// What a finding means for measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// As it should be.
    Good,
    /// Something cannot be measured, or only roughly.
    Limited,
    /// Nothing can be measured before this is put right.
    Stops,
}

/// What a check found, and what to do about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// What it means.
    pub state: State,
    /// What was found, in words.
    pub found: String,
    /// What to do about it, where something is to be done.
    pub advice: Option<String>,
    /// The figures behind the words, by name with unit.
    pub figures: std::collections::BTreeMap<&'static str, f64>,
}

impl Finding {
    /// Nothing is to be done.
    pub fn good(found: impl Into<String>) -> Self {
        Self { state: State::Good, found: found.into(), advice: None, figures: Default::default() }
    }

    /// Something is limited.
    pub fn limited(found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Limited, advice: Some(advice.into()), ..Self::good(found) }
    }

    /// Nothing can be measured.
    pub fn stops(found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { state: State::Stops, ..Self::limited(found, advice) }
    }

    /// The same with a figure; one that is not finite is left out.
    pub fn with(mut self, name: &'static str, value: f64) -> Self {
        if value.is_finite() {
            self.figures.insert(name, value);
        }
        self
    }
}
