//! What a merge leaves where both branches refreshed one case: git's markers around the case's records of either side.

use std::collections::BTreeSet;
use std::path::Path;

use super::error::BaselineError;
use super::text::{Unknown, parse};
use super::values::Baseline;
use crate::model::record::Case;

/// Before our records.
pub const CONFLICT_START: &str = "<<<<<<<";
/// Between ours and theirs.
pub const CONFLICT_MIDDLE: &str = "=======";
/// After theirs.
pub const CONFLICT_END: &str = ">>>>>>>";

/// A baseline in which a merge left something to decide.
#[derive(Debug, Clone, PartialEq)]
pub struct Conflicted {
    /// The baseline with our records.
    pub ours: Baseline,
    /// Cases that either side has other values for.
    pub cases: BTreeSet<Case>,
}

/// Reads a text that may hold conflicts; `place` is for messages.
pub fn parse_conflicted(text: &str, place: &Path) -> Result<Conflicted, BaselineError> {
    let header = text.lines().next().unwrap_or_default();
    let (mut ours, mut disputed) = (String::new(), format!("{header}\n"));
    let mut side = None;
    for line in text.lines() {
        match (side, line) {
            (None, _) if line.starts_with(CONFLICT_START) => side = Some(CONFLICT_START),
            (Some(CONFLICT_START), _) if line.starts_with(CONFLICT_MIDDLE) => side = Some(CONFLICT_MIDDLE),
            (Some(_), _) if line.starts_with(CONFLICT_END) => side = None,
            (Some(CONFLICT_MIDDLE), _) => push(&mut disputed, line),
            (Some(_), _) => {
                push(&mut ours, line);
                push(&mut disputed, line);
            }
            (None, _) => push(&mut ours, line),
        }
    }
    if !text.ends_with('\n') {
        ours.pop();
    }
    let mut cases = BTreeSet::new();
    for line in disputed.lines().skip(1) {
        // Each line alone: both sides have the same values, which would be refused as standing there twice.
        cases.extend(parse(&format!("{header}\n{line}\n"), place, Unknown::Skip)?.rows.iter().map(super::values::Row::case));
    }
    Ok(Conflicted { ours: parse(&ours, place, Unknown::Refuse)?, cases })
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
