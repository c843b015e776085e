//! Layout as a random factor: how much of a difference may come from where the linker happened to put the code.
//!
//! Each side is linked several times with its sections shuffled, and each block pairs one link of the baseline with one of the candidate. A block's
//! effect is then d = μ + bⱼ − aᵢ + e, with two crossed random factors and no interaction, as the letters of a block run in separate processes. Blocks
//! that share a link err together, so the standard error of their centre is not that of as many independent blocks.
//!
//! The method keeps the Hodges–Lehmann estimate and inflates its standard error by a design effect (L. Kish 1965). The effect is the two-way cluster
//! variance of A. C. Cameron, J. B. Gelbach and D. L. Miller, *Robust inference with multiway clustering*, JBES 29 (2011), V = V_baseline + V_candidate −
//! V_pair, over the variance without clusters. It is taken over the signed-rank scores of the residuals, which are what the estimate responds to (S. Datta and
//! G. A. Satten, *A signed-rank test for clustered data*, Biometrics 64 (2008)); a burst then counts no more in the variance than in the estimate. For crossed
//! links V is the usual analysis of variance; for links in fixed pairs it is that of pair means, without being told. With few links a normal interval
//! promises too much: critical values are Student's t with the degrees of freedom of F. E. Satterthwaite, Biometrics Bulletin 2 (1946), from one less
//! than the links of one side to twice that. The design effect is never taken below 1, as chance alone would often put it there.

use std::collections::BTreeMap;

use super::distribution::{normal_upper_quantile, t_upper_quantile, t_upper_tail};
use super::hodges_lehmann::{HodgesLehmann, Interval};
use super::ranks::doubled_mid_ranks;

/// How many times the variance of independent blocks must be seen before links are told to matter. With four links a side, chance goes above it in 6 %
/// of cases without any layout effect. A smaller excess stays in the standard error; it is not carried to other blocks.
pub const CLEAR_EXCESS: f64 = 3.0;

/// One block: the log ratio of candidate to baseline, and which links of the two it compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Block {
    /// Index of the baseline's link.
    pub baseline_layout: usize,
    /// Index of the candidate's link.
    pub candidate_layout: usize,
    /// mean(log candidate) − mean(log baseline) of its processes; above zero when the candidate is slower. Finite.
    pub effect: f64,
}

/// The centre of some blocks and how far chance, layout included, may have moved it.
#[derive(Debug, Clone, PartialEq)]
pub struct Centre {
    /// Hodges–Lehmann estimate of the effect, a log ratio.
    pub estimate: f64,
    /// Standard error from the spread of single blocks.
    pub block_error: f64,
    /// Standard error with the layouts in it; never below `block_error`.
    pub standard_error: f64,
    /// Degrees of freedom of the critical values; infinite where no layout was drawn.
    pub degrees: f64,
    /// Links of baseline and candidate that the blocks used.
    pub layouts: [usize; 2],
    /// Blocks.
    pub blocks: usize,
}

impl Centre {
    /// Estimates from at least four blocks; None below that. `averages` are those of the blocks' effects.
    ///
    /// `layout_deviation` is what is known from elsewhere of the standard deviation between links, from an A/A arm for instance; 0 if nothing. The
    /// standard error is never below what follows from it.
    pub fn of(blocks: &[Block], averages: &HodgesLehmann, layout_deviation: f64) -> Option<Self> {
        let estimate = averages.estimate();
        let block_error = averages.standard_error()?;
        let scores = signed_rank_scores(blocks, estimate);
        let clusters = Clusters::of(blocks, &scores);
        let known = layout_deviation * inverse_counts(clusters.layouts).sqrt();
        let standard_error = (block_error * clusters.design_effect.sqrt()).max(block_error.hypot(known));
        Some(Self { estimate, block_error, standard_error, degrees: clusters.degrees, layouts: clusters.layouts, blocks: blocks.len() })
    }

    /// The t interval of that error level, both sides together.
    pub fn interval(&self, error_level: f64) -> Interval {
        let half = self.critical(0.5 * error_level) * self.standard_error;
        Interval { lower: self.estimate - half, upper: self.estimate + half }
    }

    /// Critical value, in standard errors, of a one-sided test of that level.
    pub fn critical(&self, tail: f64) -> f64 {
        t_upper_quantile(tail, self.degrees)
    }

    /// One-sided p-value of the centre lying above `bound`: the chance of an estimate at least as large if it were `bound`.
    pub fn p_above(&self, bound: f64) -> f64 {
        let distance = self.estimate - bound;
        // Without any spread, the sign decides.
        if self.standard_error == 0.0 {
            return if distance > 0.0 { 0.0 } else { 1.0 };
        }
        t_upper_tail(distance / self.standard_error, self.degrees)
    }

    /// Whether some side had one link only, so that its layout cannot be told from its code.
    pub fn layout_is_confounded(&self) -> bool {
        self.layouts.contains(&1)
    }

