//! Words with their pronunciations: lines of a word and, tab-separated, each of its pronunciations as phonemes.

use std::path::Path;

use serde::Deserialize;

use super::{Examples, Inputs, Truth};
use crate::evaluate::EvaluateError;

/// A word as indices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::evaluate) struct Word {
    /// Its letters, then the end mark.
    pub letters: Vec<u32>,
    /// The start mark, then the phonemes of its first pronunciation: what a decoder is fed, one row of output for each.
    pub phonemes: Vec<u32>,
}

/// Symbols as stored: an index is a place in them. Letters and phonemes stand for themselves; `</s>` ends, `<s>` starts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Symbols {
    graphemes: Vec<String>,
    phonemes: Vec<String>,
}

/// Reads words, and finds the index of each of their symbols.
pub(super) fn read(path: &Path, symbols: &Path) -> Result<Examples, EvaluateError> {
    let invalid = |path: &Path, message: String| EvaluateError::Data { path: path.to_owned(), message };
    let text = std::fs::read_to_string(symbols).map_err(|e| invalid(symbols, e.to_string()))?;
    let Symbols { graphemes, phonemes } = serde_json::from_str(&text).map_err(|e| invalid(symbols, e.to_string()))?;
    let find = |table: &[String], symbol: &str| {
        let place = table.iter().position(|s| s == symbol).and_then(|i| u32::try_from(i).ok());
        place.ok_or_else(|| invalid(symbols, format!("no symbol '{symbol}'")))
    };
    let (last, start, end) = (find(&graphemes, "</s>")?, find(&phonemes, "<s>")?, find(&phonemes, "</s>")?);
    let text = std::fs::read_to_string(path).map_err(|e| invalid(path, e.to_string()))?;
    let (mut words, mut accepted) = (Vec::new(), Vec::new());
    for (i, line) in text.lines().enumerate() {
        let mut parts = line.split('\t');
        let word = parts.next().unwrap_or_default();
        let mut letters = word.chars().map(|c| find(&graphemes, c.encode_utf8(&mut [0; 4]))).collect::<Result<Vec<_>, _>>()?;
        let pronunciation = |text: &str| text.split(' ').map(|p| find(&phonemes, p)).collect::<Result<Vec<_>, _>>();
        let pronunciations = parts.map(pronunciation).collect::<Result<Vec<_>, _>>()?;
        let Some(first) = pronunciations.first().filter(|_| !letters.is_empty()) else {
            return Err(invalid(path, format!("line {} is '{line}'; it must be a word, a tab and its phonemes", i + 1)));
        };
        letters.push(last);
        words.push(Word { letters, phonemes: std::iter::once(start).chain(first.iter().copied()).collect() });
        accepted.push(pronunciations);
    }
    if words.is_empty() {
        return Err(invalid(path, "no words".to_owned()));
    }
    let groups = words.iter().map(|w| w.phonemes.len()).collect();
    Ok(Examples { inputs: Inputs::Words { words, end }, truth: Truth::Pronunciations(accepted), groups })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::evaluate::tests::both;

    #[test]
    fn no_word_is_in_both_calibration_and_evaluation_data() {
        let [test, calibration] = both("g2p-en");
        assert_eq!((test.items(), calibration.items()), (2000, 512));
        let letters = |examples: &Examples| -> BTreeSet<Vec<u32>> {
            let Inputs::Words { words, .. } = &examples.inputs else { unreachable!() };
            words.iter().map(|w| w.letters.clone()).collect()
        };
        assert_eq!(letters(&test).len(), 2000);
        assert_eq!(letters(&test).intersection(&letters(&calibration)).count(), 0);
    }

    #[test]
    fn lines_become_indices_and_mistakes_are_named() {
        let scratch = tempfile::tempdir().unwrap();
        let (path, symbols) = (scratch.path().join("words.tsv"), scratch.path().join("symbols.json"));
        std::fs::write(&symbols, r#"{"graphemes": ["</s>", "a", "b"], "phonemes": ["<s>", "</s>", "AH0", "B"]}"#).unwrap();
        std::fs::write(&path, "ab\tAH0 B\tB\n").unwrap();
        let examples = read(&path, &symbols).unwrap();
        let Inputs::Words { words, .. } = &examples.inputs else { unreachable!() };
        assert_eq!(words, &[Word { letters: vec![1, 2, 0], phonemes: vec![0, 2, 3] }]);
        assert_eq!((examples.truth, examples.groups), (Truth::Pronunciations(vec![vec![vec![2, 3], vec![3]]]), vec![3]));
        for (text, message) in
            [("ab", "line 1 is 'ab'"), ("a\tX", "no symbol 'X'"), ("c\tB", "no symbol 'c'"), ("\tB", "line 1"), ("", "no words")]
        {
            std::fs::write(&path, text).unwrap();
            let error = read(&path, &symbols).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
