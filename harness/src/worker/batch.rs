//! One batch of passes, timed on three clocks at once: what a fresh process is started for when two builds are compared.
//!
//! The asker says how many passes there are, so that both builds do the same work. Nothing is written, digested or read between the first
//! reading of the clocks and the last. Source: `docs/worker-protocol.md`, `time-batch`.

use std::path::PathBuf;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use weighbridge::artifact::{ArtifactReader, Tensor};
use weighbridge::kernel::{AnyKernel, Context, Parts};
use weighbridge::registry::Registry;
use weighbridge::weights::TensorInfo;

use super::calibration::Grams;
use super::encode::encode_tensor;
use super::excerpt::excerpt;
use super::serve::{Failure, pool};
use crate::host::{CpuClock, hold_on};
use crate::stats::batch::resolution;

/// Slices that a batch is timed in, at most: enough for a quantile, and few against the cost of reading a clock.
const SLICES: u64 = 32;

/// Readings, one right after another, from which a clock's resolution is taken.
const READINGS: usize = 200;

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// The loaded model into parts.
    Encode,
    /// An artifact's parts into tensors.
    Decode,
}

impl Operation {
    /// Word for tables and keys.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Encode => "encode",
            Self::Decode => "decode",
        }
    }
}

/// A batch that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Batch {
    /// What is timed.
    pub operation: Operation,
    /// Kernel specification, or the definition of a mixed pipeline.
    pub kernel: String,
    /// What is decoded; absent for encode, which takes the loaded model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<PathBuf>,
    /// Passes before the clocks are read.
    pub warm_up: u64,
    /// Passes between the two readings.
    pub passes: u64,
    /// Threads of the pool that the kernel runs in.
    pub threads: usize,
    /// Processor to stay on; absent where none is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core: Option<usize>,
}

/// A batch's times: each is the sum over its passes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BatchTimes {
    /// Passes between the two readings.
    pub passes: u64,
    /// CPU time of each pass before, in order: of the thread.
    pub warm_up_cpu_ns: Vec<u64>,
    /// CPU time of the thread.
    pub thread_cpu_ns: u64,
    /// CPU time of the thread in each slice of the batch, in order; all slices have as many passes but the last, which has what is left. Absent from
    /// workers of older releases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slice_cpu_ns: Vec<u64>,
    /// CPU time of the process.
    pub process_cpu_ns: u64,
    /// Wall time.
    pub wall_ns: u64,
    /// Step of the thread's CPU clock between readings one right after another, the median of those that differ.
    pub clock_resolution_ns: u64,
    /// Processor that the thread was held on; absent where that was not asked for or not allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core: Option<usize>,
    /// CPU time of the thread that went into extra work, which `thread-cpu-ns` includes; absent where the worker was not told to do any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_cpu_ns: Option<u64>,
    /// The same in each slice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slice_extra_cpu_ns: Vec<u64>,
}

/// Passes of each slice of a batch.
pub fn slices(passes: u64) -> impl Iterator<Item = u64> {
    let each = passes.div_ceil(SLICES).max(1);
    (0..passes.div_ceil(each)).map(move |i| each.min(passes - i * each))
}

/// Times a batch on a model. `extra` is the share of real extra work that a worker was started with to stand for a slower build.
pub fn time_batch(model: &[Tensor], grams: &Grams, registry: &Registry, batch: &Batch, extra: Option<f64>) -> Result<BatchTimes, Failure> {
    let kernel = registry.parse(&batch.kernel)?;
    let more = extra.map(|share| excerpt(model, share)).transpose()?;
    let encode = |tensors: &[Tensor]| {
        for tensor in tensors {
            // A refusal is timed too: finding out is part of the work.
            let _ = std::hint::black_box(encode_tensor(kernel.as_ref(), tensor, grams));
        }
        Ok(())
    };
    pool(batch.threads)?.install(|| match (batch.operation, &batch.artifact) {
        (Operation::Encode, _) => time(batch, || encode(model), more.as_deref().map(|more| || encode(more))),
        (Operation::Decode, None) => Err("'time-batch' of decode needs an artifact".into()),
        (Operation::Decode, Some(path)) => {
            let reader = ArtifactReader::open(path, registry)?;
            let parts = (0..reader.len()).map(|i| reader.parts(i)).collect::<Result<Vec<_>, _>>()?;
            let all = || {
                for (i, parts) in parts.iter().enumerate() {
                    std::hint::black_box(reader.decode(i, parts, &Context::default())?);
                }
                Ok(())
            };
            let packed = more.as_deref().map(|more| pack(kernel.as_ref(), more, grams));
            let unpack = |packed: &[(TensorInfo, Parts)]| {
                for (info, parts) in packed {
                    std::hint::black_box(kernel.for_tensor(info).decode(parts, info, &Context::default())?);
                }
                Ok(())
            };
            time(batch, all, packed.as_deref().map(|packed| || unpack(packed)))
        }
    })
}

/// Parts of the tensors that the kernel takes.
fn pack(kernel: &dyn AnyKernel, tensors: &[Tensor], grams: &Grams) -> Vec<(TensorInfo, Parts)> {
    let packed = tensors.iter().filter_map(|tensor| match tensor {
        Tensor::Weights(weights) => Some((weights.info().clone(), encode_tensor(kernel, tensor, grams).ok()?)),
        Tensor::Other { .. } => None,
    });
    packed.collect()
}

