//! Tar archives, as npm packs them and as Debian's packages hold them: read once from front to back, regular files of wanted names unpacked.
//! Links, devices and directories are passed over, and no name of an archive is ever used as a path.

use std::io::{BufReader, Read};

use flate2::read::GzDecoder;
use tar::{Archive, EntryType};

use super::FetchError;
use super::unpack::Sink;
use crate::convert::{EXPANSION_LIMIT, Limited};

/// Most entries of an archive.
const MAX_ENTRIES: usize = 200_000;

/// Unpacks what the sink wants from a gzipped archive of `packed_bytes`.
pub fn unpack_gzipped(file: impl Read, packed_bytes: u64, sink: &mut Sink<'_>) -> Result<(), FetchError> {
    unpack(GzDecoder::new(BufReader::new(file)), packed_bytes, sink)
}

/// Unpacks what the sink wants from an archive that was `packed_bytes` long when it was packed.
pub fn unpack(tar: impl Read, packed_bytes: u64, sink: &mut Sink<'_>) -> Result<(), FetchError> {
    let limit = packed_bytes.saturating_mul(EXPANSION_LIMIT);
    let mut archive = Archive::new(Limited::new(tar, limit));
    let entries = archive.entries().map_err(|e| sink.invalid(e.to_string()))?;
    for (i, entry) in entries.enumerate() {
        if i == MAX_ENTRIES {
            return Err(sink.invalid(format!("it has more than {MAX_ENTRIES} entries")));
        }
        let mut entry = entry.map_err(|e| sink.invalid(e.to_string()))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = name.strip_prefix("./").unwrap_or(&name);
        let Some(want) = sink.want(name) else { continue };
        if !matches!(entry.header().entry_type(), EntryType::Regular | EntryType::Continuous) {
            return Err(sink.invalid(format!("'{name}' is no plain file")));
        }
        sink.take(&want, &mut entry)?;
        if sink.is_done() {
            return Ok(());
        }
    }
    Ok(())
}
