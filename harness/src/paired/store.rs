//! The file of a comparison, `paired.jsonl`: lines are appended as they come and are on disk before the next block begins.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::record::{Header, Line, VERSION};
use crate::store::StoreError;

/// A comparison as stored, complete or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Its header.
    pub header: Header,
    /// Its lines.
    pub lines: Vec<Line>,
    /// Length of its whole lines.
    valid_bytes: u64,
}

impl Stored {
    /// Reads a file; a torn last line is dropped.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        let io = |source| StoreError::Io { action: "read", path: path.to_owned(), source };
        let bad = |line: usize, message: String| StoreError::Line { path: path.to_owned(), line, message };
        let mut reader = BufReader::new(File::open(path).map_err(io)?);
        let mut text = String::new();
        reader.read_line(&mut text).map_err(io)?;
        let mut valid_bytes = text.len() as u64;
        let version = serde_json::from_str::<serde_json::Value>(&text).ok().and_then(|v| v.get("weighbridge-paired")?.as_u64());
        match version {
            Some(found) if found > u64::from(VERSION) => return Err(StoreError::Newer { path: path.to_owned(), found }),
            Some(_) => {}
            None => return Err(bad(1, "this is no header of a comparison; compare again with 'weighbridge gate'".to_owned())),
        }
        let remedy = "; the file was cut or edited: compare again with 'weighbridge gate', without '--resume'";
        let header: Header = serde_json::from_str(&text).map_err(|e| bad(1, format!("{e}{remedy}")))?;
        let mut lines = Vec::new();
        for number in 2.. {
            text.clear();
            if reader.read_line(&mut text).map_err(io)? == 0 || !text.ends_with('\n') {
                break;
            }
            lines.push(serde_json::from_str(&text).map_err(|e| bad(number, format!("{e}{remedy}")))?);
            valid_bytes += text.len() as u64;
        }
        Ok(Self { header, lines, valid_bytes })
    }
}

/// A file open for appending, which no other comparison writes.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
}

impl Writer {
    /// Starts a file; one that is there is replaced.
    pub fn create(path: &Path, header: &Header) -> Result<Self, StoreError> {
        let mut writer = Self::lock(path)?;
        writer.file.set_len(0).map_err(|e| writer.error(e))?;
        writer.put(header)?;
        writer.sync()?;
        Ok(writer)
    }

    /// Opens a file to go on with it, where it is of the same builds, items and machine; gives what it holds.
    ///
    /// `seed` of `None` takes the one that is there.
    pub fn resume(path: &Path, header: &Header, seed: Option<u64>) -> Result<(Self, Stored), StoreError> {
        let mut writer = Self::lock(path)?;
        let stored = Stored::read(path)?;
        let differs = |reason: &str| StoreError::NotResumable { path: path.to_owned(), reason: reason.to_owned() };
        let there = &stored.header;
        if there.baseline != header.baseline || there.candidate != header.candidate || there.planted != header.planted {
            return Err(differs("it compares other builds; start anew without '--resume'"));
        }
        if there.items != header.items {
            return Err(differs("it has other cases; give the same suite and filters"));
        }
        if there.machine != header.machine || there.batch_ns != header.batch_ns || there.cores != header.cores {
            return Err(differs("it was made on another machine; start anew without '--resume'"));
        }
        if seed.is_some_and(|seed| seed != there.seed) {
            return Err(differs("it has another seed; leave '--seed' out"));
        }
        writer.file.set_len(stored.valid_bytes).and_then(|()| writer.file.seek(SeekFrom::End(0))).map_err(|e| writer.error(e))?;
        Ok((writer, stored))
    }

    fn lock(path: &Path) -> Result<Self, StoreError> {
        let io = |source| StoreError::Io { action: "write", path: path.to_owned(), source };
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), file }),
            Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::Busy { path: path.to_owned() }),
            Err(std::fs::TryLockError::Error(source)) => Err(io(source)),
        }
    }

    /// Appends lines and waits until they are on disk.
    pub fn append(&mut self, lines: &[Line]) -> Result<(), StoreError> {
        lines.iter().try_for_each(|line| self.put(line))?;
        self.sync()
    }

    fn put(&mut self, value: &impl Serialize) -> Result<(), StoreError> {
        let mut bytes = serde_json::to_vec(value).map_err(|e| self.error(e.into()))?;
        bytes.push(b'\n');
        self.file.write_all(&bytes).map_err(|e| self.error(e))
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(|e| self.error(e))
    }

    fn error(&self, source: std::io::Error) -> StoreError {
        StoreError::Io { action: "write", path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{block, item};
    use super::super::schedule::Order;
    use super::*;
    use crate::builds::{Build, Layout, Origin, Variant};
    use crate::model::machine::Machine;

    fn header() -> Header {
        let build = |sha: &str| Build {
            origin: Origin::Program { path: PathBuf::from("/p") },
            layout: Layout::Copied,
            variants: vec![Variant { program: PathBuf::from("/p"), sha256: sha.to_owned() }],
        };
        Header {
            weighbridge_paired: VERSION,
            started: "2026-01-02T03:04:05Z".into(),
            command: "weighbridge gate".into(),
            seed: 7,
            machine: Machine::current(),
            cores: vec![1],
            batch_ns: 8_000_000,
            planted: None,
            baseline: build("a"),
            candidate: build("b"),
            items: vec![item()],
        }
    }

    #[test]
    fn blocks_come_back_and_a_torn_last_line_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("paired.jsonl");
        let line = || Line::Block(Box::new(block(Order::Abba, [1, 2, 3, 4])));
        let mut writer = Writer::create(&path, &header()).unwrap();
        writer.append(&[line()]).unwrap();
        assert!(matches!(Writer::resume(&path, &header(), None), Err(StoreError::Busy { .. })));
        drop(writer);
        let mut torn = std::fs::read(&path).unwrap();
        torn.extend_from_slice(b"{\"record\":\"blo");
        std::fs::write(&path, torn).unwrap();
        let (mut writer, stored) = Writer::resume(&path, &Header { seed: 9, ..header() }, None).unwrap();
        assert_eq!((stored.lines, stored.header.seed), (vec![line()], 7));
        writer.append(&[line()]).unwrap();
        drop(writer);
        assert_eq!(Stored::read(&path).unwrap().lines.len(), 2);
    }

    #[test]
    fn other_builds_and_seeds_are_not_gone_on_with_and_an_edited_line_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("paired.jsonl");
        drop(Writer::create(&path, &header()).unwrap());
        let other = Header { candidate: header().baseline, ..header() };
        for error in [Writer::resume(&path, &other, None), Writer::resume(&path, &header(), Some(8))] {
            assert!(matches!(error, Err(StoreError::NotResumable { .. })), "{error:?}");
        }
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}{{\"record\":\"block\"}}\n")).unwrap();
        let error = Stored::read(&path).unwrap_err().to_string();
        assert!(error.contains("paired.jsonl', line 2") && error.contains("compare again"), "{error}");
    }
}
