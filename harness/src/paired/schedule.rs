//! Who runs when: order of the letters, layout variants and processor of each block, from a seed alone.
//!
//! A block is a function of the seed, the group and the block's number, so that a resumed comparison goes on as it would have.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::generate::philox;
use crate::stats::layout::pair;

/// A side of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// A.
    Baseline,
    /// B.
    Candidate,
}

/// Order of a block's four letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// The baseline first.
    #[serde(rename = "ABBA")]
    Abba,
    /// The candidate first.
    #[serde(rename = "BAAB")]
    Baab,
}

impl Order {
    /// The four letters.
    pub const fn letters(self) -> [Side; 4] {
        use Side::{Baseline as A, Candidate as B};
        match self {
            Self::Abba => [A, B, B, A],
            Self::Baab => [B, A, A, B],
        }
    }
}

/// How a block is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// Order of letters: of two blocks in a row one has each, which one first is drawn.
    pub order: Order,
    /// Layout variant of each side.
    pub variants: [usize; 2],
    /// Which of the processors that may be used.
    pub core: usize,
    /// Seeds the order in which cases share the processes.
    pub shuffle: u64,
}

/// Draws block `index` of a group's search or confirmation, of builds with so many variants, on so many processors.
///
/// A confirmation draws from the later half of the variants, which the search has not used, where there is more than one.
pub fn draw(seed: u64, group: &str, confirmation: bool, index: u64, variants: [usize; 2], cores: usize) -> Draw {
    let key = [seed, key_of(group)];
    let stage = u64::from(confirmation);
    let [first, core, shuffle, _] = philox::block([index / 2, stage, 0, 0], key);
    let abba = (first & 1 == 0) == index.is_multiple_of(2);
    let halves = variants.map(|count| half(count, confirmation));
    let links = halves[0].len().max(halves[1].len());
    let pair = pair(usize::try_from(index % (links * links) as u64).unwrap_or(0), links);
    let chosen = |side: usize| {
        let half = halves[side].clone();
        // Which link is called the first is drawn, so that the pairs of two groups are not the same.
        let order = permuted(half.len(), key, [stage, side as u64]);
        half.start + order[pair[side] % half.len()]
    };
    Draw {
        order: if abba { Order::Abba } else { Order::Baab },
        variants: [chosen(0), chosen(1)],
        core: usize::try_from(core % cores.max(1) as u64).unwrap_or(0),
        shuffle,
    }
}

/// Variants that a stage uses.
fn half(count: usize, confirmation: bool) -> std::ops::Range<usize> {
    match count {
        0 | 1 => 0..1,
        _ if confirmation => count.div_ceil(2)..count,
        _ => 0..count.div_ceil(2),
    }
}

/// The numbers below `n` in an order drawn from a key.
fn permuted(n: usize, key: [u64; 2], stream: [u64; 2]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_cached_key(|&i| (philox::block([i as u64, 3, stream[0], stream[1]], key)[0], i));
    order
}

/// Positions of `n` items in the order in which a block takes them.
pub fn shuffled(n: usize, shuffle: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by_cached_key(|&i| (philox::block([i as u64, 2, 0, 0], [shuffle, 0])[0], i));
    order
}

fn key_of(group: &str) -> u64 {
    Sha256::digest(group.as_bytes()).iter().take(8).fold(0, |key, &byte| (key << 8) | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn orders_alternate_and_every_pair_of_variants_comes_up_once_a_round() {
        for seed in 0..20 {
            for (confirmation, allowed) in [(false, 0..4), (true, 4..8)] {
                let draws: Vec<_> = (0..32).map(|i| draw(seed, "mlp encode", confirmation, i, [8, 8], 2)).collect();
                for two in draws.chunks(2) {
                    assert_ne!(two[0].order, two[1].order);
                }
                for round in draws.chunks(16) {
                    assert_eq!(round.iter().map(|d| d.variants).collect::<BTreeSet<_>>().len(), 16);
                }
                for (variants, core) in draws.iter().map(|d| (d.variants, d.core)) {
                    assert!(core < 2 && variants.iter().all(|v| allowed.contains(v)), "{variants:?}");
                }
            }
        }
    }

    #[test]
    fn sides_may_have_other_numbers_of_variants() {
        for (variants, confirmation, expected) in
            [([1, 3], false, [0..1, 0..2]), ([1, 3], true, [0..1, 2..3]), ([2, 1], true, [1..2, 0..1])]
        {
            for (side, expected) in expected.iter().enumerate() {
                let seen: BTreeSet<_> = (0..16).map(|i| draw(5, "g", confirmation, i, variants, 1).variants[side]).collect();
                assert_eq!(seen, expected.clone().collect(), "{variants:?}");
            }
        }
    }

    #[test]
    fn what_comes_first_depends_on_seed_and_group_alone() {
        let first = |seed, group| draw(seed, group, false, 0, [8, 8], 2);
        assert_eq!(first(7, "a"), first(7, "a"));
        let orders: BTreeSet<_> = (0..20).map(|seed| format!("{:?}", first(seed, "a"))).collect();
        assert!(orders.len() > 10, "{orders:?}");
        assert_ne!(first(7, "a").shuffle, first(7, "b").shuffle);
        let abba = (0..200).filter(|&seed| first(seed, "a").order == Order::Abba).count();
        assert!((60..140).contains(&abba), "{abba} of 200 begin with the baseline");
    }

    #[test]
    fn every_item_is_taken_once() {
        let mut order = shuffled(50, 9);
        assert_ne!(order, (0..50).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
    }
}