fn time(
    batch: &Batch,
    mut pass: impl FnMut() -> Result<(), Failure>,
    mut extra: Option<impl FnMut() -> Result<(), Failure>>,
) -> Result<BatchTimes, Failure> {
    let core = batch.core.filter(|&core| hold_on(core));
    let readings: Vec<u64> = (0..READINGS).map(|_| CpuClock::Thread.read_ns()).collect();
    let clock_resolution_ns = resolution(&readings).unwrap_or(u64::MAX);
    let mut warm_up_cpu_ns = Vec::new();
    for _ in 0..batch.warm_up {
        let start = CpuClock::Thread.read_ns();
        pass()?;
        if let Some(extra) = &mut extra {
            extra()?;
        }
        warm_up_cpu_ns.push(CpuClock::Thread.read_ns() - start);
    }
    let (mut slice_cpu_ns, mut slice_extra_cpu_ns) = (Vec::new(), Vec::new());
    let (wall, process, thread) = (Instant::now(), CpuClock::Process.read_ns(), CpuClock::Thread.read_ns());
    let mut last = thread;
    for passes in slices(batch.passes) {
        let mut extra_ns = 0;
        for _ in 0..passes {
            pass()?;
            if let Some(extra) = &mut extra {
                let start = CpuClock::Thread.read_ns();
                extra()?;
                extra_ns += CpuClock::Thread.read_ns() - start;
            }
        }
        let now = CpuClock::Thread.read_ns();
        slice_cpu_ns.push(now - last);
        slice_extra_cpu_ns.extend(extra.is_some().then_some(extra_ns));
        last = now;
    }
    let thread_cpu_ns = last - thread;
    let process_cpu_ns = CpuClock::Process.read_ns() - process;
    let wall_ns = u64::try_from(wall.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let extra_cpu_ns = extra.is_some().then(|| slice_extra_cpu_ns.iter().sum());
    Ok(BatchTimes {
        passes: batch.passes,
        warm_up_cpu_ns,
        thread_cpu_ns,
        slice_cpu_ns,
        process_cpu_ns,
        wall_ns,
        clock_resolution_ns,
        core,
        extra_cpu_ns,
        slice_extra_cpu_ns,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighbridge::weights::{Values, Weights};

    fn batch(operation: Operation, kernel: &str) -> Batch {
        Batch { operation, kernel: kernel.to_owned(), artifact: None, warm_up: 2, passes: 3, threads: 1, core: None }
    }

    fn model() -> Vec<Tensor> {
        let values: Vec<f32> = (0u16..64 * 256).map(|i| f32::from(i % 97) - 48.0).collect();
        vec![Tensor::Weights(Weights::new("w", vec![64, 256], Values::F32(values)).unwrap())]
    }

    #[test]
    fn a_batch_counts_its_passes_and_keeps_extra_work_apart() {
        let registry = Registry::default();
        let plain = time_batch(&model(), &Grams::new(), &registry, &batch(Operation::Encode, "int8"), None).unwrap();
        assert_eq!((plain.passes, plain.warm_up_cpu_ns.len(), plain.extra_cpu_ns), (3, 2, None));
        assert!(plain.thread_cpu_ns > 0 && plain.process_cpu_ns >= plain.thread_cpu_ns / 2 && plain.wall_ns > 0);
        assert!(plain.clock_resolution_ns > 0 && plain.clock_resolution_ns < 20_000_000, "{plain:?}");
        let slow = time_batch(&model(), &Grams::new(), &registry, &batch(Operation::Encode, "int8"), Some(0.5)).unwrap();
        let extra = slow.extra_cpu_ns.unwrap();
        assert!(extra > 0 && extra < slow.thread_cpu_ns, "{slow:?}");
        for times in [&plain, &slow] {
            assert_eq!((times.slice_cpu_ns.len(), times.slice_cpu_ns.iter().sum::<u64>()), (3, times.thread_cpu_ns));
        }
        assert_eq!((slow.slice_extra_cpu_ns.len(), slow.slice_extra_cpu_ns.iter().sum::<u64>()), (3, extra));
        let error = time_batch(&model(), &Grams::new(), &registry, &batch(Operation::Decode, "int8"), None).unwrap_err();
        assert!(error.to_string().contains("needs an artifact"));
    }

    #[test]
    fn slices_are_few_and_hold_every_pass() {
        let of = |passes| slices(passes).collect::<Vec<_>>();
        assert_eq!((of(3), of(1)), (vec![1, 1, 1], vec![1]));
        for passes in 1..300 {
            let slices = of(passes);
            assert!(slices.len() <= 32 && slices.iter().sum::<u64>() == passes && slices.iter().all(|&n| n > 0 && n <= slices[0]));
        }
    }

    #[test]
    fn requests_name_what_is_optional_only_where_it_is_there() {
        let text = serde_json::to_string(&super::super::protocol::Request::TimeBatch(batch(Operation::Encode, "int8"))).unwrap();
        assert_eq!(text, r#"{"op":"time-batch","operation":"encode","kernel":"int8","warm-up":2,"passes":3,"threads":1}"#);
        let unknown = text.replace("}", r#","extra":0.5}"#);
        assert!(serde_json::from_str::<super::super::protocol::Request>(&unknown).is_err());
    }
}
