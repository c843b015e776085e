//! TL2, the densest packing of bitnet.cpp (arXiv 2502.11880, section 3.1.2): three ternary weights in five bits, 1.67 bits a weight.
//!
//! Each row of the matrix is packed alone. Three weights a, b, c make 9a + 3b + c, from −13 to 13, of which the magnitude is kept as a
//! nibble and the sign as a bit, 1 for negative. What does not fill a run of 96 weights is packed as TL1 does: two weights a, b make
//! 3a + b + 4, a nibble. A row is
//!
//! | part of a row | bytes | layout |
//! |---|---|---|
//! | each run of 96 weights | 16 | magnitudes: triple 2j in the high and 2j + 1 in the low nibble of byte j |
//! | | 4 | signs: triple j in bit j of a little-endian u32 |
//! | the tail, up to 95 weights | tail / 4, rounded up | pair 2j in the high and 2j + 1 in the low nibble of byte j; zeros pad it |
//!
//! The codes are bitnet.cpp's. The order of the bytes is not: there a kernel generated for the matrix's very shape decides how nibbles and
//! signs are tiled, and it takes only such shapes.

use rayon::prelude::*;

use super::blocks::TASK;

/// Weights of a run.
const RUN: usize = 96;
/// Bytes of a run.
const RUN_BYTES: usize = 20;
/// Weights of a tail's byte.
const TAIL: usize = 4;

/// Weights of each magnitude and, from 16 on, of each negative one.
static TRIPLES: [[f32; 3]; 32] = triples();
/// Bit i: `TRIPLES[i]` is no code. Magnitudes 14 and 15, and zero with a sign.
const NO_TRIPLE: u32 = 0b11 << 14 | 0b11 << 30 | 1 << 16;
/// Weights of each pair's code.
static PAIRS: [[f32; 2]; 16] = pairs();
/// Nibble of a pair of zero weights.
const ZERO_PAIR: u8 = 4;

const fn triples() -> [[f32; 3]; 32] {
    let mut table = [[0.0; 3]; 32];
    let values = [-1.0, 0.0, 1.0];
    let mut i = 0;
    while i < 27 {
        // i − 13 = 9a + 3b + c, with digits one more than weights.
        let index = if i < 13 { 16 + (13 - i) } else { i - 13 };
        table[index] = [values[i / 9], values[i / 3 % 3], values[i % 3]];
        i += 1;
    }
    table
}

const fn pairs() -> [[f32; 2]; 16] {
    let mut table = [[0.0; 2]; 16];
    let values = [-1.0, 0.0, 1.0];
    let mut i = 0;
    while i < 9 {
        table[i] = [values[i / 3], values[i % 3]];
        i += 1;
    }
    table
}

/// Bytes of a row of `cols` weights.
const fn row_bytes(cols: usize) -> usize {
    cols / RUN * RUN_BYTES + (cols % RUN).div_ceil(TAIL)
}

/// Bytes of a matrix; saturates where a header lies.
pub const fn packed_bytes(rows: usize, cols: usize) -> usize {
    rows.saturating_mul(row_bytes(cols))
}

/// Packs a matrix of weights −1, 0 and 1.
pub fn pack(values: &[f32], cols: usize) -> Vec<u8> {
    let bytes = row_bytes(cols);
    let mut packed = vec![0; values.len().checked_div(cols).map_or(0, |rows| packed_bytes(rows, cols))];
    if packed.is_empty() {
        return packed;
    }
    let span = |values: &[f32], packed: &mut [u8]| {
        values.chunks_exact(cols).zip(packed.chunks_exact_mut(bytes)).for_each(|(values, packed)| pack_row(values, packed));
    };
    if values.len() <= TASK {
        span(values, &mut packed);
    } else {
        let rows = (TASK / cols).max(1);
        values.par_chunks(rows * cols).zip(packed.par_chunks_mut(rows * bytes)).for_each(|(values, packed)| span(values, packed));
    }
    packed
}

