//! Lines of print: lines of a sheet of the material, the place of an image on it, and what the image says, tab-separated.
//!
//! A sheet is a grey picture of images below each other, each as wide as the sheet. What its characters are called is what a recogniser's file
//! says beside its weights: class 0 is the blank that says nothing, then come the characters, and the space is last.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::picture::Picture;
use super::{Examples, Inputs, Truth};
use crate::evaluate::EvaluateError;

/// Key of the manifest's data that holds the characters.
pub(super) const CHARACTERS: &str = "metadata";
/// Pixels that an image is high, as the recogniser was trained.
const HEIGHT: usize = 48;
/// Columns of pixels that make one row of output.
const COLUMNS: usize = 8;

/// What PP-OCR's graph says of itself.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    /// One character a line.
    character: String,
}

/// Images as height × width, from −1 to 1, and what they say.
pub(super) fn read(
    path: &Path,
    characters: &Path,
    material: impl Fn(&str) -> Result<PathBuf, EvaluateError>,
) -> Result<Examples, EvaluateError> {
    let invalid = |path: &Path, message: String| EvaluateError::Data { path: path.to_owned(), message };
    let text = std::fs::read_to_string(characters).map_err(|e| invalid(characters, e.to_string()))?;
    let metadata: Metadata = serde_json::from_str(&text).map_err(|e| invalid(characters, e.to_string()))?;
    let classes = (1..).zip(metadata.character.lines().chain([" "])).map(|(class, c)| (c, class)).collect::<BTreeMap<&str, u32>>();
    let text = std::fs::read_to_string(path).map_err(|e| invalid(path, e.to_string()))?;
    let (mut sheets, mut values, mut lines, mut width) = (BTreeMap::new(), Vec::new(), Vec::new(), 0);
    for (i, line) in text.lines().enumerate() {
        let form = |what: &str| invalid(path, format!("line {} is '{line}'; {what}", i + 1));
        let [file, place, says] = line.split('\t').collect::<Vec<_>>()[..] else {
            return Err(form("it must be a file, a place on it, and a text"));
        };
        let sheet: &Picture = match sheets.entry(file.to_owned()) {
            Entry::Occupied(read) => read.into_mut(),
            Entry::Vacant(new) => new.insert(Picture::read(&material(file)?)?),
        };
        if sheet.channels != 1 || !sheet.width.is_multiple_of(COLUMNS) || (i > 0 && sheet.width != width) {
            return Err(form(&format!("a sheet must be grey, and all of them as wide as the first, a multiple of {COLUMNS} pixels")));
        }
        width = sheet.width;
        let image = place.parse().ok().and_then(|place: usize| sheet.values.chunks_exact(width * HEIGHT).nth(place));
        values.extend(image.ok_or_else(|| form("there is no such image on the sheet"))?.iter().map(|&p| scale(p)));
        let class = |c: char| classes.get(&*c.encode_utf8(&mut [0; 4])).copied();
        lines.push(says.chars().map(class).collect::<Option<Vec<_>>>().ok_or_else(|| form("one of its characters is no class"))?);
        if says.trim().is_empty() || says.trim() != says {
            return Err(form("the text must not be empty, nor begin or end with a space"));
        }
    }
    let space = classes.get(" ").copied().unwrap_or_default();
    if lines.is_empty() {
        return Err(invalid(path, "no lines".to_owned()));
    }
    let groups = vec![width / COLUMNS; lines.len()];
    Ok(Examples { inputs: Inputs::Numbers(values, vec![HEIGHT, width]), truth: Truth::Lines { lines, space }, groups })
}

