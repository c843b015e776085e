//! The decision over one case at one look: what its blocks say of candidate against baseline.
//!
//! A regression is called when the whole interval lies above zero *and* the estimate exceeds the practical threshold; an improvement is its mirror
//! image. A case is equivalent when the interval lies within ± margin: that nothing changed is shown, not assumed. Else it is undecided. The interval is
//! the hull of the signed-rank one over blocks, exact for few blocks, and Student's over [layouts](super::layout), so it
//! holds what both promise; p-values are the larger of the two tests.

use super::hodges_lehmann::{HodgesLehmann, Interval};
use super::layout::{Block, CLEAR_EXCESS, Centre};
use super::wilcoxon::signed_rank;

/// The smallest practical threshold that is ever taken, as a log ratio: 0.5 %. Copies of one binary and relinks of one source differ by more than can be
/// called a change of the code.
pub const LEAST_PRACTICAL: f64 = 0.004_987_541_511_039_074;

/// What is said of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Finding {
    /// The candidate is slower, by more than counts.
    Regression,
    /// The candidate is faster, by more than counts.
    Improvement,
    /// A change of more than the margin is ruled out.
    Equivalent,
    /// Neither.
    Undecided,
}

/// What counts as a change of one case. All are log ratios.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Smallest estimate that counts as a change; [`LEAST_PRACTICAL`] where it is less.
    pub practical: f64,
    /// Half-width of what passes as equivalent; `practical` where it is less.
    pub margin: f64,
    /// Floor from the A/A arm, under which no difference counts; 0 without one.
    pub floor: f64,
    /// Standard deviation between links that the A/A arm showed; 0 without one.
    pub layout_deviation: f64,
}

impl Thresholds {
    /// The smallest estimate that counts, floors included.
    pub fn counting(&self) -> f64 {
        self.practical.max(self.floor).max(LEAST_PRACTICAL)
    }

    /// What the interval of an equivalent case lies within; it grows with the floor.
    pub fn equivalence(&self) -> f64 {
        self.margin.max(self.counting())
    }
}

/// Nominal error levels of one look, each of both sides together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Levels {
    /// For calling a change.
    pub difference: f64,
    /// For calling equivalence.
    pub equivalence: f64,
}

/// A decision with the figures that it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What is said.
    pub finding: Finding,
    /// Estimate and errors; None with fewer than four blocks.
    pub centre: Option<Centre>,
    /// Interval of the effect, a log ratio, at the level for differences; None where so few blocks have none at that level.
    pub interval: Option<Interval>,
    /// One-sided p-value of the candidate being slower.
    pub p_slower: f64,
    /// One-sided p-value of the candidate being faster.
    pub p_faster: f64,
    /// Changes larger than this, on either side, are ruled out at the level for equivalence; infinite where nothing is.
    pub ruled_out: f64,
    /// Smallest change, as a log ratio, that these blocks would have called with 95 % probability; infinite without an interval.
    pub detectable_95: f64,
    /// The same with 80 % probability.
    pub detectable_80: f64,
}

/// Decides on finite effects.
pub fn decide(blocks: &[Block], thresholds: &Thresholds, levels: Levels) -> Decision {
    let effects = blocks.iter().map(|block| block.effect).collect::<Vec<_>>();
    let averages = HodgesLehmann::new(&effects);
    let Some((averages, centre)) = averages.and_then(|a| Centre::of(blocks, &a, thresholds.layout_deviation).map(|c| (a, c))) else {
        return Decision::of_nothing();
    };
    let interval = |level: f64| Some(averages.interval(level)?.hull(&centre.interval(level)));
    let (of_difference, of_equivalence) = (interval(levels.difference), interval(levels.equivalence));
    let counting = thresholds.counting();
    let finding = if of_difference.is_some_and(|i| i.lower > 0.0) && centre.estimate > counting {
        Finding::Regression
    } else if of_difference.is_some_and(|i| i.upper < 0.0) && centre.estimate < -counting {
        Finding::Improvement
    } else if of_equivalence.is_some_and(|i| i.within(thresholds.equivalence())) {
        Finding::Equivalent
    } else {
        Finding::Undecided
    };
    let test = signed_rank(&effects);
    let p_slower = test.p_greater.max(centre.p_above(0.0));
    let p_faster = test.p_less.max(1.0 - centre.p_above(0.0));
    let detectable = |power: f64| {
        if of_difference.is_none() {
            return f64::INFINITY;
        }
        let called = counting.max(centre.critical(0.5 * levels.difference) * centre.standard_error);
        called + centre.critical(1.0 - power) * centre.standard_error
    };
    let (detectable_95, detectable_80) = (detectable(0.95), detectable(0.8));
    let ruled_out = of_equivalence.map_or(f64::INFINITY, |i| i.upper.max(-i.lower));
    Decision { finding, centre: Some(centre), interval: of_difference, p_slower, p_faster, ruled_out, detectable_95, detectable_80 }
}