    /// Estimate of the standard deviation between links of one side, as a log ratio; 0 unless it is clearly more than the blocks alone explain, None
    /// when layout is confounded on both sides.
    pub fn layout_deviation(&self) -> Option<f64> {
        if self.layouts == [1, 1] {
            return None;
        }
        let (whole, blocks) = (self.standard_error.powi(2), self.block_error.powi(2));
        let excess = if whole > CLEAR_EXCESS * blocks { whole - blocks } else { 0.0 };
        Some((excess / inverse_counts(self.layouts)).sqrt())
    }

    /// The floor under which no difference counts, from an A/A arm of the same number of links: a log ratio, at least `practical`.
    ///
    /// It is the largest of the practical threshold, the difference that the arm itself shows, and the two-sided 95 % range of a difference that
    /// layout alone makes between two sides of so many links.
    pub fn floor(&self, practical: f64) -> f64 {
        let between = self.layout_deviation().unwrap_or(0.0) * inverse_counts(self.layouts).sqrt();
        practical.max(self.estimate.abs()).max(normal_upper_quantile(0.025) * between)
    }
}

/// The pair of links of a block, by its number from 0: each run of `links` blocks uses every link of both sides once, and `links`² blocks use every pair once.
pub fn pair(block: usize, links: usize) -> [usize; 2] {
    let links = links.max(1);
    let (within, round) = (block % links, block / links);
    [within, (within + round) % links]
}

/// 1/K of the baseline plus 1/K of the candidate, over the sides that had more than one link.
fn inverse_counts(layouts: [usize; 2]) -> f64 {
    layouts.into_iter().filter(|&count| count > 1).map(|count| 1.0 / count as f64).sum()
}

/// Sign times mid-rank of the residuals, which sum to about zero at the estimate.
fn signed_rank_scores(blocks: &[Block], estimate: f64) -> Vec<f64> {
    let residuals = blocks.iter().map(|block| block.effect - estimate).collect::<Vec<_>>();
    let magnitudes = residuals.iter().map(|r| r.abs()).collect::<Vec<_>>();
    let signs = residuals.iter().map(|&r| if r == 0.0 { 0.0 } else { r.signum() });
    doubled_mid_ranks(&magnitudes).into_iter().zip(signs).map(|(rank, sign)| sign * rank as f64).collect()
}

/// What the clusters do to the variance of a mean of scores.
struct Clusters {
    /// Variance with clusters over variance without; at least 1.
    design_effect: f64,
    degrees: f64,
    layouts: [usize; 2],
}

impl Clusters {
    fn of(blocks: &[Block], scores: &[f64]) -> Self {
        let keys = |key: &dyn Fn(&Block) -> (usize, usize)| cluster_variance(blocks.iter().map(key).zip(scores.iter().copied()));
        let (baseline, rows) = keys(&|block| (block.baseline_layout, 0));
        let (candidate, columns) = keys(&|block| (block.candidate_layout, 0));
        let (pairs, cells) = keys(&|block| (block.baseline_layout, block.candidate_layout));
        let layouts = [rows, columns];
        if cells == 1 {
            return Self { design_effect: 1.0, degrees: f64::INFINITY, layouts };
        }
        let independent = scores.iter().map(|score| score * score).sum::<f64>();
        let sides = baseline + candidate;
        // A side with one link has no variance of its own; the pairs are then the links of the other side.
        let with_clusters = if rows == 1 || columns == 1 { sides } else { sides - pairs };
        let weighted = [(baseline, rows), (candidate, columns)].into_iter().filter(|&(_, count)| count > 1);
        let denominator = weighted.map(|(variance, count)| variance * variance / (count - 1) as f64).sum::<f64>();
        let satterthwaite = if denominator > 0.0 { sides * sides / denominator } else { f64::INFINITY };
        let design_effect = if independent > 0.0 { (with_clusters / independent).max(1.0) } else { 1.0 };
        Self { design_effect, degrees: satterthwaite.min((cells - 1) as f64), layouts }
    }
}

