//! Hyper-Compression as the paper states it (arXiv 2409.00592): one number stands for D weights, a place on a winding trajectory.
//!
//! x(θ) = frac(θ · a), a_k = 1 / (π + k) for k = 1 … D, comes arbitrarily close to every point of the unit cube, because π is
//! transcendental, so that no whole-number combination of the directions is whole. Here θ = 0, 1, … n−1 with n = `samples`, in f64.
//! Weights are taken D = `dimension` at a time; `hyper_box` brings each vector into the unit cube and says what becomes of those far out.
//! code = θ + n · class. Parts as in `hyper_box`.
//!
//! Defaults are those of [`hyper-lattice`](super::hyper_lattice), at the same rate: the two differ in where their points lie. The error on
//! Gaussian weights is 0.0379 against 0.0367, and 0.108 against 0.098 with 225 samples.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use super::hyper_box::{Frame, check_config};
use super::hyper_codes::Layout;
use crate::error::{DecodeError, Refusal};
use crate::kernel::{Context, Info, Kernel, Parts, Promise};
use crate::spec::Parameter;
use crate::weights::{TensorInfo, Weights};

/// Sample counts a configuration may ask for.
const SAMPLES: std::ops::RangeInclusive<u32> = 4..=1 << 20;

/// Configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Weights that one number stands for.
    pub dimension: usize,
    /// Values of θ.
    pub samples: u32,
    /// Side of the box in standard deviations.
    pub side: f64,
    /// Classes for vectors beyond the box.
    pub classes: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { dimension: 2, samples: 1600, side: 5.0, classes: 3 }
    }
}

/// The winding kernel.
#[derive(Debug)]
pub struct HyperWinding(Config);

impl Kernel for HyperWinding {
    const INFO: Info = Info {
        id: "hyper-winding",
        version: 1,
        summary: "vectors of weights as places on an irrational winding, with classes for outliers",
        source: "Hyper-Compression, arXiv 2409.00592",
        lossless: false,
    };
    const PARAMETERS: &'static [Parameter] = &[
        Parameter { name: "dimension", doc: "weights that one number stands for", values: "2, 3 or 4" },
        Parameter { name: "samples", doc: "places on the trajectory, at whole θ", values: "4 to 1048576" },
        Parameter { name: "side", doc: "side of the box, in standard deviations of the tensor", values: "0.5 to 50" },
        Parameter { name: "classes", doc: "classes for vectors beyond the box, each with its own scale", values: "1, 2 or 3" },
    ];
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        if !(2..=4).contains(&config.dimension) {
            return Err(format!("dimension is {}; it must be 2, 3 or 4", config.dimension));
        }
        if !SAMPLES.contains(&config.samples) {
            return Err(format!("samples is {}; it must be {} to {}", config.samples, SAMPLES.start(), SAMPLES.end()));
        }
        check_config(config.side, config.classes)?;
        Ok(Self(config))
    }

    fn config(&self) -> &Config {
        &self.0
    }

    fn encode(&self, weights: &Weights, _: &Context<'_>) -> Result<Parts, Refusal> {
        let values = weights.to_f32();
        Ok(match self.0.dimension {
            2 => self.pack::<2>(&values),
            3 => self.pack::<3>(&values),
            _ => self.pack::<4>(&values),
        })
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, _: &Context<'_>) -> Result<Weights, DecodeError> {
        let Config { dimension, samples, classes, .. } = self.0;
        match dimension {
            2 => Frame::<2>::decode(parts, info, classes, samples, Layout::Radix, place),
            3 => Frame::<3>::decode(parts, info, classes, samples, Layout::Radix, place),
            _ => Frame::<4>::decode(parts, info, classes, samples, Layout::Radix, place),
        }
    }

    fn promise(&self, weights: &Weights) -> Promise {
        let values = weights.to_f32();
        match self.0.dimension {
            2 => self.bounds::<2>(&values),
            3 => self.bounds::<3>(&values),
            _ => self.bounds::<4>(&values),
        }
    }
}

impl HyperWinding {
    fn frame<const D: usize>(&self, values: &[f32]) -> Frame<D> {
        Frame::measure(values, self.0.side, self.0.classes)
    }

