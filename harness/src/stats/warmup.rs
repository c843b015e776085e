//! Where warm-up ends in a series of repetition times.
//!
//! MSER-5: K. P. White, *An effective truncation heuristic for bias reduction in simulation output*, Simulation 69 (1997), with batches of five after
//! S. C. Spratt (1998). The start is cut where the squared standard error of what is left is least: cutting a slow start lowers it, and cutting steady times
//! raises it. A least error in the second half is no answer: the series has then not been seen to be steady. The last batches are never left alone, as a
//! few agree by chance. A batch is represented by its median, not by its mean, as one interrupted repetition says nothing of warm-up.

/// Repetitions in a batch.
const BATCH: usize = 5;
/// Fewest batches that say anything.
const FEWEST_BATCHES: usize = 10;
/// Batches that are always left: at least five, as White advises, and a quarter of all. Of 200 steady repetitions 98 % then have an answer.
const LEFT_BATCHES: usize = 5;

/// Repetitions to drop from the start, a multiple of five; times in any unit.
///
/// None where the series is shorter than fifty, or does not settle within its first half: more repetitions are needed.
pub fn end_of_warm_up(times: &[f64]) -> Option<usize> {
    let medians = times.chunks_exact(BATCH).map(median).collect::<Vec<_>>();
    if medians.len() < FEWEST_BATCHES {
        return None;
    }
    let (mut best, mut least) = (0, f64::INFINITY);
    // Mean and sum of squares of what is left, from the end (B. P. Welford 1962).
    let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
    for (cut, &value) in medians.iter().enumerate().rev() {
        count += 1.0;
        let distance = value - mean;
        mean += distance / count;
        squares += distance * (value - mean);
        let error = squares / (count * count);
        if medians.len() - cut >= LEFT_BATCHES.max(medians.len() / 4) && error <= least {
            (best, least) = (cut, error);
        }
    }
    (2 * best <= medians.len()).then_some(best * BATCH)
}

/// The middle value of an odd count.
fn median(batch: &[f64]) -> f64 {
    let mut sorted = batch.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weighbridge::sample::gaussian;

    use super::*;

    /// Two hundred times of about 100 with noise of 1, changed by their place.
    fn series(seed: u64, change: impl Fn(usize) -> f64) -> Vec<f64> {
        gaussian(200, 1.0, seed).into_iter().enumerate().map(|(at, noise)| 100.0 + f64::from(noise) + change(at)).collect()
    }

    /// Of a hundred such series, those whose cut lies in that range, in per cent.
    fn cut_within(range: std::ops::RangeInclusive<usize>, change: impl Fn(usize) -> f64) -> usize {
        (0..100).filter(|&seed| end_of_warm_up(&series(seed, &change)).is_some_and(|cut| range.contains(&cut))).count()
    }

    #[test]
    fn a_slow_start_is_cut_and_little_else() {
        let decay = |at: usize| 60.0 * (-(at as f64) / 6.0).exp();
        assert!(cut_within(15..=70, decay) >= 85);
        assert_eq!(cut_within(0..=14, decay), 0);
        let step = |at: usize| if at < 20 { 10.0 } else { 0.0 };
        assert!(cut_within(20..=70, step) >= 85);
        assert_eq!(cut_within(0..=19, step), 0);
    }

    #[test]
    fn steady_times_are_mostly_kept_and_interrupted_ones_are_no_warm_up() {
        assert!(cut_within(0..=25, |_| 0.0) >= 80);
        assert!(cut_within(0..=25, |at| if at % 10 == 3 { 500.0 } else { 0.0 }) >= 80);
    }

    #[test]
    fn what_never_settles_or_is_short_has_no_end() {
        assert_eq!(end_of_warm_up(&series(2, |at| if at < 140 { 10.0 } else { 0.0 })), None);
        assert_eq!(end_of_warm_up(&series(2, |at| at as f64)), None);
        assert_eq!(end_of_warm_up(&[1.0; 49]), None);
        assert_eq!(end_of_warm_up(&[1.0; 50]), Some(0));
    }

    proptest! {
        #[test]
        fn unit_and_origin_do_not_matter(seed in 0u64..300, scale in 0.5f64..4.0) {
            let times = series(seed, |at| 10.0 * (-(at as f64) / 9.0).exp());
            let other = times.iter().map(|t| t * scale + 7.0).collect::<Vec<_>>();
            prop_assert_eq!(end_of_warm_up(&times), end_of_warm_up(&other));
        }
    }
}