fn pack_row(values: &[f32], packed: &mut [u8]) {
    let (runs, tail) = values.as_chunks::<RUN>();
    let (blocks, last) = packed.split_at_mut(runs.len() * RUN_BYTES);
    for (run, block) in runs.iter().zip(blocks.as_chunks_mut::<RUN_BYTES>().0) {
        let mut signs = 0u32;
        for (j, triple) in run.as_chunks::<3>().0.iter().enumerate() {
            let sum = triple.iter().fold(0i8, |sum, x| 3 * sum + digit(*x));
            signs |= u32::from(sum < 0) << j;
            block[j / 2] |= sum.unsigned_abs() << (4 * (1 - j % 2));
        }
        block[16..].copy_from_slice(&signs.to_le_bytes());
    }
    for (byte, four) in last.iter_mut().zip(tail.chunks(TAIL)) {
        let mut padded = [0.0; TAIL];
        padded[..four.len()].copy_from_slice(four);
        let code = |a: f32, b: f32| (3 * digit(a) + digit(b)).cast_unsigned().wrapping_add(ZERO_PAIR);
        *byte = code(padded[0], padded[1]) << 4 | code(padded[2], padded[3]);
    }
}

/// The weight as an integer.
#[inline]
fn digit(x: f32) -> i8 {
    i8::from(x > 0.0) - i8::from(x < 0.0)
}

/// Unpacks a matrix to weights −1, 0 and 1 from [`packed_bytes`] of them; `None` where some code stands for no weights.
pub fn unpack(packed: &[u8], rows: usize, cols: usize) -> Option<Vec<f32>> {
    let bytes = row_bytes(cols);
    let mut values = vec![0.0; rows.checked_mul(cols)?];
    if values.is_empty() {
        return Some(values);
    }
    let span = |packed: &[u8], values: &mut [f32]| {
        let rows = packed.chunks_exact(bytes).zip(values.chunks_exact_mut(cols));
        rows.fold(true, |valid, (packed, values)| valid & unpack_row(packed, values))
    };
    let valid = if values.len() <= TASK {
        span(packed, &mut values)
    } else {
        let rows = (TASK / cols).max(1);
        let tasks = packed.par_chunks(rows * bytes).zip(values.par_chunks_mut(rows * cols));
        tasks.map(|(packed, values)| span(packed, values)).reduce(|| true, |a, b| a && b)
    };
    valid.then_some(values)
}

