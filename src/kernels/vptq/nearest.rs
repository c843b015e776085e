//! Exact search for the nearest centroid.
//!
//! Centroids stand in blocks of 16 that lie close together. A block is passed over when its ball (centre and radius) is further from the
//! vector than the best centroid so far, by a margin well above f32's rounding; so the answer, the lowest index among the nearest by f32
//! distance, is that of a search through all. Distances are Σ (x − c)², dimension by dimension, with no fused multiply-add: the same bits
//! on every processor.

/// Centroids of a block: lanes of the inner loop.
pub const LANES: usize = 16;
/// Relative margin of the bounds; a distance over 32 dimensions is off by 4e-6 at most.
pub const MARGIN: f32 = 1e-4;

/// A codebook ready to be searched.
#[derive(Debug)]
pub struct Codebook {
    /// Weights of a vector.
    pub vector: usize,
    /// Centroid after centroid.
    pub centroids: Vec<f32>,
    blocks: Lanes,
    /// Centres of the blocks, in blocks themselves.
    centres: Vec<f32>,
    /// Radius of each block, infinite for those that fill up the last block of centres.
    radii: Vec<f32>,
}

/// Blocks of 16 centroids.
#[derive(Debug)]
pub struct Lanes {
    vector: usize,
    /// For each block, for each dimension, 16 lanes; infinite where there is no centroid.
    values: Vec<f32>,
    /// Index of each lane's centroid.
    ids: Vec<u32>,
}

impl Lanes {
    /// Empty blocks.
    pub fn new(blocks: usize, vector: usize) -> Self {
        Self { vector, values: vec![f32::INFINITY; blocks * LANES * vector], ids: vec![u32::MAX; blocks * LANES] }
    }

    /// Puts a centroid in its place.
    pub fn set(&mut self, block: usize, lane: usize, index: u32, centroid: &[f32]) {
        self.ids[block * LANES + lane] = index;
        for (d, &c) in centroid.iter().enumerate() {
            self.values[(block * self.vector + d) * LANES + lane] = c;
        }
    }

    /// Number of blocks.
    fn count(&self) -> usize {
        self.ids.len() / LANES
    }

    /// Compares all centroids of a block with the best so far.
    #[inline]
    pub fn visit(&self, block: usize, x: &[f32], best: &mut Nearest) {
        let distances = distances(&self.values[block * LANES * self.vector..][..LANES * self.vector], x);
        let least = least(&distances);
        if least > best.distance {
            return;
        }
        let ids = &self.ids[block * LANES..][..LANES];
        let index = distances.iter().zip(ids).fold(u32::MAX, |index, (&d, &id)| if d == least && id < index { id } else { index });
        if least < best.distance || index < best.index {
            *best = Nearest { index, distance: least };
        }
    }
}

/// Room for one search at a time.
#[derive(Debug, Default)]
pub struct Scratch(Vec<f32>);

/// The nearest centroid so far.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Nearest {
    /// Its index.
    pub index: u32,
    /// Squared distance.
    pub distance: f32,
}

impl Codebook {
    /// A codebook of centroids of `vector` values.
    pub fn new(centroids: Vec<f32>, vector: usize) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "at most 65,536 centroids")]
        let mut ids: Vec<u32> = (0..(centroids.len() / vector) as u32).collect();
        arrange(&mut ids, &centroids, vector);
        let centroid = |id: u32| &centroids[id as usize * vector..][..vector];
        let blocks = ids.len().div_ceil(LANES);
        let mut lanes = Lanes::new(blocks, vector);
        let mut centres = vec![f32::INFINITY; blocks.div_ceil(LANES) * LANES * vector];
        let mut radii = vec![f32::INFINITY; blocks.div_ceil(LANES) * LANES];
        for (block, members) in ids.chunks(LANES).enumerate() {
            for (lane, &id) in members.iter().enumerate() {
                lanes.set(block, lane, id, centroid(id));
            }
            #[expect(clippy::cast_precision_loss, reason = "at most 16")]
            let centre: Vec<f32> =
                (0..vector).map(|d| members.iter().map(|&id| centroid(id)[d]).sum::<f32>() / members.len() as f32).collect();
            let distance = |id: &u32| centroid(*id).iter().zip(&centre).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt();
            radii[block] = members.iter().map(distance).fold(0.0, f32::max) * (1.0 + MARGIN);
            for (d, &c) in centre.iter().enumerate() {
                centres[(block / LANES * vector + d) * LANES + block % LANES] = c;
            }
        }
        Self { vector, blocks: lanes, centres, radii, centroids }
    }

    /// The centroid of that index.
    pub fn centroid(&self, index: u32) -> &[f32] {
        &self.centroids[index as usize * self.vector..][..self.vector]
    }

    /// A centroid with its distance.
    pub fn at(&self, x: &[f32], index: u32) -> Nearest {
        let distance = self.centroid(index).iter().zip(x).fold(0f32, |sum, (c, x)| sum + (x - c) * (x - c));
        Nearest { index, distance }
    }

    /// The nearest centroid; the lowest index where several are.
    pub fn nearest(&self, x: &[f32], scratch: &mut Scratch) -> Nearest {
        let mut best = Nearest { index: 0, distance: f32::INFINITY };
        if self.blocks.count() == 1 {
            self.blocks.visit(0, x, &mut best);
            return best;
        }
        let (mut first, mut closest) = (0, f32::INFINITY);
        self.bounds(x, scratch, |group, distances| {
            let least = least(distances);
            if least < closest {
                (first, closest) = (group * LANES + distances.iter().position(|&d| d == least).unwrap_or(0), least);
            }
        });
        self.blocks.visit(first, x, &mut best);
        self.visit_near(x, scratch, &mut best);
        best
    }

    /// The same, given a centroid that is likely to be near.
    pub fn nearest_from(&self, x: &[f32], guess: u32, scratch: &mut Scratch) -> Nearest {
        let mut best = self.at(x, guess);
        self.bounds(x, scratch, |_, _| ());
        self.visit_near(x, scratch, &mut best);
        best
    }

    /// Leaves in `scratch` for each block a bound that no squared distance to its centroids is below; `see` is given the squared distances
    /// to the centres.
    #[inline]
    fn bounds(&self, x: &[f32], scratch: &mut Scratch, mut see: impl FnMut(usize, &[f32; LANES])) {
        scratch.0.clear();
        let centres = self.centres.chunks_exact(LANES * self.vector).zip(self.radii.as_chunks::<LANES>().0);
        for (group, (centres, radii)) in centres.enumerate() {
            let mut bounds = distances(centres, x);
            see(group, &bounds);
            for (bound, radius) in bounds.iter_mut().zip(radii) {
                let distance = bound.sqrt();
                let gap = distance - radius - MARGIN * (distance + radius);
                *bound = if gap > 0.0 { gap * gap * (1.0 - MARGIN) } else { 0.0 };
            }
            scratch.0.extend_from_slice(&bounds);
        }
    }

    #[inline]
    fn visit_near(&self, x: &[f32], scratch: &Scratch, best: &mut Nearest) {
        for (block, &bound) in scratch.0[..self.blocks.count()].iter().enumerate() {
            if bound <= best.distance {
                self.blocks.visit(block, x, best);
            }
        }
    }
}

