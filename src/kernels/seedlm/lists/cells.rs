//! The cells: the unit sphere of R⁸, cut by which point of the lattice E₈ is nearest to a direction times `SCALE`.
//!
//! E₈ is the densest lattice of its dimension and its nearest point costs two roundings (Conway and Sloane, IEEE Transactions on Information
//! Theory 28, 1982), so there is no tree and no table of centres. Points of squared length 4, 6 and 8 make the cells, x and −x one
//! together, as distances to subspaces do not know a sign: 1,080 + 3,360 + 8,760. The scale is such that of a thousand random directions
//! four meet another point.
//!
//! A point is stored as a key of eight nibbles, 8 + 2xᵢ from the first coordinate down, of x or −x, whichever has the smaller one. The cells
//! are numbered in the order of their keys.

/// The radius of the sphere that the lattice cuts.
const SCALE: f64 = 2.375;
/// Squared lengths of the points that make cells, times 4.
const LENGTHS: std::ops::RangeInclusive<i32> = 16..=32;
/// The sum of a key and that of the opposite point.
const OPPOSITES: u64 = 0x1_1111_1110;
/// Number of cells.
pub const CELLS: usize = 13_200;

/// The nearest point of D₈: whole coordinates with an even sum. Of the roundings, the worst is taken the other way where the sum is odd.
#[inline(always)]
fn nearest_whole(x: &[f64; 8]) -> [f64; 8] {
    /// 1.5 · 2⁵²: adding and subtracting it rounds to an integer.
    const SHIFT: f64 = 6_755_399_441_055_744.0;
    let mut point = x.map(|x| (x + SHIFT) - SHIFT);
    let (mut worst, mut most) = (0, -1.0);
    for (i, (x, whole)) in x.iter().zip(&point).enumerate() {
        let off = (x - whole).abs();
        if off > most {
            (worst, most) = (i, off);
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "a sum of small whole numbers")]
    let odd = point.iter().sum::<f64>() as i32 & 1 != 0;
    if odd {
        point[worst] += if x[worst] > point[worst] { 1.0 } else { -1.0 };
    }
    point
}

/// The nearest point of E₈, which is D₈ and D₈ + (½, …, ½).
#[inline(always)]
fn nearest(x: &[f64; 8]) -> [f64; 8] {
    let whole = nearest_whole(x);
    let half = nearest_whole(&x.map(|x| x - 0.5)).map(|x| x + 0.5);
    let distance = |point: &[f64; 8]| x.iter().zip(point).map(|(x, p)| (x - p) * (x - p)).sum::<f64>();
    if distance(&whole) <= distance(&half) { whole } else { half }
}

#[inline(always)]
fn key(point: &[f64; 8]) -> u32 {
    #[expect(clippy::cast_possible_truncation, reason = "coordinates are within ±3.5")]
    let nibble = |x: f64| u64::from(((2.0 * x) as i8 + 8).unsigned_abs());
    let key = point.iter().fold(0, |key, &x| key << 4 | nibble(x));
    #[expect(clippy::cast_possible_truncation, reason = "eight nibbles")]
    let key = key.min(OPPOSITES - key) as u32;
    key
}

/// Where a direction is among the cells.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Number of the cell, if there is one.
    pub cell: Option<usize>,
    /// The cosine of the angle to its centre, not negative.
    pub cos: f64,
}

/// The keys of all cells, in order.
#[derive(Debug)]
pub struct Cells(Vec<u32>);

impl Cells {
    /// All cells.
    pub fn all() -> Self {
        let mut keys = Vec::with_capacity(2 * CELLS);
        collect(&mut Vec::with_capacity(8), 0, 0, &mut keys);
        collect(&mut Vec::with_capacity(8), 1, 0, &mut keys);
        keys.sort_unstable();
        keys.dedup();
        Self(keys)
    }

