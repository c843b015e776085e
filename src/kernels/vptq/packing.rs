//! Bit streams of words of equal width, lowest bit first, in whole little-endian 32-bit words: what `pack_index` of the `vptq` package
//! writes.

/// Bits that tell `count` things apart; one even for a single thing, so that no shape can claim more weights than its bytes could stand
/// for.
pub const fn bits(count: usize) -> u32 {
    let bits = usize::BITS - count.saturating_sub(1).leading_zeros();
    if bits == 0 { 1 } else { bits }
}

/// Bytes that a stream of `count` words takes; saturates.
pub const fn packed_bytes(count: usize, bits: u32) -> usize {
    count.saturating_mul(bits as usize).div_ceil(32).saturating_mul(4)
}

/// Packs words of at most 32 bits, which must fit; `out` takes [`packed_bytes`].
pub fn pack(words: &[u32], bits: u32, out: &mut [u8]) {
    let (mut buffer, mut filled) = (0u64, 0);
    let mut out = out.as_chunks_mut::<4>().0.iter_mut();
    #[expect(clippy::cast_possible_truncation, reason = "the low word is what is written")]
    let low = |buffer: u64| (buffer as u32).to_le_bytes();
    for &word in words {
        buffer |= u64::from(word) << filled;
        filled += bits;
        if filled >= 32 {
            out.next().into_iter().for_each(|bytes| *bytes = low(buffer));
            buffer >>= 32;
            filled -= 32;
        }
    }
    if filled > 0 {
        out.next().into_iter().for_each(|bytes| *bytes = low(buffer));
    }
}

/// Unpacks as many words as `out` holds from their [`packed_bytes`].
pub fn unpack(bytes: &[u8], bits: u32, out: &mut [u32]) {
    let (mut buffer, mut filled) = (0u64, 0);
    let mut bytes = bytes.as_chunks::<4>().0.iter();
    let mask = u64::MAX >> (64 - bits);
    for word in out {
        if filled < bits {
            buffer |= u64::from(bytes.next().map_or(0, |bytes| u32::from_le_bytes(*bytes))) << filled;
            filled += 32;
        }
        #[expect(clippy::cast_possible_truncation, reason = "the mask is at most 32 bits wide")]
        let value = (buffer & mask) as u32;
        *word = value;
        buffer >>= bits;
        filled -= bits;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_lowest_bit_comes_first_and_streams_end_on_a_word() {
        let mut out = [0xFF; 4];
        pack(&[0b101, 0b011, 0b110], 3, &mut out);
        assert_eq!(out, [0b1001_1101, 1, 0, 0]);
        assert_eq!((packed_bytes(4, 8), packed_bytes(5, 8), packed_bytes(0, 8)), (4, 8, 0));
        assert_eq!(packed_bytes(usize::MAX, 32), usize::MAX / 32 * 4 + 4);
    }

    #[test]
    fn widths() {
        assert_eq!([1, 2, 3, 4, 5, 256, 257, 65_536].map(bits), [1, 1, 2, 2, 3, 8, 9, 16]);
    }

    proptest! {
        #[test]
        fn words_come_back(width in 1u32..=32, seed: u64, count in 0usize..70) {
            let mask = u64::MAX >> (64 - width);
            #[expect(clippy::cast_possible_truncation, reason = "a test")]
            let words: Vec<u32> = (0..count as u64).map(|i| (crate::sample::splitmix(seed, i) & mask) as u32).collect();
            let mut bytes = vec![0; packed_bytes(count, width)];
            pack(&words, width, &mut bytes);
            // Bit by bit, the obvious way.
            for (i, &word) in words.iter().enumerate() {
                for bit in 0..width as usize {
                    let at = i * width as usize + bit;
                    prop_assert_eq!(u32::from(bytes[at / 8] >> (at % 8) & 1), word >> bit & 1);
                }
            }
            let mut again = vec![0; count];
            unpack(&bytes, width, &mut again);
            prop_assert_eq!(again, words);
        }
    }
}
