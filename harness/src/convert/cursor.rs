//! Reading little-endian values from a slice, with an error instead of a panic where it ends.

use super::ConvertError;

/// A place in a slice.
#[derive(Debug, Clone)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the start.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes before this place.
    pub fn position(&self) -> usize {
        self.at
    }

    /// Bytes after this place.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: u64, what: &str) -> Result<&'a [u8], ConvertError> {
        let rest = &self.bytes[self.at..];
        match usize::try_from(count).ok().and_then(|n| rest.get(..n)) {
            Some(slice) => {
                self.at += slice.len();
                Ok(slice)
            }
            None => Err(ConvertError::Truncated { what: what.to_owned(), at: self.at, wanted: count, length: self.bytes.len() }),
        }
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], ConvertError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64, what)?);
        Ok(array)
    }

    /// The next byte.
    pub fn u8(&mut self, what: &str) -> Result<u8, ConvertError> {
        self.array(what).map(|[byte]| byte)
    }

    /// The next two bytes.
    pub fn u16(&mut self, what: &str) -> Result<u16, ConvertError> {
        self.array(what).map(u16::from_le_bytes)
    }

    /// The next four bytes.
    pub fn u32(&mut self, what: &str) -> Result<u32, ConvertError> {
        self.array(what).map(u32::from_le_bytes)
    }

    /// The next eight bytes.
    pub fn u64(&mut self, what: &str) -> Result<u64, ConvertError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// A count of things that take at least `least` bytes each: more than could be left is an error before any is read.
    pub fn count(&self, claimed: u64, least: u64, what: &str) -> Result<usize, ConvertError> {
        let wanted = claimed.saturating_mul(least.max(1));
        match usize::try_from(claimed) {
            Ok(count) if wanted <= self.remaining() as u64 => Ok(count),
            _ => Err(ConvertError::Truncated { what: format!("{claimed} {what}"), at: self.at, wanted, length: self.bytes.len() }),
        }
    }
}

/// The `count` bytes from `start` on.
pub fn slice<'a>(bytes: &'a [u8], start: u64, count: u64, what: &str) -> Result<&'a [u8], ConvertError> {
    let truncated = || ConvertError::Truncated {
        what: what.to_owned(),
        at: usize::try_from(start).unwrap_or(usize::MAX),
        wanted: count,
        length: bytes.len(),
    };
    let end = start.checked_add(count).ok_or_else(truncated)?;
    match (usize::try_from(start), usize::try_from(end)) {
        (Ok(start), Ok(end)) => bytes.get(start..end).ok_or_else(truncated),
        _ => Err(truncated()),
    }
}
