//! Codes of two to six bits as ggml lays them out: each bit plane or pair or nibble of the codes apart, in an order that suits SIMD.
//!
//! | what | codes | layout |
//! |---|---|---|
//! | nibbles | run of 2n | byte j of n holds code j in its low and code j + n in its high nibble |
//! | fifth bits | 32 | bit j mod 8 of byte j / 8 is that of code j |
//! | pairs | run of 128 | byte j of 32 holds those of codes j, j + 32, j + 64, j + 96, lowest first |
//! | planes | 256 | bit k of byte j of 32 is that of code j + 32k |

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

/// Packs the low two bits of 256 codes.
#[inline]
pub fn pack_pairs(codes: &[u8; 256], bytes: &mut [u8; 64]) {
    for (bytes, codes) in bytes.as_chunks_mut::<32>().0.iter_mut().zip(codes.as_chunks::<128>().0) {
        for (j, byte) in bytes.iter_mut().enumerate() {
            *byte = (codes[j] & 3) | (codes[j + 32] & 3) << 2 | (codes[j + 64] & 3) << 4 | codes[j + 96] << 6;
        }
    }
}

/// Adds pairs of bits, shifted left by `shift`, to 256 codes.
#[inline]
pub fn add_pairs(bytes: &[u8; 64], shift: u32, codes: &mut [u8; 256]) {
    for (bytes, codes) in bytes.as_chunks::<32>().0.iter().zip(codes.as_chunks_mut::<128>().0) {
        for (codes, place) in codes.as_chunks_mut::<32>().0.iter_mut().zip([0, 2, 4, 6]) {
            for (code, byte) in codes.iter_mut().zip(bytes) {
                *code |= (byte >> place & 3) << shift;
            }
        }
    }
}

/// Packs the lowest bit of 256 codes.
#[inline]
pub fn pack_planes(codes: &[u8; 256], bytes: &mut [u8; 32]) {
    *bytes = [0; 32];
    for (plane, codes) in codes.as_chunks::<32>().0.iter().enumerate() {
        for (byte, code) in bytes.iter_mut().zip(codes) {
            *byte |= (code & 1) << plane;
        }
    }
}

/// Adds bits, shifted left by `shift`, to 256 codes.
#[inline]
pub fn add_planes(bytes: &[u8; 32], shift: u32, codes: &mut [u8; 256]) {
    for (plane, codes) in codes.as_chunks_mut::<32>().0.iter_mut().enumerate() {
        for (code, byte) in codes.iter_mut().zip(bytes) {
            *code |= (byte >> plane & 1) << shift;
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

        #[test]
        fn pairs_and_planes_round_trip(codes in prop::collection::vec(0u8..8, 256)) {
            let codes: [u8; 256] = codes.try_into().unwrap();
            let (mut pairs, mut planes, mut again) = ([0; 64], [0xFF; 32], [0; 256]);
            pack_pairs(&codes, &mut pairs);
            pack_planes(&codes.map(|code| code >> 2), &mut planes);
            for j in 0..256 {
                prop_assert_eq!(pairs[j / 128 * 32 + j % 32] >> (j % 128 / 32 * 2) & 3, codes[j] & 3);
                prop_assert_eq!(planes[j % 32] >> (j / 32) & 1, codes[j] >> 2);
            }
            add_pairs(&pairs, 0, &mut again);
            add_planes(&planes, 2, &mut again);
            prop_assert_eq!(again, codes);
        }
    }
}
