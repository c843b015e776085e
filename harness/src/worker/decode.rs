//! Decoding an artifact, once into a safetensors file or again and again to be timed; one tensor in memory at a time.

use std::borrow::Cow;
use std::path::Path;

use sha2::{Digest, Sha256};
use weighbridge::artifact::{ArtifactReader, Tensor};
use weighbridge::error::FileError;
use weighbridge::kernel::{Context, Parts};
use weighbridge::safewriter::SafeWriter;

use super::heap;
use super::model::RESIDENT_BYTES;
use super::protocol::{Decoded, Reply, Sampling};
use super::serve::{Failure, hex, peak_rss_bytes, pool};
use super::timing::{self, Beside};

/// Decodes an artifact once and writes the model it holds, each tensor as it comes.
pub fn decode(reader: &ArtifactReader, output: &Path) -> Result<Decoded, Failure> {
    let entries = (0..reader.len()).map(|i| reader.entry(i)).collect::<Result<Vec<_>, _>>()?;
    let mut writer = SafeWriter::create(output, entries)?;
    let mut peak_heap_bytes = 0;
    let mut digest = Sha256::new();
    for i in 0..reader.len() {
        let parts = reader.parts(i)?;
        let (tensor, peak) = heap::peak_above(|| reader.decode(i, &parts, &Context::default()));
        let tensor = tensor?;
        peak_heap_bytes = peak_heap_bytes.max(peak);
        digest.update(tensor.raw().3);
        writer.write(tensor.raw().3)?;
    }
    writer.finish()?;
    Ok(Decoded { decoded_sha256: hex(&digest.finalize()), peak_heap_bytes, peak_rss_bytes: peak_rss_bytes() })
}

/// Packed parts of an artifact: in memory where they are small, else read while the clock is stopped.
struct Packed<'a> {
    reader: &'a ArtifactReader,
    resident: Option<Vec<Parts>>,
}

impl<'a> Packed<'a> {
    fn open(reader: &'a ArtifactReader, resident_bytes: u64) -> Result<Self, FileError> {
        let resident = reader.size_bytes() <= resident_bytes;
        let resident = resident.then(|| (0..reader.len()).map(|i| reader.parts(i)).collect()).transpose()?;
        Ok(Self { reader, resident })
    }

    fn parts(&self, i: usize, beside: &mut Beside) -> Result<Cow<'_, Parts>, FileError> {
        match &self.resident {
            Some(parts) => Ok(Cow::Borrowed(&parts[i])),
            None => beside.spend(|| self.reader.parts(i)).map(Cow::Owned),
        }
    }

    /// Decodes all tensors and gives each away.
    fn pass(&self, beside: &mut Beside, mut each: impl FnMut(&mut Beside, &Tensor)) -> Result<(), Failure> {
        for i in 0..self.reader.len() {
            let parts = self.parts(i, beside)?;
            let tensor = std::hint::black_box(self.reader.decode(i, &parts, &Context::default())?);
            each(beside, &tensor);
        }
        Ok(())
    }
}

/// Decodes an artifact again and again, in memory.
pub fn time_decode(reader: &ArtifactReader, sampling: Sampling) -> Result<Reply, Failure> {
    time(&Packed::open(reader, RESIDENT_BYTES)?, sampling)
}

fn time(packed: &Packed<'_>, sampling: Sampling) -> Result<Reply, Failure> {
    pool(sampling.threads)?.install(|| {
        let mut digest = Sha256::new();
        let first = |beside: &mut Beside| packed.pass(beside, |beside, tensor| beside.spend(|| digest.update(tensor.raw().3)));
        let samples = timing::sample(sampling, first, |beside| packed.pass(beside, |_, _| ()))?;
        Ok(Reply::Timed { samples, sha256: hex(&digest.finalize()) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::calibration::Grams;
    use crate::worker::encode::encode;
    use crate::worker::model::Model;
    use weighbridge::registry::Registry;
    use weighbridge::safefile::SafeFile;

    #[test]
    fn what_is_streamed_is_what_is_decoded() {
        let folder = tempfile::tempdir().unwrap();
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/weights/cnn-mnist.safetensors");
        let (artifact, output) = (folder.path().join("a"), folder.path().join("d"));
        let registry = Registry::default();
        let kernel = registry.parse("int8").unwrap();
        encode(&Model::open(&path, 0).unwrap(), &Grams::new(), kernel.as_ref(), &artifact).unwrap();
        let reader = ArtifactReader::open(&artifact, &registry).unwrap();
        let decoded = decode(&reader, &output).unwrap();
        let file = SafeFile::open(&output).unwrap();
        assert_eq!(file.names(), SafeFile::open(&path).unwrap().names());
        let mut digest = Sha256::new();
        (0..reader.len()).for_each(|i| digest.update(file.bytes(&reader.entry(i).unwrap().name).unwrap()));
        assert_eq!(hex(&digest.finalize()), decoded.decoded_sha256);
        for resident in [0, u64::MAX] {
            let packed = Packed::open(&reader, resident).unwrap();
            let Reply::Timed { sha256, .. } = time(&packed, Sampling { threads: 1, budget_ms: 1, max_samples: 2 }).unwrap() else {
                panic!("no times")
            };
            assert_eq!(sha256, decoded.decoded_sha256);
        }
    }
}