fn unpack_row(packed: &[u8], values: &mut [f32]) -> bool {
    let (runs, tail) = values.as_chunks_mut::<RUN>();
    let (blocks, last) = packed.split_at(runs.len() * RUN_BYTES);
    let mut bad = 0;
    for (block, run) in blocks.as_chunks::<RUN_BYTES>().0.iter().zip(runs) {
        let signs = u32::from_le_bytes([block[16], block[17], block[18], block[19]]);
        for (j, (byte, six)) in block.iter().zip(run.as_chunks_mut::<6>().0).enumerate() {
            let signs = signs >> (2 * j);
            let high = u32::from(byte >> 4) | (signs & 1) << 4;
            let low = u32::from(byte & 15) | (signs & 2) << 3;
            bad |= NO_TRIPLE >> high | NO_TRIPLE >> low;
            let (first, second) = six.split_at_mut(3);
            first.copy_from_slice(&TRIPLES[high as usize]);
            second.copy_from_slice(&TRIPLES[low as usize]);
        }
    }
    for (byte, four) in last.iter().zip(tail.chunks_mut(TAIL)) {
        let (high, low) = (byte >> 4, byte & 15);
        bad |= u32::from(high.max(low) > 8);
        let weights = [PAIRS[usize::from(high)], PAIRS[usize::from(low)]];
        four.copy_from_slice(&weights.as_flattened()[..four.len()]);
    }
    bad & 1 == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_rate_is_the_published_one() {
        assert_eq!(packed_bytes(1, 96) as f64 * 8.0 / 96.0, 5.0 / 3.0);
        let rate = packed_bytes(1024, 4096) as f64 * 8.0 / (1024.0 * 4096.0);
        assert!((rate - 1.67).abs() < 0.005, "{rate}");
    }

    #[test]
    fn the_layout_is_as_documented() {
        let mut row = vec![0.0; 101];
        // Triples 0, 1 and 31: 9 − 3 + 1 = 7, −9 + 3 = −6, and −1; the tail's pairs: 3 + 0 + 4 = 7, 0, and a last −3 + 4 = 1.
        (row[0], row[1], row[2], row[3], row[4], row[95]) = (1.0, -1.0, 1.0, -1.0, 1.0, -1.0);
        (row[96], row[100]) = (1.0, -1.0);
        let packed = pack(&row, 101);
        assert_eq!(packed[..2], [0x76, 0x00]);
        assert_eq!(packed[15..], [0x01, 0x02, 0x00, 0x00, 0x80, 0x74, 0x14]);
    }

    #[test]
    fn codes_that_stand_for_no_weights_are_errors() {
        let packed = pack(&[0.0; 100], 100);
        assert!(unpack(&packed, 1, 100).is_some());
        // Magnitudes 14 and 15, a negative zero, a pair beyond 8.
        for (at, byte) in [(0, 0xE0), (3, 0x0F), (16, 0x01), (19, 0x80), (20, 0x94), (20, 0x49)] {
            let mut damaged = packed.clone();
            damaged[at] = byte;
            assert_eq!(unpack(&damaged, 1, 100), None, "byte {at}: {byte:#x}");
        }
    }

    /// The layout weight by weight, from the table rather than from the code.
    fn naive(row: &[i32]) -> Vec<u8> {
        let mut out = Vec::new();
        let whole = row.len() / 96 * 96;
        for run in row[..whole].chunks(96) {
            let sums: Vec<i32> = run.chunks(3).map(|t| 9 * t[0] + 3 * t[1] + t[2]).collect();
            out.extend(sums.chunks(2).map(|s| u8::try_from(s[0].abs() * 16 + s[1].abs()).unwrap()));
            let negative = |bits: &[i32]| bits.iter().rev().fold(0, |byte, s| byte * 2 + u8::from(*s < 0));
            out.extend(sums.chunks(8).map(negative));
        }
        let mut tail = row[whole..].to_vec();
        tail.resize(tail.len().next_multiple_of(4), 0);
        out.extend(tail.chunks(4).map(|f| u8::try_from((3 * f[0] + f[1] + 4) * 16 + 3 * f[2] + f[3] + 4).unwrap()));
        out
    }

    proptest! {
        #[test]
        fn any_matrix_round_trips_and_equals_the_naive_layout(cols in 1usize..320, digits in prop::collection::vec(-1i32..=1, 960)) {
            let rows = digits.len() / cols;
            let digits = &digits[..rows * cols];
            let values: Vec<f32> = digits.iter().map(|&d| if d == 0 { 0.0 } else { f32::from(i8::try_from(d).unwrap()) }).collect();
            let packed = pack(&values, cols);
            prop_assert_eq!(packed.len(), packed_bytes(rows, cols));
            prop_assert_eq!(&packed, &digits.chunks(cols).flat_map(naive).collect::<Vec<_>>());
            let unpacked = unpack(&packed, rows, cols);
            prop_assert_eq!(unpacked.as_deref(), Some(values.as_slice()));
        }
    }

    #[test]
    fn large_matrices_are_those_of_their_rows() {
        let values: Vec<f32> = crate::sample::gaussian(300 * 500, 1.0, 4).iter().map(|x| f32::from(digit(x.trunc()))).collect();
        let packed = pack(&values, 500);
        assert_eq!(packed, values.chunks(500).flat_map(|row| pack(row, 500)).collect::<Vec<_>>());
        assert_eq!(unpack(&packed, 300, 500).unwrap(), values);
    }
}
