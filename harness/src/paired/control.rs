//! The A/A arm: some of a comparison's times are taken of the baseline's build alone, some of its links against the others, drawn as the candidate's are.
//!
//! What the arm shows is an error of the measurement. It gives the floor under which no change of that time counts, what links alone move it by, and the
//! verdict that a machine is unfit. It comes before the search, so that the floor does not depend on what it judges.

/// Blocks of an arm: each of eight links a side comes up once.
pub const BLOCKS: u64 = 8;
/// The arm takes at most one part in so many of the time for the comparison.
pub const BUDGET_SHARE: u32 = 5;
/// Times of a fixture and operation that have an arm.
const ARMED_ITEMS: usize = 4;

/// Positions of the items of a group that have an arm: all of a small group, some spread over a large one.
pub fn armed(items: usize) -> Vec<usize> {
    let count = items.min(ARMED_ITEMS);
    (0..count).map(|i| i * items / count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_groups_are_armed_whole_and_large_ones_here_and_there() {
        assert_eq!([0, 1, 4].map(armed), [vec![], vec![0], vec![0, 1, 2, 3]]);
        assert_eq!(armed(55), [0, 13, 27, 41]);
    }
}
