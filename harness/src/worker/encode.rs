//! Encoding a model, once into an artifact or again and again to be timed; one tensor in memory at a time where the model is streamed.

use std::path::Path;

use sha2::{Digest, Sha256};
use weighbridge::artifact::{ArtifactWriter, PassedThrough, Tensor};
use weighbridge::kernel::{AnyKernel, Context, Parts};

use super::calibration::Grams;
use super::heap;
use super::model::{Model, no_weights};
use super::protocol::{Encoded, Reply, Sampling};
use super::serve::{Failure, hex, peak_rss_bytes, pool};
use super::timing::{self, Beside};
use crate::seed_lists;

/// A tensor's parts, or why it passes through.
pub fn encode_tensor(kernel: &dyn AnyKernel, tensor: &Tensor, grams: &Grams) -> Result<Parts, String> {
    match tensor {
        Tensor::Weights(weights) => {
            let context = Context { gram: grams.get(&weights.info().name), seedlm_lists: seed_lists::given(), ..Context::default() };
            kernel.encode(weights, &context).map_err(|refusal| refusal.0)
        }
        Tensor::Other { dtype, .. } => Err(no_weights(dtype)),
    }
}

/// Encodes a model once and writes the artifact.
pub fn encode(model: &Model, grams: &Grams, kernel: &dyn AnyKernel, artifact: &Path) -> Result<Encoded, Failure> {
    let mut writer = ArtifactWriter::create(artifact, &kernel.spec())?;
    let mut passed_through = Vec::new();
    let mut peak_heap_bytes = 0;
    let mut digest = Sha256::new();
    for i in 0..model.count() {
        let tensor = model.tensor(i)?;
        let (result, peak) = heap::peak_above(|| encode_tensor(kernel, &tensor, grams));
        peak_heap_bytes = peak_heap_bytes.max(peak);
        match (result, tensor.as_ref()) {
            (Ok(parts), Tensor::Weights(weights)) => {
                digest_parts(&mut digest, &parts);
                writer.add_encoded(weights.info(), kernel, &parts)?;
            }
            (result, tensor) => {
                let reason = result.err().unwrap_or_default();
                let (name, dtype, shape, bytes) = tensor.raw();
                passed_through.push(PassedThrough { name: name.to_owned(), bytes: bytes.len() as u64, reason: reason.clone() });
                writer.add_raw(name, shape, dtype, bytes, &reason)?;
            }
        }
    }
    writer.finish()?;
    Ok(Encoded { parts_sha256: hex(&digest.finalize()), passed_through, peak_heap_bytes, peak_rss_bytes: peak_rss_bytes() })
}

/// Encodes a model again and again, in memory. What is read while the clock runs is taken off.
pub fn time_encode(model: &Model, grams: &Grams, kernel: &dyn AnyKernel, sampling: Sampling) -> Result<Reply, Failure> {
    pool(sampling.threads)?.install(|| {
        let mut digest = Sha256::new();
        let first =
            |beside: &mut Beside| pass(model, grams, kernel, beside, |beside, parts| beside.spend(|| digest_parts(&mut digest, parts)));
        let samples = timing::sample(sampling, first, |beside| pass(model, grams, kernel, beside, |_, _| ()))?;
        Ok(Reply::Timed { samples, sha256: hex(&digest.finalize()) })
    })
}

/// Encodes all tensors and gives their parts away.
fn pass(
    model: &Model,
    grams: &Grams,
    kernel: &dyn AnyKernel,
    beside: &mut Beside,
    mut each: impl FnMut(&mut Beside, &Parts),
) -> Result<(), Failure> {
    for i in 0..model.count() {
        // A refusal is timed too: finding out is part of the work.
        if let Ok(parts) = std::hint::black_box(encode_tensor(kernel, &*model.beside(i, beside)?, grams)) {
            each(beside, &parts);
        }
    }
    Ok(())
}

fn digest_parts(digest: &mut Sha256, parts: &Parts) {
    parts.0.iter().for_each(|part| digest.update(&part.bytes));
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighbridge::registry::Registry;

    #[test]
    fn a_streamed_model_gives_the_same_artifact() {
        let folder = tempfile::tempdir().unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/weights/cnn-mnist.safetensors");
        let kernel = Registry::default().parse("int8").unwrap();
        let made = [u64::MAX, 0].map(|resident| {
            let model = Model::open(&path, resident).unwrap();
            let artifact = folder.path().join(resident.to_string());
            let encoded = encode(&model, &Grams::new(), kernel.as_ref(), &artifact).unwrap();
            let sampling = Sampling { threads: 1, budget_ms: 1, max_samples: 2 };
            let Reply::Timed { sha256, samples } = time_encode(&model, &Grams::new(), kernel.as_ref(), sampling).unwrap() else {
                panic!("no times")
            };
            assert!(!samples.wall_ns.is_empty() && sha256 == encoded.parts_sha256);
            (model.input_bytes(), model.count(), encoded.parts_sha256, encoded.passed_through, std::fs::read(artifact).unwrap())
        });
        assert!(made[0] == made[1] && !made[0].3.is_empty());
    }
}
