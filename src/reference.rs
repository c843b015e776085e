//! Relative errors on Gaussian weights that others found, which tests and the table of `weighbridge kernels errors` compare with.
//!
//! Weights of σ = 0.02, 1024 × 4096; error is the relative Frobenius error ‖W−Ŵ‖/‖W‖. None of the values comes from this repository's code:
//! they were found with the packages and programs that each line names, on such weights. `fixtures/golden/reference_errors.py` finds those
//! of gguf, bitsandbytes and the definitions again, on another sample. At this size samples differ by a few thousandths of the error, so
//! a kernel that leaves its band computes something else. GPTQ without calibration inputs is round-to-nearest, and has int4's values.

/// What a kernel's error on Gaussian weights should be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reference {
    /// Specification, in its shortest form.
    pub spec: &'static str,
    /// Bits a weight, scales and codebooks included.
    pub bits_per_weight: f64,
    /// Relative Frobenius error.
    pub relative_error: f64,
    /// Largest deviation of the error that is no sign of another computation, as a share of it.
    pub band: f64,
    /// Who found it, or what it follows from.
    pub source: &'static str,
}

/// Values are given to three or four digits, samples differ by a few thousandths, and an encoder may break ties in its own way.
const BAND: f64 = 0.02;
/// SeedLM's errors are given to ±0.0005.
const SEEDLM_TOLERANCE: f64 = 0.0005;

const BITNET: &str = "absmean by the definition of BitNet b1.58, in NumPy";
const BITSANDBYTES: &str = "bitsandbytes 0.50.2 on the CPU";
const DEFINITION: &str = "the format's definition, in NumPy";
const GGML: &str = "ggml's encoder";
const GGUF: &str = "gguf 0.19.0";
const HQQ: &str = "hqq 0.2.8";
const HYPER: &str = "the released code of Hyper-Compression, with a box of five sigma";
const SEEDLM: &str = "an exhaustive search by the definition of SeedLM";

const fn of(spec: &'static str, bits_per_weight: f64, relative_error: f64, source: &'static str) -> Reference {
    Reference { spec, bits_per_weight, relative_error, band: BAND, source }
}

const fn seedlm(spec: &'static str, bits_per_weight: f64, relative_error: f64) -> Reference {
    Reference { spec, bits_per_weight, relative_error, band: SEEDLM_TOLERANCE / relative_error, source: SEEDLM }
}

/// All references, in the order of the registry.
pub const REFERENCES: &[Reference] = &[
    of("int8", 8.0, 0.0087, DEFINITION),
    of("fp8-e4m3", 8.0, 0.0265, DEFINITION),
    of("fp8-e5m2", 8.0, 0.0527, DEFINITION),
    of("int4", 4.125, 0.1174, DEFINITION),
    of("int4:group=64", 4.25, 0.1077, DEFINITION),
    of("int4:group=32", 4.5, 0.0971, DEFINITION),
    of("nf4", 4.5, 0.0920, BITSANDBYTES),
    of("nf4:double-quant=true", 4.127, 0.0920, BITSANDBYTES),
    of("nf4:block=128", 4.25, 0.0956, BITSANDBYTES),
    of("fp4", 4.5, 0.1219, BITSANDBYTES),
    of("fp4:double-quant=true", 4.127, 0.1220, BITSANDBYTES),
    of("q8_0", 8.5, 0.00535, GGUF),
    of("q4_0", 4.5, 0.0860, GGUF),
    of("q4_1", 5.0, 0.0782, GGUF),
    of("q5_0", 5.5, 0.0427, GGUF),
    of("q5_1", 6.0, 0.0379, GGUF),
    of("q2_k", 2.625, 0.297, GGML),
    of("q3_k", 3.4375, 0.151, GGML),
    of("q4_k", 4.5, 0.0713, GGML),
    of("q5_k", 5.5, 0.0361, GGML),
    of("q6_k", 6.5625, 0.01776, GGML),
    of("iq4_nl", 4.5, 0.0761, GGML),
    of("mxfp4", 4.25, 0.1141, GGUF),
    of("nvfp4", 4.5, 0.1031, GGML),
    of("tq1_0", 1.6875, 0.807, GGUF),
    of("tq2_0", 2.0625, 0.807, GGUF),
    of("bitnet", 2.0, 0.513, BITNET),
    of("bitnet:packing=tq1_0", 1.6875, 0.513, BITNET),
    of("bitnet:packing=tq2_0", 2.0625, 0.513, BITNET),
    of("bitnet:packing=tl2", 1.67, 0.513, BITNET),
    of("hyper-lattice", 6.5, 0.0365, HYPER),
    of("hyper-lattice:packing=planes|entropy", 5.04, 0.0365, HYPER),
    of("hyper-lattice:samples=225", 5.0, 0.097, HYPER),
    of("gptq", 4.125, 0.1174, DEFINITION),
    of("gptq:group=64", 4.25, 0.1077, DEFINITION),
    of("gptq:group=32", 4.5, 0.0971, DEFINITION),
    of("hqq", 4.5, 0.0861, HQQ),
    seedlm("seedlm", 4.0, 0.1230),
    seedlm("seedlm:bits=3", 3.0, 0.2256),
];

/// The reference of a specification, where there is one.
pub fn reference(spec: &str) -> Option<&'static Reference> {
    REFERENCES.iter().find(|r| r.spec == spec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fidelity::Fidelity;
    use crate::kernel::Context;
    use crate::registry::Registry;
    use crate::sample;
    use crate::weights::{Values, Weights};

    #[test]
    fn references_are_of_kernels_in_their_shortest_form_and_none_is_named_twice() {
        for (i, r) in REFERENCES.iter().enumerate() {
            assert_eq!(Registry::default().parse(r.spec).unwrap().spec(), r.spec);
            assert!(!REFERENCES[..i].iter().any(|other| other.spec == r.spec), "{}", r.spec);
            assert!(r.relative_error > 0.0 && r.band <= BAND, "{}", r.spec);
        }
    }

    /// On a sixteenth of the table's weights: all of its columns, because formats by rows depend on them, and fewer rows.
    #[test]
    fn every_kernel_keeps_to_its_reference() {
        const ROWS: usize = 64;
        let values = Values::F32(sample::gaussian(ROWS * 4096, 0.02, 1));
        let weights = Weights::new("w", vec![ROWS, 4096], values).unwrap();
        let mut wrong = Vec::new();
        for r in REFERENCES {
            let kernel = Registry::default().parse(r.spec).unwrap();
            let parts = kernel.encode(&weights, &Context::default()).unwrap();
            let decoded = kernel.decode(&parts, weights.info(), &Context::default()).unwrap();
            let error = Fidelity::of(&weights.to_f32(), &decoded.to_f32()).relative_error();
            #[expect(clippy::cast_precision_loss, reason = "a few hundred thousand")]
            let bits = parts.size_bytes() as f64 * 8.0 / (ROWS * 4096) as f64;
            let (deviation, excess) = (error / r.relative_error - 1.0, bits / r.bits_per_weight - 1.0);
            println!("{:28} {bits:.4} bits {:+.2} %, error {error:.5} {:+.2} %", r.spec, excess * 100.0, deviation * 100.0);
            if deviation.abs() > r.band || excess > 0.02 {
                wrong.push(r.spec);
            }
        }
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
