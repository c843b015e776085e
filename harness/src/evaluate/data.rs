//! Reading evaluation and calibration data, digests checked first.

use std::ops::Range;
use std::path::Path;

use candle_core::{Device, Tensor};
use serde::Deserialize;
use weighbridge::safefile::SafeFile;

use super::EvaluateError;
use crate::fixture::{Evaluation, FileRef, Fixture, Task};

/// Items that go through a network, and the right answers.
#[derive(Debug)]
pub(super) struct Examples {
    inputs: Inputs,
    /// Dimensions of one item.
    shape: Vec<usize>,
    /// Number of items: images or windows.
    pub items: usize,
    /// Right class of each prediction; a window makes as many predictions as it has characters.
    pub targets: Vec<u32>,
    /// Predictions an item makes.
    pub window: usize,
}

#[derive(Debug)]
enum Inputs {
    /// Grey values from 0 to 1.
    Pixels(Vec<f32>),
    /// Vocabulary indices.
    Tokens(Vec<u32>),
}

impl Examples {
    /// Reads `data` in the form that the fixture's task asks for.
    pub fn read(fixture: &Fixture, evaluation: &Evaluation, data: &FileRef) -> Result<Self, EvaluateError> {
        let path = fixture.verified(data)?;
        match (evaluation.kind, &evaluation.vocabulary, evaluation.window) {
            (Task::NextCharacter, Some(vocabulary), Some(window)) => {
                text(&path, &Vocabulary::read(&fixture.verified(vocabulary)?)?, window)
            }
            _ => images(&path),
        }
    }

    /// A run of items as one tensor: items × dimensions of one.
    pub fn batch(&self, items: Range<usize>) -> candle_core::Result<Tensor> {
        let size = self.shape.iter().product::<usize>();
        let shape = std::iter::once(items.len()).chain(self.shape.iter().copied()).collect::<Vec<_>>();
        let values = items.start * size..items.end * size;
        match &self.inputs {
            Inputs::Pixels(v) => Tensor::from_slice(&v[values], shape, &Device::Cpu),
            Inputs::Tokens(v) => Tensor::from_slice(&v[values], shape, &Device::Cpu),
        }
    }
}

/// `images` (U8, items × height × width) and `labels` (U8).
fn images(path: &Path) -> Result<Examples, EvaluateError> {
    let invalid = |message: String| EvaluateError::Data { path: path.to_owned(), message };
    let file = SafeFile::open(path)?;
    for name in ["images", "labels"] {
        if file.raw_info(name)?.dtype != safetensors::Dtype::U8 {
            return Err(invalid(format!("tensor '{name}' is not U8")));
        }
    }
    let shape = file.raw_info("images")?.shape.clone();
    let labels = file.bytes("labels")?;
    let &[items, height, width] = shape.as_slice() else {
        return Err(invalid(format!("'images' has shape {shape:?}; it must be items × height × width")));
    };
    if labels.len() != items || items == 0 || height * width == 0 {
        return Err(invalid(format!("'images' has shape {shape:?}, and there are {} labels", labels.len())));
    }
    let pixels = file.bytes("images")?.into_iter().map(|p| f32::from(p) / 255.0).collect();
    let targets = labels.into_iter().map(u32::from).collect();
    Ok(Examples { inputs: Inputs::Pixels(pixels), shape: vec![height, width], items, targets, window: 1 })
}

/// Window k: characters k·n to k·n + n − 1 are the input, and each predicts the one after it. What is left over is not used.
fn text(path: &Path, vocabulary: &Vocabulary, window: usize) -> Result<Examples, EvaluateError> {
    let text = std::fs::read_to_string(path).map_err(|e| EvaluateError::Data { path: path.to_owned(), message: e.to_string() })?;
    let tokens = text.chars().map(|c| vocabulary.index(c)).collect::<Vec<_>>();
    let items = tokens.len().saturating_sub(1) / window;
    if items == 0 {
        let message = format!("{} characters are too few for a window of {window} and the character after it", tokens.len());
        return Err(EvaluateError::Data { path: path.to_owned(), message });
    }
    let targets = tokens[1..=items * window].to_vec();
    let inputs = tokens[..items * window].to_vec();
    Ok(Examples { inputs: Inputs::Tokens(inputs), shape: vec![window], items, targets, window })
}

/// The vocabulary as stored.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WireVocabulary {
    unknown: u32,
    characters: Vec<char>,
    #[serde(rename = "note")]
    _note: Option<String>,
}

/// Index of each character.
#[derive(Debug)]
struct Vocabulary {
    unknown: u32,
    indices: std::collections::BTreeMap<char, u32>,
}

impl Vocabulary {
    fn read(path: &Path) -> Result<Self, EvaluateError> {
        let invalid = |message: String| EvaluateError::Data { path: path.to_owned(), message };
        let text = std::fs::read_to_string(path).map_err(|e| invalid(e.to_string()))?;
        let wire: WireVocabulary = serde_json::from_str(&text).map_err(|e| invalid(e.to_string()))?;
        Ok(Self { unknown: wire.unknown, indices: wire.characters.into_iter().zip(1..).collect() })
    }

    fn index(&self, character: char) -> u32 {
        self.indices.get(&character).copied().unwrap_or(self.unknown)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::evaluate::run::tests::fixture;

    fn both(name: &str) -> [Examples; 2] {
        let fixture = fixture(name);
        let evaluation = fixture.manifest.evaluation.as_ref().unwrap();
        let calibration = &fixture.manifest.calibration.as_ref().unwrap().data;
        [&evaluation.data, calibration].map(|data| Examples::read(&fixture, evaluation, data).unwrap())
    }

    #[test]
    fn no_image_is_in_both_calibration_and_evaluation_data() {
        let [test, calibration] = both("mlp-mnist");
        assert_eq!((test.items, calibration.items), (2000, 512));
        let images = |examples: &Examples| -> BTreeSet<Vec<u32>> {
            let Inputs::Pixels(pixels) = &examples.inputs else { unreachable!() };
            pixels.chunks(28 * 28).map(|image| image.iter().map(|p| p.to_bits()).collect()).collect()
        };
        assert_eq!(images(&test).intersection(&images(&calibration)).count(), 0);
    }

    #[test]
    fn no_passage_is_in_both_calibration_and_evaluation_data() {
        let [test, calibration] = both("gpt-moby");
        assert_eq!((test.items, calibration.items, test.targets.len()), (929, 511, 929 * 128));
        let passages = |examples: &Examples| -> BTreeSet<Vec<u32>> {
            let Inputs::Tokens(tokens) = &examples.inputs else { unreachable!() };
            tokens.windows(128).map(<[u32]>::to_vec).collect()
        };
        assert_eq!(passages(&test).intersection(&passages(&calibration)).count(), 0);
    }

    #[test]
    fn each_character_predicts_the_next_one() {
        let [test, _] = both("lstm-moby");
        let Inputs::Tokens(tokens) = &test.inputs else { unreachable!() };
        assert_eq!(tokens[1..], test.targets[..test.targets.len() - 1]);
    }
}