    fn pack<const D: usize>(&self, values: &[f32]) -> Parts {
        let index = Index::<D>::new(self.0.samples);
        self.frame(values).encode(values, self.0.samples, Layout::Radix, |at| index.nearest(at))
    }

    fn bounds<const D: usize>(&self, values: &[f32]) -> Promise {
        let index = Index::<D>::new(self.0.samples);
        self.frame(values).promise(values, |at| index.nearest(at))
    }
}

/// x(θ), in the unit cube.
#[inline]
fn place<const D: usize>(theta: u32) -> [f64; D] {
    std::array::from_fn(|k| (f64::from(theta) * (1.0 / (PI + (k + 1) as f64))).fract())
}

/// More than a coordinate can be off by where it is put into a cell or held against a face.
const ROUNDING: f64 = 1e-9;

/// The places of a trajectory, sorted into cells, for exact search.
#[derive(Debug)]
struct Index<const D: usize> {
    /// Cells along each side, about as many in all as there are places.
    cells: usize,
    /// Where each cell's places begin; the last coordinate runs fastest.
    starts: Vec<u32>,
    /// Places with their θ, cell by cell, θ ascending within a cell.
    members: Vec<([f64; D], u32)>,
}

impl<const D: usize> Index<D> {
    fn new(samples: u32) -> Self {
        let whole = |cells: usize| (0..D).try_fold(1usize, |n, _| n.checked_mul(cells)).unwrap_or(usize::MAX);
        let mut cells = 1;
        while whole(cells + 1) <= samples as usize {
            cells += 1;
        }
        let cell_of = |at: &[f64; D]| at.iter().fold(0, |cell, &x| cell * cells + cell_along(x, cells));
        let mut starts = vec![0u32; whole(cells) + 1];
        for theta in 0..samples {
            starts[cell_of(&place(theta)) + 1] += 1;
        }
        for cell in 1..starts.len() {
            starts[cell] += starts[cell - 1];
        }
        let mut next = starts.clone();
        let mut members = vec![([0.0; D], 0); samples as usize];
        for theta in 0..samples {
            let at = place(theta);
            let slot = &mut next[cell_of(&at)];
            members[*slot as usize] = (at, theta);
            *slot += 1;
        }
        Self { cells, starts, members }
    }

    /// θ of the nearest place and its squared distance, as a search of all places gives it: of several nearest the lowest θ.
    ///
    /// Blocks of cells around the query grow until whatever lies outside, which is beyond one of the block's faces, is further than the best so
    /// far. Exact by that alone, whatever the places are; that they are spread evenly makes it quick.
    fn nearest(&self, query: [f64; D]) -> (u32, f64) {
        let home = query.map(|x| cell_along(x, self.cells));
        let side = 1.0 / self.cells as f64;
        let mut best = (u32::MAX, f64::INFINITY);
        for reach in 1.. {
            let block = home.map(|cell| (cell.saturating_sub(reach), (cell + reach).min(self.cells - 1)));
            self.try_block(&block, query, &mut best);
            let mut margin = f64::INFINITY;
            for (&(low, high), x) in block.iter().zip(query) {
                if low > 0 {
                    margin = margin.min(x - low as f64 * side);
                }
                if high + 1 < self.cells {
                    margin = margin.min((high + 1) as f64 * side - x);
                }
            }
            let margin = (margin - ROUNDING).max(0.0);
            if best.1 < margin * margin {
                break;
            }
        }
        best
    }

    /// Tries all places of a block. Cells that follow each other along the last coordinate hold one run of members.
    #[inline]
    fn try_block(&self, block: &[(usize, usize); D], query: [f64; D], best: &mut (u32, f64)) {
        let mut at = block.map(|(low, _)| low);
        let last = D - 1;
        loop {
            let row = at[..last].iter().fold(0, |row, cell| row * self.cells + cell) * self.cells;
            let (first, end) = (self.starts[row + block[last].0], self.starts[row + block[last].1 + 1]);
            for &(place, theta) in &self.members[first as usize..end as usize] {
                let distance = squared_distance(&place, &query);
                if distance < best.1 || (distance == best.1 && theta < best.0) {
                    *best = (theta, distance);
                }
            }
            let Some(along) = (0..last).rev().find(|&k| at[k] < block[k].1) else { return };
            at[along] += 1;
            (along + 1..last).for_each(|k| at[k] = block[k].0);
        }
    }
}

