//! Statistics of layers' inputs on calibration data: written by one worker, read by those that encode and check.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;
use weighbridge::artifact::{Tensor, write_tensors};
use weighbridge::error::{FileError, WeightsError};
use weighbridge::kernel::Gram;
use weighbridge::safefile::SafeFile;
use weighbridge::weights::{Values, Weights};

use super::protocol::OutputError;
use super::quadratic::{VECTORS, quadratic_forms};

/// Suffix of the tensor that holds the number of samples.
const SAMPLES: &str = "#samples";

/// Rows whose error sums are found together: one vector for each row and one for its error.
const ROWS: usize = VECTORS / 2;

/// Matrices XᵀX by the tensor whose inputs X are.
pub type Grams = BTreeMap<String, Gram>;

/// Writes the statistics as a safetensors file.
pub fn write(path: &Path, grams: &Grams) -> Result<(), FileError> {
    let wrap = |source: WeightsError| FileError::Weights { path: path.to_owned(), source };
    let mut tensors = Vec::new();
    for (name, gram) in grams {
        let matrix = Weights::new(name.clone(), vec![gram.size, gram.size], Values::F32(gram.values.clone())).map_err(wrap)?;
        // Counts of calibration samples are far below 2^24, where f32 stops holding whole numbers.
        #[expect(clippy::cast_precision_loss, reason = "counts below 2^24 are exact in f32")]
        let samples = Weights::new(format!("{name}{SAMPLES}"), vec![1], Values::F32(vec![gram.samples as f32])).map_err(wrap)?;
        tensors.extend([Tensor::Weights(matrix), Tensor::Weights(samples)]);
    }
    write_tensors(path, tensors.iter())
}

/// Reads them.
pub fn read(path: &Path) -> Result<Grams, FileError> {
    let file = SafeFile::open(path)?;
    let mut grams = Grams::new();
    for name in file.names().into_iter().filter(|n| !n.ends_with(SAMPLES)) {
        let matrix = file.weights(&name)?;
        let samples = file.weights(&format!("{name}{SAMPLES}"))?.to_f32().first().copied().unwrap_or(0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count")]
        let gram = Gram { size: matrix.info().rows_cols().0, values: matrix.to_f32().into_owned(), samples: samples as usize };
        grams.insert(name, gram);
    }
    Ok(grams)
}

/// Error sums of a layer's outputs: ‖XEᵀ‖² = Σ over rows e of eᵀ(XᵀX)e, in f64 and in a fixed order. `None` where the sizes do not fit.
pub fn output_error(original: &Weights, decoded: &Weights, gram: &Gram) -> Option<OutputError> {
    let (_, cols) = original.info().rows_cols();
    if cols != gram.size || gram.values.len() != cols * cols || cols == 0 {
        return None;
    }
    let (x, y) = (original.to_f32(), decoded.to_f32());
    let runs = x.par_chunks(ROWS * cols).zip(y.par_chunks(ROWS * cols));
    let runs: Vec<_> = runs.map(|(before, after)| of_rows(before, after, gram)).collect();
    let mut sums = OutputError { signal: 0.0, noise: 0.0 };
    for (signal, noise) in runs.into_iter().flatten() {
        sums.signal += signal;
        sums.noise += noise;
    }
    Some(sums)
}

/// wᵀGw and eᵀGe of up to [`ROWS`] rows w and their errors e; zeros for rows that are not there.
fn of_rows(before: &[f32], after: &[f32], gram: &Gram) -> [(f64, f64); ROWS] {
    let mut vectors = vec![[0.0; VECTORS]; gram.size];
    for (row, (before, after)) in before.chunks_exact(gram.size).zip(after.chunks_exact(gram.size)).enumerate() {
        for (vector, (&b, &a)) in vectors.iter_mut().zip(before.iter().zip(after)) {
            vector[row] = f64::from(b);
            vector[ROWS + row] = f64::from(a) - f64::from(b);
        }
    }
    let sums = quadratic_forms(&vectors, &gram.values);
    std::array::from_fn(|row| (sums[row], sums[ROWS + row]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_errors_are_those_of_the_outputs() {
        let inputs = [[1.0f32, 2.0], [0.5, -1.0], [3.0, 0.0]];
        let mut values = vec![0.0; 4];
        for x in inputs {
            for i in 0..2 {
                for j in 0..2 {
                    values[2 * i + j] += x[i] * x[j];
                }
            }
        }
        let gram = Gram { size: 2, values, samples: 3 };
        let make = |v: &[f32]| Weights::new("w", vec![2, 2], Values::F32(v.to_vec())).unwrap();
        let (w, decoded) = (make(&[1.0, 0.0, -1.0, 2.0]), make(&[1.5, 0.0, -1.0, 1.0]));
        let sums = output_error(&w, &decoded, &gram).unwrap();
        let outputs = |row: [f32; 2]| inputs.map(|x| f64::from(x[0] * row[0] + x[1] * row[1]).powi(2)).iter().sum::<f64>();
        assert_eq!(sums.signal, outputs([1.0, 0.0]) + outputs([-1.0, 2.0]));
        assert_eq!(sums.noise, outputs([0.5, 0.0]) + outputs([0.0, -1.0]));
        assert_eq!(output_error(&w, &decoded, &Gram { size: 3, values: vec![0.0; 9], samples: 1 }), None);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("g.safetensors");
        let grams = Grams::from([("w".to_owned(), gram)]);
        write(&path, &grams).unwrap();
        assert_eq!(read(&path).unwrap(), grams);
    }
}
