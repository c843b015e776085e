//! Decompression with a bound: an archive that claims little and unpacks to much is an error, not a full disk.

use std::io::{self, Read};

use flate2::read::DeflateDecoder;
use zip::CompressionMethod;

use super::ConvertError;

/// How many times its packed length an archive may unpack to. Weights grow by a few per cent and text fivefold; a bomb by a thousand.
pub const EXPANSION_LIMIT: u64 = 100;

/// A reader that fails once it would give more than it may.
#[derive(Debug)]
pub struct Limited<R> {
    inner: R,
    left: u64,
    limit: u64,
}

impl<R: Read> Limited<R> {
    /// At most `limit` bytes of `inner`.
    pub fn new(inner: R, limit: u64) -> Self {
        Self { inner, left: limit, limit }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            return match self.inner.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(io::Error::other(format!("it unpacks to more than {} bytes", self.limit))),
            };
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.inner.read(&mut buffer[..most])?;
        self.left -= count as u64;
        Ok(count)
    }
}

/// What a member of a zip archive unpacks to; stored and deflated members are read.
pub fn inflate<'a>(method: CompressionMethod, packed: impl Read + 'a, limit: u64) -> Result<Box<dyn Read + 'a>, ConvertError> {
    match method {
        CompressionMethod::STORE => Ok(Box::new(Limited::new(packed, limit))),
        CompressionMethod::DEFLATE => Ok(Box::new(Limited::new(DeflateDecoder::new(packed), limit))),
        other => Err(ConvertError::unsupported(format!("a member is compressed by {other:?}; stored and deflated ones are read"))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;

    use super::*;

    #[test]
    fn exactly_the_limit_is_read_and_one_more_is_an_error() {
        let read = |limit: u64| {
            let mut out = Vec::new();
            Limited::new(&[7u8; 100][..], limit).read_to_end(&mut out).map(|_| out.len())
        };
        assert_eq!(read(100).unwrap(), 100);
        assert_eq!(read(1000).unwrap(), 100);
        assert!(read(99).unwrap_err().to_string().contains("more than 99 bytes"));
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&vec![0; 10_000_000]).unwrap();
        let packed = encoder.finish().unwrap();
        assert!(packed.len() < 20_000);
        let mut out = Vec::new();
        let error = inflate(CompressionMethod::DEFLATE, &packed[..], 50_000).unwrap().read_to_end(&mut out).unwrap_err();
        assert!(error.to_string().contains("more than 50000 bytes") && out.len() <= 50_000, "{error}");
    }
}
