//! Tests of lists: they say what the scan and the slow reference say, and a file of them that is not whole says nothing.

use std::sync::OnceLock;

use proptest::prelude::*;

use super::super::candidate::Candidate;
use super::super::codec::{blocks, lowest_exponent};
use super::super::scan::Tables;
use super::super::subspace::Subspace;
use super::super::tests::awkward;
use super::super::{Config, SeedLm, reference, simd};
use super::{CellLists, LENGTH, ListsError, search};
use crate::conformance;
use crate::kernel::{AnyKernel, Context, Kernel};
use crate::simd::Level;

type Block = [f64; 8];

/// Lists and tables for all tests: they take a second.
pub fn lists() -> &'static CellLists {
    static LISTS: OnceLock<CellLists> = OnceLock::new();
    LISTS.get_or_init(CellLists::build)
}

fn tables() -> &'static Tables<8, 3, Subspace> {
    static TABLES: OnceLock<Tables<8, 3, Subspace>> = OnceLock::new();
    TABLES.get_or_init(Tables::build)
}

fn assert_equal(found: &[Candidate<3>], expected: &[Candidate<3>], blocks: &[Block], name: &str) {
    for ((found, expected), block) in found.iter().zip(expected).zip(blocks) {
        assert_eq!(found, expected, "{name} on {block:?}");
        assert_eq!(found.error.to_bits(), expected.error.to_bits());
    }
}

/// Holds lists to the expected candidates on all levels.
fn assert_lists_find(blocks: &[Block], lowest: i32, expected: &[Candidate<3>]) {
    for level in Level::available() {
        let mut found = vec![Candidate::zero(&[0.0; 8], 0); blocks.len()];
        search(level, lists(), tables(), blocks, lowest, &mut found);
        assert_equal(&found, expected, blocks, level.name());
    }
}

#[test]
fn lists_and_reference_agree_on_awkward_and_real_blocks() {
    for real in ["mlp-mnist", "cnn-mnist", "gpt-moby", "lstm-moby"] {
        let all = awkward(&format!("{real}.safetensors"));
        for scale in [1.0, 1e-20, 1e20] {
            let values: Vec<f32> = all.iter().map(|x| x * scale).collect();
            let blocks = blocks::<8>(&values);
            let lowest = lowest_exponent(&blocks);
            assert_lists_find(&blocks, lowest, &reference::search(&blocks, lowest));
        }
    }
}

#[test]
fn lists_and_scan_agree_on_the_axes_and_centres_of_cells_and_between() {
    let mut values = Vec::new();
    for cell in (0..super::cells::CELLS).step_by(97) {
        // The opposite of a centre, and half-way to the next one in order, which is a neighbour or far away.
        let (centre, next) = (lists().cells.centre(cell), lists().cells.centre(cell + 1));
        let blocks = [centre, centre.map(|x| -x), std::array::from_fn(|i| centre[i] + next[i])];
        #[expect(clippy::cast_possible_truncation, reason = "weights are f32")]
        values.extend(blocks.as_flattened().iter().map(|&x| x as f32));
    }
    for axis in 0..8 {
        values.extend((0..8).map(|i| if i == axis { 1.0 } else { 1e-3 * i as f32 }));
    }
    let blocks = blocks::<8>(&values);
    let lowest = lowest_exponent(&blocks);
    let mut expected = vec![Candidate::zero(&[0.0; 8], 0); blocks.len()];
    simd::search(Level::current(), tables(), &blocks, lowest, &mut expected);
    assert_lists_find(&blocks, lowest, &expected);
}

