//! What the kernels' tests share: golden hashes and errors of the reference tables.

use sha2::{Digest, Sha256};

use crate::fidelity::Fidelity;
use crate::kernel::Context;
use crate::registry::Registry;
use crate::sample;
use crate::weights::{Values, Weights};

/// First eight bytes of a SHA-256, in hex.
pub fn sha256_prefix(bytes: &[u8]) -> String {
    Sha256::digest(bytes)[..8].iter().map(|b| format!("{b:02x}")).collect()
}

/// Weights of a matrix.
pub fn matrix(rows: usize, values: Vec<f32>) -> Weights {
    Weights::new("w", vec![rows, values.len() / rows], Values::F32(values)).unwrap()
}

/// The golden input packs to one part with the published hash.
pub fn assert_golden(spec: &str, sha256: &str) {
    let kernel = Registry::default().parse(spec).unwrap();
    let parts = kernel.encode(&matrix(256, sample::golden(256 * 1024)), &Context::default()).unwrap();
    assert_eq!(parts.0.len(), 1);
    assert_eq!(sha256_prefix(&parts.0[0].bytes), sha256);
}

/// The relative error on Gaussian weights (σ = 0.02, 1024 × 4096) is the published one, within 1 %.
pub fn assert_relative_error(spec: &str, expected: f64) {
    let kernel = Registry::default().parse(spec).unwrap();
    let weights = matrix(1024, sample::gaussian(1024 * 4096, 0.02, 1));
    let parts = kernel.encode(&weights, &Context::default()).unwrap();
    let decoded = kernel.decode(&parts, weights.info(), &Context::default()).unwrap();
    let error = Fidelity::of(&weights.to_f32(), &decoded.to_f32()).relative_error();
    println!("{spec}: relative error {error:.6}, expected {expected}, {:.4} bits a weight", parts.size_bytes() as f64 * 8.0 / 4_194_304.0);
    assert!((error / expected - 1.0).abs() < 0.01, "{spec}: {error} is not {expected}");
}

/// Gaussian weights times each of the factors are refused with a reason.
pub fn assert_refuses(spec: &str, factors: &[f32]) {
    let kernel = Registry::default().parse(spec).unwrap();
    for factor in factors {
        let values = sample::gaussian(4096, 0.02, 1).into_iter().map(|x| x * factor).collect();
        let refusal = kernel.encode(&matrix(32, values), &Context::default()).unwrap_err();
        assert!(refusal.0.contains("scale"), "{spec} on weights times {factor}: {refusal}");
    }
}
