//! Images: `images` (U8, items × height × width) and `labels` (U8).

use std::path::Path;

use weighbridge::safefile::SafeFile;

use super::{Examples, Inputs, Truth};
use crate::evaluate::EvaluateError;

/// Grey values from 0 to 1, and the class of each image.
pub(super) fn read(path: &Path) -> Result<Examples, EvaluateError> {
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
    Ok(Examples { inputs: Inputs::Numbers(pixels, vec![height, width]), truth: Truth::Classes(targets), groups: vec![1; items] })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::evaluate::tests::both;

    #[test]
    fn no_image_is_in_both_calibration_and_evaluation_data() {
        let [test, calibration] = both("mlp-mnist");
        assert_eq!((test.items(), calibration.items()), (2000, 512));
        let images = |examples: &Examples| -> BTreeSet<Vec<u32>> {
            let Inputs::Numbers(pixels, _) = &examples.inputs else { unreachable!() };
            pixels.chunks(28 * 28).map(|image| image.iter().map(|p| p.to_bits()).collect()).collect()
        };
        assert_eq!(images(&test).intersection(&images(&calibration)).count(), 0);
    }
}
