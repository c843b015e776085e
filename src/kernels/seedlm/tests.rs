//! Tests of the kernel as a whole: published errors, scale, equality of the searches, layout, speed.

use std::path::Path;

use super::bound::Bound;
use super::candidate::Candidate;
use super::codec::{blocks, lowest_exponent};
use super::lists::tests::lists;
use super::rounding::Rounding;
use super::scan::Tables;
use super::subspace::Subspace;
use super::{reference, simd};
use crate::fidelity::Fidelity;
use crate::kernel::{AnyKernel, Context};
use crate::kernels::testing::matrix;
use crate::registry::Registry;
use crate::safefile::SafeFile;
use crate::sample;
use crate::simd::Level;

fn kernel(spec: &str) -> Box<dyn AnyKernel> {
    Registry::default().parse(spec).unwrap()
}

fn relative_error(spec: &str, values: Vec<f32>) -> f64 {
    let (kernel, weights) = (kernel(spec), matrix(1, values));
    // Lists for speed; other tests hold them to the same parts.
    let context = Context { seedlm_lists: Some(lists()), ..Context::default() };
    let parts = kernel.encode(&weights, &context).unwrap();
    let decoded = kernel.decode(&parts, weights.info(), &context).unwrap();
    Fidelity::of(&weights.to_f32(), &decoded.to_f32()).relative_error()
}

#[test]
fn gaussian_errors_are_the_published_ones() {
    for (spec, count, expected) in [("seedlm", 1 << 17, 0.1230), ("seedlm:bits=3", 3 << 16, 0.2256)] {
        let error = relative_error(spec, sample::gaussian(count, 0.02, 1));
        println!("{spec}: relative error {error:.5}");
        assert!((error - expected).abs() < 5e-4, "{spec}: {error} is not {expected}");
    }
}

#[test]
fn gaussian_errors_of_the_larger_configurations() {
    for (spec, count, expected) in [("seedlm:bits=4.5", 1 << 15, 0.0850), ("seedlm:bits=6.5", 1 << 12, 0.0229)] {
        let error = relative_error(spec, sample::gaussian(count, 0.02, 1));
        println!("{spec}: relative error {error:.5}");
        assert!((error / expected - 1.0).abs() < 0.02, "{spec}: {error} is not {expected}");
    }
}

/// Within 0.0005 at any scale. Where powers of two lie between the weights moves the error, over four million weights from 0.1227 to 0.1230 at
/// 4 bits and, over one and a half, from 0.2249 to 0.2253 at 3 bits. The published 0.2256 is a little above all of these.
#[test]
fn errors_do_not_depend_on_scale() {
    for (spec, count, expected) in [("seedlm", 1 << 20, 0.1230), ("seedlm:bits=3", 3 << 17, 0.2251)] {
        let error = |scale| relative_error(spec, sample::gaussian(count, scale, 1));
        for scale in [1e-30, 1e-6, 1e-4, 1e-2, 1.0, 1.5, 100.0, 1e4, 1e6, 1e30] {
            let error = error(scale);
            println!("{spec}, sigma {scale}: relative error {error:.5}");
            assert!((error - expected).abs() < 5e-4, "{spec}, sigma {scale}: {error} is not {expected}");
        }
        // A power of two itself moves nothing.
        assert_eq!(error(1024.0), error(1.0));
    }
}

/// Blocks of each kind that quantisers stumble over, and some real ones.
pub fn awkward(real: &str) -> Vec<f32> {
    let noise = sample::gaussian(4096, 0.02, 5);
    let mut values = noise[..240].to_vec();
    values.extend(noise[240..480].iter().map(|x| x * (1.0 + (x * 100.0).abs().powi(3))));
    values.extend((480..720).map(|i| if i % 11 == 0 { noise[i] } else { 0.0 }));
    values.extend([0.25; 24]);
    values.extend([-0.01; 24]);
    values.extend([0.0; 48]);
    values.extend((0..48).map(|i| noise[i] * 1e-4));
    values.extend((0..48).map(|i| if i % 2 == 0 { 0.5 } else { -0.5 }));
    let file = SafeFile::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/weights").join(real)).unwrap();
    let name = file.names().into_iter().find(|name| file.raw_info(name).unwrap().shape.len() == 2).unwrap();
    let weights = file.weights(&name).unwrap();
    let start = weights.info().elements() / 2 / 24 * 24;
    values.extend(&weights.to_f32()[start..start + 240]);
    values
}

fn assert_searches_agree<const C: usize, const P: usize, B: Bound<C, P>>() {
    let tables = Tables::<C, P, B>::build();
    let all = awkward("mlp-mnist.safetensors");
    for scale in [1.0, 1e-20] {
        let values: Vec<f32> = all.iter().map(|x| x * scale).collect();
        let blocks = blocks::<C>(&values);
        let lowest = lowest_exponent(&blocks);
        let expected = reference::search::<C, P>(&blocks, lowest);
        for level in Level::available() {
            let mut found = vec![Candidate::zero(&[0.0; C], 0); blocks.len()];
            simd::search(level, &tables, &blocks, lowest, &mut found);
            for ((found, expected), block) in found.iter().zip(&expected).zip(&blocks) {
                assert_eq!(found, expected, "{} on {block:?}", level.name());
                assert_eq!(found.error.to_bits(), expected.error.to_bits());
            }
        }
    }
}

#[test]
fn searches_agree_at_3_bits() {
    assert_searches_agree::<12, 4, Subspace>();
}

#[test]
fn searches_agree_at_4_bits() {
    assert_searches_agree::<8, 3, Subspace>();
}

#[test]
fn searches_agree_at_4_and_a_half_bits() {
    assert_searches_agree::<8, 4, Subspace>();
}

#[test]
fn searches_agree_at_6_and_a_half_bits() {
    assert_searches_agree::<8, 8, Rounding>();
}

/// Seconds that something takes: the thread's processor time where Linux tells, else wall time.
fn timed<R>(run: impl FnOnce() -> R) -> (R, f64) {
    let cpu = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split(' ').next()?.parse::<f64>().ok().map(|ns| ns * 1e-9)
    };
    let (wall, start) = (std::time::Instant::now(), cpu());
    let result = run();
    let seconds = cpu().zip(start).map_or(wall.elapsed().as_secs_f64(), |(end, start)| end - start);
    (result, seconds)
}

/// Prints speeds on one thread: `cargo test --release -p weighbridge seedlm::tests::speed -- --ignored --nocapture`.
#[test]
#[ignore = "prints times, asserts nothing"]
fn speed() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    for (spec, count) in [("seedlm:bits=3", 24 << 13), ("seedlm", 1 << 18), ("seedlm:bits=4.5", 1 << 17), ("seedlm:bits=6.5", 1 << 13)] {
        let (kernel, weights) = (kernel(spec), matrix(1, sample::gaussian(count, 0.02, 1)));
        kernel.encode(&matrix(1, vec![1.0; 8]), &Context::default()).unwrap();
        for level in Level::available() {
            let context = Context { simd: level, ..Context::default() };
            let (parts, encode) = pool.install(|| timed(|| kernel.encode(&weights, &context).unwrap()));
            let repeats = 20;
            let decode_all = || (0..repeats).for_each(|_| drop(kernel.decode(&parts, weights.info(), &context)));
            let decode = pool.install(|| timed(decode_all)).1 / f64::from(repeats);
            let rate = |seconds: f64| count as f64 / seconds / 1e3;
            println!("{spec} {}: encode {:.0}, decode {:.0} thousand weights/s", level.name(), rate(encode), rate(decode));
        }
    }
}
