//! Running text in windows, each symbol of which predicts the next.

use std::path::Path;

use serde::Deserialize;
use weighbridge::safefile::SafeFile;

use super::{Examples, Inputs, Truth};
use crate::evaluate::EvaluateError;
use crate::evaluate::outputs::read_integers;

/// Characters: window k holds those from k·n to k·n + n − 1, and each predicts the one after it. What is left over is not used.
pub(super) fn characters(path: &Path, vocabulary: &Path, window: usize) -> Result<Examples, EvaluateError> {
    let vocabulary = Vocabulary::read(vocabulary)?;
    let text = std::fs::read_to_string(path).map_err(|e| EvaluateError::Data { path: path.to_owned(), message: e.to_string() })?;
    let tokens = text.chars().map(|c| vocabulary.index(c)).collect::<Vec<_>>();
    let items = tokens.len().saturating_sub(1) / window;
    if items == 0 {
        let message = format!("{} characters are too few for a window of {window} and the character after it", tokens.len());
        return Err(EvaluateError::Data { path: path.to_owned(), message });
    }
    let targets = tokens[1..=items * window].to_vec();
    let inputs = tokens[..items * window].to_vec();
    Ok(Examples { inputs: Inputs::Indices(inputs, window), truth: Truth::Classes(targets), groups: vec![window; items] })
}

/// Tokens as stored (`tokens`, U32, windows × tokens): each but a window's last predicts the next one.
pub(super) fn tokens(path: &Path, window: usize) -> Result<Examples, EvaluateError> {
    let file = SafeFile::open(path)?;
    let shape = file.raw_info("tokens")?.shape.clone();
    let tokens = read_integers(&file, "tokens")?;
    if shape.len() != 2 || shape[0] == 0 || shape[1] != window || window < 2 {
        let message = format!("'tokens' has shape {shape:?}; it must be windows × {window}, of two tokens at least");
        return Err(EvaluateError::Data { path: path.to_owned(), message });
    }
    let inputs = tokens.chunks(window).flat_map(|w| &w[..window - 1]).copied().collect();
    let targets = tokens.chunks(window).flat_map(|w| &w[1..]).copied().collect();
    Ok(Examples { inputs: Inputs::Indices(inputs, window - 1), truth: Truth::Classes(targets), groups: vec![window - 1; shape[0]] })
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

    use weighbridge::artifact::write_tensors;

    use super::*;
    use crate::evaluate::outputs::integers;
    use crate::evaluate::tests::both;

    fn indices(examples: &Examples) -> &[u32] {
        let Inputs::Indices(tokens, _) = &examples.inputs else { unreachable!() };
        tokens
    }

    #[test]
    fn no_passage_is_in_both_calibration_and_evaluation_data() {
        let [test, calibration] = both("gpt-moby");
        assert_eq!((test.items(), calibration.items(), test.groups.iter().sum::<usize>()), (929, 511, 929 * 128));
        let passages = |examples: &Examples| -> BTreeSet<Vec<u32>> { indices(examples).windows(128).map(<[u32]>::to_vec).collect() };
        assert_eq!(passages(&test).intersection(&passages(&calibration)).count(), 0);
    }

    #[test]
    fn each_character_predicts_the_next_one() {
        let [test, _] = both("lstm-moby");
        let Truth::Classes(targets) = &test.truth else { unreachable!() };
        assert_eq!(indices(&test)[1..], targets[..targets.len() - 1]);
    }

    #[test]
    fn the_last_token_of_a_window_predicts_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("tokens.safetensors");
        let write = |shape: Vec<usize>| write_tensors(&path, [integers("tokens", shape, &[5, 6, 7, 8, 9, 10])].iter()).unwrap();
        write(vec![2, 3]);
        let examples = tokens(&path, 3).unwrap();
        assert_eq!((indices(&examples), &examples.truth), ([5, 6, 8, 9].as_slice(), &Truth::Classes(vec![6, 7, 9, 10])));
        assert_eq!(examples.groups, [2, 2]);
        let error = tokens(&path, 4).unwrap_err().to_string();
        assert!(error.contains("'tokens' has shape [2, 3]; it must be windows × 4"), "{error}");
        write(vec![6, 1]);
        assert!(tokens(&path, 1).is_err());
    }
}