/// Sum of squared cluster sums with the small-sample factor G/(G − 1), and the number of clusters G; 0 for one cluster.
fn cluster_variance(scores: impl Iterator<Item = ((usize, usize), f64)>) -> (f64, usize) {
    let mut sums = BTreeMap::<(usize, usize), f64>::new();
    scores.for_each(|(key, score)| *sums.entry(key).or_default() += score);
    let count = sums.len();
    if count < 2 {
        return (0.0, count);
    }
    let squares = sums.into_values().map(|sum| sum * sum).sum::<f64>();
    (squares * count as f64 / (count - 1) as f64, count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weighbridge::sample::gaussian;

    use super::super::reference::assert_close;
    use super::*;

    fn centre(blocks: &[Block], known: f64) -> Centre {
        let effects = blocks.iter().map(|block| block.effect).collect::<Vec<_>>();
        Centre::of(blocks, &HodgesLehmann::new(&effects).unwrap(), known).unwrap()
    }

    /// Blocks over `links` of both sides, with Gaussian layouts and noise.
    fn blocks(count: usize, links: usize, layout: f64, noise: f64, seed: u64) -> Vec<Block> {
        let offsets = gaussian(2 * links, layout, seed);
        let errors = gaussian(count, noise, seed + 1);
        let block = |(at, error)| {
            let [baseline_layout, candidate_layout] = pair(at, links);
            let effect = f64::from(offsets[links + candidate_layout]) - f64::from(offsets[baseline_layout]) + f64::from(error);
            Block { baseline_layout, candidate_layout, effect }
        };
        errors.into_iter().enumerate().map(block).collect()
    }

    #[test]
    fn pairs_use_every_link_in_each_round_and_every_pair_in_all() {
        for links in 1..6 {
            let all = (0..links * links).map(|block| pair(block, links)).collect::<std::collections::BTreeSet<_>>();
            assert_eq!(all.len(), links * links);
            for round in 0..links {
                let candidates = (0..links).map(|i| pair(round * links + i, links)[1]).collect::<std::collections::BTreeSet<_>>();
                assert_eq!(candidates.len(), links);
            }
        }
    }

    #[test]
    fn one_link_a_side_is_confounded_and_adds_nothing() {
        let found = centre(&blocks(24, 1, 0.01, 0.005, 3), 0.0);
        assert!(found.layout_is_confounded() && found.layout_deviation().is_none());
        assert_eq!((found.standard_error, found.degrees), (found.block_error, f64::INFINITY));
        assert_eq!(found.floor(0.005), found.estimate.abs().max(0.005));
    }

    #[test]
    fn fixed_pairs_err_like_their_means() {
        // Links 0 with 0 and 1 with 1 only, four blocks each, no noise to speak of: the error of the centre is that of two pair means.
        let block = |at: usize| Block {
            baseline_layout: at % 4,
            candidate_layout: at % 4,
            effect: [0.0, 1.0, 2.0, 4.0][at % 4] + 1e-6 * at as f64,
        };
        let found = centre(&(0..32).map(block).collect::<Vec<_>>(), 0.0);
        assert_eq!((found.degrees, found.layouts), (3.0, [4, 4]));
        assert!((0.6..1.3).contains(&found.standard_error), "{found:?}");
    }

    #[test]
    fn the_deviation_between_links_is_found() {
        let found =
            (0..200).map(|seed| centre(&blocks(64, 8, 0.005, 0.005, 10 * seed), 0.0).layout_deviation().unwrap().powi(2)).sum::<f64>();
        assert_close((found / 200.0).sqrt(), 0.005, 0.1);
        let none = (0..200).map(|seed| centre(&blocks(64, 8, 0.0, 0.005, 10 * seed), 0.0).layout_deviation().unwrap().powi(2)).sum::<f64>();
        assert!((none / 200.0).sqrt() < 0.0015, "{none}");
    }

    #[test]
    fn intervals_hold_their_level_whatever_the_layouts_do() {
        // 2,000 draws of 5 %: 100 misses, and 129 is three standard deviations above.
        for (links, layout) in [(4, 0.0), (4, 0.003), (4, 0.015), (8, 0.0), (8, 0.005), (8, 0.015)] {
            let missed = |seed: &u64| {
                let interval = centre(&blocks(24, links, layout, 0.005, 4000 + 10 * seed), 0.0).interval(0.05);
                interval.lower > 0.0 || interval.upper < 0.0
            };
            let misses = (0..2000).filter(missed).count();
            assert!(misses <= 129, "{links} links, layout {layout}: {misses}");
        }
    }

    #[test]
    fn what_the_control_arm_showed_is_a_least_error() {
        let found = centre(&blocks(24, 4, 0.0, 0.001, 3), 0.01);
        assert!(found.standard_error >= 0.01 * 0.5f64.sqrt());
        assert!(found.floor(0.005) > 0.01);
    }

    proptest! {
        #[test]
        fn shifts_move_the_centre_alone_and_names_of_links_do_not_matter(seed in 0u64..500, shift in -0.1f64..0.1, links in 1usize..6) {
            let before = blocks(24, links, 0.005, 0.005, seed);
            let moved = before.iter().map(|b| Block { effect: b.effect + shift, baseline_layout: 90 - b.baseline_layout, ..*b }).rev().collect::<Vec<_>>();
            let (before, after) = (centre(&before, 0.0), centre(&moved, 0.0));
            prop_assert!((after.estimate - before.estimate - shift).abs() < 1e-12);
            prop_assert!((after.standard_error / before.standard_error - 1.0).abs() < 1e-6);
            prop_assert_eq!(after.layouts, before.layouts);
        }
    }
}
