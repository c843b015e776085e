//! What both variants of Hyper-Compression (arXiv 2409.00592) share: the box that points are placed in, the classes beyond it, and codes.
//!
//! The flattened tensor is cut into vectors of D consecutive weights. With c their centroid, the box is the cube of side l = `side` · σ about
//! c, where σ² is the mean square of the weights about c: error then does not depend on the tensor's scale. A vector in the box is of
//! class 0. If there are vectors beyond it, and `far` is the largest distance from c, class k = 1 … M has the radius
//! r_k = l/2 + k (far − l/2) / M; a vector takes the smallest class whose ball holds it and is shrunk towards c by (l/2) / r_k, which brings
//! it into the box. There the nearest of n given points stands for it: code = index + n · class, decoded by growing back.
//!
//! The last vector may be short; c stands in for what is missing. Parts: `frame`, c then l then `far`, each an f64 (`far` is 0 where M is
//! 0); the codes, laid out as in `hyper_codes` with base n (M + 1).

use rayon::prelude::*;

use super::hyper_codes::Layout;
use super::scale::into_dtype;
use crate::error::DecodeError;
use crate::kernel::{Parts, Promise};
use crate::weights::{TensorInfo, Weights};

/// Most classes beyond the box, as in the released code.
pub const MOST_CLASSES: usize = 3;
/// Box sides a configuration may ask for, in standard deviations.
pub const SIDES: std::ops::RangeInclusive<f64> = 0.5..=50.0;
/// Vectors whose statistics are summed in one run; runs are added in order.
const RUN: usize = 1 << 14;
/// Largest magnitude in a frame: above any distance between f32 values, below what overflows.
const LARGEST: f64 = 1e40;

/// Says what is allowed where side or classes are not.
pub fn check_config(side: f64, classes: usize) -> Result<(), String> {
    if !SIDES.contains(&side) {
        return Err(format!("side is {side}; it must be {} to {} standard deviations", SIDES.start(), SIDES.end()));
    }
    if !(1..=MOST_CLASSES).contains(&classes) {
        return Err(format!("classes is {classes}; it must be 1 to {MOST_CLASSES}"));
    }
    Ok(())
}

/// The box about the centroid and the classes beyond it.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame<const D: usize> {
    centre: [f64; D],
    side: f64,
    far: f64,
    /// Classes beyond the box; 0 where nothing is.
    classes: usize,
    /// Side of the cube that each class shrinks into the box.
    edges: [f64; MOST_CLASSES + 1],
    /// 1 / edge, or 0 where the edge is 0.
    inverses: [f64; MOST_CLASSES + 1],
    /// Squared radii of classes 1, 2 and so on.
    squares: [f64; MOST_CLASSES],
}

impl<const D: usize> Frame<D> {
    /// The frame of these weights, with a box of `sides` standard deviations. Sums run in a fixed order.
    pub fn measure(values: &[f32], sides: f64, classes: usize) -> Self {
        let sums: Vec<[f64; D]> = values.par_chunks(RUN * D).map(coordinate_sums).collect();
        let mut centre = [0.0; D];
        for (k, c) in centre.iter_mut().enumerate() {
            let count = values.len() / D + usize::from(k < values.len() % D);
            *c = sums.iter().map(|run| run[k]).sum::<f64>() / count.max(1) as f64;
        }
        let runs: Vec<Spread> = values.par_chunks(RUN * D).map(|run| Spread::of(run, &centre)).collect();
        let spread = runs.into_iter().fold(Spread::default(), Spread::merge);
        let side = sides * (spread.squares / values.len().max(1) as f64).sqrt();
        let far = if spread.reach <= side / 2.0 { 0.0 } else { spread.furthest.sqrt() };
        Self::new(centre, side, far, classes)
    }

    fn new(centre: [f64; D], side: f64, far: f64, classes: usize) -> Self {
        let classes = if far > 0.0 { classes } else { 0 };
        let radius = |class: usize| side / 2.0 + class as f64 * (far - side / 2.0) / classes.max(1) as f64;
        let edges = std::array::from_fn(|class| if class == 0 { side } else { 2.0 * radius(class) });
        let inverses = edges.map(|edge: f64| if edge > 0.0 { 1.0 / edge } else { 0.0 });
        Self { centre, side, far, classes, edges, inverses, squares: std::array::from_fn(|i| radius(i + 1).powi(2)) }
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.centre.iter().chain([&self.side, &self.far]).flat_map(|x| x.to_le_bytes()).collect()
    }

