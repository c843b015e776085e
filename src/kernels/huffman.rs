//! Canonical Huffman codes over bytes, no longer than 12 bits, and their tables for encoding and decoding.
//!
//! Code lengths are the best under that limit (package-merge, Larmore and Hirschberg 1990); of symbols equally frequent the lower one counts
//! as rarer. Codes are canonical: shorter codes first, then lower symbols first, each the next number. A stream holds codes most
//! significant bit first, its last byte padded with zeros. A single symbol takes no bits at all.
//!
//! Written out here because no well-kept crate fits: `constriction` builds its codes from a tree, neither canonical nor limited in length,
//! and decodes bit by bit; zstd's coder (RFC 8878, section 4.2), which is both, comes only with zstd's frames around it.

/// Longest code. A table of 2¹² entries decodes any of them in one look-up; on exponents of weights the limit costs nothing.
pub const LONGEST: usize = 12;

/// Length in bits of each byte's code; 0 for bytes that do not occur, and for the only one that does.
pub type Lengths = [u8; 256];

/// The best lengths for these counts.
pub fn lengths(counts: &[u64; 256]) -> Lengths {
    let mut leaves: Vec<(u64, usize)> = counts.iter().copied().zip(0..).filter(|&(count, _)| count > 0).collect();
    leaves.sort_unstable();
    let mut lengths = [0; 256];
    if leaves.len() < 2 {
        return lengths;
    }
    // Each level holds the leaves and the pairs of the level below, by weight; where they weigh the same, leaves first.
    let mut levels: Vec<Vec<(u64, bool)>> = vec![leaves.iter().map(|&(weight, _)| (weight, true)).collect()];
    for _ in 1..LONGEST {
        let below = levels.last().map(Vec::as_slice).unwrap_or_default();
        let pairs = below.as_chunks::<2>().0.iter().map(|[a, b]| (a.0 + b.0, false));
        let mut level: Vec<(u64, bool)> = leaves.iter().map(|&(weight, _)| (weight, true)).chain(pairs).collect();
        level.sort_by_key(|&(weight, leaf)| (weight, !leaf));
        levels.push(level);
    }
    // The lightest 2 (symbols − 1) items of the top level make the code; each pair in them takes two items of the level below.
    let mut taken = 2 * (leaves.len() - 1);
    for level in levels.iter().rev() {
        let chosen = level[..taken].iter().filter(|&&(_, leaf)| leaf).count();
        leaves[..chosen].iter().for_each(|&(_, symbol)| lengths[symbol] += 1);
        taken = 2 * (taken - chosen);
    }
    lengths
}

/// Codes for encoding.
#[derive(Debug)]
pub struct Encoder {
    /// Code in the low bits, and its length.
    codes: [(u16, u8); 256],
}

impl Encoder {
    /// The canonical codes of these lengths.
    pub fn new(lengths: &Lengths) -> Self {
        let mut codes = [(0, 0); 256];
        let mut next = 0u16;
        for length in 1..=LONGEST {
            next <<= 1;
            for (code, _) in codes.iter_mut().zip(lengths).filter(|&(_, &l)| usize::from(l) == length) {
                *code = (next, lengths_byte(length));
                next += 1;
            }
        }
        Self { codes }
    }

    /// Bytes of a stream with these counts of symbols.
    pub fn stream_bytes(&self, counts: &[u32; 256]) -> usize {
        let bits: usize = counts.iter().zip(&self.codes).map(|(&count, code)| count as usize * usize::from(code.1)).sum();
        bits.div_ceil(8)
    }

    /// Writes a stream into bytes of the length that [`Encoder::stream_bytes`] says.
    pub fn encode(&self, symbols: impl Iterator<Item = u8>, mut bytes: &mut [u8]) {
        // Bits wait at the top of the low `bits` bits; at most 31 of them before a code is added.
        let (mut pending, mut bits) = (0u64, 0u32);
        for symbol in symbols {
            let (code, length) = self.codes[usize::from(symbol)];
            pending = pending << length | u64::from(code);
            bits += u32::from(length);
            if bits >= 32 {
                bits -= 32;
                #[expect(clippy::cast_possible_truncation, reason = "the oldest 32 bits; older ones are shifted out")]
                let word = (pending >> bits) as u32;
                let (head, rest) = std::mem::take(&mut bytes).split_at_mut(4);
                head.copy_from_slice(&word.to_be_bytes());
                bytes = rest;
            }
        }
        let last = if bits == 0 { 0 } else { pending << (64 - bits) };
        let tail = bytes.len();
        bytes.copy_from_slice(&last.to_be_bytes()[..tail]);
    }
}

/// Symbol and length by the next [`LONGEST`] bits.
#[derive(Debug)]
pub struct Decoder {
    table: Vec<(u8, u8)>,
}

