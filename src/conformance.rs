//! The suite that every kernel passes, as a library function: a kernel written elsewhere can be held to it too.
//!
//! For a set of awkward tensors it checks that each is either refused with a reason or comes back, through an artifact file opened anew,
//! within the kernel's promise; that artifacts cut short at any byte are errors; that flipped bytes and shapes that lie
//! never panic; and that bytes and decoded bits are the same on every SIMD level and on one and two threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::artifact::{ArtifactReader, ArtifactWriter, Tensor};
use crate::kernel::{AnyKernel, Context, PartSize, Parts, Promise};
use crate::registry::Registry;
use crate::sample;
use crate::simd::Level;
use crate::weights::{Dtype, TensorInfo, Weights};

/// What a kernel got wrong: the tensor it was given and the words for it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{spec}, tensor '{tensor}': {message}")]
pub struct Failure {
    /// The kernel.
    pub spec: String,
    /// The tensor of the suite.
    pub tensor: String,
    /// What is wrong.
    pub message: String,
}

/// The suite's tensors: shapes that fit no block, every dtype, and value patterns that break quantisers.
pub fn tensors() -> Vec<Weights> {
    let make = |name: &str, shape: &[usize], dtype: Dtype, f: &dyn Fn(usize) -> f32| {
        let info = TensorInfo { name: name.to_owned(), shape: shape.to_vec(), dtype };
        Weights::from_f32(&info, (0..info.elements()).map(f).collect())
    };
    let noise = sample::gaussian(4096, 0.02, 11);
    let gaussian = |i: usize| noise[i % noise.len()];
    [
        make("gaussian", &[24, 96], Dtype::F32, &gaussian),
        make("gaussian f16", &[16, 64], Dtype::F16, &gaussian),
        make("gaussian bf16", &[16, 64], Dtype::Bf16, &gaussian),
        make("3x7", &[3, 7], Dtype::F32, &gaussian),
        make("1x1", &[1, 1], Dtype::F32, &gaussian),
        make("5x131", &[5, 131], Dtype::F32, &gaussian),
        make("300x1", &[300, 1], Dtype::F32, &gaussian),
        make("convolution", &[8, 3, 3, 3], Dtype::F32, &gaussian),
        make("scalar", &[], Dtype::F32, &gaussian),
        make("vector", &[40], Dtype::F32, &gaussian),
        make("empty", &[0, 16], Dtype::F32, &gaussian),
        make("zeros", &[4, 64], Dtype::F32, &|_| 0.0),
        make("negative zeros", &[4, 64], Dtype::F32, &|_| -0.0),
        make("constant", &[4, 64], Dtype::F32, &|_| 0.25),
        make("negative constant", &[4, 64], Dtype::F32, &|_| -0.25),
        make("sparse", &[8, 64], Dtype::F32, &|i| if i % 17 == 0 { gaussian(i) } else { 0.0 }),
        make("outlier", &[8, 64], Dtype::F32, &|i| if i == 100 { 50.0 } else { gaussian(i) }),
        make("heavy tails", &[16, 64], Dtype::F32, &|i| gaussian(i) * (1.0 + (gaussian(i + 7) * 100.0).abs().powi(3))),
        make("times 1e8", &[8, 64], Dtype::F32, &|i| gaussian(i) * 1e8),
        make("times 1e-6", &[8, 64], Dtype::F32, &|i| gaussian(i) * 1e-6),
        make("times 1e-30", &[8, 64], Dtype::F32, &|i| gaussian(i) * 1e-30),
        make("subnormal", &[8, 64], Dtype::F32, &|i| gaussian(i) * 1e-38),
        make("largest", &[8, 64], Dtype::F32, &|i| if i % 2 == 0 { f32::MAX } else { f32::MIN }),
        make("f16 largest", &[8, 64], Dtype::F16, &|i| if i % 2 == 0 { 65504.0 } else { -65504.0 }),
        make("mixed scales", &[8, 64], Dtype::F32, &|i| gaussian(i) * 10f32.powi(i32::try_from(i / 64).unwrap_or(0) - 4)),
        make("nan", &[4, 64], Dtype::F32, &|i| if i == 77 { f32::NAN } else { gaussian(i) }),
        make("infinity", &[4, 64], Dtype::F32, &|i| if i == 3 { f32::INFINITY } else { gaussian(i) }),
        make("negative infinity", &[4, 64], Dtype::F32, &|i| if i == 3 { f32::NEG_INFINITY } else { gaussian(i) }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How far beyond a promise the harness lets a decoded value be before it calls it wrong. A code beside the nearest one stays within
/// twice the promised error: that is worse rounding, which the error metrics show, and not a wrong decode.
pub const WRONG_BEYOND: f64 = 2.0;

/// Whether decoded weights keep the kernel's promise of the original, times `allowance`, and if not, where.
pub fn promise_kept(promise: &Promise, allowance: f64, original: &Weights, decoded: &Weights) -> Result<(), String> {
    if original.info() != decoded.info() {
        return Err(format!("decoded as {:?}, not {:?}", decoded.info(), original.info()));
    }
    let (x, y) = (original.to_f32(), decoded.to_f32());
    match promise {
        Promise::Exact => {
            let differs = original.bytes().iter().zip(decoded.bytes()).position(|(a, b)| a != b);
            differs.map_or(Ok(()), |at| Err(format!("promised every bit; byte {at} differs")))
        }
        Promise::Elementwise(bounds) => {
            // Room for the rounding of the decoder's own f32 arithmetic and of a 16-bit dtype.
            let rounding = match original.info().dtype {
                Dtype::F32 => 1e-6,
                Dtype::F16 => 1.0 / 2048.0,
                Dtype::Bf16 => 1.0 / 256.0,
            };
            for (i, ((&x, &y), &bound)) in x.iter().zip(y.iter()).zip(bounds).enumerate() {
                let bound = f64::from(bound) * allowance;
                let slack = f64::from(x.abs() + y.abs()) * rounding + bound * 1e-5 + 6e-8_f64.min(bound);
                let error = (f64::from(y) - f64::from(x)).abs();
                if error.is_nan() || error > bound + slack {
                    return Err(format!("element {i}: {x} decoded as {y}, error {error:.3e} above the allowed {bound:.3e}"));
                }
            }
            Ok(())
        }
        Promise::Relative(bound) => {
            let error = crate::fidelity::Fidelity::of(&x, &y).relative_error();
            if error <= bound * allowance {
                Ok(())
            } else {
                Err(format!("relative error {error:.4} above the allowed {}", bound * allowance))
            }
        }
    }
}

/// Runs the suite on one kernel. `scratch` is a folder for artifacts.
pub fn check(kernel: &dyn AnyKernel, registry: &Registry, scratch: &Path) -> Vec<Failure> {
    let mut failures = Vec::new();
    for weights in tensors() {
        let result = check_tensor(kernel, registry, &weights, scratch);
        let fail = |message| Failure { spec: kernel.spec(), tensor: weights.info().name.clone(), message };
        failures.extend(result.err().map(fail));
    }
    failures
}

fn check_tensor(kernel: &dyn AnyKernel, registry: &Registry, weights: &Weights, scratch: &Path) -> Result<(), String> {
    let info = weights.info();
    let context = Context::default();
    let lossless = kernel.for_tensor(info).info().lossless;
    let parts = match encode(kernel, weights, &context, 1)? {
        Ok(parts) => parts,
        Err(reason) if reason.is_empty() => return Err("refused without a reason".to_owned()),
        Err(_) if lossless && info.shape.len() >= 2 && info.elements() > 0 && info.dtype == Dtype::F32 => {
            return Err("a lossless kernel refused an f32 matrix".to_owned());
        }
        Err(_) if matches!(info.name.as_str(), "gaussian" | "3x7" | "zeros" | "5x131") => {
            return Err("refused an ordinary f32 matrix".to_owned());
        }
        Err(_) if weights.first_non_finite().is_none() && kernel.accepts(info).is_ok() && kernel.packed_sizes(info).is_some() => {
            return Err("refused finite values, although it says what sizes they pack to".to_owned());
        }
        Err(_) => return Ok(()),
    };
    if let Some(sizes) = kernel.packed_sizes(info)
        && sizes != PartSize::of(&parts)
    {
        return Err(format!("packed to {:?}, not to {sizes:?} as it says", PartSize::of(&parts)));
    }
    if !lossless && weights.first_non_finite().is_some() {
        return Err("a lossy kernel took values that are not finite".to_owned());
    }

    let path = scratch.join("conformance.safetensors");
    let written = ArtifactWriter::create(&path, &kernel.spec()).and_then(|mut writer| {
        writer.add_encoded(info, kernel, &parts)?;
        writer.finish()
    });
    written.map_err(|e| e.to_string())?;
    let decoded = read_back(&path, registry)?;
    promise_kept(&kernel.promise(weights), 1.0, weights, &decoded)?;

    for level in Level::available() {
        for threads in [1, 2] {
            let context = Context { simd: level, ..Context::default() };
            let again = encode(kernel, weights, &context, threads)??;
            if again != parts {
                return Err(format!("{} on {threads} threads gives other bytes", level.name()));
            }
            let decoded_again = on_threads(threads, || kernel.decode(&parts, info, &context))?.map_err(|e| e.to_string())?;
            if decoded_again.bytes() != decoded.bytes() {
                return Err(format!("{} on {threads} threads decodes to other bits", level.name()));
            }
        }
    }
    check_damage(kernel, info, &parts)?;
    check_lies(kernel, info, &parts)?;
    if info.name == "3x7" {
        check_prefixes(&path, registry)?;
    }
    Ok(())
}

/// Every proper prefix of an artifact is an error.
fn check_prefixes(path: &Path, registry: &Registry) -> Result<(), String> {
    let whole = std::fs::read(path).map_err(|e| e.to_string())?;
    let cut_path = path.with_extension("cut");
    for length in 0..whole.len() {
        std::fs::write(&cut_path, &whole[..length]).map_err(|e| e.to_string())?;
        if read_back(&cut_path, registry).is_ok() {
            return Err(format!("cut to {length} of {} bytes it still decodes", whole.len()));
        }
    }
    Ok(())
}

/// Missing, shortened and lengthened parts are errors; flipped bytes give some result or an error. Nothing panics.
fn check_damage(kernel: &dyn AnyKernel, info: &TensorInfo, parts: &Parts) -> Result<(), String> {
    let context = Context::default();
    let try_decode = |damaged: &Parts| {
        catch_unwind(AssertUnwindSafe(|| kernel.decode(damaged, info, &context).is_ok())).map_err(|_| "decode panicked".to_owned())
    };
    if try_decode(&Parts::new())? && !parts.0.is_empty() {
        return Err("decodes without its parts".to_owned());
    }
    for (i, part) in parts.0.iter().enumerate() {
        let mut damaged = parts.clone();
        for length in [0, part.bytes.len() / 2, part.bytes.len().saturating_sub(1), part.bytes.len() + 1] {
            damaged.0[i].bytes.resize(length, 0xA5);
            if try_decode(&damaged)? && length < part.bytes.len() {
                return Err(format!("part '{}' cut to {length} of {} bytes still decodes", part.name, part.bytes.len()));
            }
            damaged.0[i].bytes.clone_from(&part.bytes);
        }
        let step = (part.bytes.len() / 64).max(1);
        for at in (0..part.bytes.len()).step_by(step) {
            for mask in [0x01, 0x80, 0xFF] {
                damaged.0[i].bytes[at] ^= mask;
                try_decode(&damaged)?;
                damaged.0[i].bytes[at] ^= mask;
            }
        }
    }
    Ok(())
}

/// Parts under the shape of another tensor are errors, however large that claims to be: nothing panics or takes the memory it asks for.
fn check_lies(kernel: &dyn AnyKernel, info: &TensorInfo, parts: &Parts) -> Result<(), String> {
    let empty: [&[usize]; 2] = [&[1 << 62, 0], &[0, 1 << 40, 1 << 40]];
    let large: [&[usize]; 4] = [&[usize::MAX, 2], &[1 << 40, 1 << 20], &[1, 1 << 45], &[1 << 45, 1]];
    for shape in empty.into_iter().chain(large) {
        let lie = TensorInfo { shape: shape.to_vec(), ..info.clone() };
        let decode = || kernel.decode(parts, &lie, &Context::default()).is_ok();
        let decoded = catch_unwind(AssertUnwindSafe(decode)).map_err(|_| format!("decode as {shape:?} panicked"))?;
        if decoded && !shape.contains(&0) {
            return Err(format!("decodes as {shape:?}"));
        }
    }
    Ok(())
}

fn encode(kernel: &dyn AnyKernel, weights: &Weights, context: &Context<'_>, threads: usize) -> Result<Result<Parts, String>, String> {
    let run = || catch_unwind(AssertUnwindSafe(|| kernel.encode(weights, context).map_err(|refusal| refusal.0)));
    on_threads(threads, run)?.map_err(|_| "encode panicked".to_owned())
}

fn on_threads<R: Send>(threads: usize, run: impl FnOnce() -> R + Send) -> Result<R, String> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|e| e.to_string())?;
    Ok(pool.install(run))
}

fn read_back(path: &Path, registry: &Registry) -> Result<Weights, String> {
    let reader = ArtifactReader::open(path, registry).map_err(|e| e.to_string())?;
    let parts = reader.parts(0).map_err(|e| e.to_string())?;
    match reader.decode(0, &parts, &Context::default()).map_err(|e| e.to_string())? {
        Tensor::Weights(weights) => Ok(weights),
        Tensor::Other { .. } => Err("decoded as something that is no weights".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_registered_kernel_conforms_in_every_configuration() {
        let registry = Registry::default();
        let scratch = tempfile::tempdir().unwrap();
        let mut failures = Vec::new();
        let defaults = registry.entries().iter().map(|entry| entry.info.id);
        for spec in defaults.chain(crate::kernels::VARIANTS.iter().copied()) {
            let kernel = registry.parse(spec).unwrap();
            failures.extend(check(kernel.as_ref(), &registry, scratch.path()));
        }
        assert!(failures.is_empty(), "{}", failures.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }
}
