//! Weighted k-means (Lloyd) from a seeded random start.
//!
//! Deterministic: vectors are assigned in parallel, each alone; sums run over the vectors in order, in f64, on one thread.

use rayon::prelude::*;

use super::nearest::{Codebook, Nearest, Scratch};
use super::neighbours::Neighbours;
use crate::sample;

/// Centroids that move less than this share of the vectors' variance, in squares, have settled.
const TOLERANCE: f64 = 1e-5;
/// Vectors that one task assigns.
const TASK: usize = 1024;

/// Vectors with a weight each.
#[derive(Debug, Clone, Copy)]
pub struct Vectors<'a> {
    /// Values of a vector.
    pub length: usize,
    /// Vector after vector.
    pub values: &'a [f32],
    /// Weight of each vector, positive.
    pub weights: &'a [f32],
}

/// `count` centroids, at most as many as there are vectors; at most `iterations` rounds.
pub fn kmeans(vectors: Vectors<'_>, count: usize, seed: u64, iterations: usize) -> Vec<f32> {
    let mut centroids = start(vectors, count, seed);
    let settled = TOLERANCE * variance(vectors);
    let mut nearest = Vec::new();
    for _ in 0..iterations {
        nearest = assign(vectors, &centroids, &nearest);
        let moved = update(vectors, &nearest, &mut centroids);
        if moved <= settled {
            break;
        }
    }
    centroids
}

/// Distinct vectors drawn at random.
fn start(vectors: Vectors<'_>, count: usize, seed: u64) -> Vec<f32> {
    let mut drawn: Vec<usize> = (0..vectors.weights.len()).collect();
    for i in 0..count {
        #[expect(clippy::cast_possible_truncation, reason = "below the number of vectors")]
        let other = i + (sample::splitmix(seed, i as u64) % (drawn.len() - i) as u64) as usize;
        drawn.swap(i, other);
    }
    drawn[..count].iter().flat_map(|&i| &vectors.values[i * vectors.length..][..vectors.length]).copied().collect()
}

/// Mean variance of a vector's values.
fn variance(vectors: Vectors<'_>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a number of vectors")]
    let (count, length) = (vectors.weights.len() as f64, vectors.length as f64);
    let mut moments = vec![(0f64, 0f64); vectors.length];
    for vector in vectors.values.chunks_exact(vectors.length) {
        for ((sum, squares), &x) in moments.iter_mut().zip(vector) {
            *sum += f64::from(x);
            *squares += f64::from(x) * f64::from(x);
        }
    }
    moments.iter().map(|(sum, squares)| (squares / count - (sum / count).powi(2)).max(0.0)).sum::<f64>() / length
}

/// The nearest centroid of each vector; the last round's answers, where there are some, are where the search starts.
fn assign(vectors: Vectors<'_>, centroids: &[f32], last: &[Nearest]) -> Vec<Nearest> {
    let codebook = Codebook::new(centroids.to_vec(), vectors.length);
    let known = !last.is_empty() && Neighbours::pay(centroids.len() / vectors.length, last.len());
    let neighbours = known.then(|| Neighbours::new(&codebook));
    let tasks = vectors.values.par_chunks(TASK * vectors.length).enumerate();
    let assigned = tasks.flat_map_iter(|(task, values)| {
        let (codebook, neighbours, mut scratch) = (&codebook, &neighbours, Scratch::default());
        values.chunks_exact(vectors.length).enumerate().map(move |(i, x)| match (neighbours, last.get(task * TASK + i)) {
            (Some(neighbours), Some(last)) => neighbours.nearest(codebook, x, last.index, &mut scratch),
            (None, Some(last)) => codebook.nearest_from(x, last.index, &mut scratch),
            (_, None) => codebook.nearest(x, &mut scratch),
        })
    });
    assigned.collect()
}

