//! A kernel, then lossless stages over its packed parts, written `kernel|stage|stage`.
//!
//! `bitnet|entropy` packs with one and codes what comes out with the other. Each part is stored as one flag byte and its content: 0
//! for the bytes as they were, where the stage would not have made them smaller, 1 for the stage's own. An artifact records the stages
//! beside the kernel, so decode needs nothing else.

use rayon::prelude::*;
use serde_json::{Map, Value};

use super::stage::AnyStage;
use crate::error::{DecodeError, Refusal};
use crate::kernel::{AnyKernel, Context, Info, Part, Parts, Promise};
use crate::weights::{TensorInfo, Weights};

/// Most bytes that a part of a tensor may unpack to: far more than any kernel packs, and far less than a lie could ask for.
fn limit(info: &TensorInfo) -> usize {
    info.size_bytes().saturating_mul(4).saturating_add(1 << 22)
}

/// A kernel with stages behind it.
pub struct Pipeline {
    kernel: Box<dyn AnyKernel>,
    stages: Vec<Box<dyn AnyStage>>,
}

impl Pipeline {
    /// The kernel with these stages behind it, in the order in which encode applies them.
    pub fn new(kernel: Box<dyn AnyKernel>, stages: Vec<Box<dyn AnyStage>>) -> Self {
        Self { kernel, stages }
    }
}

impl AnyKernel for Pipeline {
    fn info(&self) -> Info {
        self.kernel.info()
    }

    fn spec(&self) -> String {
        std::iter::once(self.kernel.spec()).chain(self.stages()).collect::<Vec<_>>().join("|")
    }

    fn for_tensor(&self, _: &TensorInfo) -> &dyn AnyKernel {
        self
    }

    fn config(&self) -> Map<String, Value> {
        self.kernel.config()
    }

    fn stages(&self) -> Vec<String> {
        self.stages.iter().map(|s| s.spec()).collect()
    }

    fn encode(&self, weights: &Weights, context: &Context<'_>) -> Result<Parts, Refusal> {
        let pack = |part: Part| {
            let bytes = self.stages.iter().try_fold(part.bytes, |bytes, stage| pack_flagged(stage.as_ref(), bytes));
            Ok(Part { name: part.name, bytes: bytes.map_err(Refusal)? })
        };
        let parts = self.kernel.encode(weights, context)?.0.into_par_iter().map(pack).collect::<Result<_, Refusal>>()?;
        Ok(Parts(parts))
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, context: &Context<'_>) -> Result<Weights, DecodeError> {
        info.checked_elements()?;
        let limit = limit(info);
        let unpack = |part: &Part| {
            let mut stages = self.stages.iter().rev();
            let first = stages.next().map_or_else(|| Ok(part.bytes.clone()), |stage| unpack_flagged(stage.as_ref(), &part.bytes, limit));
            let bytes = stages.try_fold(first?, |bytes, stage| unpack_flagged(stage.as_ref(), &bytes, limit));
            Ok(Part { name: part.name.clone(), bytes: bytes? })
        };
        let named = |part: &Part| unpack(part).map_err(|message: String| DecodeError::corrupt(&part.name, message));
        let parts = parts.0.par_iter().map(named).collect::<Result<_, _>>()?;
        self.kernel.decode(&Parts(parts), info, context)
    }

    fn promise(&self, weights: &Weights) -> Promise {
        self.kernel.promise(weights)
    }

    fn accepts(&self, info: &TensorInfo) -> Result<(), Refusal> {
        self.kernel.accepts(info)
    }

    fn rows_apart(&self) -> bool {
        self.kernel.rows_apart()
    }
}

fn pack_flagged(stage: &dyn AnyStage, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let packed = stage.pack(&bytes)?;
    let (flag, content) = if packed.len() < bytes.len() { (1, packed) } else { (0, bytes) };
    let mut out = Vec::with_capacity(content.len() + 1);
    out.push(flag);
    out.extend_from_slice(&content);
    Ok(out)
}

fn unpack_flagged(stage: &dyn AnyStage, bytes: &[u8], limit: usize) -> Result<Vec<u8>, String> {
    match bytes.split_first() {
        Some((0, content)) => Ok(content.to_vec()),
        Some((1, content)) => stage.unpack(content, limit),
        Some((flag, _)) => Err(format!("stage flag {flag} is neither 0 nor 1")),
        None => Err("no stage flag".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance;
    use crate::pipeline::{STAGES, parse_stage};
    use crate::registry::Registry;
    use crate::sample;
    use crate::weights::Values;
    use proptest::prelude::*;

    #[test]
    fn pipelines_conform() {
        let registry = Registry::default();
        let scratch = tempfile::tempdir().unwrap();
        for spec in
            ["hyper-lattice:packing=planes|entropy", "bitnet|entropy", "int8|zstd:level=1", "int4:group=32|entropy|zstd", "f32-raw|zstd"]
        {
            let kernel = registry.parse(spec).unwrap();
            assert_eq!(kernel.spec(), spec);
            let failures = conformance::check(kernel.as_ref(), &registry, scratch.path());
            assert!(failures.is_empty(), "{failures:#?}");
        }
    }

    #[test]
    fn entropy_coding_pays_on_codes_that_are_not_uniform() {
        let registry = Registry::default();
        let weights = Weights::new("w", vec![256, 1024], Values::F32(sample::gaussian(1 << 18, 0.02, 3))).unwrap();
        let size = |spec: &str| registry.parse(spec).unwrap().encode(&weights, &Context::default()).unwrap().size_bytes();
        assert!(size("int8|entropy") * 100 < size("int8") * 95, "{} {}", size("int8|entropy"), size("int8"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let parse = |text: &str| Registry::default().parse(text).err().unwrap().to_string();
        assert_eq!(parse("int8|lzma"), "unknown stage 'lzma'; known stages: entropy, zstd");
        assert!(parse("int8|").contains("''"), "{}", parse("int8|"));
        assert!(parse("int8|zstd:level=99").contains("level is 99"), "{}", parse("int8|zstd:level=99"));
        assert!(parse("int8|entropy:x=1").contains("'x'"), "{}", parse("int8|entropy:x=1"));
    }

    proptest! {
        #[test]
        fn any_bytes_come_back(bytes in prop::collection::vec(any::<u8>(), 0..3000), few in any::<bool>()) {
            let bytes: Vec<u8> = if few { bytes.iter().map(|b| b & 3).collect() } else { bytes };
            for stage in STAGES.iter().map(|s| parse_stage(s.info.id).unwrap()) {
                let packed = pack_flagged(stage.as_ref(), bytes.clone()).unwrap();
                prop_assert!(packed.len() <= bytes.len() + 1);
                prop_assert_eq!(&unpack_flagged(stage.as_ref(), &packed, bytes.len()).unwrap(), &bytes);
                if packed[0] == 1 {
                    prop_assert!(unpack_flagged(stage.as_ref(), &packed, bytes.len() - 1).is_err());
                }
            }
        }

        #[test]
        fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            for stage in STAGES.iter().map(|s| parse_stage(s.info.id).unwrap()) {
                let _ = stage.unpack(&bytes, 1 << 16);
            }
        }
    }
}
