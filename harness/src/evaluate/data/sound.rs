//! Sound at 16 kHz, stored as 16-bit samples.

use std::path::Path;

use weighbridge::safefile::SafeFile;

use super::{Examples, Inputs, Truth};
use crate::evaluate::EvaluateError;

/// Frames: `samples` (I16, frames × samples) and `cents` (F64, the pitch of each above 10 Hz). Each frame is brought to mean 0 and standard
/// deviation 1, as CREPE was trained.
#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
pub(super) fn frames(path: &Path) -> Result<Examples, EvaluateError> {
    let file = SafeFile::open(path)?;
    let (samples, [items, length]) = samples(path, &file)?;
    let cents = file.bytes("cents")?.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect::<Vec<_>>();
    if file.raw_info("cents")?.dtype != safetensors::Dtype::F64 || cents.len() != items {
        return Err(EvaluateError::Data { path: path.to_owned(), message: format!("'cents' does not hold {items} F64 values") });
    }
    let numbers = samples.chunks(length).flat_map(|frame| normalise(frame).into_iter().map(|x| x as f32)).collect();
    Ok(Examples { inputs: Inputs::Numbers(numbers, vec![length]), truth: Truth::Pitches(cents), groups: vec![1; items] })
}

/// Clips: `samples` (I16, clips × samples) and `labels` (U8, clips × chunks: 1 where somebody speaks). Samples are brought to ±1.
pub(super) fn clips(path: &Path) -> Result<Examples, EvaluateError> {
    let invalid = |message: String| EvaluateError::Data { path: path.to_owned(), message };
    let file = SafeFile::open(path)?;
    let (samples, [items, length]) = samples(path, &file)?;
    let info = file.raw_info("labels")?;
    let chunks = match info.shape.as_slice() {
        &[clips, chunks] if clips == items && chunks > 0 && info.dtype == safetensors::Dtype::U8 => chunks,
        shape => return Err(invalid(format!("'labels' is {:?} of shape {shape:?}; it must be U8, {items} × chunks", info.dtype))),
    };
    if !length.is_multiple_of(chunks) {
        return Err(invalid(format!("{length} samples cannot be cut into {chunks} chunks")));
    }
    let labels = file.bytes("labels")?.into_iter().map(u32::from).collect::<Vec<_>>();
    if labels.iter().any(|&l| l > 1) {
        return Err(invalid("a label is neither 0 nor 1".to_owned()));
    }
    let numbers = samples.iter().map(|&s| f32::from(s) / 32768.0).collect();
    let inputs = Inputs::Numbers(numbers, vec![chunks, length / chunks]);
    Ok(Examples { inputs, truth: Truth::Classes(labels), groups: vec![chunks; items] })
}

/// Samples, and their two dimensions, neither of them 0.
fn samples(path: &Path, file: &SafeFile) -> Result<(Vec<i16>, [usize; 2]), EvaluateError> {
    let info = file.raw_info("samples")?;
    match info.shape.as_slice() {
        &[items, length] if items > 0 && length > 0 && info.dtype == safetensors::Dtype::I16 => {
            let bytes = file.bytes("samples")?;
            Ok((bytes.as_chunks::<2>().0.iter().map(|b| i16::from_le_bytes(*b)).collect(), [items, length]))
        }
        shape => {
            let message = format!("'samples' is {:?} of shape {shape:?}; it must be I16, items × samples", info.dtype);
            Err(EvaluateError::Data { path: path.to_owned(), message })
        }
    }
}

/// Mean 0, standard deviation 1 (over n − 1); silence stays silent.
#[expect(clippy::cast_precision_loss, reason = "a thousand samples")]
fn normalise(frame: &[i16]) -> Vec<f64> {
    let n = frame.len() as f64;
    let mean = frame.iter().map(|&s| f64::from(s)).sum::<f64>() / n;
    let centred = frame.iter().map(|&s| f64::from(s) - mean).collect::<Vec<_>>();
    let deviation = (centred.iter().map(|x| x * x).sum::<f64>() / (n - 1.0)).sqrt().max(1e-10);
    centred.into_iter().map(|x| x / deviation).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::tests::both;

    #[test]
    fn no_sound_is_in_both_calibration_and_evaluation_data() {
        for (name, items) in [("crepe-tiny", [160, 64]), ("silero-vad", [16, 6])] {
            let examples = both(name);
            assert_eq!([examples[0].items(), examples[1].items()], items, "{name}");
            let [test, calibration] = examples.map(|e| {
                let Inputs::Numbers(samples, shape) = e.inputs else { unreachable!() };
                let size = shape.iter().product::<usize>();
                samples.chunks(size).map(|item| item.iter().map(|x| x.to_bits()).collect::<Vec<_>>()).collect::<Vec<_>>()
            });
            assert!(test.iter().all(|item| !calibration.contains(item)), "{name}");
        }
    }

    #[test]
    fn frames_have_mean_zero_and_deviation_one() {
        let frame = normalise(&[3, -5, 100, 7]);
        assert!(frame.iter().sum::<f64>().abs() < 1e-12);
        assert!((frame.iter().map(|x| x * x).sum::<f64>() - 3.0).abs() < 1e-12);
        assert_eq!(normalise(&[9; 4]), [0.0; 4]);
    }
}
