//! Texts of any length, cut into the pieces of a tokenizer, and how alike people find pairs of them.
//!
//! Texts are lines, in UTF-8 or, where that does not fit, Latin-1. The tokenizer is a `tokenizer.json` as the `tokenizers` crate reads it; texts
//! are not padded, and what is over the window is cut off.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tokenizers::{Tokenizer, TruncationParams};

use super::{Examples, Inputs, Truth};
use crate::evaluate::EvaluateError;
use crate::fixture::Judgement;

/// One collection of judgements.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::evaluate) struct Judgements {
    pub by: Judgement,
    pub pairs: Vec<Pair>,
    /// Where the pairs are all pairs of so many documents, in the order (0, 1), (0, 2), …, (1, 2), …: documents, not pairs, are independent.
    pub documents: Option<usize>,
}

/// Two texts by index, and a score; more is more alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::evaluate) struct Pair {
    pub texts: (usize, usize),
    pub score: f64,
}

impl Judgements {
    /// How many things are independent of each other.
    pub fn units(&self) -> usize {
        self.documents.unwrap_or(self.pairs.len())
    }

    /// Indices of the pairs among a choice of units. A document drawn twice is no pair with itself.
    pub fn drawn(&self, units: &[usize]) -> Vec<usize> {
        let Some(n) = self.documents else { return units.to_vec() };
        let later = |place: usize| units[place + 1..].iter().map(move |&b| (units[place].min(b), units[place].max(b)));
        let pairs = (0..units.len()).flat_map(later).filter(|(a, b)| a != b);
        pairs.map(|(a, b)| a * n - a * (a + 1) / 2 + b - a - 1).collect()
    }
}

/// Reads texts and judgements; words that judgements bring are further texts, each once.
pub(super) fn read(path: &Path, judged: &[(Judgement, PathBuf)], tokenizer: &Path, window: usize) -> Result<Examples, EvaluateError> {
    let mut texts = lines(path)?;
    if texts.is_empty() {
        return Err(EvaluateError::Data { path: path.to_owned(), message: "no texts".to_owned() });
    }
    let documents = texts.len();
    let (mut judgements, mut places) = (Vec::new(), BTreeMap::new());
    for (by, scores) in judged {
        judgements.push(match by {
            Judgement::Lee => matrix(*by, scores, documents)?,
            Judgement::Wordsim | Judgement::Simlex => word_pairs(*by, scores, &mut texts, &mut places)?,
        });
    }
    let failed = |e: tokenizers::Error| EvaluateError::Data { path: tokenizer.to_owned(), message: e.to_string() };
    let mut pieces = Tokenizer::from_file(tokenizer).map_err(failed)?;
    let truncation = TruncationParams { max_length: window, ..TruncationParams::default() };
    pieces.with_padding(None).with_truncation(Some(truncation)).map_err(failed)?;
    let cut = |text: &String| Ok(pieces.encode_fast(text.as_str(), true).map_err(failed)?.get_ids().to_vec());
    let texts = texts.iter().map(cut).collect::<Result<Vec<_>, EvaluateError>>()?;
    let groups = vec![1; texts.len()];
    Ok(Examples { inputs: Inputs::Texts(texts), truth: Truth::Judged(judgements), groups })
}

/// Lines that hold something.
fn lines(path: &Path) -> Result<Vec<String>, EvaluateError> {
    let bytes = std::fs::read(path).map_err(|e| EvaluateError::Data { path: path.to_owned(), message: e.to_string() })?;
    let text = String::from_utf8(bytes).unwrap_or_else(|e| e.into_bytes().into_iter().map(char::from).collect());
    Ok(text.lines().filter(|l| !l.trim().is_empty()).map(str::to_owned).collect())
}

/// Rows of scores, one row and column a document; only what is right of the diagonal counts.
fn matrix(by: Judgement, path: &Path, documents: usize) -> Result<Judgements, EvaluateError> {
    let invalid = |message: String| EvaluateError::Data { path: path.to_owned(), message };
    let rows = lines(path)?;
    if rows.len() != documents {
        return Err(invalid(format!("{} rows for {documents} documents", rows.len())));
    }
    let mut pairs = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let scores = row.split_whitespace().map(|s| number(path, s)).collect::<Result<Vec<_>, _>>()?;
        if scores.len() != documents {
            return Err(invalid(format!("row {} has {} scores for {documents} documents", i + 1, scores.len())));
        }
        pairs.extend((i + 1..documents).map(|j| Pair { texts: (i, j), score: scores[j] }));
    }
    Ok(Judgements { by, pairs, documents: Some(documents) })
}

