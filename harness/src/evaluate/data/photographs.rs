//! Crops of photographs: lines of a PNG file of the material, the first row and column of a square, and the side of the boxes that it is made
//! of, tab-separated. A square has 224 boxes a side, and a box's mean is a pixel: nothing else is resampled, so that no filter matters.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use super::picture::Picture;
use super::{Examples, Inputs, Truth};
use crate::evaluate::EvaluateError;

/// Height and width of a crop.
const SIDE: usize = 224;
/// What is taken off a pixel from 0 to 255, and what it is divided by, as EfficientNet-Lite was trained.
const CENTRE: f64 = 127.0;
const SCALE: f64 = 128.0;

/// Crops as height × width × 3; a grey photograph's channels are the same.
pub(super) fn read(path: &Path, material: impl Fn(&str) -> Result<PathBuf, EvaluateError>) -> Result<Examples, EvaluateError> {
    let invalid = |message: String| EvaluateError::Data { path: path.to_owned(), message };
    let text = std::fs::read_to_string(path).map_err(|e| invalid(e.to_string()))?;
    let (mut photographs, mut values) = (BTreeMap::new(), Vec::new());
    for (i, line) in text.lines().enumerate() {
        let mut parts = line.split('\t');
        let file = parts.next().unwrap_or_default();
        let numbers = parts.map(str::parse).collect::<Result<Vec<usize>, _>>().unwrap_or_default();
        let &[top, left, side] = numbers.as_slice() else {
            return Err(invalid(format!("line {} is '{line}'; it must be a file, a row, a column and a side", i + 1)));
        };
        let photograph = match photographs.entry(file.to_owned()) {
            Entry::Occupied(read) => read.into_mut(),
            Entry::Vacant(new) => new.insert(Picture::read(&material(file)?)?),
        };
        values.extend(
            crop(photograph, top, left, side)
                .ok_or_else(|| invalid(format!("line {} is '{line}'; that square is not in the photograph", i + 1)))?,
        );
    }
    let items = values.len() / (SIDE * SIDE * 3);
    if items == 0 {
        return Err(invalid("no crops".to_owned()));
    }
    Ok(Examples { inputs: Inputs::Numbers(values, vec![SIDE, SIDE, 3]), truth: Truth::Unknown, groups: vec![1; items] })
}

/// A square of boxes; none where it is not inside, or a box has no side.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "sums of a box are small; rounding to f32 is meant")]
fn crop(photograph: &Picture, top: usize, left: usize, side: usize) -> Option<Vec<f32>> {
    let length = side.checked_mul(SIDE).filter(|&n| n > 0)?;
    if top.checked_add(length)? > photograph.height || left.checked_add(length)? > photograph.width {
        return None;
    }
    let pixel = |place: usize| {
        let (row, column, channel) = (place / (3 * SIDE), place / 3 % SIDE, place % 3 % photograph.channels);
        let cell = |i: usize| {
            let (y, x) = (top + row * side + i / side, left + column * side + i % side);
            u64::from(photograph.values[(y * photograph.width + x) * photograph.channels + channel])
        };
        let mean = (0..side * side).map(cell).sum::<u64>() as f64 / (side * side) as f64;
        ((mean - CENTRE) / SCALE) as f32
    };
    Some((0..SIDE * SIDE * 3).map(pixel).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::evaluate::tests::fixture;

    fn write(path: &Path, size: u32, color: png::ColorType, values: &[u8]) {
        let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), size, size);
        encoder.set_color(color);
        encoder.write_header().unwrap().write_image_data(values).unwrap();
    }

    #[test]
    fn no_photograph_is_in_both_calibration_and_evaluation_data() {
        let fixture = fixture("efficientnet-lite0");
        let names = |data: &crate::fixture::FileRef| -> BTreeSet<String> {
            let text = std::fs::read_to_string(fixture.verified(data).unwrap()).unwrap();
            text.lines().map(|l| l.split('\t').next().unwrap().to_owned()).collect()
        };
        let evaluation = names(&fixture.manifest.evaluation.as_ref().unwrap().data);
        let calibration = names(&fixture.manifest.calibration.as_ref().unwrap().data);
        assert_eq!((evaluation.len(), calibration.len(), evaluation.intersection(&calibration).count()), (6, 6, 0));
    }

    #[test]
    fn a_box_s_mean_is_a_pixel() {
        let scratch = tempfile::tempdir().unwrap();
        let file = |name: &str| Ok(scratch.path().join(name));
        let size = 2 * SIDE + 1;
        let value = |i: usize| u8::try_from(i * 31 % 251).unwrap();
        let grey = (0..size * size).map(value).collect::<Vec<_>>();
        write(&scratch.path().join("grey.png"), 449, png::ColorType::Grayscale, &grey);
        let colour = (0..size * size * 3).map(value).collect::<Vec<_>>();
        write(&scratch.path().join("colour.png"), 449, png::ColorType::Rgb, &colour);
        let list = scratch.path().join("crops.tsv");
        std::fs::write(&list, "grey.png\t1\t0\t2\ncolour.png\t3\t7\t1\n").unwrap();
        let examples = read(&list, file).unwrap();
        assert_eq!((&examples.truth, examples.groups.as_slice()), (&Truth::Unknown, [1, 1].as_slice()));
        let Inputs::Numbers(values, shape) = examples.inputs else { unreachable!() };
        assert_eq!(shape, [SIDE, SIDE, 3]);
        let sum = [(1, 2), (1, 3), (2, 2), (2, 3)].map(|(y, x)| f32::from(grey[y * size + x])).iter().sum::<f32>();
        assert_eq!(values[3..6], [(sum / 4.0 - 127.0) / 128.0; 3]);
        let first = (3 * size + 7) * 3;
        let expected = [0, 1, 2].map(|c| (f32::from(colour[first + c]) - 127.0) / 128.0);
        assert_eq!(values[SIDE * SIDE * 3..][..3], expected);
        for (text, message) in [
            ("grey.png\t2\t0\t2\n", "line 1 is 'grey.png\t2\t0\t2'; that square is not in the photograph"),
            ("grey.png\t0\t0\t0\n", "that square is not in the photograph"),
            ("grey.png\t0\tx\t1\n", "it must be a file, a row, a column and a side"),
            ("", "no crops"),
        ] {
            std::fs::write(&list, text).unwrap();
            let error = read(&list, file).unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
