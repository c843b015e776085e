//! Two models' outputs on one fixture's task.

use super::{agreement, classes, embedding, pitch, pronunciation, reading};
use crate::evaluate::data::{Examples, Truth};
use crate::evaluate::{EvaluateError, Outputs};
use crate::fixture::{Fixture, Task};

/// A metric's value and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// Name of the metric.
    pub metric: &'static str,
    /// Its value.
    pub value: f64,
    /// Standard error, where there is one and it is finite.
    pub standard_error: Option<f64>,
}

/// Compares a candidate's outputs with the original's on the fixture's evaluation data. The original with itself gives its own figures.
pub fn score(fixture: &Fixture, reference: &Outputs, candidate: &Outputs) -> Result<Vec<Score>, EvaluateError> {
    let none = || EvaluateError::NoData { fixture: fixture.name().to_owned(), what: "evaluation" };
    let evaluation = fixture.manifest.evaluation.as_ref().ok_or_else(none)?;
    if reference.data != evaluation.data.sha256 {
        let message = format!("the outputs are for data {}, the fixture's is {}", reference.data, evaluation.data.sha256);
        return Err(EvaluateError::Incomparable { message });
    }
    let examples = Examples::read(fixture, evaluation, &evaluation.data)?;
    against(evaluation.kind, &examples.truth, reference, candidate)
}

/// The same, when the answers are at hand.
pub(super) fn against(task: Task, truth: &Truth, reference: &Outputs, candidate: &Outputs) -> Result<Vec<Score>, EvaluateError> {
    comparable(truth, reference, candidate)?;
    Ok(match truth {
        Truth::Classes(targets) => classes::score(task, targets, reference, candidate),
        Truth::Pronunciations(accepted) => pronunciation::score(accepted, reference, candidate),
        Truth::Lines { lines, space } => reading::score(lines, *space, reference, candidate),
        Truth::Pitches(cents) => pitch::score(cents, reference, candidate),
        Truth::Unknown => agreement::score(reference, candidate),
        Truth::Judged(judged) => embedding::score(judged, reference, candidate),
    })
}

impl Score {
    pub(super) fn new(metric: &'static str, value: f64, standard_error: f64) -> Self {
        Self { metric, value, standard_error: Some(standard_error).filter(|e| e.is_finite()) }
    }
}

fn comparable(truth: &Truth, reference: &Outputs, candidate: &Outputs) -> Result<(), EvaluateError> {
    let incomparable = |message: String| Err(EvaluateError::Incomparable { message });
    for (side, outputs) in [("reference", reference), ("candidate", candidate)] {
        if let Some(fault) = outputs.fault() {
            return incomparable(format!("the {side} has {fault}"));
        }
    }
    if reference.data != candidate.data {
        return incomparable(format!("they are for data {} and {}", reference.data, candidate.data));
    }
    let size = |o: &Outputs| (o.rows(), o.width, o.groups.len(), o.sequences.len());
    if size(reference) != size(candidate) || reference.groups != candidate.groups {
        return incomparable(format!("(rows, width, items, sequences) are {:?} and {:?}", size(reference), size(candidate)));
    }
    let (answers, given) = match truth {
        Truth::Classes(targets) => (targets.len(), reference.rows()),
        Truth::Pronunciations(accepted) => (accepted.len(), reference.sequences.len()),
        Truth::Lines { lines, .. } => (lines.len(), reference.groups.len()),
        Truth::Pitches(cents) => (cents.len(), reference.rows()),
        Truth::Unknown => (reference.rows(), reference.rows()),
        Truth::Judged(judged) => {
            let pairs = judged.iter().flat_map(|j| &j.pairs);
            let last = pairs.map(|p| p.texts.0.max(p.texts.1) + 1).max().unwrap_or(0);
            (last.max(reference.rows()), reference.rows())
        }
    };
    if answers != given {
        return incomparable(format!("{given} answers to {answers} questions"));
    }
    match truth {
        Truth::Classes(targets) if targets.iter().any(|&t| t as usize >= reference.width) => {
            incomparable(format!("a right class is not one of {}", reference.width))
        }
        // The space is the last of the classes.
        Truth::Lines { space, .. } if *space as usize + 1 != reference.width => {
            incomparable(format!("there are {} characters and the blank, and {} classes", space, reference.width))
        }
        _ if reference.values.iter().any(|x| !x.is_finite()) => incomparable("the reference has values that are not finite".to_owned()),
        _ => Ok(()),
    }
}

/// 100 or 0.
pub(super) fn percent(condition: bool) -> f64 {
    if condition { 100.0 } else { 0.0 }
}
