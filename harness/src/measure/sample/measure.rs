//! Measuring a case on a sample instead of the whole model.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use weighbridge::kernel::AnyKernel;
use weighbridge::registry::Registry;

use super::draw::Draw;
use super::model::Sample;
use crate::measure::case::Files;
use crate::model::record::{CaseFailure, Measured};
use crate::model::sampled::SampleRule;

/// Samples of the fixture that is being measured, which its slow kernels share.
#[derive(Debug)]
pub struct Samples {
    scratch: PathBuf,
    written: BTreeMap<(String, Draw, u64), Sample>,
}

impl Samples {
    /// None yet.
    pub fn new(scratch: &Path) -> Self {
        Self { scratch: scratch.to_owned(), written: BTreeMap::new() }
    }

    /// Removes their files.
    pub fn clear(&mut self) {
        for sample in std::mem::take(&mut self.written).into_values() {
            let _ = std::fs::remove_file(sample.path);
        }
    }

    /// Measures a kernel on a sample of a fixture's `model` by `measure`, which is given the path of the sample.
    #[expect(clippy::too_many_arguments, reason = "what a case is made of")]
    pub fn measure(
        &mut self,
        fixture: &str,
        kernel: &dyn AnyKernel,
        rule: &SampleRule,
        model: &Path,
        files: &Files,
        registry: &Registry,
        measure: impl FnOnce(&Path) -> Result<Measured, CaseFailure>,
    ) -> Result<Measured, CaseFailure> {
        let fail = |message: String| CaseFailure { stage: "sample".to_owned(), message };
        let how = if kernel.rows_apart() { Draw::Rows } else { Draw::Tensors };
        let sample = match self.written.entry((fixture.to_owned(), how, rule.parameters)) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(empty) => {
                let path = self.scratch.join(format!("{fixture}.{}-{}.sample.safetensors", rule.parameters, how.name()));
                let elements = usize::try_from(rule.parameters).unwrap_or(usize::MAX);
                empty.insert(Sample::write(model, how, elements, &path).map_err(|e| fail(e.to_string()))?)
            }
        };
        let mut measured = measure(&sample.path)?;
        let sampled = sample.sampled(kernel, &measured, &files.artifact, registry);
        measured.sampled = Some(sampled.map_err(|e| fail(e.to_string()))?);
        Ok(measured)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::metric::derive;
    use crate::model::record::{Case, CaseRecord};
    use crate::worker::calibration::Grams;
    use crate::worker::check::check;
    use crate::worker::decode::decode;
    use crate::worker::encode::encode;
    use crate::worker::model::Model;
    use crate::worker::protocol::Samples as Times;
    use weighbridge::artifact::ArtifactReader;

    /// What workers do, without times, in this process.
    fn measure_here(kernel: &str, model: &Path, files: &Files) -> Measured {
        let registry = Registry::default();
        let (kernel, grams) = (registry.parse(kernel).unwrap(), Grams::new());
        let encoded = encode(&Model::open(model, 0).unwrap(), &grams, kernel.as_ref(), &files.artifact).unwrap();
        let decoded = decode(&ArtifactReader::open(&files.artifact, &registry).unwrap(), &files.decoded).unwrap();
        let through: Vec<_> = encoded.passed_through.iter().map(|p| p.name.clone()).collect();
        let checked = check(kernel.as_ref(), &files.artifact, model, &files.decoded, &through, &grams).unwrap();
        assert!(checked.broken.is_empty(), "{:?}", checked.broken);
        let times = || Times { threads: 1, repetitions: 1, warmup: 0, wall_ns: vec![1], cpu_ns: vec![1] };
        Measured { encoded, decoded, checked, encode_times: times(), decode_times: times(), sampled: None }
    }

    /// Measures `kernel` on the committed text model, whole or on a sample.
    fn measured(kernel: &str, parameters: Option<u64>) -> CaseRecord {
        let scratch = tempfile::tempdir().unwrap();
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/weights/gpt-moby.safetensors").canonicalize().unwrap();
        let case = Case { kernel: kernel.into(), fixture: "gpt-moby".into() };
        let files = Files::of(&case, scratch.path());
        let measure = |model: &Path| Ok(measure_here(kernel, model, &files));
        let measured = match parameters {
            None => measure(&model),
            Some(parameters) => {
                let rule =
                    SampleRule { kernels: vec![], above_parameters: 0, tasks_above_parameters: None, parameters, reason: "test".into() };
                let registry = Registry::default();
                let kernel = registry.parse(kernel).unwrap();
                Samples::new(scratch.path()).measure("gpt-moby", kernel.as_ref(), &rule, &model, &files, &registry, measure)
            }
        };
        CaseRecord { measured: Some(measured.unwrap()), ..CaseRecord::pending(case) }
    }

    fn value(record: &CaseRecord, metric: &str) -> (f64, Option<f64>) {
        derive(record).into_iter().find(|v| v.metric == metric).map(|v| (v.value, v.standard_error)).unwrap()
    }

    #[test]
    fn a_sample_tells_of_the_whole() {
        for kernel in ["seedlm", "int8", "int4:group=32"] {
            let (whole, sample) = (measured(kernel, None), measured(kernel, Some(200_000)));
            let (truth, (found, error)) = (value(&whole, "relative_error").0, value(&sample, "relative_error"));
            let error = error.unwrap();
            assert!((found - truth).abs() < 4.0 * error + 1e-9 && error < 0.2 * truth, "{kernel}: {found} ± {error}, not {truth}");
            let (truth, (found, error)) = (value(&whole, "compression_ratio").0, value(&sample, "compression_ratio"));
            if kernel == "seedlm" {
                assert_eq!((found, error), (truth, None), "its sizes follow from shapes");
            } else {
                assert!((found / truth - 1.0).abs() < 0.02, "{kernel}: {found}, not {truth}");
            }
            assert!(derive(&sample).iter().all(|v| v.metric != "max_abs_error" && !v.metric.contains("peak")), "a sample has no extremes");
        }
    }
}
