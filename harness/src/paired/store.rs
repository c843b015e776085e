//! The file of a comparison, `paired.jsonl`: lines are appended as they come and are on disk before the next block begins.

use std::path::Path;

use super::record::{Header, Line, VERSION};
use crate::journal::{self, Journal, JournalError, Kind};

const KIND: Kind = Kind {
    name: "a comparison of times",
    version_key: "weighbridge-paired",
    version: VERSION,
    remedy: "compare again with 'weighbridge gate', without '--resume'",
};

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
    pub fn read(path: &Path) -> Result<Self, JournalError> {
        let (header, lines, valid_bytes) = journal::read(
            path,
            &KIND,
            |_: &Header| Vec::new(),
            |lines: &mut Vec<Line>, line| {
                lines.push(line);
                Ok(())
            },
        )?;
        Ok(Self { header, lines, valid_bytes })
    }
}

/// A file open for appending, which no other comparison writes.
#[derive(Debug)]
pub struct Writer {
    journal: Journal,
}

impl Writer {
    /// Starts a file; one that is there is replaced.
    pub fn create(path: &Path, header: &Header) -> Result<Self, JournalError> {
        let mut journal = Journal::open(path)?;
        journal.start(header)?;
        Ok(Self { journal })
    }

    /// Opens a file to go on with it, where it is of the same builds, items and machine; gives what it holds.
    ///
    /// `seed` of `None` takes the one that is there.
    pub fn resume(path: &Path, header: &Header, seed: Option<u64>) -> Result<(Self, Stored), JournalError> {
        let mut journal = Journal::open(path)?;
        let stored = Stored::read(path)?;
        let there = &stored.header;
        if there.baseline != header.baseline || there.candidate != header.candidate || there.planted != header.planted {
            return Err(journal.differs("it compares other builds; start anew without '--resume'"));
        }
        if there.items != header.items {
            return Err(journal.differs("it has other cases; give the same suite and filters"));
        }
        if there.machine != header.machine || there.batch_ns != header.batch_ns || there.cores != header.cores {
            return Err(journal.differs("it was made on another machine; start anew without '--resume'"));
        }
        if seed.is_some_and(|seed| seed != there.seed) {
            return Err(journal.differs("it has another seed; leave '--seed' out"));
        }
        journal.go_on(stored.valid_bytes)?;
        Ok((Self { journal }, stored))
    }

    /// Appends lines and waits until they are on disk.
    pub fn append(&mut self, lines: &[Line]) -> Result<(), JournalError> {
        self.journal.append(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::{block, item};
    use super::super::schedule::Order;
    use std::path::PathBuf;

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
        assert!(matches!(Writer::resume(&path, &header(), None), Err(JournalError::Busy { .. })));
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
            assert!(matches!(error, Err(JournalError::NotResumable { .. })), "{error:?}");
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let version = format!("\"weighbridge-paired\":{VERSION}");
        std::fs::write(&path, text.replace(&version, "\"weighbridge-paired\":99")).unwrap();
        let error = Stored::read(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("a comparison of times of version 99; this release reads version {VERSION}")), "{error}");
        std::fs::write(&path, format!("{text}{{\"record\":\"block\"}}\n")).unwrap();
        let error = Stored::read(&path).unwrap_err().to_string();
        assert!(error.contains("paired.jsonl', line 2") && error.contains("compare again"), "{error}");
    }
}
