//! Putting bytes into the cache: written beside, checked, then renamed.

use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::FetchError;
use crate::convert::Limited;

/// Bytes moved at a time.
const CHUNK: usize = 1 << 17;

/// What a file must turn out to be before it gets its name.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// What it is, for messages.
    pub what: &'a str,
    /// Its length, where that is known.
    pub bytes: Option<u64>,
    /// Its digest.
    pub sha256: &'a str,
}

/// Why bytes could not be copied.
pub enum CopyError {
    /// Reading them.
    Read(io::Error),
    /// Writing them.
    Write(io::Error),
}

/// Copies all of `from`, hashing on the way; gives length and digest.
pub fn copy(from: &mut dyn Read, to: &mut dyn Write) -> Result<(u64, String), CopyError> {
    let mut buffer = vec![0; CHUNK];
    let (mut total, mut digest) = (0, Sha256::new());
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(CopyError::Read(e)),
        };
        digest.update(&buffer[..count]);
        to.write_all(&buffer[..count]).map_err(CopyError::Write)?;
        total += count as u64;
    }
    Ok((total, digest.finalize().iter().map(|b| format!("{b:02x}")).collect()))
}

/// A file below the cache's `partial`, to be given its name by [`keep`].
pub fn partial(folder: &Path) -> Result<NamedTempFile, FetchError> {
    NamedTempFile::new_in(folder).map_err(FetchError::io("create a file in", folder))
}

/// Writes what `from` gives to `target`, if it is what is expected. `unreadable` words an error of `from`.
pub fn place(
    from: &mut dyn Read,
    expected: Expected<'_>,
    partial_folder: &Path,
    target: &Path,
    unreadable: impl FnOnce(io::Error) -> FetchError,
) -> Result<(), FetchError> {
    let file = partial(partial_folder)?;
    let mut out = BufWriter::with_capacity(CHUNK, file.as_file());
    let limit = expected.bytes.unwrap_or(u64::MAX);
    let copied = copy(&mut Limited::new(from, limit), &mut out);
    let (_, found) = match copied {
        Ok(copied) => copied,
        Err(CopyError::Read(e)) => return Err(unreadable(e)),
        Err(CopyError::Write(e)) => return Err(FetchError::io("write", target)(e)),
    };
    out.flush().map_err(FetchError::io("write", target))?;
    drop(out);
    if found != expected.sha256 {
        let (what, expected) = (expected.what.to_owned(), expected.sha256.to_owned());
        return Err(FetchError::Digest { what, expected, found });
    }
    keep(file, target)
}

/// Gives a finished file its name: on disk first, then renamed.
pub fn keep(file: NamedTempFile, target: &Path) -> Result<(), FetchError> {
    let folder: PathBuf = target.parent().unwrap_or(Path::new("")).to_owned();
    std::fs::create_dir_all(&folder).map_err(FetchError::io("create", &folder))?;
    file.as_file().sync_all().map_err(FetchError::io("write", target))?;
    readable(&file).map_err(FetchError::io("write", target))?;
    file.persist(target).map_err(|e| FetchError::io("write", target)(e.error))?;
    Ok(())
}

/// Files of the cache are for whoever may read the folder; temporary files are private.
fn readable(file: &NamedTempFile) -> io::Result<()> {
    #[cfg(unix)]
    file.as_file().set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
    #[cfg(not(unix))]
    let _ = file;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn put(bytes: &[u8], expected: Option<u64>, folder: &Path) -> Result<(), FetchError> {
        let expected = Expected { what: "'f'", bytes: expected, sha256: ABC };
        let unreadable = |e: io::Error| FetchError::Archive { package: "p".into(), message: e.to_string() };
        place(&mut &bytes[..], expected, folder, &folder.join("a/b/f"), unreadable)
    }

    #[test]
    fn only_what_is_expected_gets_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/f");
        let error = put(b"abd", Some(3), folder.path()).unwrap_err().to_string();
        assert!(error.contains("'f' has sha256") && error.contains(ABC), "{error}");
        let error = put(b"abcabc", Some(3), folder.path()).unwrap_err().to_string();
        assert!(error.contains("more than 3 bytes"), "{error}");
        assert!(!path.exists() && std::fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing is left behind");
        put(b"abc", Some(3), folder.path()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"abc");
    }

    #[test]
    fn a_full_disk_is_said_in_words() {
        let full = io::Error::from(io::ErrorKind::StorageFull);
        let error = FetchError::io("write", "/cache/x")(full).to_string();
        assert!(error.starts_with("no space is left for '/cache/x'") && error.contains("WEIGHBRIDGE_CACHE"), "{error}");
    }
}