    fn from_parts(parts: &Parts, classes: usize) -> Result<Self, DecodeError> {
        let (numbers, _) = parts.exact("frame", 8 * (D + 2))?.as_chunks::<8>();
        let mut centre = [0.0; D];
        let mut all = numbers.iter().map(|bytes| f64::from_le_bytes(*bytes));
        centre.iter_mut().zip(&mut all).for_each(|(c, x)| *c = x);
        let (side, far) = (all.next().unwrap_or(f64::NAN), all.next().unwrap_or(f64::NAN));
        if !centre.iter().all(|c| c.abs() <= LARGEST) || !(0.0..=LARGEST).contains(&side) || !(0.0..=LARGEST).contains(&far) {
            return Err(DecodeError::corrupt("frame", "a number is not finite, negative or too large"));
        }
        Ok(Self::new(centre, side, far, classes))
    }

    /// Number of codes for `points` points.
    fn base(&self, points: u32) -> u32 {
        points.saturating_mul(1 + u32::try_from(self.classes).unwrap_or(0))
    }

    /// Class of a vector and where it lies in the unit box.
    #[inline]
    fn locate(&self, vector: &[f32]) -> (usize, [f64; D]) {
        let away = away(vector, &self.centre);
        let class = if largest(&away) <= self.side / 2.0 || self.classes == 0 {
            0
        } else {
            let square = sum_of_squares(&away);
            // The furthest of all may lie beyond its own radius by rounding, so the last class asks no question.
            1 + self.squares[..self.classes - 1].iter().filter(|&&limit| square > limit).count()
        };
        (class, away.map(|x| x * self.inverses[class] + 0.5))
    }

    /// Packs weights; `nearest` gives the index of the nearest of `points` points in the unit box, and the squared distance.
    pub fn encode(&self, values: &[f32], points: u32, layout: Layout, nearest: impl Fn([f64; D]) -> (u32, f64) + Sync) -> Parts {
        let code = |i: usize| {
            let (class, at) = self.locate(&values[i * D..values.len().min((i + 1) * D)]);
            nearest(at).0 + points * u32::try_from(class).unwrap_or(0)
        };
        layout.pack(Parts::new().with("frame", self.to_bytes()), self.base(points), values.len().div_ceil(D), code)
    }

    /// Unpacks weights; `point` gives the place in the unit box of an index below `points`.
    pub fn decode(
        parts: &Parts,
        info: &TensorInfo,
        classes: usize,
        points: u32,
        layout: Layout,
        point: impl Fn(u32) -> [f64; D] + Sync,
    ) -> Result<Weights, DecodeError> {
        let frame = Self::from_parts(parts, classes)?;
        let (count, base) = (info.elements().div_ceil(D), frame.base(points));
        layout.check(parts, base, count)?;
        let mut values = vec![0f32; info.elements()];
        layout.unpack(parts, base, count, &mut values, D, |code, vector| {
            let (class, at) = ((code / points) as usize, point(code % points));
            let edge = frame.edges[class.min(MOST_CLASSES)];
            for (value, (c, x)) in vector.iter_mut().zip(frame.centre.iter().zip(at)) {
                *value = nearest_finite(c + (x - 0.5) * edge);
            }
        })?;
        into_dtype(info, values)
    }

    /// No weight is further from its decoded value than its vector is from the nearest point, grown back.
    pub fn promise(&self, values: &[f32], nearest: impl Fn([f64; D]) -> (u32, f64) + Sync) -> Promise {
        let mut bounds = vec![0f32; values.len()];
        bounds.par_chunks_mut(RUN * D).zip(values.par_chunks(RUN * D)).for_each(|(bounds, values)| {
            for (bounds, vector) in bounds.chunks_mut(D).zip(values.chunks(D)) {
                let (class, at) = self.locate(vector);
                bounds.fill(nearest_finite(nearest(at).1.sqrt() * self.edges[class]));
            }
        });
        Promise::Elementwise(bounds)
    }
}

