//! Faults that a worker has on purpose, so that whoever trusts a gate can see it turn red: `weighbridge worker --fault`.
//!
//! They wrap whatever kernel is asked for, and keep within what the check of decoded values allows: a fault that fails its check would show that
//! the check works, not that the gate does.

use serde_json::{Map, Value};
use weighbridge::error::{DecodeError, Refusal};
use weighbridge::kernel::{AnyKernel, Context, Info, Parts, Promise};
use weighbridge::weights::{TensorInfo, Weights};

/// Bytes that a wider artifact holds in vain for each tensor.
const PADDING_BYTES: usize = 4096;
/// Weights that lie farther from their code than this share of half a step go to the code on the other side: then five sixths of a step away at
/// most, and the check allows a whole one.
const ROUNDED_WRONGLY_FROM: f32 = 1.0 / 3.0;
/// Where such a weight is put, in halves of a step from its code.
const BEYOND_HALF_STEP: f32 = 1.2;

/// A fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Fault {
    /// Artifacts hold bytes that decode does not need.
    Wider,
    /// Weights are rounded to the second nearest code, wherever that stays within twice the promised error.
    Rounding,
}

impl Fault {
    /// Its word on a command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Wider => "wider",
            Self::Rounding => "rounding",
        }
    }
}

/// A kernel with a fault.
pub struct Faulty {
    /// The sound one.
    pub kernel: Box<dyn AnyKernel>,
    /// What is wrong with it.
    pub fault: Fault,
}

impl AnyKernel for Faulty {
    fn info(&self) -> Info {
        self.kernel.info()
    }

    fn spec(&self) -> String {
        self.kernel.spec()
    }

    fn for_tensor(&self, info: &TensorInfo) -> &dyn AnyKernel {
        self.kernel.for_tensor(info)
    }

    fn config(&self) -> Map<String, Value> {
        self.kernel.config()
    }

    fn stages(&self) -> Vec<String> {
        self.kernel.stages()
    }

    fn encode(&self, weights: &Weights, context: &Context<'_>) -> Result<Parts, Refusal> {
        match self.fault {
            Fault::Wider => Ok(self.kernel.encode(weights, context)?.with("padding", vec![0; PADDING_BYTES])),
            Fault::Rounding => {
                let sound = self.kernel.encode(weights, context)?;
                let Some(moved) = self.moved(weights, &sound, context) else { return Ok(sound) };
                self.kernel.encode(&moved, context)
            }
        }
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, context: &Context<'_>) -> Result<Weights, DecodeError> {
        self.kernel.decode(parts, info, context)
    }

    fn promise(&self, weights: &Weights) -> Promise {
        self.kernel.promise(weights)
    }

    fn accepts(&self, info: &TensorInfo) -> Result<(), Refusal> {
        self.kernel.accepts(info)
    }
}

impl Faulty {
    /// Weights that a sound kernel rounds as a faulty one would round the original: each that lies a sixth of a step or more off its code is put a
    /// little beyond half a step on the same side. A scale taken from the largest weight stays, as that one lies on its code. `None` where
    /// the kernel does not promise by element, so that there is no step to speak of.
    fn moved(&self, weights: &Weights, sound: &Parts, context: &Context<'_>) -> Option<Weights> {
        let Promise::Elementwise(half_steps) = self.kernel.promise(weights) else { return None };
        let decoded = self.kernel.for_tensor(weights.info()).decode(sound, weights.info(), context).ok()?;
        let (values, decoded) = (weights.to_f32(), decoded.to_f32());
        let moved = values.iter().zip(decoded.iter()).zip(half_steps).map(|((&x, &code), half_step)| {
            let off = x - code;
            if off.abs() > ROUNDED_WRONGLY_FROM * half_step { code + BEYOND_HALF_STEP * half_step.copysign(off) } else { x }
        });
        Weights::from_f32(weights.info(), moved.collect()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighbridge::conformance::{WRONG_BEYOND, promise_kept};
    use weighbridge::fidelity::Fidelity;
    use weighbridge::registry::Registry;
    use weighbridge::sample::gaussian;
    use weighbridge::weights::Values;

    fn faulty(spec: &str, fault: Fault) -> Faulty {
        Faulty { kernel: Registry::default().parse(spec).unwrap(), fault }
    }

    fn weights() -> Weights {
        Weights::new("w", vec![16, 256], Values::F32(gaussian(16 * 256, 0.02, 5))).unwrap()
    }

    fn error(kernel: &Faulty, weights: &Weights, parts: &Parts) -> f64 {
        let decoded = kernel.decode(parts, weights.info(), &Context::default()).unwrap();
        promise_kept(&kernel.promise(weights), WRONG_BEYOND, weights, &decoded).unwrap();
        let sums = Fidelity::of(&weights.to_f32(), &decoded.to_f32());
        (sums.noise / sums.signal).sqrt()
    }

    #[test]
    fn each_fault_is_there_and_passes_the_check() {
        let weights = weights();
        for spec in ["int4", "int8"] {
            let [wider, rounding] = [Fault::Wider, Fault::Rounding].map(|fault| faulty(spec, fault));
            let sound = wider.kernel.encode(&weights, &Context::default()).unwrap();
            let bytes = |parts: &Parts| parts.0.iter().map(|part| part.bytes.len()).sum::<usize>();
            let padded = wider.encode(&weights, &Context::default()).unwrap();
            assert_eq!(bytes(&padded), bytes(&sound) + PADDING_BYTES, "{spec}");
            assert_eq!(error(&wider, &weights, &padded), error(&wider, &weights, &sound), "{spec}");
            let rounded = rounding.encode(&weights, &Context::default()).unwrap();
            assert_eq!(bytes(&rounded), bytes(&sound), "{spec}");
            let worse = error(&rounding, &weights, &rounded) / error(&rounding, &weights, &sound);
            assert!((1.6..2.2).contains(&worse), "{spec}: {worse}");
        }
    }

    #[test]
    fn a_kernel_without_steps_is_left_as_it_is() {
        let kernel = faulty("f32-raw", Fault::Rounding);
        let (weights, context) = (weights(), Context::default());
        assert_eq!(kernel.encode(&weights, &context).unwrap(), kernel.kernel.encode(&weights, &context).unwrap());
    }
}