impl Decision {
    /// What is said before anything was measured.
    pub fn of_nothing() -> Self {
        Self {
            finding: Finding::Undecided,
            centre: None,
            interval: None,
            p_slower: 1.0,
            p_faster: 1.0,
            ruled_out: f64::INFINITY,
            detectable_95: f64::INFINITY,
            detectable_80: f64::INFINITY,
        }
    }

    /// Width of the interval; infinite without one.
    pub fn width(&self) -> f64 {
        self.interval.map_or(f64::INFINITY, |interval| interval.width())
    }

    /// Blocks in all, at this level and these layouts, from which a change of that size would be called with 95 % probability.
    ///
    /// None where no number of blocks would do: the layouts alone blur more than that, or the size does not count as a change.
    pub fn blocks_needed(&self, change: f64, thresholds: &Thresholds, level: f64) -> Option<usize> {
        let centre = self.centre.as_ref()?;
        let (test, power) = (centre.critical(0.5 * level), centre.critical(0.05));
        let wanted = (change / (test + power)).min((change - thresholds.counting()) / power);
        let (whole, blocks) = (centre.standard_error.powi(2), centre.block_error.powi(2));
        // A small excess is often chance, and then blocks do bring it down.
        let (layout, from_blocks) = if whole > CLEAR_EXCESS * blocks { (whole - blocks, blocks) } else { (0.0, whole) };
        let left = wanted.powi(2) - layout;
        if wanted <= 0.0 || left <= 0.0 {
            return None;
        }
        let blocks = (from_blocks * centre.blocks as f64 / left).ceil();
        #[expect(clippy::cast_possible_truncation, reason = "a whole number up to 10⁹")]
        let blocks = (blocks <= 1e9).then_some(blocks as usize)?;
        Some(blocks.max(super::hodges_lehmann::fewest_differences(level)))
    }
}

/// A log ratio in per cent: 100·(exp(d) − 1).
pub fn percent(log_ratio: f64) -> f64 {
    100.0 * libm::expm1(log_ratio)
}

