//! Which units of a model are drawn: strata of alike units, at least two from each, without replacement, the same on every machine.

use std::collections::BTreeMap;
use std::ops::Range;

use sha2::{Digest, Sha256};
use weighbridge::sample::splitmix;
use weighbridge::weights::TensorInfo;

/// Elements of a block of rows, at least.
const BLOCK_ELEMENTS: usize = 1 << 14;
/// Weights that the largest blocks of kernels hold. Blocks of rows are whole numbers of them, but for the last of a tensor: else each would
/// end in a part of one that is stored whole, and the sample would seem to take more bytes than the model.
const LARGEST_BLOCK: usize = 256;
/// Units drawn from a stratum, at least, where it has as many: one alone has no spread.
const LEAST_DRAWN: usize = 2;

/// What units are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Draw {
    /// Whole tensors.
    Tensors,
    /// Blocks of rows.
    Rows,
}

impl Draw {
    /// In a word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tensors => "tensors",
            Self::Rows => "rows",
        }
    }
}

/// Rows of a tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// The tensor.
    pub tensor: String,
    /// Its rows; all of them where tensors are drawn whole.
    pub rows: Range<usize>,
}

/// Draws units that hold about `elements` elements together, stratum by stratum: name, units in all, units drawn.
pub fn draw(tensors: &[TensorInfo], how: Draw, elements: usize) -> Vec<(String, u64, Vec<Drawn>)> {
    let mut strata = BTreeMap::<String, Vec<(Drawn, usize)>>::new();
    for info in tensors.iter().filter(|info| info.elements() > 0) {
        let units = strata.entry(stratum(info)).or_default();
        units.extend(units_of(info, how));
    }
    let total: usize = tensors.iter().map(TensorInfo::elements).sum();
    let drawn = |(name, units): (String, Vec<(Drawn, usize)>)| {
        let count = units.len();
        let held: usize = units.iter().map(|(_, elements)| elements).sum();
        // Its part of the sample, in units of its mean size, rounded.
        let share = (elements as u128 * count as u128 + total as u128 / 2).checked_div(total as u128).unwrap_or(0);
        let wanted = if held == 0 { 0 } else { usize::try_from(share).unwrap_or(count).clamp(LEAST_DRAWN.min(count), count) };
        let seed = Sha256::digest(name.as_bytes()).iter().take(8).fold(0, |seed, &byte| (seed << 8) | u64::from(byte));
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_key(|&i| (splitmix(seed, i as u64), i));
        let mut chosen = order[..wanted].to_vec();
        chosen.sort_unstable();
        (name, count as u64, chosen.into_iter().map(|i| units[i].0.clone()).collect())
    };
    strata.into_iter().map(drawn).collect()
}

/// Role and shape: the name with every number taken out, as layers are numbered.
fn stratum(info: &TensorInfo) -> String {
    let mut role = String::new();
    for c in info.name.chars() {
        match c {
            _ if !c.is_ascii_digit() => role.push(c),
            _ if !role.ends_with('#') => role.push('#'),
            _ => {}
        }
    }
    let shape = info.shape.iter().skip(1).map(usize::to_string).collect::<Vec<_>>().join("x");
    format!("{role} [{}x{shape}]", if info.shape.len() < 2 { info.elements().to_string() } else { "rows".to_owned() })
}

/// The units of a tensor and their elements. Vectors stay whole.
fn units_of(info: &TensorInfo, how: Draw) -> Vec<(Drawn, usize)> {
    let (rows, cols) = info.rows_cols();
    let step = match how {
        Draw::Rows if info.shape.len() >= 2 => {
            // As many rows hold whole blocks as the largest block has factors of two that a row lacks.
            let aligned = LARGEST_BLOCK >> cols.trailing_zeros().min(LARGEST_BLOCK.trailing_zeros());
            BLOCK_ELEMENTS.div_ceil(cols.max(1)).next_multiple_of(aligned)
        }
        _ => rows.max(1),
    };
    let unit = |start: usize| {
        let end = rows.min(start + step);
        (Drawn { tensor: info.name.clone(), rows: start..end }, (end - start) * cols)
    };
    (0..rows).step_by(step.max(1)).map(unit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use weighbridge::weights::Dtype;

    fn model() -> Vec<TensorInfo> {
        let info = |name: String, shape: &[usize]| TensorInfo { name, shape: shape.to_vec(), dtype: Dtype::F32 };
        let layer = |i: usize| [info(format!("layer.{i}.up"), &[4096, 1024]), info(format!("layer.{i}.bias"), &[4096])];
        let mut tensors: Vec<_> = (0..12).flat_map(layer).collect();
        tensors.push(info("embedding".into(), &[50_001, 1024]));
        tensors
    }

    #[test]
    fn strata_are_roles_and_units_cover_them() {
        for (how, units) in [(Draw::Tensors, [1, 12, 12]), (Draw::Rows, [3126, 12, 3072])] {
            let strata = draw(&model(), how, 1 << 20);
            let names: Vec<_> = strata.iter().map(|s| s.0.as_str()).collect();
            assert_eq!(names, ["embedding [rowsx1024]", "layer.#.bias [4096x]", "layer.#.up [rowsx1024]"]);
            assert_eq!(strata.iter().map(|s| s.1).collect::<Vec<_>>(), units);
            for (_, all, drawn) in &strata {
                assert!(drawn.len() as u64 >= 2.min(*all) && drawn.len() as u64 <= *all);
                assert!(drawn.iter().enumerate().all(|(i, d)| !drawn[..i].contains(d)));
            }
        }
    }

    #[test]
    fn large_strata_get_their_share_and_draws_repeat() {
        let strata = draw(&model(), Draw::Rows, 1 << 21);
        let elements = |drawn: &[Drawn]| drawn.iter().map(|d| d.rows.len() * 1024).sum::<usize>();
        let (embedding, up) = (elements(&strata[0].2), elements(&strata[2].2));
        assert!(embedding.abs_diff(up) < 1 << 17 && (embedding + up).abs_diff(1 << 21) < 1 << 18, "{embedding} {up}");
        assert_eq!(strata, draw(&model(), Draw::Rows, 1 << 21));
        let spread = strata[2].2.iter().map(|d| d.tensor.as_str()).collect::<std::collections::BTreeSet<_>>();
        assert!(spread.len() > 8, "{spread:?}");
    }

    #[test]
    fn blocks_of_rows_hold_whole_blocks_of_weights() {
        for cols in [1, 27, 96, 1500, 4096] {
            let info = TensorInfo { name: "w".into(), shape: vec![4000, cols], dtype: Dtype::F32 };
            let units = units_of(&info, Draw::Rows);
            let (last, whole) = units.split_last().unwrap();
            assert!(whole.iter().all(|(_, elements)| elements % LARGEST_BLOCK == 0 && *elements >= BLOCK_ELEMENTS), "{cols}");
            assert_eq!(last.0.rows.end, 4000);
        }
    }

    #[test]
    fn more_than_there_is_draws_all() {
        let strata = draw(&model()[..2], Draw::Rows, usize::MAX / 2);
        assert!(strata.iter().all(|(_, all, drawn)| drawn.len() as u64 == *all));
        assert_eq!(strata[1].2.last().unwrap().rows.end, 4096);
        assert!(draw(&[], Draw::Tensors, 5).is_empty());
    }
}
