//! Philox4x64-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, *Parallel random numbers: as easy as 1, 2, 3* (SC 2011).
//!
//! A block of four numbers is a function of a counter and a key and of nothing else, so any part of a tensor can be made alone.

/// Multipliers of the first and the third word.
const MULTIPLIERS: [u64; 2] = [0xD2E7_470E_E14C_6C93, 0xCA5A_8263_9512_1157];
/// What is added to the key after each round: the golden ratio and √3 − 1, as the authors chose.
const WEYL: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xBB67_AE85_84CA_A73B];
/// Rounds; seven pass every known test, ten are the authors' margin.
const ROUNDS: usize = 10;

/// The block of that counter under that key.
pub fn block(counter: [u64; 4], key: [u64; 2]) -> [u64; 4] {
    let ([mut a, mut b, mut c, mut d], [mut k0, mut k1]) = (counter, key);
    for _ in 0..ROUNDS {
        let (low_a, high_a) = wide_product(MULTIPLIERS[0], a);
        let (low_c, high_c) = wide_product(MULTIPLIERS[1], c);
        (a, b, c, d) = (high_c ^ b ^ k0, low_c, high_a ^ d ^ k1, low_a);
        k0 = k0.wrapping_add(WEYL[0]);
        k1 = k1.wrapping_add(WEYL[1]);
    }
    [a, b, c, d]
}

/// Low and high word of a product.
fn wide_product(x: u64, y: u64) -> (u64, u64) {
    let product = u128::from(x) * u128::from(y);
    #[expect(clippy::cast_possible_truncation, reason = "the two halves of the product are meant")]
    (product as u64, (product >> 64) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_the_authors_come_out() {
        // From the file `kat_vectors` of Random123; NumPy's Philox gives the third one too.
        let cases = [
            ([0; 4], [0; 2], [0x16554d9eca36314c, 0xdb20fe9d672d0fdc, 0xd7e772cee186176b, 0x7e68b68aec7ba23b]),
            ([u64::MAX; 4], [u64::MAX; 2], [0x87b092c3013fe90b, 0x438c3c67be8d0224, 0x9cc7d7c69cd777b6, 0xa09caebf594f0ba0]),
            (
                [0x243f6a8885a308d3, 0x13198a2e03707344, 0xa4093822299f31d0, 0x082efa98ec4e6c89],
                [0x452821e638d01377, 0xbe5466cf34e90c6c],
                [0xa528f45403e61d95, 0x38c72dbd566e9788, 0xa5a1610e72fd18b5, 0x57bd43b5e52b7fe6],
            ),
        ];
        for (counter, key, expected) in cases {
            assert_eq!(block(counter, key), expected);
        }
    }
}