/// Per cent as a log ratio; above −100.
pub fn log_ratio(percent: f64) -> f64 {
    libm::log1p(percent / 100.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use weighbridge::sample::gaussian;

    use super::super::layout::pair;
    use super::*;

    const THRESHOLDS: Thresholds = Thresholds { practical: 0.005, margin: 0.01, floor: 0.0, layout_deviation: 0.0 };
    const LEVELS: Levels = Levels { difference: 0.01, equivalence: 0.05 };

    /// Blocks over one layout with that effect and noise.
    fn blocks(count: usize, effect: f64, noise: f64, seed: u64) -> Vec<Block> {
        let block = |e: f32| Block { baseline_layout: 0, candidate_layout: 0, effect: effect + f64::from(e) };
        gaussian(count, noise, seed).into_iter().map(block).collect()
    }

    #[test]
    fn each_finding_can_come_up() {
        let find = |effect: f64, noise: f64| decide(&blocks(24, effect, noise, 5), &THRESHOLDS, LEVELS).finding;
        assert_eq!(find(0.02, 0.005), Finding::Regression);
        assert_eq!(find(-0.02, 0.005), Finding::Improvement);
        assert_eq!(find(0.0, 0.005), Finding::Equivalent);
        assert_eq!(find(0.0, 0.05), Finding::Undecided);
        // Clearly above zero, and too small to count.
        assert_eq!(find(0.003, 0.001), Finding::Equivalent);
        assert_eq!(decide(&[], &THRESHOLDS, LEVELS), Decision::of_nothing());
    }

    #[test]
    fn the_floor_of_the_control_arm_hides_what_lies_below() {
        let blocks = blocks(24, 0.012, 0.002, 6);
        let under = |floor: f64| decide(&blocks, &Thresholds { floor, ..THRESHOLDS }, LEVELS).finding;
        assert_eq!(under(0.011), Finding::Regression);
        assert_eq!(under(0.015), Finding::Equivalent);
        // A layout that was seen to move times by 1 % a link widens the interval over zero, even where these blocks do not show it.
        let two = blocks.iter().enumerate().map(|(i, b)| {
            let [baseline_layout, candidate_layout] = pair(i, 4);
            Block { baseline_layout, candidate_layout, ..*b }
        });
        let blocks = two.collect::<Vec<_>>();
        assert_eq!(decide(&blocks, &THRESHOLDS, LEVELS).finding, Finding::Regression);
        assert_eq!(decide(&blocks, &Thresholds { layout_deviation: 0.01, ..THRESHOLDS }, LEVELS).finding, Finding::Undecided);
    }

    #[test]
    fn a_few_blocks_have_no_interval_at_a_strict_level() {
        let decision = decide(&blocks(6, 0.5, 0.001, 7), &THRESHOLDS, LEVELS);
        assert_eq!((decision.finding, decision.interval, decision.detectable_95), (Finding::Undecided, None, f64::INFINITY));
        assert_eq!(decision.blocks_needed(0.02, &THRESHOLDS, 0.01), Some(8));
    }

    #[test]
    fn blocks_needed_bring_the_detectable_change_down_to_what_is_wanted() {
        let first = decide(&blocks(400, 0.0, 0.02, 8), &THRESHOLDS, LEVELS);
        let needed = first.blocks_needed(0.02, &THRESHOLDS, LEVELS.difference).unwrap();
        let then = decide(&blocks(needed, 0.0, 0.02, 9), &THRESHOLDS, LEVELS);
        assert!((then.detectable_95 / 0.02 - 1.0).abs() < 0.35, "{needed} {}", then.detectable_95);
        assert!(then.detectable_80 < then.detectable_95);
        assert_eq!(first.blocks_needed(0.004, &THRESHOLDS, LEVELS.difference), None);
    }

    #[test]
    fn per_cent_and_log_ratio_are_inverse() {
        assert!((log_ratio(0.5) - LEAST_PRACTICAL).abs() < 1e-17);
        assert!((percent(log_ratio(-3.0)) + 3.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn swapping_the_sides_mirrors_the_decision(seed in 0u64..1000, effect in -0.03f64..0.03, noise in 0.001f64..0.03, links in 1usize..5, count in 0usize..40) {
            let paired = (blocks(count, effect, noise, seed).into_iter().enumerate()).map(|(i, b)| {
                let [baseline_layout, candidate_layout] = pair(i, links);
                Block { baseline_layout, candidate_layout, ..b }
            }).collect::<Vec<_>>();
            let swapped = paired.iter().rev().map(|b| Block {
                baseline_layout: b.candidate_layout, candidate_layout: b.baseline_layout, effect: -b.effect,
            }).collect::<Vec<_>>();
            let (there, back) = (decide(&paired, &THRESHOLDS, LEVELS), decide(&swapped, &THRESHOLDS, LEVELS));
            let mirrored = match there.finding {
                Finding::Regression => Finding::Improvement,
                Finding::Improvement => Finding::Regression,
                other => other,
            };
            prop_assert_eq!(back.finding, mirrored);
            prop_assert!((there.p_slower - back.p_faster).abs() < 1e-9);
            prop_assert!(there.width() == back.width() || (there.width() - back.width()).abs() < 1e-12);
        }
    }
}
