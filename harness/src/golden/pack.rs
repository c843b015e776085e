//! Packs the model into an artifact, and digests what an artifact decodes to.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};
use weighbridge::artifact::{ArtifactReader, ArtifactWriter, Tensor};
use weighbridge::error::FileError;
use weighbridge::kernel::{AnyKernel, Context};
use weighbridge::registry::Registry;
use weighbridge::simd::Level;

use super::calibration;

/// Packs tensor after tensor, as the workers do, but with the made-up calibration statistics where those are asked for.
pub fn pack(model: &[Tensor], kernel: &dyn AnyKernel, calibrated: bool, path: &Path) -> Result<(), FileError> {
    let mut writer = ArtifactWriter::create(path, &kernel.spec())?;
    for tensor in model {
        let packed = match tensor {
            Tensor::Weights(weights) => {
                let gram = calibrated.then(|| calibration(weights.info().rows_cols().1));
                let context = Context { gram: gram.as_ref(), ..Context::default() };
                kernel.encode(weights, &context).map(|parts| (weights.info(), parts)).map_err(|refusal| refusal.0)
            }
            Tensor::Other { dtype, .. } => Err(format!("dtype {dtype} is not one of weights")),
        };
        match packed {
            Ok((info, parts)) => writer.add_encoded(info, kernel, &parts)?,
            Err(reason) => {
                let (name, dtype, shape, bytes) = tensor.raw();
                writer.add_raw(name, shape, dtype, bytes, &reason)?;
            }
        }
    }
    writer.finish().map(drop)
}

/// All tensors of an artifact.
pub fn unpack(path: &Path, registry: &Registry, simd: Level) -> Result<Vec<Tensor>, FileError> {
    let reader = ArtifactReader::open(path, registry)?;
    (0..reader.len()).map(|i| reader.decode(i, &reader.parts(i)?, &Context { simd, ..Context::default() })).collect()
}

/// SHA-256 of each tensor's bytes, by name.
pub fn digests(tensors: &[Tensor]) -> BTreeMap<String, String> {
    let digest = |tensor: &Tensor| {
        let (name, _, _, bytes) = tensor.raw();
        (name.to_owned(), Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect())
    };
    tensors.iter().map(digest).collect()
}
