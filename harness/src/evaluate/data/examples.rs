//! What goes through a network, and what is known of the answers.

use std::ops::Range;
use std::path::{Path, PathBuf};

use candle_core::{Device, Result, Tensor, bail};

use super::passages::Judgements;
use super::words::Word;
use super::{excerpts, images, lines, passages, photographs, sound, text, words};
use crate::evaluate::EvaluateError;
use crate::fixture::{Evaluation, FileRef, Fixture, FixtureError, Task};

/// Items, in the data's order.
#[derive(Debug)]
pub(in crate::evaluate) struct Examples {
    pub inputs: Inputs,
    pub truth: Truth,
    /// Rows of output that each item makes. Rows of one item depend on each other.
    pub groups: Vec<usize>,
}

/// What an item is.
#[derive(Debug)]
pub(in crate::evaluate) enum Inputs {
    /// Numbers: pixels, samples of sound; all items have the shape given.
    Numbers(Vec<f32>, Vec<usize>),
    /// Indices of a vocabulary; all items have as many.
    Indices(Vec<u32>, usize),
    /// Words with their letters and phonemes, and the phonemes' end mark.
    Words { words: Vec<Word>, end: u32 },
    /// Texts of any length as indices of a vocabulary.
    Texts(Vec<Vec<u32>>),
}

/// What is known of the answers.
#[derive(Debug, PartialEq)]
pub(in crate::evaluate) enum Truth {
    /// Nothing: all that can be asked is how far a model is from the original.
    Unknown,
    /// The right class of each row.
    Classes(Vec<u32>),
    /// The pronunciations of each word.
    Pronunciations(Vec<Vec<Vec<u32>>>),
    /// What each line says, as classes; one of them is the space.
    Lines { lines: Vec<Vec<u32>>, space: u32 },
    /// The pitch of each frame, in cents above 10 Hz.
    Pitches(Vec<f64>),
    /// How alike pairs of texts are to people.
    Judged(Vec<Judgements>),
}

impl Examples {
    /// Reads `data` in the form that the fixture's task asks for.
    pub fn read(fixture: &Fixture, evaluation: &Evaluation, data: &FileRef) -> std::result::Result<Self, EvaluateError> {
        let path = fixture.verified(data)?;
        let vocabulary = || {
            let none = || missing(fixture, "vocabulary");
            Ok::<_, EvaluateError>(fixture.verified(evaluation.vocabulary.as_ref().ok_or_else(none)?)?)
        };
        let window = || evaluation.window.ok_or_else(|| missing(fixture, "window"));
        let material = |file: &str| material(fixture, evaluation, &path, file);
        match evaluation.kind {
            Task::Classification => images::read(&path),
            Task::Recognition => photographs::read(&path, material),
            Task::FileType => excerpts::read(&path, &vocabulary()?, material),
            Task::Reading => lines::read(&path, &fixture.data(lines::CHARACTERS)?, material),
            Task::NextCharacter => text::characters(&path, &vocabulary()?, window()?),
            Task::NextToken => text::tokens(&path, window()?),
            Task::Pronunciation => words::read(&path, &vocabulary()?),
            Task::Pitch => sound::frames(&path),
            Task::Speech => sound::clips(&path),
            Task::Embedding => {
                // Judgements are on the evaluation data's lines, or bring words of their own: calibration data has none.
                let judged = if *data == evaluation.data { evaluation.judged.as_slice() } else { &[] };
                let judged = judged
                    .iter()
                    .map(|j| Ok((j.by, fixture.verified(&j.scores)?)))
                    .collect::<std::result::Result<Vec<_>, FixtureError>>()?;
                passages::read(&path, &judged, &vocabulary()?, window()?)
            }
        }
    }

    /// Number of items.
    pub fn items(&self) -> usize {
        self.groups.len()
    }
}

/// The file of the material that data names.
fn material(fixture: &Fixture, evaluation: &Evaluation, data: &Path, file: &str) -> std::result::Result<PathBuf, EvaluateError> {
    match evaluation.material.iter().find(|m| m.file == file) {
        Some(found) => Ok(fixture.verified(found)?),
        None => {
            let message = format!("it names '{file}', which is not in the manifest's 'evaluation.material'");
            Err(EvaluateError::Data { path: data.to_owned(), message })
        }
    }
}

/// The manifest's check lets no such fixture through.
fn missing(fixture: &Fixture, key: &str) -> EvaluateError {
    let message = format!("key 'evaluation.{key}' is missing");
    EvaluateError::Fixture(FixtureError::Manifest { path: fixture.path.clone(), message })
}

impl Inputs {
    /// A run of items of equal shape as one tensor: items × dimensions of one.
    pub fn tensor(&self, items: Range<usize>) -> Result<Tensor> {
        let shape = |of_one: &[usize]| std::iter::once(items.len()).chain(of_one.iter().copied()).collect::<Vec<_>>();
        match self {
            Self::Numbers(values, of_one) => {
                let size = of_one.iter().product::<usize>();
                Tensor::from_slice(&values[items.start * size..items.end * size], shape(of_one), &Device::Cpu)
            }
            Self::Indices(values, size) => Tensor::from_slice(&values[items.start * size..items.end * size], shape(&[*size]), &Device::Cpu),
            Self::Words { .. } | Self::Texts(_) => bail!("words and texts have no common shape"),
        }
    }
}