/// Sums that measure how far weights lie from the centroid.
#[derive(Debug, Clone, Copy, Default)]
struct Spread {
    /// Σ (weight − c)².
    squares: f64,
    /// Largest squared distance of a vector.
    furthest: f64,
    /// Largest distance along one coordinate.
    reach: f64,
}

impl Spread {
    fn of<const D: usize>(run: &[f32], centre: &[f64; D]) -> Self {
        run.chunks(D).fold(Self::default(), |sums, vector| {
            let away = away(vector, centre);
            let square = sum_of_squares(&away);
            sums.merge(Self { squares: square, furthest: square, reach: largest(&away) })
        })
    }

    fn merge(self, other: Self) -> Self {
        let (furthest, reach) = (self.furthest.max(other.furthest), self.reach.max(other.reach));
        Self { squares: self.squares + other.squares, furthest, reach }
    }
}

fn coordinate_sums<const D: usize>(run: &[f32]) -> [f64; D] {
    let (vectors, short) = run.as_chunks::<D>();
    let mut sums = [0.0; D];
    for vector in vectors {
        sums.iter_mut().zip(vector).for_each(|(sum, &x)| *sum += f64::from(x));
    }
    sums.iter_mut().zip(short).for_each(|(sum, &x)| *sum += f64::from(x));
    sums
}

/// A vector from the centroid; 0 for coordinates that a short one lacks.
#[inline]
fn away<const D: usize>(vector: &[f32], centre: &[f64; D]) -> [f64; D] {
    match vector.first_chunk::<D>() {
        Some(vector) => std::array::from_fn(|k| f64::from(vector[k]) - centre[k]),
        None => std::array::from_fn(|k| vector.get(k).map_or(0.0, |&x| f64::from(x) - centre[k])),
    }
}

#[inline]
fn sum_of_squares<const D: usize>(x: &[f64; D]) -> f64 {
    x.iter().fold(0.0, |sum, x| sum + x * x)
}

#[inline]
fn largest<const D: usize>(x: &[f64; D]) -> f64 {
    x.iter().fold(0.0, |most, x| if x.abs() > most { x.abs() } else { most })
}

/// The nearest f32 that is finite: beyond the largest weight there are no originals.
#[inline]
fn nearest_finite(x: f64) -> f32 {
    #[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is meant")]
    let rounded = x as f32;
    rounded.clamp(f32::MIN, f32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_follows_location_and_scale() {
        let values = crate::sample::gaussian(10_000, 0.02, 1);
        let frame = Frame::<2>::measure(&values, 5.0, 3);
        let moved: Vec<f32> = values.iter().map(|x| x * 1024.0).collect();
        let large = Frame::<2>::measure(&moved, 5.0, 3);
        assert!((frame.side / 0.1 - 1.0).abs() < 0.02, "{frame:?}");
        assert_eq!((large.side, large.far, large.centre), (frame.side * 1024.0, frame.far * 1024.0, frame.centre.map(|c| c * 1024.0)));
        assert_eq!(Frame::from_parts(&Parts::new().with("frame", frame.to_bytes()), 3).unwrap(), frame);
    }

    #[test]
    fn every_vector_lands_in_the_unit_box() {
        let values: Vec<f32> = crate::sample::gaussian(10_001, 0.02, 2).iter().map(|x| x * (1.0 + 1e4 * x * x)).collect();
        let frame = Frame::<2>::measure(&values, 5.0, 3);
        let mut seen = [0; 4];
        for vector in values.chunks(2) {
            let (class, at) = frame.locate(vector);
            assert!(at.iter().all(|x| (-1e-12..=1.0 + 1e-12).contains(x)), "{vector:?}: {class} {at:?}");
            seen[class] += 1;
        }
        assert!(seen.iter().all(|&count| count > 0), "{seen:?}");
    }

    #[test]
    fn constants_have_no_side_and_no_classes() {
        let frame = Frame::<2>::measure(&[0.1; 1001], 5.0, 3);
        assert_eq!((frame.side, frame.far, frame.classes), (0.0, 0.0, 0));
    }
}
