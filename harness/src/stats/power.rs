//! What a comparison could have seen: the smallest change that a number of blocks would call with a wanted probability, and the reverse.
//!
//! The test calls a change whose estimate is z₁₋α standard errors above zero; a change of (z₁₋α + z_power) standard errors is called with that
//! power. The Hodges–Lehmann estimate of B blocks has the standard error sd/√(0.955·B) on Gaussian noise (efficiency 3/π).

use super::distribution::normal_upper_quantile;

/// Efficiency of the Hodges–Lehmann estimate on Gaussian noise, 3/π, as a share of the mean's.
pub const EFFICIENCY: f64 = 3.0 / std::f64::consts::PI;

/// Smallest detectable change, in the unit of `deviation` (a log ratio).
///
/// `deviation` is the standard deviation of one block's effect, `tail` the one-sided error level of the test, `power` the probability to call it.
/// Infinite without blocks.
pub fn smallest_detectable_change(deviation: f64, blocks: usize, tail: f64, power: f64) -> f64 {
    deviation_units(tail, power) * deviation / (EFFICIENCY * blocks as f64).sqrt()
}

/// Fewest blocks from which a change of that size is called with that power; None where no number of blocks is enough to count.
pub fn blocks_needed(deviation: f64, change: f64, tail: f64, power: f64) -> Option<usize> {
    let blocks = (deviation_units(tail, power) * deviation / change.abs()).powi(2) / EFFICIENCY;
    if !blocks.is_finite() || blocks > 1e9 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number up to 10⁹")]
    let blocks = blocks.ceil().max(1.0) as usize;
    Some(blocks)
}

/// Smallest detectable change in standard errors.
fn deviation_units(tail: f64, power: f64) -> f64 {
    normal_upper_quantile(tail) + normal_upper_quantile(1.0 - power)
}

#[cfg(test)]
mod tests {
    use super::super::reference::assert_close;
    use super::*;

    #[test]
    fn the_formula_gives_the_worked_example() {
        // (1.6449 + 0.8416) · 0.005 / √(0.955 · 24) at 5 % one-sided and 80 % power; 95 % power takes 2 · 1.6449.
        assert_close(smallest_detectable_change(0.005, 24, 0.05, 0.8), 0.002597, 0.001);
        assert_close(smallest_detectable_change(0.005, 24, 0.05, 0.95), 0.003436, 0.001);
        assert_eq!(smallest_detectable_change(0.005, 0, 0.05, 0.8), f64::INFINITY);
    }

    #[test]
    fn blocks_needed_turn_the_formula_round() {
        for (deviation, change) in [(0.005, 0.01), (0.02, 0.01), (0.3, -0.02)] {
            let blocks = blocks_needed(deviation, change, 0.01, 0.95).unwrap();
            assert!(smallest_detectable_change(deviation, blocks, 0.01, 0.95) <= change.abs());
            assert!(blocks == 1 || smallest_detectable_change(deviation, blocks - 1, 0.01, 0.95) > change.abs());
        }
        assert_eq!(blocks_needed(0.01, 0.0, 0.05, 0.8), None);
        assert_eq!(blocks_needed(0.0, 0.01, 0.05, 0.8), Some(1));
    }
}