/// A weight of some kind: plain, heavy-tailed, mostly zero, or one of few values.
fn weights() -> impl Strategy<Value = Vec<f32>> {
    let plain = prop::collection::vec(-1.0f32..1.0, 64);
    let heavy = prop::collection::vec((-1.0f32..1.0, -30i32..30).prop_map(|(x, e)| x * 2f32.powi(e / 3)), 64);
    let sparse = prop::collection::vec(prop_oneof![6 => Just(0.0f32), 1 => -1.0f32..1.0], 64);
    let few = prop::collection::vec(prop::sample::select(vec![-0.5f32, 0.0, 0.25, 0.5]), 64);
    (prop_oneof![plain, heavy, sparse, few], -100i32..100).prop_map(|(values, e)| values.iter().map(|x| x * 2f32.powi(e)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn lists_and_scan_agree(values in weights()) {
        let blocks = blocks::<8>(&values);
        let lowest = lowest_exponent(&blocks);
        let mut expected = vec![Candidate::zero(&[0.0; 8], 0); blocks.len()];
        simd::search(Level::current(), tables(), &blocks, lowest, &mut expected);
        assert_lists_find(&blocks, lowest, &expected);
    }
}

#[test]
fn kernels_give_the_same_parts_with_lists_on_all_levels_and_threads() {
    let kernel = SeedLm::new(Config::default()).unwrap();
    let mut tensors = conformance::tensors();
    let many = crate::sample::gaussian(3 * 8 * 8192 + 5, 0.02, 9);
    tensors.push(crate::kernels::testing::matrix(1, many));
    for weights in tensors {
        let expected = AnyKernel::encode(&kernel, &weights, &Context::default());
        for simd in Level::available() {
            for threads in [1, 2] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let context = Context { simd, seedlm_lists: Some(lists()), ..Context::default() };
                let found = pool.install(|| AnyKernel::encode(&kernel, &weights, &context));
                assert_eq!(found, expected, "'{}' on {} with {threads} threads", weights.info().name, simd.name());
            }
        }
    }
}

/// Each seed of a list is as far as its group says, and no seed is nearer that is not in the list.
#[test]
fn lists_hold_the_nearest_seeds() {
    use super::super::basis::{Factors, basis};
    let q: Vec<_> = (0..super::super::lfsr::PERIOD).map(|offset| Factors::of(&basis::<8, 3>(offset)).q).collect();
    for cell in (0..super::cells::CELLS).step_by(1500) {
        let (centre, list) = (lists().cells.centre(cell), lists().list(cell));
        let distance = |offset: usize| {
            let along = |p: usize| (0..8).map(|c| q[offset][c][p] * centre[c]).sum::<f64>();
            65_536.0 * (1.0 - (0..3).map(|p| along(p) * along(p)).sum::<f64>())
        };
        let mut listed = vec![false; q.len()];
        for (group, &near) in list.groups.iter().zip(list.near) {
            for &offset in group {
                assert!(!std::mem::replace(&mut listed[usize::from(offset)], true), "{offset} twice");
                let distance = distance(offset.into());
                assert!(distance >= f64::from(near), "cell {cell}: {offset} at {distance} before {near}");
            }
        }
        assert!(list.near.is_sorted());
        let end = f64::from(*list.near.last().unwrap());
        assert!((0..q.len()).filter(|&offset| !listed[offset]).all(|offset| distance(offset) >= end));
        assert_eq!(listed.iter().filter(|&&listed| listed).count(), LENGTH);
    }
}

#[test]
fn lists_come_back_from_a_file() {
    let mut bytes = Vec::new();
    lists().write(&mut bytes).unwrap();
    let read = CellLists::read(bytes.as_slice()).unwrap();
    assert!(read.offsets == lists().offsets && read.near == lists().near);
    assert!(lists().size_bytes() < 128_000_000, "{}", lists().size_bytes());

    let error = |bytes: &[u8]| CellLists::read(bytes).unwrap_err();
    for length in [0, 7, 16, 20, 44, 51, 52, 1000, bytes.len() / 2, bytes.len() - 1] {
        assert!(matches!(error(&bytes[..length]), ListsError::Length), "{length}");
    }
    bytes.push(0);
    assert!(matches!(error(&bytes), ListsError::Length));
    bytes.pop();
    for (at, flipped) in [(3, 0), (16, 1), (20, 2), (40, 2), (44, 3), (60, 3), (bytes.len() / 3, 3), (bytes.len() - 1, 3)] {
        bytes[at] ^= 64;
        let kind = match error(&bytes) {
            ListsError::Magic => 0,
            ListsError::Format { .. } => 1,
            ListsError::Shape { .. } => 2,
            ListsError::Checksum { .. } => 3,
            other => panic!("{other}"),
        };
        assert_eq!(kind, flipped, "byte {at}");
        bytes[at] ^= 64;
    }
    assert!(CellLists::read(bytes.as_slice()).is_ok());
}

/// Lists do not depend on the level they are built on.
#[test]
fn all_levels_build_the_same_lists() {
    use super::super::basis::{Factors, basis};
    use super::super::bound::{Bound, Scratch};
    let bound = <Subspace as Bound<8, 3>>::build(&|offset| Factors::of(&basis::<8, 3>(offset)));
    for cell in [0, 5000, 13_199] {
        let nearest = |level| {
            let mut found = Vec::new();
            super::simd::nearest(level, &bound, &lists().cells.centre(cell), &mut Scratch::default(), &mut found);
            found.truncate(LENGTH + 1);
            found
        };
        let expected = nearest(Level::Scalar);
        assert!(Level::available().into_iter().all(|level| nearest(level) == expected));
    }
}