impl Decoder {
    /// The table for these lengths, `None` where they are no complete code. `only` is the symbol where no length is above zero.
    pub fn new(lengths: &Lengths, only: u8) -> Option<Self> {
        if lengths.iter().any(|&l| usize::from(l) > LONGEST) {
            return None;
        }
        if lengths.iter().all(|&l| l == 0) {
            return Some(Self { table: vec![(only, 0); 1 << LONGEST] });
        }
        let mut table = Vec::with_capacity(1 << LONGEST);
        for length in 1..=LONGEST {
            for symbol in (0..=u8::MAX).filter(|&s| usize::from(lengths[usize::from(s)]) == length) {
                let end = table.len() + (1 << (LONGEST - length));
                if end > 1 << LONGEST {
                    return None;
                }
                table.resize(end, (symbol, lengths_byte(length)));
            }
        }
        (table.len() == 1 << LONGEST).then_some(Self { table })
    }

    /// Decodes `count` symbols; false where the stream is not exactly that long.
    #[inline]
    pub fn decode(&self, bytes: &[u8], count: usize, mut emit: impl FnMut(u8)) -> bool {
        // The next bits stand at the top of `window`, `bits` of them real, zeros after the stream's end.
        let (mut window, mut bits, mut rest, mut used) = (0u64, 0u32, bytes, 0usize);
        for _ in 0..count {
            if bits < 32 {
                let (head, after) = rest.split_at(rest.len().min(4));
                let mut word = [0; 4];
                word[..head.len()].copy_from_slice(head);
                window |= u64::from(u32::from_be_bytes(word)) << (32 - bits);
                (bits, rest) = (bits + 32, after);
            }
            let (value, length) = self.table[(window >> (64 - LONGEST)) as usize];
            emit(value);
            window <<= length;
            bits -= u32::from(length);
            used += usize::from(length);
        }
        used.div_ceil(8) == bytes.len()
    }
}

fn lengths_byte(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn counts_of(symbols: &[u8]) -> [u32; 256] {
        let mut counts = [0; 256];
        symbols.iter().for_each(|&s| counts[usize::from(s)] += 1);
        counts
    }

    fn round_trip(symbols: &[u8]) -> usize {
        let counts = counts_of(symbols);
        let lengths = lengths(&counts.map(u64::from));
        let encoder = Encoder::new(&lengths);
        let mut bytes = vec![0; encoder.stream_bytes(&counts)];
        encoder.encode(symbols.iter().copied(), &mut bytes);
        let decoder = Decoder::new(&lengths, symbols.first().copied().unwrap_or(0)).unwrap();
        let mut back = Vec::new();
        assert!(decoder.decode(&bytes, symbols.len(), |symbol| back.push(symbol)));
        assert_eq!(back, symbols);
        bytes.len()
    }

    #[test]
    fn lengths_are_huffmans_where_the_limit_allows() {
        let mut counts = [0; 256];
        // The textbook example: 45, 13, 12, 16, 9, 5 (Cormen et al., section 16.3).
        counts[..6].copy_from_slice(&[45, 13, 12, 16, 9, 5]);
        assert_eq!(lengths(&counts)[..6], [1, 3, 3, 3, 4, 4]);
        let codes = Encoder::new(&lengths(&counts)).codes;
        assert_eq!(codes[..6], [(0b0, 1), (0b100, 3), (0b101, 3), (0b110, 3), (0b1110, 4), (0b1111, 4)]);
    }

    #[test]
    fn lengths_keep_the_limit_and_fill_it() {
        // Fibonacci counts want codes as long as there are symbols.
        let mut counts = [0u64; 256];
        let (mut a, mut b) = (1, 1);
        for count in &mut counts[..40] {
            *count = a;
            (a, b) = (b, a + b);
        }
        let lengths = lengths(&counts);
        assert_eq!(lengths.iter().max(), Some(&12));
        assert!(Decoder::new(&lengths, 0).is_some());
        assert!(Decoder::new(&super::lengths(&[7; 256]), 0).is_some());
        assert_eq!(super::lengths(&[7; 256]), [8; 256]);
    }

    #[test]
    fn one_symbol_takes_no_bits() {
        assert_eq!(round_trip(&[9; 1000]), 0);
        assert_eq!(round_trip(&[]), 0);
        assert_eq!(round_trip(&[9, 8, 9]), 1);
    }

    #[test]
    fn incomplete_and_overfull_codes_are_refused() {
        for bad in [&[1][..], &[1, 2], &[1, 1, 1], &[13, 1, 2]] {
            let mut lengths = [0; 256];
            lengths[..bad.len()].copy_from_slice(bad);
            assert!(Decoder::new(&lengths, 0).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn streams_too_long_or_short_are_found() {
        let decoder = Decoder::new(&lengths(&[7; 256]), 0).unwrap();
        assert!(decoder.decode(&[1, 2, 3], 3, |_| ()));
        assert!(!decoder.decode(&[1, 2], 3, |_| ()));
        assert!(!decoder.decode(&[1, 2, 3, 4], 3, |_| ()));
    }

    proptest! {
        #[test]
        fn symbols_come_back(symbols in prop::collection::vec(any::<u8>(), 0..2000), spread in 1u8..=255) {
            round_trip(&symbols.iter().map(|s| s % spread).collect::<Vec<_>>());
        }
    }
}
