//! Change points in a short series: where a metric's history jumped.
//!
//! E-divisive: D. S. Matteson and N. A. James, *A nonparametric approach for multiple change point analysis of multivariate data*, JASA 109 (2014). A stretch is
//! split where the energy distance of its two sides is largest, and the sides are split again. As in Hunter (M. Fleming et al., ICPE 2023; now
//! Apache Otava), a split counts by Student's t test instead of by permutations, which makes it deterministic and fast, and after all splits those are taken
//! back, weakest first, that do not stand between their final neighbours. Otava tests the best split as if it were the only one, and asks for p ≤ 0.001;
//! here the p-value is multiplied by the number of places that were tried, so that the level means what it says of one stretch.

use super::distribution::t_upper_tail;

/// Fewest values on each side of a change.
const LEAST_SEGMENT: usize = 3;

/// A change between two stretches of a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// Index of the first value after the change.
    pub index: usize,
    /// Mean of the stretch before it, back to the change before.
    pub mean_before: f64,
    /// Mean of the stretch after it, up to the next change.
    pub mean_after: f64,
    /// Two-sided p-value between the two, times the number of places at which the change could have been; at most 1.
    pub p: f64,
}

/// The change points of a series of finite values, in order. `level` is the error level of each, 0.01 for instance.
///
/// Takes the square of the longest stretch in steps: a few milliseconds for a thousand values.
pub fn change_points(series: &[f64], level: f64) -> Vec<ChangePoint> {
    let mut indices = Vec::new();
    let mut stretches = vec![(0, series.len())];
    while let Some((start, end)) = stretches.pop() {
        let Some(length) = best_split(&series[start..end]) else { continue };
        let split = start + length;
        if p_value(&series[start..split], &series[split..end]) <= level {
            indices.push(split);
            stretches.extend([(start, split), (split, end)]);
        }
    }
    indices.sort_unstable();
    loop {
        let points = describe(series, &indices);
        let weakest = points.iter().enumerate().max_by(|(_, a), (_, b)| a.p.total_cmp(&b.p));
        match weakest {
            Some((at, point)) if point.p > level => drop(indices.remove(at)),
            _ => return points,
        }
    }
}

/// The changes at those indices, between their neighbours.
fn describe(series: &[f64], indices: &[usize]) -> Vec<ChangePoint> {
    let point = |(at, &index): (usize, &usize)| {
        let start = if at == 0 { 0 } else { indices[at - 1] };
        let end = indices.get(at + 1).copied().unwrap_or(series.len());
        let (before, after) = (&series[start..index], &series[index..end]);
        ChangePoint { index, mean_before: mean(before), mean_after: mean(after), p: p_value(before, after) }
    };
    indices.iter().enumerate().map(point).collect()
}

/// Length of the left side where the energy distance of the sides, weighted by their lengths, is largest; the first of equals.
fn best_split(values: &[f64]) -> Option<usize> {
    let count = values.len();
    let total = |values: &[f64], x: f64| values.iter().map(|y| (x - y).abs()).sum::<f64>();
    // Sums of distances over pairs: across the split, within the left, within the right.
    let (mut across, mut left) = (0.0, 0.0);
    let mut right = values.iter().enumerate().map(|(at, &x)| total(&values[at + 1..], x)).sum::<f64>();
    let mut best = None::<(f64, usize)>;
    for (at, &x) in values.iter().enumerate() {
        let (to_left, to_right) = (total(&values[..at], x), total(&values[at + 1..], x));
        across += to_right - to_left;
        left += to_left;
        right -= to_right;
        let (m, n) = (at + 1, count - at - 1);
        if m < LEAST_SEGMENT || n < LEAST_SEGMENT {
            continue;
        }
        let (m, n) = (m as f64, n as f64);
        let energy = 2.0 * across / (m * n) - 2.0 * left / (m * (m - 1.0)) - 2.0 * right / (n * (n - 1.0));
        let weighted = energy * m * n / (m + n);
        if best.is_none_or(|(most, _)| weighted > most) {
            best = Some((weighted, at + 1));
        }
    }
    best.map(|(_, split)| split)
}

