//! Hyper-Compression as its authors released it (arXiv 2409.00592): one number stands for two weights, a point of a sheared lattice.
//!
//! Weights are taken in pairs, and `hyper_box` brings each into the unit square. There, with n = `samples` and
//! m = ⌈√n⌉, index 0 is the centre and index 1 + i, for i = 0 … n−1, the point (i / m² mod 1, i / m mod 1). In units of 1 / m² that
//! is (i, m · (i mod m)): m rows, m apart, of points that are m apart, each row shifted by one unit against the row below.
//! code = index + (n + 1) · class. Parts as in `hyper_box`. The authors search a KD-tree; here the nearest point has a closed form, which
//! `Lattice::nearest` proves.
//!
//! Defaults are the released settings for LLaMA: n = 1600, three classes, and a box of 5 σ, which is their l = 0.1 at σ = 0.02. That is
//! 6.33 bits a weight, 6.5 in the authors' packing; with `packing=planes` and an entropy stage behind, as in
//! `hyper-lattice:packing=planes|entropy`, about 5.1, near the entropy of the points. `samples=225` takes 4.92 bits, 5 in theirs, at 2.7 times the error. The authors try 1 … M
//! classes and keep the best; here M is as configured, or 0 where no pair lies beyond the box. They pair an odd element with the mean; here
//! it is paired with the centroid.

use std::hint::select_unpredictable;

use serde::{Deserialize, Serialize};

use super::hyper_box::{Frame, check_config};
use super::hyper_codes::Layout;
use crate::error::{DecodeError, Refusal};
use crate::kernel::{Context, Info, Kernel, Parts, Promise};
use crate::spec::Parameter;
use crate::weights::{TensorInfo, Weights};

/// Sample counts a configuration may ask for.
const SAMPLES: std::ops::RangeInclusive<u32> = 4..=65_536;
/// Rows from which on [`Lattice::nearest`] is proved; below, there are so few points that all are tried.
const PROVED_ROWS: u32 = 8;

/// Configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Points of the lattice.
    pub samples: u32,
    /// Side of the box in standard deviations.
    pub side: f64,
    /// Classes for pairs beyond the box.
    pub classes: usize,
    /// Layout of codes.
    pub packing: Packing,
}

/// How codes are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Packing {
    /// As tight as a fixed rate allows.
    Radix,
    /// A byte for each coordinate.
    Planes,
}

impl Default for Config {
    fn default() -> Self {
        Self { samples: 1600, side: 5.0, classes: 3, packing: Packing::Radix }
    }
}

/// The lattice kernel.
#[derive(Debug)]
pub struct HyperLattice {
    config: Config,
    lattice: Lattice,
}

impl Kernel for HyperLattice {
    const INFO: Info = Info {
        id: "hyper-lattice",
        version: 1,
        summary: "pairs of weights as points of a sheared lattice, with classes for outliers",
        source: "Hyper-Compression, arXiv 2409.00592, released code",
        lossless: false,
    };
    const PARAMETERS: &'static [Parameter] = &[
        Parameter { name: "samples", doc: "points of the lattice, beside its centre", values: "4 to 65536" },
        Parameter { name: "side", doc: "side of the box, in standard deviations of the tensor", values: "0.5 to 50" },
        Parameter { name: "classes", doc: "classes for pairs beyond the box, each with its own scale", values: "1, 2 or 3" },
        Parameter {
            name: "packing",
            doc: "layout of codes: as tight as a fixed rate allows, or a byte for each coordinate, for an entropy stage behind",
            values: "radix or planes",
        },
    ];
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        if !SAMPLES.contains(&config.samples) {
            return Err(format!("samples is {}; it must be {} to {}", config.samples, SAMPLES.start(), SAMPLES.end()));
        }
        check_config(config.side, config.classes)?;
        Ok(Self { lattice: Lattice::new(config.samples), config })
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn encode(&self, weights: &Weights, _: &Context<'_>) -> Result<Parts, Refusal> {
        let values = weights.to_f32();
        Ok(self.frame(&values).encode(&values, self.lattice.points(), self.layout(), |at| self.lattice.nearest(at)))
    }

    fn decode(&self, parts: &Parts, info: &TensorInfo, _: &Context<'_>) -> Result<Weights, DecodeError> {
        Frame::<2>::decode(parts, info, self.config.classes, self.lattice.points(), self.layout(), |index| self.lattice.point(index))
    }

    fn promise(&self, weights: &Weights) -> Promise {
        let values = weights.to_f32();
        self.frame(&values).promise(&values, |at| self.lattice.nearest(at))
    }
}

impl HyperLattice {
    fn layout(&self) -> Layout {
        match self.config.packing {
            Packing::Radix => Layout::Radix,
            Packing::Planes => Layout::Planes { rows: self.lattice.rows },
        }
    }

