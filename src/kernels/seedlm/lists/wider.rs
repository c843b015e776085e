//! What lists would do for blocks of 12 weights and 4 coefficients: a measurement, not a test.

use super::super::basis::{Factors, basis};
use super::super::bound::{Bound, Scaled, Scratch};
use super::super::candidate::{Candidate, energy};
use super::super::codec::{blocks, lowest_exponent};
use super::super::scan::Tables;
use super::super::simd;
use super::super::subspace::Subspace;
use crate::sample;
use crate::simd::Level;

const C: usize = 12;
const P: usize = 4;
/// Blocks to average over.
const BLOCKS: usize = 300;

fn units(count: usize, seed: u64) -> Vec<[f64; C]> {
    let scaled = |block: [f64; C]| block.map(|x| x / energy(&block).sqrt());
    blocks(&sample::gaussian(C * count, 1.0, seed)).into_iter().map(scaled).collect()
}

/// Prints how many seeds a search by lists would have to look at: `cargo test --release -p weighbridge wider -- --ignored --nocapture`.
#[test]
#[ignore = "prints a measurement, asserts nothing"]
fn seeds_within_reach_of_blocks_of_12() {
    let sought = units(BLOCKS, 1);
    let lowest = lowest_exponent(&sought);
    let mut best = vec![Candidate::<P>::zero(&[0.0; C], 0); BLOCKS];
    simd::search(Level::current(), &Tables::<C, P, Subspace>::build(), &sought, lowest, &mut best);
    let bound = <Subspace as Bound<C, P>>::build(&|offset| Factors::of(&basis::<C, P>(offset)));
    let mut scratch = Scratch::default();
    for cells in [13_200, 1 << 15, 1 << 18] {
        let centres = units(cells, 2);
        let (mut angles, mut seeds) = (0.0, Vec::new());
        for (block, best) in sought.iter().zip(&best) {
            let cos = |centre: &[f64; C]| centre.iter().zip(block).map(|(c, x)| c * x).sum::<f64>().abs();
            let nearest = centres.iter().max_by(|a, b| cos(a).total_cmp(&cos(b))).unwrap();
            let angle = cos(nearest).min(1.0).acos();
            let reach = (best.error.sqrt().asin() + angle).min(std::f64::consts::FRAC_PI_2).sin();
            #[expect(clippy::cast_possible_truncation, reason = "bounds are f32")]
            let scaled = Scaled { block: nearest.map(|x| x as f32), energy: 1.0, highest: 1.0 };
            let mut count = 0;
            for chunk in 0..Bound::<C, P>::chunks(&bound) {
                Bound::<C, P>::score::<false>(&bound, chunk, &scaled, &mut scratch);
                count += scratch.scores.0.iter().filter(|&&score| f64::from(score) <= reach * reach).count();
            }
            angles += angle / BLOCKS as f64;
            seeds.push(count);
        }
        seeds.sort_unstable();
        let (mean, most) = (seeds.iter().sum::<usize>() / BLOCKS, seeds[BLOCKS * 99 / 100]);
        let gigabytes = 2e-9 * (cells * most) as f64;
        println!("{cells} cells: {angle:.2} to a centre, {mean} seeds a block, {most} for 99 of 100: {gigabytes:.1} GB", angle = angles);
    }
}
