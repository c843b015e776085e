//! Four- and five-bit codes as ggml lays them out: the codes' low halves in split-half order, fifth bits apart.
//!
//! Of a run of 2n codes, byte j of n holds code j in its low and code j + n in its high nibble. The fifth bits of 32 codes stand in four
//! bytes: that of code j is bit j mod 8 of byte j / 8.

/// Packs the low four bits of `codes` into half as many bytes.
#[inline]
pub fn pack(codes: &[u8], bytes: &mut [u8]) {
    let (low, high) = codes.split_at(bytes.len());
    for ((byte, a), b) in bytes.iter_mut().zip(low).zip(high) {
        *byte = (a & 15) | b << 4;
    }
}

/// Unpacks codes of four bits from half as many bytes.
#[inline]
pub fn unpack(bytes: &[u8], codes: &mut [u8]) {
    let (low, high) = codes.split_at_mut(bytes.len());
    for ((byte, a), b) in bytes.iter().zip(low).zip(high) {
        *a = byte & 15;
        *b = byte >> 4;
    }
}

/// The fifth bits of codes.
#[inline]
pub fn fifth_bits(codes: &[u8; 32]) -> [u8; 4] {
    let mut bytes = [0; 4];
    for (byte, codes) in bytes.iter_mut().zip(codes.as_chunks::<8>().0) {
        *byte = codes.iter().enumerate().fold(0, |bits, (i, code)| bits | (code >> 4 & 1) << i);
    }
    bytes
}

/// Adds fifth bits to codes of four.
#[inline]
pub fn add_fifth_bits(bytes: [u8; 4], codes: &mut [u8; 32]) {
    for (codes, byte) in codes.as_chunks_mut::<8>().0.iter_mut().zip(bytes) {
        for (i, code) in codes.iter_mut().enumerate() {
            *code |= (byte >> i & 1) << 4;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn five_bits_round_trip(codes in prop::array::uniform32(0u8..32)) {
            let mut bytes = [0; 16];
            pack(&codes, &mut bytes);
            prop_assert_eq!(bytes[3], codes[3] % 16 + codes[19] % 16 * 16);
            let high = fifth_bits(&codes);
            prop_assert_eq!(u32::from_le_bytes(high) >> 21 & 1, u32::from(codes[21] / 16));
            let mut again = [0; 32];
            unpack(&bytes, &mut again);
            add_fifth_bits(high, &mut again);
            prop_assert_eq!(again, codes);
        }
    }
}
