//! Linear feedback shift registers (arXiv 2410.10714, section 3.1): the pseudo-random numbers that bases are made of.
//!
//! A register of K bits steps to `(state >> 1) | (b << (K − 1))`, where the feedback bit b is the XOR of the tapped bits; the state is
//! recorded *after* the step. With these taps every register runs through all 2ᴷ − 1 states that are not zero before it repeats.

use std::sync::OnceLock;

/// Bits of the register that the kernel uses.
pub const REGISTER_BITS: u32 = 16;
/// States of that register before it repeats, which is the number of seeds.
pub const PERIOD: usize = (1 << REGISTER_BITS) - 1;
/// States beyond one period at the end of [`cycle`]: enough that a basis from the last offset need not wrap, with room for whole vectors.
pub const MARGIN: usize = 1024;
/// The recorded state that stands for 0 in a basis, 2ᴷ⁻¹.
const MIDDLE: i32 = 1 << (REGISTER_BITS - 1);
/// What centred states are divided by, 2ᴷ⁻¹ − 1.
pub const UNIT: f64 = 32_767.0;

/// Tapped bits of the registers of 2 to 24 bits.
const TAPS: [&[u32]; 23] = [
    &[0, 1],
    &[0, 1],
    &[0, 1],
    &[0, 2],
    &[0, 1],
    &[0, 1],
    &[0, 2, 3, 4],
    &[0, 4],
    &[0, 3],
    &[0, 2],
    &[0, 1, 2, 8],
    &[0, 1, 2, 5],
    &[0, 1, 2, 12],
    &[0, 1],
    &[0, 1, 3, 12],
    &[0, 3],
    &[0, 7],
    &[0, 1, 2, 5],
    &[0, 3],
    &[0, 2],
    &[0, 1],
    &[0, 5],
    &[0, 1, 2, 7],
];

/// A register; iterating gives the states after each step, without end.
#[derive(Debug, Clone)]
pub struct Register {
    bits: u32,
    taps: u32,
    state: u32,
}

impl Register {
    /// A register of 2 to 24 bits in the state `seed`, which must not be zero and must fit; else `None`.
    pub fn new(bits: u32, seed: u32) -> Option<Self> {
        let taps = TAPS.get(usize::try_from(bits.checked_sub(2)?).ok()?)?;
        let valid = seed != 0 && seed >> bits == 0;
        valid.then(|| Self { bits, taps: taps.iter().fold(0, |mask, tap| mask | 1 << tap), state: seed })
    }
}

impl Iterator for Register {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let feedback = (self.state & self.taps).count_ones() & 1;
        self.state = (self.state >> 1) | (feedback << (self.bits - 1));
        Some(self.state)
    }
}

/// The states of the 16-bit register from state 1 on, less 2¹⁵: one period and then [`MARGIN`] more. Within ±32767.
///
/// A basis of the kernel is a stretch of this table from an *offset* on, which is what the format stores for a seed.
pub fn cycle() -> &'static [i16] {
    static CYCLE: OnceLock<Vec<i16>> = OnceLock::new();
    CYCLE.get_or_init(|| {
        let states = Register::new(REGISTER_BITS, 1).into_iter().flatten().take(PERIOD + MARGIN);
        #[expect(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "states are 1 to 65535")]
        states.map(|state| (state as i32 - MIDDLE) as i16).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figure_4_of_the_paper() {
        let states: Vec<u32> = Register::new(3, 4).unwrap().take(8).collect();
        assert_eq!(states, [2, 5, 6, 7, 3, 1, 4, 2]);
    }

    #[test]
    fn every_register_runs_through_all_its_states() {
        for bits in 2..=24 {
            let mut register = Register::new(bits, 1).unwrap();
            let period = 1 + register.position(|state| state == 1).unwrap();
            assert_eq!(period, (1 << bits) - 1, "{bits} bits");
        }
    }

    #[test]
    fn impossible_registers_are_none() {
        for (bits, seed) in [(1, 1), (25, 1), (16, 0), (16, 1 << 16), (0, 1)] {
            assert!(Register::new(bits, seed).is_none(), "{bits} {seed}");
        }
    }

    #[test]
    fn the_cycle_wraps() {
        let cycle = cycle();
        assert_eq!(cycle.len(), PERIOD + MARGIN);
        assert_eq!(cycle[..MARGIN], cycle[PERIOD..]);
        // State 1 comes last: it is where the register started.
        assert_eq!(i32::from(cycle[PERIOD - 1]), 1 - MIDDLE);
    }
}
