//! Wheels, which are zip archives: named members are unpacked, nothing else is looked at.

use std::fs::File;
use std::io::{BufReader, Read};

use zip::ZipArchive;

use super::unpack::Sink;
use crate::convert::inflate;

/// Unpacks what the sink wants.
pub fn unpack(file: File, sink: &mut Sink<'_>) -> Result<(), super::FetchError> {
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|e| sink.invalid(format!("not a zip archive: {e}")))?;
    for want in sink.wanted() {
        let Some(index) = archive.index_for_name(&want.file) else { continue };
        let member = archive.by_index_raw(index).map_err(|e| sink.invalid(format!("'{}': {e}", want.file)))?;
        if !member.is_file() || member.is_symlink() || member.encrypted() {
            return Err(sink.invalid(format!("'{}' is no plain file", want.file)));
        }
        let (method, limit) = (member.compression(), want.bytes.unwrap_or(0));
        let mut unpacked: Box<dyn Read> = inflate(method, member, limit).map_err(|e| sink.invalid(format!("'{}': {e}", want.file)))?;
        sink.take(&want, &mut unpacked)?;
    }
    Ok(())
}