/// From −1 (black) to 1 (white).
#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
fn scale(pixel: u8) -> f32 {
    ((f64::from(pixel) / 255.0 - 0.5) / 0.5) as f32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::evaluate::tests::fixture;

    /// Texts and sheets of the fixture's evaluation and calibration data; nothing has to be fetched.
    #[test]
    fn no_line_is_in_both_calibration_and_evaluation_data() {
        let fixture = fixture("ppocr-rec");
        let columns = |data: &crate::fixture::FileRef| -> BTreeSet<String> {
            let text = std::fs::read_to_string(fixture.verified(data).unwrap()).unwrap();
            text.lines().flat_map(|l| [l.split('\t').next().unwrap().to_owned(), l.split('\t').nth(2).unwrap().to_owned()]).collect()
        };
        let evaluation = columns(&fixture.manifest.evaluation.as_ref().unwrap().data);
        let calibration = columns(&fixture.manifest.calibration.as_ref().unwrap().data);
        assert_eq!((evaluation.len(), calibration.len(), evaluation.intersection(&calibration).count()), (101, 33, 0));
    }

    #[test]
    fn images_are_taken_from_their_place_and_mistakes_are_named() {
        let scratch = tempfile::tempdir().unwrap();
        let at = |name: &str| scratch.path().join(name);
        let material = |name: &str| Ok(at(name));
        let pixels = (0..2 * HEIGHT * 16).map(|i| if i < HEIGHT * 16 { 0 } else { u8::try_from(i % 256).unwrap() }).collect::<Vec<_>>();
        let write = |name: &str, width: u32, color: png::ColorType, pixels: &[u8]| {
            let height = u32::try_from(pixels.len()).unwrap() / width / u32::try_from(color.samples()).unwrap();
            let mut encoder = png::Encoder::new(std::fs::File::create(at(name)).unwrap(), width, height);
            encoder.set_color(color);
            encoder.write_header().unwrap().write_image_data(pixels).unwrap();
        };
        write("sheet.png", 16, png::ColorType::Grayscale, &pixels);
        write("narrow.png", 8, png::ColorType::Grayscale, &pixels);
        write("odd.png", 12, png::ColorType::Grayscale, &pixels);
        write("colour.png", 16, png::ColorType::Rgb, &pixels);
        let (characters, list) = (at("metadata.json"), at("lines.tsv"));
        std::fs::write(&characters, r#"{"character": "b\na\n人"}"#).unwrap();
        std::fs::write(&list, "sheet.png\t1\ta 人\nsheet.png\t0\tb\n").unwrap();
        let examples = read(&list, &characters, material).unwrap();
        assert_eq!((examples.truth, examples.groups), (Truth::Lines { lines: vec![vec![2, 4, 3], vec![1]], space: 4 }, vec![2, 2]));
        let Inputs::Numbers(values, shape) = examples.inputs else { unreachable!() };
        assert_eq!((shape, values.len()), (vec![HEIGHT, 16], 2 * HEIGHT * 16));
        assert_eq!((values[0], values[51], values[255]), (-1.0, 51.0 / 127.5 - 1.0, 1.0));
        assert!(values[HEIGHT * 16..].iter().all(|&v| v == -1.0));
        for (text, message) in [
            ("sheet.png\t2\ta\n", "line 1 is 'sheet.png\t2\ta'; there is no such image on the sheet"),
            ("sheet.png\tx\ta\n", "there is no such image on the sheet"),
            ("sheet.png\t1\n", "it must be a file, a place on it, and a text"),
            ("sheet.png\t1\tc\n", "one of its characters is no class"),
            ("sheet.png\t1\ta \n", "nor begin or end with a space"),
            (
                "sheet.png\t1\ta\nnarrow.png\t1\ta\n",
                "line 2 is 'narrow.png\t1\ta'; a sheet must be grey, and all of them as wide as the first",
            ),
            ("odd.png\t1\ta\n", "a multiple of 8 pixels"),
            ("colour.png\t0\ta\n", "a sheet must be grey"),
            ("", "no lines"),
        ] {
            std::fs::write(&list, text).unwrap();
            let error = read(&list, &characters, material).unwrap_err().to_string();
            assert!(error.contains(message), "{message}: {error}");
        }
    }
}
