//! Members of a zip archive that is in memory: stored ones are borrowed, deflated ones unpacked within a budget.

use std::borrow::Cow;
use std::io::{Cursor, Read};

use flate2::Crc;
use zip::{CompressionMethod, ZipArchive};

use super::ConvertError;
use super::cursor::slice;
use super::inflate::{EXPANSION_LIMIT, inflate};

/// A zip archive's members.
pub struct Members<'a> {
    bytes: &'a [u8],
    archive: ZipArchive<Cursor<&'a [u8]>>,
    /// Bytes that may still be unpacked.
    budget: u64,
}

impl<'a> Members<'a> {
    /// Reads the directory.
    pub fn open(bytes: &'a [u8]) -> Result<Self, ConvertError> {
        let archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| invalid(&e))?;
        Ok(Self { bytes, archive, budget: (bytes.len() as u64).saturating_mul(EXPANSION_LIMIT) })
    }

    /// Names of all members that are files, in the archive's order.
    pub fn names(&mut self) -> Result<Vec<String>, ConvertError> {
        let mut names = Vec::new();
        for i in 0..self.archive.len() {
            let member = self.archive.by_index_data(i).map_err(|e| invalid(&e))?;
            if member.is_file() {
                names.push(member.name().map_err(|e| invalid(&e))?.into_owned());
            }
        }
        Ok(names)
    }

    /// A member's bytes, its checksum verified.
    pub fn read(&mut self, name: &str) -> Result<Cow<'a, [u8]>, ConvertError> {
        let named = |message: String| ConvertError::invalid(format!("member '{name}': {message}"));
        let index = self.archive.index_for_name(name).ok_or_else(|| named("missing".to_owned()))?;
        let member = self.archive.by_index_raw(index).map_err(|e| named(e.to_string()))?;
        if member.encrypted() {
            return Err(named("it is encrypted".to_owned()));
        }
        let (method, size, crc) = (member.compression(), member.size(), member.crc32());
        let start = member.data_start().ok_or_else(|| named("it has no data".to_owned()))?;
        let packed = slice(self.bytes, start, member.compressed_size(), &format!("member '{name}'"))?;
        let unpacked = if method == CompressionMethod::STORE {
            Cow::Borrowed(packed)
        } else {
            self.budget = self.budget.checked_sub(size).ok_or_else(|| {
                ConvertError::invalid(format!("member '{name}': the archive unpacks to more than {EXPANSION_LIMIT} times its length"))
            })?;
            let mut unpacked = Vec::new();
            inflate(method, packed, size)?.read_to_end(&mut unpacked).map_err(|e| named(e.to_string()))?;
            Cow::Owned(unpacked)
        };
        if unpacked.len() as u64 != size {
            return Err(named(format!("it holds {} bytes, the directory says {size}", unpacked.len())));
        }
        let mut sum = Crc::new();
        sum.update(&unpacked);
        if sum.sum() != crc {
            return Err(named("its checksum is wrong".to_owned()));
        }
        Ok(unpacked)
    }
}

fn invalid(error: &zip::result::ZipError) -> ConvertError {
    ConvertError::invalid(format!("not a zip archive: {error}"))
}
