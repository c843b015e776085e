//! Files and parts of them: lines of a file of the material, the first byte and the one after the last, and the type, tab-separated.
//!
//! What a network sees of each is what Magika's configuration says, read as its own reader does: bytes of its beginning without leading white
//! space, bytes of its end without trailing one, and padding between them.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Examples, Inputs, Truth};
use crate::evaluate::EvaluateError;

/// What matters of the configuration; it says more, for Magika itself.
#[derive(Debug, Deserialize)]
struct Configuration {
    beg_size: usize,
    mid_size: usize,
    end_size: usize,
    use_inputs_at_offsets: bool,
    padding_token: u32,
    block_size: usize,
    target_labels_space: Vec<String>,
}

/// Excerpts as symbols, bytes or the padding, and the index of each type.
pub(super) fn read(
    path: &Path,
    configuration: &Path,
    material: impl Fn(&str) -> Result<PathBuf, EvaluateError>,
) -> Result<Examples, EvaluateError> {
    let invalid = |path: &Path, message: String| EvaluateError::Data { path: path.to_owned(), message };
    let text = std::fs::read_to_string(configuration).map_err(|e| invalid(configuration, e.to_string()))?;
    let config: Configuration = serde_json::from_str(&text).map_err(|e| invalid(configuration, e.to_string()))?;
    if config.mid_size != 0 || config.use_inputs_at_offsets {
        return Err(invalid(configuration, "it asks for bytes of the middle, which are not read".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|e| invalid(path, e.to_string()))?;
    let (mut symbols, mut types) = (Vec::new(), Vec::new());
    for (i, line) in text.lines().enumerate() {
        let form = || invalid(path, format!("line {} is '{line}'; it must be a file, two places in it, and a type", i + 1));
        let [file, start, end, kind] = line.split('\t').collect::<Vec<_>>()[..] else { return Err(form()) };
        let (start, end) = start.parse::<usize>().ok().zip(end.parse::<usize>().ok()).ok_or_else(form)?;
        let found = config.target_labels_space.iter().position(|k| k == kind).and_then(|k| u32::try_from(k).ok());
        types.push(found.ok_or_else(|| invalid(configuration, format!("no type '{kind}'")))?);
        let place = material(file)?;
        let content = std::fs::read(&place).map_err(|e| invalid(&place, e.to_string()))?;
        let content = content.get(start..end).filter(|c| !c.is_empty());
        let content = content.ok_or_else(|| invalid(path, format!("line {} is '{line}'; that is no part of the file", i + 1)))?;
        symbols.extend(config.symbols(content));
    }
    if types.is_empty() {
        return Err(invalid(path, "no excerpts".to_owned()));
    }
    let groups = vec![1; types.len()];
    Ok(Examples { inputs: Inputs::Indices(symbols, config.beg_size + config.end_size), truth: Truth::Classes(types), groups })
}

impl Configuration {
    /// Bytes of the beginning, padded after them, and bytes of the end, padded before them.
    fn symbols(&self, content: &[u8]) -> impl Iterator<Item = u32> {
        let block = self.block_size.min(content.len());
        let (begin, end) = (&content[..block], &content[content.len() - block..]);
        let begin = &begin[begin.iter().take_while(|b| is_space(**b)).count()..];
        let end = &end[..end.len() - end.iter().rev().take_while(|b| is_space(**b)).count()];
        let (begin, end) = (&begin[..begin.len().min(self.beg_size)], &end[end.len().saturating_sub(self.end_size)..]);
        let bytes = |part: &[u8]| part.iter().map(|&b| u32::from(b)).collect::<Vec<_>>();
        let padding = self.beg_size + self.end_size - begin.len() - end.len();
        bytes(begin).into_iter().chain(std::iter::repeat_n(self.padding_token, padding)).chain(bytes(end))
    }
}

/// White space as Python strips it from bytes, the vertical tab included.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::evaluate::tests::fixture;

    const CONFIGURATION: &str = r#"{"beg_size": 4, "mid_size": 0, "end_size": 3, "use_inputs_at_offsets": false, "padding_token": 256,
        "block_size": 6, "target_labels_space": ["c", "png"], "version_major": 3}"#;

    #[test]
    fn no_file_is_in_both_calibration_and_evaluation_data() {
        let fixture = fixture("magika");
        let names = |data: &crate::fixture::FileRef| -> BTreeSet<String> {
            let text = std::fs::read_to_string(fixture.verified(data).unwrap()).unwrap();
            text.lines().map(|l| l.split('\t').next().unwrap().to_owned()).collect()
        };
        let evaluation = names(&fixture.manifest.evaluation.as_ref().unwrap().data);
        let calibration = names(&fixture.manifest.calibration.as_ref().unwrap().data);
        assert_eq!((evaluation.len(), calibration.len(), evaluation.intersection(&calibration).count()), (56, 27, 0));
    }

    #[test]
    fn both_ends_are_stripped_cut_and_padded() {
        let config: Configuration = serde_json::from_str(CONFIGURATION).unwrap();
        let symbols = |content: &[u8]| config.symbols(content).collect::<Vec<_>>();
        let of = |text: &[u8]| text.iter().map(|&b| if b == b'_' { 256 } else { u32::from(b) }).collect::<Vec<_>>();
        assert_eq!(symbols(b"abcdefghij"), of(b"abcdhij"));
        assert_eq!(symbols(b" \x0b\nabcdefg"), of(b"abc_efg"), "only so many bytes are read");
        assert_eq!(symbols(b"ab \x0c\r"), of(b"ab \x0c_ab"), "each end is stripped on its own side alone");
        assert_eq!(symbols(b"\t\t"), of(b"_______"));
    }

    #[test]
    fn excerpts_are_parts_of_files_and_mistakes_are_named() {
        let scratch = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(scratch.path().join(name), text).unwrap();
            scratch.path().join(name)
        };
        let configuration = file("config.json", CONFIGURATION);
        file("a.c", "int main;");
        let material = |name: &str| Ok(scratch.path().join(name));
        let list = |text: &str| read(&file("list.tsv", text), &configuration, material);
        let examples = list("a.c\t0\t9\tc\na.c\t4\t6\tpng\n").unwrap();
        assert_eq!((&examples.truth, examples.groups.as_slice()), (&Truth::Classes(vec![0, 1]), [1, 1].as_slice()));
        let Inputs::Indices(symbols, 7) = &examples.inputs else { unreachable!() };
        assert_eq!(symbols[7..], [109, 97, 256, 256, 256, 109, 97]);
        for (text, message) in [
            ("a.c\t0\t9\tjpeg\n", "no type 'jpeg'"),
            ("a.c\t0\t10\tc\n", "that is no part of the file"),
            ("a.c\t5\t5\tc\n", "that is no part of the file"),
            ("a.c\t0\tc\n", "line 1 is 'a.c\t0\tc'; it must be a file, two places in it, and a type"),
            ("a.c\t0\t-1\tc\n", "it must be a file"),
            ("", "no excerpts"),
        ] {
            let error = list(text).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
        let middle = file("middle.json", &CONFIGURATION.replace("\"mid_size\": 0", "\"mid_size\": 1"));
        let error = read(&scratch.path().join("list.tsv"), &middle, material).unwrap_err().to_string();
        assert!(error.contains("bytes of the middle"), "{error}");
    }
}
