//! Taking named files out of a package, whatever archive it is.
//!
//! Where a file goes is decided by the manifest alone: no name in an archive becomes a path. Each file has the length the manifest gives or
//! is refused, so that no archive fills the disk.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::copy::{Expected, place};
use super::{FetchError, deb, tarball, wheel};
use crate::fixture::{FileRef, Package, Registry};

/// Files to take out of one package and where they go.
pub struct Sink<'a> {
    package: &'a Package,
    partial: &'a Path,
    left: Vec<(FileRef, PathBuf)>,
}

impl<'a> Sink<'a> {
    /// Takes `files` out of `package`; what is not whole yet lies in `partial`.
    pub fn new(package: &'a Package, partial: &'a Path, files: Vec<(FileRef, PathBuf)>) -> Self {
        Self { package, partial, left: files }
    }

    /// An archive that is not as it should be.
    pub fn invalid(&self, message: String) -> FetchError {
        FetchError::Archive { package: self.package.to_string(), message }
    }

    /// What has not been taken yet.
    pub fn wanted(&self) -> Vec<FileRef> {
        self.left.iter().map(|(file, _)| file.clone()).collect()
    }

    /// The wanted file of that name.
    pub fn want(&self, name: &str) -> Option<FileRef> {
        self.left.iter().find(|(file, _)| file.file == name).map(|(file, _)| file.clone())
    }

    /// Whether all was taken.
    pub fn is_done(&self) -> bool {
        self.left.is_empty()
    }

    /// Takes a wanted file.
    pub fn take(&mut self, want: &FileRef, from: &mut dyn Read) -> Result<(), FetchError> {
        let Some(i) = self.left.iter().position(|(file, _)| file == want) else { return Ok(()) };
        let (file, target) = self.left.swap_remove(i);
        let what = format!("'{}' of {}", file.file, self.package);
        let expected = Expected { what: &what, bytes: file.bytes, sha256: &file.sha256 };
        place(from, expected, self.partial, &target, |e| self.invalid(format!("'{}': {e}", file.file)))
    }
}

