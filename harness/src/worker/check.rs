//! Checking a decoded model against the original and against what the kernel promised; two tensors in memory at a time.

use std::path::Path;

use weighbridge::conformance::{WRONG_BEYOND, promise_kept};
use weighbridge::fidelity::Fidelity;
use weighbridge::kernel::AnyKernel;
use weighbridge::safefile::SafeFile;

use super::calibration::{self, Grams};
use super::protocol::{Checked, TensorError};
use super::serve::Failure;
use crate::fixture;

/// Compares tensor by tensor; what is broken is a finding, not an error.
///
/// Sizes are taken here, not from the worker that encoded: what it claims of itself counts for nothing.
pub fn check(
    kernel: &dyn AnyKernel,
    artifact: &Path,
    model: &Path,
    decoded: &Path,
    passed_through: &[String],
    grams: &Grams,
) -> Result<Checked, Failure> {
    let (artifact, original, decoded) = (SafeFile::open(artifact)?, SafeFile::open(model)?, SafeFile::open(decoded)?);
    let mut checked = Checked {
        artifact_bytes: artifact.size_bytes(),
        artifact_sha256: fixture::sha256(artifact.path())?,
        weights: 0,
        input_bytes: 0,
        tensors: Vec::new(),
        broken: Vec::new(),
    };
    for name in original.names() {
        let (start, end) = original.raw_info(&name)?.data_offsets;
        checked.input_bytes += (end - start) as u64;
        checked.weights += original.weights_info(&name)?.map_or(0, |info| info.elements() as u64);
    }
    let (names, found) = (original.names(), decoded.names());
    checked.broken.extend(names.iter().filter(|n| !found.contains(n)).map(|n| format!("tensor '{n}' is missing")));
    checked.broken.extend(found.iter().filter(|n| !names.contains(n)).map(|n| format!("tensor '{n}' is not in the original")));
    for name in names.iter().filter(|n| found.contains(n)) {
        let unchanged = passed_through.contains(name);
        if unchanged && original.bytes(name)? != decoded.bytes(name)? {
            checked.broken.push(format!("tensor '{name}' should have passed through unchanged"));
        }
        if original.weights_info(name)? != decoded.weights_info(name)? {
            checked.broken.push(format!("tensor '{name}' came back with another shape or dtype"));
            continue;
        }
        if original.weights_info(name)?.is_none() {
            continue;
        }
        let (before, after) = (original.weights(name)?, decoded.weights(name)?);
        let sums = Fidelity::of(&before.to_f32(), &after.to_f32());
        if !unchanged && let Err(why) = promise_kept(&kernel.promise(&before), WRONG_BEYOND, &before, &after) {
            checked.broken.push(format!("tensor '{name}': {why}"));
        }
        let Fidelity { signal, noise, max_abs_error, count } = sums;
        let output = grams.get(name).and_then(|gram| calibration::output_error(&before, &after, gram));
        checked.tensors.push(TensorError { name: name.clone(), count, signal, noise, max_abs_error, output });
    }
    Ok(checked)
}
