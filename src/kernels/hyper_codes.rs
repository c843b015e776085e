//! How the codes of Hyper-Compression are laid out.
//!
//! | layout | parts | holds |
//! |---|---|---|
//! | radix | `codes` | all codes as tight as a fixed rate allows, see `radix` |
//! | planes | `rows` | for each code its remainder by the number of rows of the lattice, one byte |
//! | | `columns` | the low byte of the quotient |
//! | | `tops` | its high byte; only where the base has quotients of 256 or more |
//!
//! Planes take more bytes by themselves. An entropy coder behind them sees each coordinate of the lattice as a symbol of its own, and small
//! ones near the middle of the box are frequent; in tightly packed fields there is nothing left to see.

use rayon::prelude::*;

use super::radix::Radix;
use crate::error::DecodeError;
use crate::kernel::Parts;

/// Codes that a parallel task takes where they stand in planes.
const TASK: usize = 1 << 15;

/// A layout of codes.
#[derive(Debug, Clone, Copy)]
pub enum Layout {
    /// As tight as a fixed rate allows.
    Radix,
    /// A byte for each coordinate; 1 to 256 rows.
    Planes {
        /// What codes are divided by.
        rows: u32,
    },
}

impl Layout {
    /// Adds the parts of `count` codes below `base`; `code` gives the i-th.
    pub fn pack(self, parts: Parts, base: u32, count: usize, code: impl Fn(usize) -> u32 + Sync) -> Parts {
        let Self::Planes { rows } = self else {
            let radix = Radix::new(base);
            let mut codes = vec![0; radix.packed_bytes(count)];
            let task = radix.task_codes();
            codes.par_chunks_mut(radix.packed_bytes(task)).enumerate().for_each(|(i, bytes)| {
                radix.pack((i * task..count.min((i + 1) * task)).map(&code), bytes);
            });
            return parts.with("codes", codes);
        };
        let (mut low, mut high) = (vec![0; count], vec![0; count]);
        let mut top = vec![0; if has_tops(base, rows) { count } else { 0 }];
        let tops = chunks_or_empty(&mut top, count.div_ceil(TASK));
        low.par_chunks_mut(TASK).zip(high.par_chunks_mut(TASK)).zip(tops).enumerate().for_each(|(task, ((low, high), top))| {
            for (i, (low, high)) in low.iter_mut().zip(high).enumerate() {
                let code = code(task * TASK + i);
                let [q0, q1, ..] = (code / rows).to_le_bytes();
                (*low, *high) = ((code % rows).to_le_bytes()[0], q0);
                if let Some(top) = top.get_mut(i) {
                    *top = q1;
                }
            }
        });
        let parts = parts.with("rows", low).with("columns", high);
        if has_tops(base, rows) { parts.with("tops", top) } else { parts }
    }

    /// Says what is wrong with the parts' lengths, before anything is allocated for what they claim to hold.
    pub fn check(self, parts: &Parts, base: u32, count: usize) -> Result<(), DecodeError> {
        match self {
            Self::Radix => parts.exact("codes", Radix::new(base).packed_bytes(count)).map(drop),
            Self::Planes { rows } => {
                let names = ["rows", "columns", "tops"];
                names.iter().take(if has_tops(base, rows) { 3 } else { 2 }).try_for_each(|name| parts.exact(name, count).map(drop))
            }
        }
    }

    /// Hands on `count` codes below `base`, each with the run of `width` values that it stands for. `emit` is told only valid codes.
    pub fn unpack(
        self,
        parts: &Parts,
        base: u32,
        count: usize,
        values: &mut [f32],
        width: usize,
        emit: impl Fn(u32, &mut [f32]) + Sync,
    ) -> Result<(), DecodeError> {
        let beyond = |part: &str| DecodeError::corrupt(part, "a code is beyond the number of points and classes");
        let Self::Planes { rows } = self else {
            let radix = Radix::new(base);
            let bytes = parts.exact("codes", radix.packed_bytes(count))?;
            let task = radix.task_codes();
            let tasks = values.par_chunks_mut(task * width).zip(bytes.par_chunks(radix.packed_bytes(task)));
            let valid = tasks.map(|(values, bytes)| {
                let mut vectors = values.chunks_mut(width);
                radix.unpack(bytes, vectors.len(), |code| vectors.next().into_iter().for_each(|vector| emit(code, vector)))
            });
            return if valid.reduce(|| true, |a, b| a && b) { Ok(()) } else { Err(beyond("codes")) };
        };
        let (low, high) = (parts.exact("rows", count)?, parts.exact("columns", count)?);
        let top = if has_tops(base, rows) { parts.exact("tops", count)? } else { &[] };
        let valid = values.par_chunks_mut(TASK * width).enumerate().map(|(task, values)| {
            values.chunks_mut(width).enumerate().all(|(i, vector)| {
                let at = task * TASK + i;
                let quotient = u32::from(high[at]) | u32::from(top.get(at).copied().unwrap_or(0)) << 8;
                let code = u32::from(low[at]) + rows * quotient;
                let valid = u32::from(low[at]) < rows && code < base;
                if valid {
                    emit(code, vector);
                }
                valid
            })
        });
        if valid.reduce(|| true, |a, b| a && b) { Ok(()) } else { Err(beyond("rows")) }
    }
}

/// Whether some code below `base` has a quotient that takes two bytes.
fn has_tops(base: u32, rows: u32) -> bool {
    base.saturating_sub(1) / rows > 255
}

/// The chunks of a plane, or as many empty ones where the plane is not there.
fn chunks_or_empty(plane: &mut [u8], tasks: usize) -> Vec<&mut [u8]> {
    let mut chunks: Vec<&mut [u8]> = plane.chunks_mut(TASK).collect();
    chunks.resize_with(tasks, Default::default);
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn codes_come_back_from_either_layout(rows in 2u32..=256, columns in 1u32..1200, count in 0usize..500, seed in any::<u32>()) {
            let base = rows * columns;
            let code = |i: usize| (seed.wrapping_mul(2_654_435_761).wrapping_add(u32::try_from(i).unwrap().wrapping_mul(40_503)) >> 3) % base;
            for layout in [Layout::Radix, Layout::Planes { rows }] {
                let parts = layout.pack(Parts::new(), base, count, code);
                let mut values = vec![0f32; count * 2];
                layout.unpack(&parts, base, count, &mut values, 2, |code, run| run.fill(code as f32)).unwrap();
                let expected: Vec<f32> = (0..count).flat_map(|i| [code(i) as f32; 2]).collect();
                prop_assert_eq!(values, expected);
            }
        }
    }

    #[test]
    fn codes_beyond_the_base_are_refused() {
        let layout = Layout::Planes { rows: 40 };
        let unpack = |low: u8, high: u8| {
            let parts = Parts::new().with("rows", vec![low]).with("columns", vec![high]);
            layout.unpack(&parts, 1601, 1, &mut [0.0, 0.0], 2, |_, _| {})
        };
        assert!(unpack(0, 40).is_ok());
        for (low, high) in [(1, 40), (40, 0), (0, 41)] {
            assert!(unpack(low, high).is_err(), "{low} {high}");
        }
    }
}
