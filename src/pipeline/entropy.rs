//! Order-0 entropy coding: canonical Huffman codes over bytes (`kernels::huffman`).
//!
//! Layout: u64 count of bytes; 256 code lengths, two a byte, low nibble first; one byte, the symbol where there is only one; the stream.

use serde::{Deserialize, Serialize};

use super::stage::{Stage, StageInfo};
use crate::kernels::huffman::{Decoder, Encoder, Lengths, lengths};
use crate::spec::Parameter;

/// Bytes before the stream.
const HEADER: usize = 8 + 128 + 1;

/// It has no parameters.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {}

/// The stage.
#[derive(Debug)]
pub struct Entropy(Config);

impl Stage for Entropy {
    const INFO: StageInfo = StageInfo {
        id: "entropy",
        summary: "canonical Huffman codes of at most 12 bits over the bytes of a part",
        source: "canonical Huffman codes, limited in length by package-merge (Larmore and Hirschberg 1990)",
    };
    const PARAMETERS: &'static [Parameter] = &[];
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self(config))
    }

    fn config(&self) -> &Config {
        &self.0
    }

    fn pack(&self, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let mut counts = [0u64; 256];
        bytes.iter().for_each(|&b| counts[usize::from(b)] += 1);
        let lengths = lengths(&counts);
        let bits: u64 = counts.iter().zip(&lengths).map(|(count, &length)| count * u64::from(length)).sum();
        let stream = usize::try_from(bits.div_ceil(8)).map_err(|e| e.to_string())?;
        let mut out = Vec::with_capacity(HEADER + stream);
        out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        out.extend(lengths.as_chunks::<2>().0.iter().map(|[low, high]| low | high << 4));
        out.push(bytes.first().copied().unwrap_or(0));
        out.resize(HEADER + stream, 0);
        Encoder::new(&lengths).encode(bytes.iter().copied(), &mut out[HEADER..]);
        Ok(out)
    }

    fn unpack(&self, bytes: &[u8], limit: usize) -> Result<Vec<u8>, String> {
        let (header, stream) = bytes.split_at_checked(HEADER).ok_or("too short for its code lengths")?;
        let count = header.first_chunk().map_or(0, |c| u64::from_le_bytes(*c));
        let count = usize::try_from(count)
            .ok()
            .filter(|&c| c <= limit)
            .ok_or_else(|| format!("announces {count} bytes, at most {limit} make sense"))?;
        let mut lengths: Lengths = [0; 256];
        for (pair, byte) in lengths.as_chunks_mut::<2>().0.iter_mut().zip(&header[8..]) {
            *pair = [byte & 15, byte >> 4];
        }
        let decoder = Decoder::new(&lengths, header[HEADER - 1]).ok_or("its code lengths are no complete code")?;
        let mut out = Vec::with_capacity(count);
        if decoder.decode(stream, count, |symbol| out.push(symbol)) { Ok(out) } else { Err("its stream has another length".to_owned()) }
    }
}