    fn frame(&self, values: &[f32]) -> Frame<2> {
        Frame::measure(values, self.config.side, self.config.classes)
    }
}

/// The sheared lattice and its centre, in the unit square.
#[derive(Debug, Clone, Copy)]
struct Lattice {
    samples: u32,
    /// m: rows, and their distance in units.
    rows: u32,
    /// Whole points a row, and how many rows have one more.
    columns: u32,
    longer: u32,
    /// m as a number, and its square: the side of the unit square in units.
    spacing: f64,
    units: f64,
    /// 1 / m. Rounded, which may put a query that is on a row or column beyond it: it is then the other of the two that enclose the query.
    inverse: f64,
}

impl Lattice {
    fn new(samples: u32) -> Self {
        let floor = samples.isqrt();
        let rows = if floor * floor == samples { floor } else { floor + 1 };
        let spacing = f64::from(rows);
        Self { samples, rows, columns: samples / rows, longer: samples % rows, spacing, units: spacing * spacing, inverse: 1.0 / spacing }
    }

    /// Points with the centre.
    fn points(&self) -> u32 {
        self.samples + 1
    }

    /// The place of an index, in the unit square.
    #[inline]
    fn point(&self, index: u32) -> [f64; 2] {
        let [x, y] = self.place(index);
        [x / self.units, y / self.units]
    }

    /// The place of an index, in units.
    #[inline]
    fn place(&self, index: u32) -> [f64; 2] {
        match index.checked_sub(1) {
            None => [self.units / 2.0; 2],
            Some(i) => [f64::from(i), self.spacing * f64::from(i % self.rows)],
        }
    }

    /// Index of the nearest point and its squared distance, as a search of all points gives it: of several nearest the lowest index.
    ///
    /// Rows have the same number of points but for the first `longer`, which have one more. Take two rows with the same number, s apart and
    /// on the same side of the query. The closer one is nearer in y by s m, and as near in x but for s units: it wins by s (s m² + s − 2D) or
    /// more in squared distance, where D is its distance in x. D is at most 3m, because m² − n ≤ 2m − 2, so that is positive from m = 6
    /// on, and from 8 on by far more than rounding. So the nearest point is in the row below the query, in the row above it, or, where only
    /// longer rows reach far enough to the right, in the last of them. Within a row it is one of the two that enclose the query. All these
    /// and the centre are compared by the very distance that a search of all points computes.
    #[inline]
    fn nearest(&self, at: [f64; 2]) -> (u32, f64) {
        let query = at.map(|x| x * self.units);
        if self.rows < PROVED_ROWS {
            return self.nearest_of_all(query);
        }
        let below = whole(query[1] * self.inverse, self.rows - 1);
        let mut best = lower((0, self.squared_distance(0, query)), self.nearest_in_row(below, query));
        best = lower(best, self.nearest_in_row((below + 1).min(self.rows - 1), query));
        if self.longer > 0 && self.longer <= below {
            best = lower(best, self.nearest_in_row(self.longer - 1, query));
        }
        (best.0, best.1 / (self.units * self.units))
    }

    /// Index and squared distance of the nearest point of a row; of two the left one, whose index is lower.
    #[inline]
    fn nearest_in_row(&self, row: u32, query: [f64; 2]) -> (u32, f64) {
        let last = self.columns - 1 + u32::from(row < self.longer);
        let start = f64::from(row);
        let left = whole((query[0] - start) * self.inverse, last);
        let right = (left + 1).min(last);
        let y = self.spacing * start - query[1];
        let squared = |column: u32| {
            // Whole numbers below 2³², so these are the coordinates that `place` gives, to the bit.
            let x = start + self.spacing * f64::from(column) - query[0];
            x * x + y * y
        };
        let (to_left, to_right) = (squared(left), squared(right));
        let column = select_unpredictable(to_right < to_left, right, left);
        (1 + row + self.rows * column, to_left.min(to_right))
    }

    #[inline]
    fn squared_distance(&self, index: u32, query: [f64; 2]) -> f64 {
        let [x, y] = self.place(index);
        (x - query[0]) * (x - query[0]) + (y - query[1]) * (y - query[1])
    }

    /// The reference: all points, one by one.
    fn nearest_of_all(&self, query: [f64; 2]) -> (u32, f64) {
        let mut best = (0, f64::INFINITY);
        for index in 0..self.points() {
            let distance = self.squared_distance(index, query);
            if distance < best.1 {
                best = (index, distance);
            }
        }
        (best.0, best.1 / (self.units * self.units))
    }
}

/// The nearer of two, by index and squared distance; the lower index where they are as near.
#[inline]
fn lower(a: (u32, f64), b: (u32, f64)) -> (u32, f64) {
    let second = (b.1 < a.1) | ((b.1 == a.1) & (b.0 < a.0));
    (select_unpredictable(second, b.0, a.0), a.1.min(b.1))
}