/// Student's two-sided p-value with a pooled variance, times the places that a split could have been at.
///
/// Stretches without any spread, as exact metrics have, differ for certain or not at all.
fn p_value(before: &[f64], after: &[f64]) -> f64 {
    let squares = |values: &[f64], mean: f64| values.iter().map(|x| (x - mean).powi(2)).sum::<f64>();
    let (m, n) = (before.len() as f64, after.len() as f64);
    let (mean_before, mean_after) = (mean(before), mean(after));
    let degrees = m + n - 2.0;
    let error = ((squares(before, mean_before) + squares(after, mean_after)) / degrees * (1.0 / m + 1.0 / n)).sqrt();
    let distance = (mean_before - mean_after).abs();
    if distance == 0.0 {
        return 1.0;
    }
    let places = (before.len() + after.len() + 1).saturating_sub(2 * LEAST_SEGMENT) as f64;
    // Zero over zero was dealt with; anything over zero is infinite, and its tail 0.
    (2.0 * t_upper_tail(distance / error, degrees) * places).min(1.0)
}

/// The mean, taken about the first value so that equal values have exactly it.
fn mean(values: &[f64]) -> f64 {
    let Some(&first) = values.first() else { return f64::NAN };
    first + values.iter().map(|x| x - first).sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weighbridge::sample::gaussian;

    use super::*;

    /// A series of 200 with noise of 1 about levels by place.
    fn series(seed: u64, level: impl Fn(usize) -> f64) -> Vec<f64> {
        gaussian(200, 1.0, seed).into_iter().enumerate().map(|(at, noise)| f64::from(noise) + level(at)).collect()
    }

    fn indices(series: &[f64]) -> Vec<usize> {
        change_points(series, 0.01).iter().map(|point| point.index).collect()
    }

    #[test]
    fn jumps_are_found_where_they_are() {
        let mut exact = 0;
        for seed in 0..50 {
            let found = indices(&series(seed, |at| {
                if at < 60 {
                    0.0
                } else if at < 150 {
                    4.0
                } else {
                    1.0
                }
            }));
            assert_eq!(found.len(), 2, "{seed}: {found:?}");
            assert!(found[0].abs_diff(60) <= 3 && found[1].abs_diff(150) <= 3, "{seed}: {found:?}");
            exact += usize::from(found == [60, 150]);
        }
        assert!(exact >= 25, "{exact}");
    }

    #[test]
    fn noise_without_a_change_has_none() {
        // 1 % of 500 is 5; the correction for the places tried is on the safe side.
        let alarms = (0..500).filter(|&seed| !indices(&series(seed, |_| 0.0)).is_empty()).count();
        assert!(alarms <= 10, "{alarms}");
    }

    #[test]
    fn a_fresh_jump_shows_after_three_values() {
        let found = change_points(&series(7, |at| if at < 197 { 100.0 } else { 110.0 }), 0.01);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].index, 197);
        assert!((found[0].mean_before - 100.0).abs() < 0.5 && (found[0].mean_after - 110.0).abs() < 2.0 && found[0].p < 1e-6);
    }

    #[test]
    fn exact_metrics_change_for_certain_or_not_at_all() {
        let mut steps = vec![0.1; 20];
        assert_eq!(change_points(&steps, 0.01), []);
        steps.extend([0.3; 5]);
        assert_eq!(change_points(&steps, 0.01), [ChangePoint { index: 20, mean_before: 0.1, mean_after: 0.3, p: 0.0 }]);
        assert_eq!(change_points(&[1.0, 2.0, 3.0], 0.01), []);
        assert_eq!(change_points(&[], 0.01), []);
    }

    proptest! {
        #[test]
        fn the_best_split_is_that_of_the_definition(values in prop::collection::vec(-1.0f64..1.0, 6..20)) {
            let mean_distance = |a: &[f64], b: &[f64], pairs: f64| a.iter().flat_map(|x| b.iter().map(move |y| (x - y).abs())).sum::<f64>() / pairs;
            let energy = |split: usize| {
                let (x, y) = values.split_at(split);
                let (m, n) = (x.len() as f64, y.len() as f64);
                m * n / (m + n) * (2.0 * mean_distance(x, y, m * n) - mean_distance(x, x, m * (m - 1.0)) - mean_distance(y, y, n * (n - 1.0)))
            };
            let most = (3..=values.len() - 3).map(energy).fold(f64::NEG_INFINITY, f64::max);
            prop_assert!((energy(best_split(&values).unwrap()) - most).abs() < 1e-9);
        }

        #[test]
        fn unit_and_direction_do_not_matter(seed in 0u64..200, jump in 1.0f64..6.0) {
            let values = series(seed, |at| if at < 80 { 0.0 } else { jump });
            let mut turned = values.iter().map(|x| 5.0 - 3.0 * x).collect::<Vec<_>>();
            prop_assert_eq!(indices(&values), indices(&turned));
            turned.reverse();
            let backward = indices(&turned).into_iter().rev().map(|index| 200 - index).collect::<Vec<_>>();
            prop_assert_eq!(indices(&values), backward);
        }
    }
}