/// The least of 16 values that are no NaN, as a tree.
#[inline]
fn least(values: &[f32; LANES]) -> f32 {
    let less = |a: f32, b: f32| if a < b { a } else { b };
    let eight: [f32; 8] = std::array::from_fn(|i| less(values[i], values[i + 8]));
    let four: [f32; 4] = std::array::from_fn(|i| less(eight[i], eight[i + 4]));
    less(less(four[0], four[2]), less(four[1], four[3]))
}

/// Squared distances to 16 centroids.
#[inline]
fn distances(lanes: &[f32], x: &[f32]) -> [f32; LANES] {
    let mut sums = [0f32; LANES];
    for (lanes, &x) in lanes.as_chunks::<LANES>().0.iter().zip(x) {
        for (sum, c) in sums.iter_mut().zip(lanes) {
            let difference = x - c;
            *sum += difference * difference;
        }
    }
    sums
}

/// Orders centroids so that each block of 16 lies close together: halves, at a whole block, along the dimension of the widest range.
fn arrange(ids: &mut [u32], centroids: &[f32], vector: usize) {
    if ids.len() <= LANES {
        return;
    }
    let value = |id: u32, d: usize| centroids[id as usize * vector + d];
    let range = |d: usize| {
        let bounds =
            ids.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &id| (low.min(value(id, d)), high.max(value(id, d))));
        bounds.1 - bounds.0
    };
    let (widest, _) = (0..vector).map(|d| (d, range(d))).fold((0, -1.0), |best, next| if next.1 > best.1 { next } else { best });
    let middle = ids.len().div_ceil(LANES) / 2 * LANES;
    ids.select_nth_unstable_by(middle, |&a, &b| value(a, widest).total_cmp(&value(b, widest)).then(a.cmp(&b)));
    let (low, high) = ids.split_at_mut(middle);
    arrange(low, centroids, vector);
    arrange(high, centroids, vector);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use proptest::prelude::*;

    /// All centroids in turn.
    fn brute_force(centroids: &[f32], x: &[f32]) -> Nearest {
        let mut best = Nearest { index: 0, distance: f32::INFINITY };
        for (index, centroid) in (0..).zip(centroids.chunks(x.len())) {
            let distance = centroid.iter().zip(x).fold(0f32, |sum, (c, x)| sum + (x - c) * (x - c));
            if distance < best.distance {
                best = Nearest { index, distance };
            }
        }
        best
    }

    proptest! {
        #[test]
        fn it_is_the_nearest_of_all(vector in 1usize..9, count in 1u32..400, seed: u64, grid: bool) {
            // On a grid many centroids are equal or equally far.
            let shape = |x: f32| if grid { x.round() } else { x };
            let centroids: Vec<f32> = sample::gaussian(vector * count as usize, 1.0, seed).into_iter().map(shape).collect();
            let codebook = Codebook::new(centroids.clone(), vector);
            let mut scratch = Scratch::default();
            for x in sample::gaussian(vector * 40, 1.5, seed ^ 1).into_iter().map(shape).collect::<Vec<_>>().chunks(vector) {
                let expected = brute_force(&centroids, x);
                prop_assert_eq!(codebook.nearest(x, &mut scratch), expected);
                for guess in [0, count - 1, expected.index] {
                    prop_assert_eq!(codebook.nearest_from(x, guess, &mut scratch), expected);
                }
            }
        }
    }

    #[test]
    fn large_codebooks_and_far_vectors() {
        let centroids = sample::gaussian(8 * 5000, 1.0, 1);
        let codebook = Codebook::new(centroids.clone(), 8);
        let mut scratch = Scratch::default();
        for (i, x) in sample::gaussian(8 * 200, 1.0, 2).chunks(8).enumerate() {
            let x: Vec<f32> = x.iter().map(|x| if i % 10 == 0 { x * 1e6 } else { *x }).collect();
            assert_eq!(codebook.nearest(&x, &mut scratch), brute_force(&centroids, &x));
        }
        assert_eq!(codebook.nearest(&[f32::NAN; 8], &mut scratch).index, 0);
    }
}
