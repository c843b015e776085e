//! What the kernels' tests share: golden hashes and errors of the reference tables.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::blocks::BlockFormat;
use crate::fidelity::Fidelity;
use crate::kernel::Context;
use crate::reference::reference;
use crate::registry::Registry;
use crate::sample;
use crate::weights::{Dtype, TensorInfo, Values, Weights};

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
    let found = sha256_prefix(&parts.0[0].bytes);
    assert!(found.starts_with(sha256), "{spec}: {found} is not {sha256}");
}

/// The relative error on Gaussian weights (σ = 0.02, 1024 × 4096) is the published one, within 1 %; the table of references has no other.
pub fn assert_relative_error(spec: &str, expected: f64) {
    assert!(reference(spec).is_none_or(|r| r.relative_error == expected), "{spec}: src/reference.rs has another error than {expected}");
    let kernel = Registry::default().parse(spec).unwrap();
    let weights = matrix(1024, sample::gaussian(1024 * 4096, 0.02, 1));
    let parts = kernel.encode(&weights, &Context::default()).unwrap();
    let decoded = kernel.decode(&parts, weights.info(), &Context::default()).unwrap();
    let error = Fidelity::of(&weights.to_f32(), &decoded.to_f32()).relative_error();
    println!("{spec}: relative error {error:.6}, expected {expected}, {:.4} bits a weight", parts.size_bytes() as f64 * 8.0 / 4_194_304.0);
    assert!((error / expected - 1.0).abs() < 0.01, "{spec}: {error} is not {expected}");
}

/// Whatever is in a block, decoding keeps within the bounds that the format states: tails of all weights, offsets, tiny runs.
pub fn assert_keeps_bounds<F: BlockFormat<N, B>, const N: usize, const B: usize>() {
    for seed in 0..20_000 {
        let noise = sample::gaussian(N + 20, 1.0, seed);
        let (noise, knobs) = noise.split_at(N);
        let power = [1, 1, 3, 5][usize::from(knobs[0] > 0.0) * 2 + usize::from(knobs[1] > 0.0)];
        let offset = if knobs[2] > 0.5 { knobs[3] } else { 0.0 };
        let tiny = |i: usize| if knobs[4 + i / 16] > 1.0 { 1e-3 } else { 1.0 };
        let values: [f32; N] = std::array::from_fn(|i| (noise[i].powi(power) + offset) * tiny(i));
        let (mut bytes, mut decoded) = ([0; B], [0.0; N]);
        F::pack(&values, &mut bytes);
        assert!(F::unpack(&bytes, &mut decoded), "{}, seed {seed}", F::INFO.id);
        for ((x, y), bound) in values.iter().zip(decoded).zip(F::bounds(&values)) {
            assert!((x - y).abs() <= bound * 1.00001, "{}, seed {seed}: {x} decoded as {y}, bound {bound}", F::INFO.id);
        }
    }
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

/// What bitsandbytes and torch give: input, specification, part and hash a line (fixtures/golden/bitsandbytes_golden.py).
const BITSANDBYTES: &str = include_str!("../../fixtures/golden/bitsandbytes.txt");

/// The weights of an input of that file.
fn golden_input(name: &str) -> Vec<Weights> {
    let golden = || sample::golden(256 * 1024);
    match name {
        "golden" => vec![matrix(256, golden())],
        "odd" => vec![matrix(5, golden()[..655].to_vec())],
        "tiny" => vec![matrix(256, golden().into_iter().map(|x| x * 1e-30).collect())],
        fixture => {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/weights/{fixture}.safetensors"));
            let bytes = std::fs::read(path).unwrap();
            let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
            let mut tensors = file.tensors();
            tensors.retain(|(_, view)| view.shape().len() >= 2);
            tensors.sort_by(|a, b| a.0.cmp(&b.0));
            let weights = tensors.iter().map(|(name, view)| {
                let dtype = if view.dtype() == safetensors::Dtype::F16 { Dtype::F16 } else { Dtype::F32 };
                let info = TensorInfo { name: name.clone(), shape: view.shape().to_vec(), dtype };
                Weights::from_bytes(&info, view.data()).unwrap()
            });
            weights.collect()
        }
    }
}

/// All parts of all configurations of a kernel that the file has, on all its inputs, have the hashes it gives.
pub fn assert_golden_parts(id: &str, lines_expected: usize) {
    let lines = BITSANDBYTES.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').collect::<Vec<_>>());
    let lines: Vec<Vec<&str>> = lines.filter(|fields| fields[1].split(':').next() == Some(id)).collect();
    assert_eq!(lines.len(), lines_expected);
    for same in lines.chunk_by(|a, b| a[..2] == b[..2]) {
        let kernel = Registry::default().parse(same[0][1]).unwrap();
        let encode = |weights: &Weights| kernel.encode(weights, &Context::default()).unwrap();
        let tensors: Vec<_> = golden_input(same[0][0]).iter().map(encode).collect();
        assert_eq!(tensors[0].0.len(), same.len(), "{:?}", same[0]);
        for line in same {
            let part: Vec<u8> = tensors.iter().flat_map(|parts| parts.get(line[2]).unwrap()).copied().collect();
            assert_eq!(sha256_prefix(&part), line[3], "{} {} {}", line[0], line[1], line[2]);
        }
    }
}
