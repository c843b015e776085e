//! Codes below a base that is no power of two, packed several to a field.
//!
//! A field holds k codes as the digits of one number, the first code least significant, in w = ⌈k log₂ base⌉ bits, where k is the number of
//! codes that wastes the fewest bits with w ≤ 64. Fields stand one after the other, least significant bit first; the last one may hold
//! fewer codes and is padded with zeros. So that tasks can work in parallel, a task is a multiple of eight fields, which is whole bytes.

/// Codes that a parallel task takes, about.
const TASK_CODES: usize = 1 << 15;

/// The packing of codes below a base.
#[derive(Debug, Clone, Copy)]
pub struct Radix {
    base: u64,
    per_field: usize,
    field_bits: usize,
}

impl Radix {
    /// The densest packing of codes below `base`, which is at least 2.
    pub fn new(base: u32) -> Self {
        let base = u64::from(base.max(2));
        let mut best = Self { base, per_field: 1, field_bits: bits_below(u128::from(base)) };
        for per_field in 2..=64 {
            let states = (0..per_field).try_fold(1u128, |n, _| n.checked_mul(u128::from(base)).filter(|&n| n <= 1 << 64));
            let Some(states) = states else { break };
            let field_bits = bits_below(states);
            if field_bits * best.per_field < best.field_bits * per_field {
                best = Self { base, per_field, field_bits };
            }
        }
        best
    }

    /// Bytes that `codes` codes take.
    pub fn packed_bytes(self, codes: usize) -> usize {
        let fields = codes.div_ceil(self.per_field);
        (fields / 8).saturating_mul(self.field_bits).saturating_add((fields % 8 * self.field_bits).div_ceil(8))
    }

    /// Codes of one parallel task; [`Radix::packed_bytes`] of them are where the next task's begin.
    pub fn task_codes(self) -> usize {
        let unit = 8 * self.per_field;
        TASK_CODES / unit * unit
    }

    /// Packs codes into bytes, of which there are [`Radix::packed_bytes`].
    pub fn pack(self, mut codes: impl Iterator<Item = u32>, bytes: &mut [u8]) {
        let (mut pending, mut bits, mut rest) = (0u128, 0, bytes);
        loop {
            let (mut field, mut scale, mut held) = (0u64, 1u64, 0);
            for code in codes.by_ref().take(self.per_field) {
                field += u64::from(code) * scale;
                // After the last code of a full field this is base^k, which may be 2^64 and is not used.
                scale = scale.wrapping_mul(self.base);
                held += 1;
            }
            if held == 0 {
                break;
            }
            pending |= u128::from(field) << bits;
            bits += self.field_bits;
            if bits >= 64 {
                let (word, after) = rest.split_at_mut(8);
                word.copy_from_slice(&pending.to_le_bytes()[..8]);
                (pending, bits, rest) = (pending >> 64, bits - 64, after);
            }
        }
        let tail = bits.div_ceil(8);
        rest[..tail].copy_from_slice(&pending.to_le_bytes()[..tail]);
    }

    /// Unpacks `count` codes from [`Radix::packed_bytes`] of them; false where a field is beyond the base.
    pub fn unpack(self, mut bytes: &[u8], count: usize, mut emit: impl FnMut(u32)) -> bool {
        let mask = u64::MAX >> (64 - self.field_bits);
        let (mut pending, mut bits, mut left, mut valid) = (0u128, 0, count, true);
        while left > 0 {
            if bits < self.field_bits {
                let (word, after) = bytes.split_at(bytes.len().min(8));
                let mut padded = [0; 8];
                padded[..word.len()].copy_from_slice(word);
                pending |= u128::from(u64::from_le_bytes(padded)) << bits;
                (bits, bytes) = (bits + 64, after);
            }
            #[expect(clippy::cast_possible_truncation, reason = "the field is the low bits")]
            let mut field = pending as u64 & mask;
            pending >>= self.field_bits;
            bits -= self.field_bits;
            let held = left.min(self.per_field);
            for _ in 0..held {
                #[expect(clippy::cast_possible_truncation, reason = "below the base, which is a u32")]
                emit((field % self.base) as u32);
                field /= self.base;
            }
            valid &= field == 0;
            left -= held;
        }
        valid
    }
}

/// Bits that numbers below `states` take.
fn bits_below(states: u128) -> usize {
    (u128::BITS - (states - 1).leading_zeros()) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_waste_little() {
        for (base, per_field, field_bits) in [(6404, 4, 51), (904, 6, 59), (2, 1, 1), (256, 1, 8), (3, 5, 8), (1 << 22, 1, 22)] {
            let radix = Radix::new(base);
            assert!(radix.field_bits as f64 / radix.per_field as f64 <= f64::from(field_bits) / f64::from(per_field), "{base}: {radix:?}");
            assert!(radix.field_bits as f64 >= radix.per_field as f64 * f64::from(base).log2(), "{base}: {radix:?}");
        }
    }

    #[test]
    fn a_field_beyond_the_base_is_found() {
        let radix = Radix::new(6404);
        let mut bytes = vec![0xFF; radix.packed_bytes(9)];
        assert!(!radix.unpack(&bytes, 9, |_| ()));
        bytes.fill(0);
        assert!(radix.unpack(&bytes, 9, |code| assert_eq!(code, 0)));
    }

    #[test]
    fn sizes_do_not_overflow() {
        assert!(Radix::new(1 << 22).packed_bytes(usize::MAX) >= usize::MAX / 8 * 2);
    }

    proptest! {
        #[test]
        fn codes_come_back(base in 2u32..1 << 22, seed in any::<u64>(), count in 0usize..300) {
            let radix = Radix::new(base);
            let codes: Vec<u32> = (0..count as u64).map(|i| u32::try_from(crate::sample::splitmix(seed, i) % u64::from(base)).unwrap()).collect();
            let mut bytes = vec![0; radix.packed_bytes(count)];
            radix.pack(codes.iter().copied(), &mut bytes);
            let mut back = Vec::new();
            prop_assert!(radix.unpack(&bytes, count, |code| back.push(code)));
            prop_assert_eq!(&back, &codes);
            // Tasks are packed on their own: a whole task takes whole bytes.
            prop_assert_eq!(radix.packed_bytes(2 * radix.task_codes()), 2 * radix.packed_bytes(radix.task_codes()));
        }
    }
}