    /// The place of a unit vector.
    #[inline(always)]
    pub fn place(&self, unit: &[f64; 8]) -> Place {
        let point = nearest(&unit.map(|x| x * SCALE));
        let along: f64 = point.iter().zip(unit).map(|(p, x)| p * x).sum();
        let square: f64 = point.iter().map(|p| p * p).sum();
        let cos = (along * along / square).sqrt();
        Place { cell: self.0.binary_search(&key(&point)).ok(), cos: if cos < 1.0 { cos } else { 1.0 } }
    }

    /// The centre of a cell, a unit vector.
    pub fn centre(&self, cell: usize) -> [f64; 8] {
        let point: [f64; 8] = std::array::from_fn(|i| f64::from((self.0[cell] >> (28 - 4 * i)) & 15) / 2.0 - 4.0);
        let length = point.iter().map(|p| p * p).sum::<f64>().sqrt();
        point.map(|p| p / length)
    }
}

/// Adds the keys of all points whose doubled coordinates begin as given, are all even or all odd (`parity`), sum up to a multiple of four
/// and have an allowed sum of squares, which is `square` so far.
fn collect(doubled: &mut Vec<i32>, parity: i32, square: i32, keys: &mut Vec<u32>) {
    if doubled.len() == 8 {
        if LENGTHS.contains(&square) && doubled.iter().sum::<i32>() % 4 == 0 {
            keys.push(key(&std::array::from_fn(|i| f64::from(doubled[i]) / 2.0)));
        }
        return;
    }
    for coordinate in (-6 + parity..=6).step_by(2).filter(|x| square + x * x <= *LENGTHS.end()) {
        doubled.push(coordinate);
        collect(doubled, parity, square + coordinate * coordinate, keys);
        doubled.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn there_are_as_many_points_as_the_theta_series_says() {
        let cells = Cells::all();
        let mut count = [0; 3];
        for cell in 0..CELLS {
            let largest = cells.centre(cell).map(f64::abs).into_iter().fold(0.0, f64::max);
            assert!((cells.centre(cell).map(|x| x * x).iter().sum::<f64>() - 1.0).abs() < 1e-15 && largest <= 1.0);
            let point: Vec<i32> = (0..8).map(|i| ((cells.0[cell] >> (4 * i)) & 15) as i32 - 8).collect();
            count[(point.iter().map(|x| x * x).sum::<i32>() / 8 - 2) as usize] += 1;
        }
        // Half of 2160, 6720 and 17520: coefficients of the theta series, 240 times the sum of the divisors' cubes.
        assert_eq!(count, [1080, 3360, 8760]);
        assert_eq!(cells.0.len(), CELLS);
    }

    #[test]
    fn no_other_point_is_nearer() {
        let cells = Cells::all();
        let values = sample::gaussian(8 * 2000, 1.0, 3);
        let (mut elsewhere, mut widest) = (0, 0.0f64);
        for x in values.as_chunks::<8>().0 {
            let norm = x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            let unit = x.map(|x| f64::from(x) / norm);
            let place = cells.place(&unit);
            assert_eq!(place.cell, cells.place(&unit.map(|x| -x)).cell, "opposites share a cell");
            let Some(cell) = place.cell else {
                elsewhere += 1;
                continue;
            };
            let cos = |cell: usize| cells.centre(cell).iter().zip(&unit).map(|(c, x)| c * x).sum::<f64>().abs();
            assert!((cos(cell) - place.cos).abs() < 1e-12);
            widest = widest.max(place.cos.acos());
            // Distance to ±point at length l: SCALE² − 2·SCALE·l·cos + l².
            let far = |cell: usize| {
                let square = (0..8).map(|i| f64::from(((cells.0[cell] >> (4 * i)) & 15) as i32 - 8).powi(2)).sum::<f64>() / 4.0;
                square - 2.0 * SCALE * square.sqrt() * cos(cell)
            };
            assert!((0..CELLS).all(|other| far(other) > far(cell) - 1e-9));
        }
        println!("{elsewhere} of 2000 in no cell, angles up to {widest:.3}");
        assert!((1..20).contains(&elsewhere) && widest < 0.45);
    }
}