/// Takes all files of the sink out of the package's file at `path`.
pub fn unpack(path: &Path, mut sink: Sink<'_>) -> Result<(), FetchError> {
    let file = File::open(path).map_err(FetchError::io("read", path))?;
    match sink.package.registry {
        Registry::Pypi => wheel::unpack(file, &mut sink)?,
        Registry::Npm => tarball::unpack_gzipped(file, sink.package.bytes, &mut sink)?,
        Registry::Debian => deb::unpack(file, &mut sink)?,
    }
    match sink.left.first() {
        None => Ok(()),
        Some((file, _)) => Err(sink.invalid(format!("it has no file '{}'", file.file))),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use tar::{Builder, EntryType, Header};

    use super::*;
    use crate::convert::testing::zip_of;

    /// `xz -9e` of a tar archive of './hello'.
    const TAR_XZ: &[u8] = include_bytes!("testdata/hello.tar.xz");
    const HELLO: &str = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

    /// Takes 'hello', of 6 bytes, out of a package; what then lies in the folder it was to go to, and the error.
    fn unpacked(registry: Registry, bytes: &[u8]) -> Result<Vec<u8>, String> {
        let folder = tempfile::tempdir().unwrap();
        let (path, partial, target) = (folder.path().join("p"), folder.path().join("partial"), folder.path().join("files/hello"));
        std::fs::create_dir(&partial).unwrap();
        std::fs::write(&path, bytes).unwrap();
        let (python, platform) = (None, None);
        let bytes = bytes.len() as u64;
        let package = Package { registry, name: "x".into(), version: "1".into(), sha256: String::new(), bytes, python, platform };
        let want = FileRef { file: "hello".into(), sha256: HELLO.into(), package: Some("p".into()), bytes: Some(6) };
        let result = unpack(&path, Sink::new(&package, &partial, vec![(want, target.clone())]));
        assert_eq!(std::fs::read_dir(&partial).unwrap().count(), 0, "nothing half-done is left");
        assert_eq!(target.exists(), result.is_ok());
        result.map(|()| std::fs::read(target).unwrap()).map_err(|e| e.to_string())
    }

    fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut ar = b"!<arch>\n".to_vec();
        for (name, bytes) in members {
            ar.extend_from_slice(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 100_644, bytes.len()).as_bytes());
            ar.extend_from_slice(bytes);
            if bytes.len() % 2 == 1 {
                ar.push(b'\n');
            }
        }
        ar
    }

    fn tar(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = Builder::new(Vec::new());
        for (name, kind, bytes) in entries {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_size(bytes.len() as u64);
            header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
            if kind.is_symlink() || kind.is_hard_link() {
                header.set_link_name("/etc/passwd").unwrap();
            }
            header.set_cksum();
            builder.append(&header, *bytes).unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn every_kind_of_package_gives_the_file() {
        let plain = tar(&[("./hello", EntryType::Regular, b"hello\n")]);
        for (registry, bytes) in [
            (Registry::Pypi, zip_of(&[("hello", b"hello\n")], false)),
            (Registry::Pypi, zip_of(&[("other", b"x"), ("hello", b"hello\n")], true)),
            (Registry::Npm, gzip(&plain)),
            (Registry::Debian, ar(&[("debian-binary", b"2.0\n"), ("control.tar.xz", b"odd"), ("data.tar.xz", TAR_XZ)])),
            (Registry::Debian, ar(&[("data.tar.gz/", &gzip(&plain))])),
            (Registry::Debian, ar(&[("data.tar", &plain)])),
        ] {
            assert_eq!(unpacked(registry, &bytes).unwrap(), b"hello\n", "{registry:?}");
        }
    }

    #[test]
    fn links_and_files_of_another_length_are_errors() {
        for kind in [EntryType::Symlink, EntryType::Link, EntryType::Fifo] {
            let error = unpacked(Registry::Npm, &gzip(&tar(&[("hello", kind, b"")]))).unwrap_err();
            assert_eq!(error, "npm x 1: 'hello' is no plain file");
        }
        for (bytes, word) in [(&b"hello\nmore"[..], "more than 6 bytes"), (b"hell", "has sha256"), (b"hellO\n", "has sha256")] {
            for (registry, package) in
                [(Registry::Pypi, zip_of(&[("hello", bytes)], true)), (Registry::Npm, gzip(&tar(&[("hello", EntryType::Regular, bytes)])))]
            {
                let error = unpacked(registry, &package).unwrap_err();
                assert!(error.contains("'hello'") && error.contains(word), "{error}");
            }
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_other_names() {
        for name in ["../hello", "/hello", "a/../hello", ".//hello"] {
            let error = unpacked(Registry::Npm, &gzip(&tar(&[(name, EntryType::Regular, b"hello\n")]))).unwrap_err();
            assert_eq!(error, "npm x 1: it has no file 'hello'", "{name}");
            let error = unpacked(Registry::Pypi, &zip_of(&[(name, b"hello\n")], false)).unwrap_err();
            assert_eq!(error, "PyPI x 1: it has no file 'hello'", "{name}");
        }
    }

    #[test]
    fn a_bomb_ends_at_a_hundred_times_its_length() {
        let bomb = gzip(&tar(&[("zeros", EntryType::Regular, &vec![0; 4_000_000]), ("hello", EntryType::Regular, b"hello\n")]));
        assert!(bomb.len() < 10_000);
        let error = unpacked(Registry::Npm, &bomb).unwrap_err();
        assert!(error.contains("it unpacks to more than"), "{error}");
    }

    #[test]
    fn packages_cut_anywhere_are_errors() {
        let packages = [
            (Registry::Pypi, zip_of(&[("hello", b"hello\n")], true)),
            (Registry::Npm, gzip(&tar(&[("hello", EntryType::Regular, b"hello\n")]))),
            (Registry::Debian, ar(&[("debian-binary", b"2.0\n"), ("data.tar.xz", TAR_XZ)])),
        ];
        for (registry, package) in packages {
            // The tail of a stream may say nothing of the file.
            let needed = package.len() - if registry == Registry::Pypi { 0 } else { 60 };
            for end in (0..needed).step_by(7) {
                assert!(unpacked(registry, &package[..end]).is_err(), "{registry:?} {end}");
            }
        }
        let header = ar(&[("data.tar.lz4", b"")]);
        assert!(unpacked(Registry::Debian, &header).unwrap_err().contains("'data.tar.lz4' is not read"));
    }
}
