//! All that a run is held to, read from one place.

use super::edits::{Edits, edits};
use super::source::{BaselineSource, SourceError};
use crate::baseline::Baseline;
use crate::policy::Policy;
use crate::waiver::{Waiver, Waivers};

/// Baseline, policy and waivers, and how the work tree differs from them.
#[derive(Debug, Clone)]
pub struct Standard {
    /// Where they come from.
    pub source: BaselineSource,
    /// Suite whose baseline it is.
    pub suite: String,
    /// Accepted values.
    pub baseline: Baseline,
    /// How they are judged.
    pub policy: Policy,
    /// What may be worse.
    pub waivers: Waivers,
    /// Waivers of the work tree that are not among them.
    pub own_waivers: Vec<Waiver>,
    /// What the work tree has instead.
    pub edits: Edits,
}

impl Standard {
    /// Reads what a suite is held to. `work_tree` is where the change under judgement is.
    ///
    /// Which suite's baseline counts is said by the policy that is read, and by the work tree's for a suite that this one does not have.
    pub fn read(source: BaselineSource, suite: &str, work_tree: &BaselineSource) -> Result<Self, SourceError> {
        let policy = source.policy()?;
        let mine = work_tree.policy()?;
        let entry = policy.suites.get(suite).or_else(|| mine.suites.get(suite));
        let suite = entry.and_then(|s| s.baseline.as_deref()).unwrap_or(suite).to_owned();
        let baseline = source.baseline(&suite)?;
        let waivers = source.waivers()?;
        let is_commit = matches!(source, BaselineSource::Revision { .. });
        let own_waivers = if is_commit { work_tree.waivers()?.not_in(&waivers) } else { Vec::new() };
        let edits = if is_commit { edits(&source, work_tree, &suite)? } else { Edits::default() };
        Ok(Self { source, suite, baseline, policy, waivers, own_waivers, edits })
    }
}