/// The whole part of x within 0 … last.
#[inline]
fn whole(x: f64, last: u32) -> u32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, then bounded")]
    let whole = x as u32;
    whole.min(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::testing::{assert_relative_error, matrix};
    use crate::sample;
    use proptest::prelude::*;

    fn kernel(samples: u32) -> HyperLattice {
        HyperLattice::new(Config { samples, ..Config::default() }).unwrap()
    }

    #[test]
    fn gaussian_errors() {
        assert_relative_error("hyper-lattice", 0.0365);
        assert_relative_error("hyper-lattice:samples=225", 0.097);
    }

    #[test]
    fn rates() {
        for (samples, below) in [(1600, 6.4), (225, 4.95)] {
            let weights = matrix(64, sample::gaussian(1 << 18, 0.02, 1));
            let parts = Kernel::encode(&kernel(samples), &weights, &Context::default()).unwrap();
            let bits = parts.size_bytes() as f64 * 8.0 / f64::from(1 << 18);
            println!("{samples} samples: {bits:.4} bits a weight");
            assert!(bits < below, "{bits}");
        }
    }

    #[test]
    fn points_are_those_of_the_released_code() {
        let lattice = Lattice::new(1600);
        for i in 0..1600 {
            let [x, y] = lattice.point(1 + i);
            let i = f64::from(i);
            assert!((x - i / 1600.0 % 1.0).abs() < 1e-12 && (y - ((i / 40.0) % 1.0)).abs() < 1e-12);
        }
        assert_eq!(lattice.point(0), [0.5, 0.5]);
    }

    #[test]
    fn other_values_are_refused() {
        assert_eq!(HyperLattice::new(Config { samples: 3, ..Config::default() }).unwrap_err(), "samples is 3; it must be 4 to 65536");
        let side = HyperLattice::new(Config { side: f64::NAN, ..Config::default() }).unwrap_err();
        assert_eq!(side, "side is NaN; it must be 0.5 to 50 standard deviations");
        assert!(HyperLattice::new(Config { classes: 4, ..Config::default() }).is_err());
    }

    #[test]
    fn codes_and_frames_beyond_range_are_errors() {
        let weights = matrix(1, sample::gaussian(40, 0.02, 1));
        let parts = Kernel::encode(&kernel(1600), &weights, &Context::default()).unwrap();
        for (part, fill) in [(0, 0xFF), (1, 0xFF)] {
            let mut damaged = parts.clone();
            damaged.0[part].bytes.fill(fill);
            assert!(Kernel::decode(&kernel(1600), &damaged, weights.info(), &Context::default()).is_err());
        }
    }

    /// The closed form and the search of all points, on Gaussian and heavy-tailed places, on edges, and on lattice points and midpoints.
    #[test]
    fn the_closed_form_finds_what_a_search_finds() {
        let gaussian = sample::gaussian(4000, 0.2, 3);
        for samples in (4..300).chain([1523, 1560, 1561, 1599, 1600, 1601]) {
            let lattice = Lattice::new(samples);
            let check = |at: [f64; 2]| {
                assert_eq!(lattice.nearest(at), lattice.nearest_of_all(at.map(|x| x * lattice.units)), "{samples} samples, {at:?}");
            };
            for pair in gaussian.as_chunks::<2>().0 {
                let at = pair.map(|x| f64::from(x) + 0.5);
                check(at.map(|x| x.clamp(0.0, 1.0)));
                check(pair.map(|x| (0.5 + f64::from(x).powi(3) * 20.0).clamp(0.0, 1.0)));
            }
            let steps = 2 * lattice.rows;
            for i in 0..=steps {
                for j in 0..=steps {
                    // Rows, columns, and the lines half-way between them: ties.
                    check([f64::from(i) / f64::from(steps), f64::from(j) / f64::from(steps)]);
                    let x = (f64::from(i) * lattice.spacing / 2.0 + f64::from(j)).min(lattice.units) / lattice.units;
                    check([x, f64::from(j) / f64::from(steps)]);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn anywhere_and_for_any_count_the_closed_form_is_exact(
            samples in SAMPLES,
            places in prop::collection::vec((0.0f64..=1.0, 0.0f64..=1.0), 1..8),
            edge in 0.0f64..=1.0,
        ) {
            let lattice = Lattice::new(samples);
            let edges = [(0.0, edge), (1.0, edge), (edge, 0.0), (edge, 1.0), (1.0, 1.0), (0.0, 1.0)];
            for (x, y) in places.into_iter().chain(edges) {
                prop_assert_eq!(lattice.nearest([x, y]), lattice.nearest_of_all([x * lattice.units, y * lattice.units]));
            }
        }
    }
}
