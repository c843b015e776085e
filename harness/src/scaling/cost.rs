//! What a kernel costs on a model as a whole: derived from metrics, some of which are rates.

use std::collections::BTreeMap;

use crate::model::metric::as_f64;
use crate::model::record::CaseRecord;
use crate::store::Run;

/// A cost that is fitted.
#[derive(Debug)]
pub struct Quantity {
    /// Name in the policy and in reports.
    pub name: &'static str,
    /// Name for people, with its unit.
    pub title: &'static str,
    /// Metric that it is derived from; its entry in the policy says when it gates.
    pub metric: &'static str,
    /// From the metric's value and the model's size.
    of: fn(f64, &ModelSize) -> f64,
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

/// All of them, in the order of tables.
pub const QUANTITIES: &[Quantity] = &[
    Quantity { name: "artifact_bytes", title: "artifact bytes", metric: "compression_ratio", of: |ratio, size| size.input_bytes / ratio },
    Quantity { name: "encode_peak_heap_bytes", title: "encode peak heap", metric: "encode_peak_heap_bytes", of: |bytes, _| bytes },
    Quantity { name: "decode_peak_heap_bytes", title: "decode peak heap", metric: "decode_peak_heap_bytes", of: |bytes, _| bytes },
    Quantity {
        name: "encode_seconds",
        title: "encode seconds",
        metric: "encode_seconds_per_mb",
        of: |rate, size| rate * size.input_bytes / 1e6,
    },
    Quantity {
        name: "decode_seconds",
        title: "decode seconds",
        metric: "decode_seconds_per_mb",
        of: |rate, size| rate * size.input_bytes / 1e6,
    },
];

/// The quantity of that name.
pub fn quantity(name: &str) -> Option<&'static Quantity> {
    QUANTITIES.iter().find(|q| q.name == name)
}

impl Quantity {
    /// The cost of a model of that size.
    pub fn cost(&self, value: f64, size: &ModelSize) -> f64 {
        (self.of)(value, size)
    }
}

/// Size of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelSize {
    /// Floating-point weights.
    pub parameters: f64,
    /// Bytes of its tensors, each in its own dtype.
    pub input_bytes: f64,
}

/// The size of each fixture that a run measured, whole or by a sample.
pub fn sizes(run: &Run) -> BTreeMap<&str, ModelSize> {
    sizes_of(&run.records)
}

/// The same, of some of its records.
pub fn sizes_of(records: &[CaseRecord]) -> BTreeMap<&str, ModelSize> {
    let size = |record: &CaseRecord| {
        let measured = record.measured.as_ref()?;
        let (parameters, input_bytes) = match &measured.sampled {
            Some(sampled) => (sampled.weights, sampled.input_bytes),
            None => (measured.checked.weights, measured.checked.input_bytes),
        };
        Some(ModelSize { parameters: as_f64(parameters), input_bytes: as_f64(input_bytes) })
    };
    records.iter().filter_map(|record| Some((record.case.fixture.as_str(), size(record)?))).collect()
}