/// Moves each centroid to its vectors' weighted mean, and those without vectors to the vectors that lie furthest, weighted, from theirs.
/// Gives the squared length of all moves.
fn update(vectors: Vectors<'_>, nearest: &[Nearest], centroids: &mut [f32]) -> f64 {
    let length = vectors.length;
    let mut sums = vec![0f64; centroids.len()];
    let mut masses = vec![0f64; centroids.len() / length];
    for ((vector, &weight), nearest) in vectors.values.chunks_exact(length).zip(vectors.weights).zip(nearest) {
        let (weight, index) = (f64::from(weight), nearest.index as usize);
        masses[index] += weight;
        for (sum, &x) in sums[index * length..][..length].iter_mut().zip(vector) {
            *sum += weight * f64::from(x);
        }
    }
    let empty = masses.iter().filter(|&&mass| mass == 0.0).count();
    let mut far = furthest(vectors, nearest, empty).into_iter();
    let mut moved = 0.0;
    for ((centroid, sums), mass) in centroids.chunks_exact_mut(length).zip(sums.chunks_exact(length)).zip(masses) {
        let replacement = if mass == 0.0 { far.next() } else { None };
        for (d, (c, sum)) in centroid.iter_mut().zip(sums).enumerate() {
            #[expect(clippy::cast_possible_truncation, reason = "a mean of f32 fits an f32")]
            let new = match replacement {
                Some(i) => vectors.values[i * length + d],
                None if mass == 0.0 => *c,
                None => (sum / mass) as f32,
            };
            moved += f64::from(new - *c).powi(2);
            *c = new;
        }
    }
    moved
}

/// The `count` vectors of the largest weighted distance, if it is any, furthest first; the lower index first where equal.
fn furthest(vectors: Vectors<'_>, nearest: &[Nearest], count: usize) -> Vec<usize> {
    if count == 0 {
        return Vec::new();
    }
    let mut losses: Vec<(f32, usize)> = nearest.iter().zip(vectors.weights).map(|(n, w)| n.distance * w).zip(0..).collect();
    losses.retain(|&(loss, _)| loss > 0.0);
    losses.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    losses.into_iter().take(count).map(|(_, i)| i).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separate_clusters_are_found() {
        // Nine clusters on a grid, of two dimensions.
        let noise = sample::gaussian(1800, 0.01, 3);
        let centre = |i: usize| [(i % 3) as f32, (i / 3 % 3) as f32];
        let values: Vec<f32> = (0..900).flat_map(|i| [centre(i)[0] + noise[2 * i], centre(i)[1] + noise[2 * i + 1]]).collect();
        let weights = vec![1.0; 900];
        let vectors = Vectors { length: 2, values: &values, weights: &weights };
        // From a random start Lloyd's iteration may leave two clusters under one centroid, hence more of these than clusters.
        let centroids = kmeans(vectors, 24, 1, 100);
        for i in 0..9 {
            let [x, y] = centre(i);
            assert!(centroids.chunks(2).any(|c| (c[0] - x).abs() < 0.02 && (c[1] - y).abs() < 0.02), "{i}");
        }
    }

    #[test]
    fn heavier_vectors_pull_harder() {
        let vectors = Vectors { length: 1, values: &[0.0, 1.0], weights: &[1.0, 3.0] };
        assert_eq!(kmeans(vectors, 1, 1, 100), [0.75]);
    }

    #[test]
    fn equal_vectors_and_empty_clusters_are_fine() {
        let mut values = vec![0.0; 60];
        (values[58], values[59]) = (1.0, 2.0);
        let weights = vec![1.0; 60];
        let centroids = kmeans(Vectors { length: 1, values: &values, weights: &weights }, 4, 1, 100);
        for x in [0.0, 1.0, 2.0] {
            assert!(centroids.contains(&x), "{centroids:?}");
        }
    }

    #[test]
    fn threads_do_not_matter_and_seeds_do() {
        let values = sample::gaussian(12_000, 1.0, 9);
        let weights: Vec<f32> = (0..3000).map(|i| 1.0 + (i % 5) as f32).collect();
        let run = |threads, seed| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| kmeans(Vectors { length: 4, values: &values, weights: &weights }, 100, seed, 20))
        };
        assert_eq!(run(1, 1), run(3, 1));
        assert_ne!(run(1, 1), run(1, 2));
    }
}