/// Lines of two words and a score, tab-separated; `#` starts a comment. New words become texts.
fn word_pairs(
    by: Judgement,
    path: &Path,
    texts: &mut Vec<String>,
    places: &mut BTreeMap<String, usize>,
) -> Result<Judgements, EvaluateError> {
    let mut pairs = Vec::new();
    for line in lines(path)?.iter().filter(|l| !l.starts_with('#')) {
        let [a, b, score] = line.split('\t').collect::<Vec<_>>()[..] else {
            let message = format!("line '{line}' must be two words and a score, tab-separated");
            return Err(EvaluateError::Data { path: path.to_owned(), message });
        };
        let mut place = |word: &str| {
            *places.entry(word.to_owned()).or_insert_with(|| {
                texts.push(word.to_owned());
                texts.len() - 1
            })
        };
        pairs.push(Pair { texts: (place(a), place(b)), score: number(path, score)? });
    }
    Ok(Judgements { by, pairs, documents: None })
}

fn number(path: &Path, text: &str) -> Result<f64, EvaluateError> {
    let value = text.parse::<f64>().ok().filter(|v| v.is_finite());
    value.ok_or_else(|| EvaluateError::Data { path: path.to_owned(), message: format!("'{text}' is no score") })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::evaluate::tests::{both, fixture};

    #[test]
    fn no_sentence_is_in_both_calibration_and_evaluation_data() {
        let [test, calibration] = both("minilm-front");
        assert_eq!((test.items(), calibration.items()), (128, 64));
        let texts = |examples: &Examples| -> BTreeSet<Vec<u32>> {
            let Inputs::Texts(texts) = &examples.inputs else { unreachable!() };
            texts.iter().cloned().collect()
        };
        assert_eq!(texts(&test).intersection(&texts(&calibration)).count(), 0);
    }

    #[test]
    fn documents_and_words_are_paired() {
        let scratch = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            std::fs::write(scratch.path().join(name), bytes).unwrap();
            scratch.path().join(name)
        };
        let tokenizer = fixture("minilm-front").directory.join("data/sentences-tokenizer.json");
        // 0xE9 is é in Latin-1.
        let documents = file("texts", b"The whale.\n\nCaf\xe9, Captain Ahab of the ship.\nthe whale.\n");
        let lee = file("lee", b"1 0.5 0.25\n0 1 0.75\n0 0 1\n");
        let words = file("words", b"# comment\nwhale\tship\t3.5\nship\tsea\t2\n");
        let judged = [(Judgement::Lee, lee.clone()), (Judgement::Simlex, words)];
        let examples = read(&documents, &judged, &tokenizer, 6).unwrap();
        let Inputs::Texts(texts) = &examples.inputs else { unreachable!() };
        assert_eq!(texts.len(), 3 + 3);
        assert_eq!(texts[0], texts[2]);
        assert_eq!((texts[0].len(), texts[1].len()), (5, 6), "start, pieces, end; cut off at six");
        let Truth::Judged(found) = &examples.truth else { unreachable!() };
        let scores = |j: &Judgements| j.pairs.iter().map(|p| (p.texts, p.score)).collect::<Vec<_>>();
        assert_eq!(scores(&found[0]), [((0, 1), 0.5), ((0, 2), 0.25), ((1, 2), 0.75)]);
        assert_eq!(scores(&found[1]), [((3, 4), 3.5), ((4, 5), 2.0)]);
        assert_eq!((found[0].units(), found[1].units()), (3, 2));
        assert_eq!(found[0].drawn(&[2, 0, 0]), [1, 1]);
        assert_eq!(found[0].drawn(&[0, 1, 2]), [0, 1, 2]);
        assert_eq!(found[1].drawn(&[1, 1]), [1, 1]);
        for (text, message) in
            [("1 2\n", "1 rows for 3"), ("1 2 3\n1 2\n1 2 3\n", "row 2 has 2 scores"), ("1 x 3\n1 2 3\n1 2 3\n", "'x' is no")]
        {
            std::fs::write(&lee, text).unwrap();
            let error = read(&documents, &judged, &tokenizer, 6).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