#[inline]
fn squared_distance<const D: usize>(a: &[f64; D], b: &[f64; D]) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + (a - b) * (a - b))
}

/// The cell along one side; places outside the unit cube belong to the outermost.
#[inline]
fn cell_along(x: f64, cells: usize) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, then bounded")]
    let cell = (x * cells as f64) as usize;
    cell.min(cells - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fidelity::Fidelity;
    use crate::kernels::testing::matrix;
    use crate::sample;
    use proptest::prelude::*;

    /// The reference: all places, one by one.
    fn search<const D: usize>(samples: u32, query: [f64; D]) -> (u32, f64) {
        (0..samples).fold((u32::MAX, f64::INFINITY), |best, theta| {
            let distance = squared_distance(&place(theta), &query);
            if distance < best.1 { (theta, distance) } else { best }
        })
    }

    #[test]
    fn the_trajectory_is_the_papers() {
        let [x, y] = place(1000);
        assert_eq!(x, (1000.0 * (1.0 / (PI + 1.0))).fract());
        assert_eq!(y, (1000.0 * (1.0 / (PI + 2.0))).fract());
        assert_eq!(place(0), [0.0; 4]);
    }

    #[test]
    fn gaussian_errors() {
        // As measured here: no reference has published any.
        for (dimension, samples, bits, expected) in [(2, 1600, 6.4, 0.0379f64), (2, 225, 4.95, 0.1077), (3, 65_536, 6.05, 0.0471)] {
            let kernel = HyperWinding::new(Config { dimension, samples, ..Config::default() }).unwrap();
            let weights = matrix(256, sample::gaussian(1 << 18, 0.02, 1));
            let parts = Kernel::encode(&kernel, &weights, &Context::default()).unwrap();
            let decoded = Kernel::decode(&kernel, &parts, weights.info(), &Context::default()).unwrap();
            let error = Fidelity::of(&weights.to_f32(), &decoded.to_f32()).relative_error();
            let rate = parts.size_bytes() as f64 * 8.0 / f64::from(1 << 18);
            println!("hyper-winding, {dimension} × {samples}: {error:.6} at {rate:.4} bits a weight");
            assert!((error / expected - 1.0).abs() < 0.01 && rate < bits, "{error} at {rate}");
        }
    }

    #[test]
    fn other_values_are_refused() {
        let refused = |config| HyperWinding::new(config).unwrap_err();
        assert_eq!(refused(Config { dimension: 1, ..Config::default() }), "dimension is 1; it must be 2, 3 or 4");
        assert_eq!(refused(Config { samples: 3, ..Config::default() }), "samples is 3; it must be 4 to 1048576");
    }

    #[test]
    fn ties_go_to_the_lowest() {
        // Half-way between two places, as closely as f64 can say, and exactly on each.
        let index = Index::<2>::new(500);
        for theta in 0..500 {
            let (a, b) = (place::<2>(theta), place::<2>((theta * 7 + 1) % 500));
            let middle = [(a[0] + b[0]) / 2.0, (a[1] + b[1]) / 2.0];
            assert_eq!(index.nearest(a), (theta, 0.0));
            assert_eq!(index.nearest(middle), search(500, middle));
        }
    }

    proptest! {
        #[test]
        fn the_index_finds_what_a_search_finds(
            samples in 4u32..3000,
            queries in prop::collection::vec(prop::array::uniform4(-1e-12f64..1.0), 1..20),
            edge in 0u8..16,
        ) {
            let (two, three, four) = (Index::<2>::new(samples), Index::<3>::new(samples), Index::<4>::new(samples));
            for mut query in queries {
                let [a, b, c, _] = query;
                prop_assert_eq!(two.nearest([a, b]), search(samples, [a, b]));
                prop_assert_eq!(three.nearest([a, b, c]), search(samples, [a, b, c]));
                prop_assert_eq!(four.nearest(query), search(samples, query));
                // The same with some coordinates moved to an edge.
                (0..4).filter(|k| edge >> k & 1 == 1).for_each(|k| query[k] = query[k].round());
                prop_assert_eq!(two.nearest([query[0], query[1]]), search(samples, [query[0], query[1]]));
                prop_assert_eq!(four.nearest(query), search(samples, query));
            }
        }
    }
}
