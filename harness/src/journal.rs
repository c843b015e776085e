//! Files of lines: a header that carries a version, then a line for each result as it comes, on disk before the next begins.
//!
//! Whoever is killed leaves whole lines and at most one torn one at the end; [`read`] drops the torn line, and [`Journal::go_on`] writes over it.
//! A line that does not parse anywhere else is an error that names file, line and remedy.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What a file of lines holds.
#[derive(Debug)]
pub struct Kind {
    /// It in words, such as `a run file`.
    pub name: &'static str,
    /// Key of the header that holds the version.
    pub version_key: &'static str,
    /// Latest version that this release reads.
    pub version: u32,
    /// What to do about a file that cannot be read.
    pub remedy: &'static str,
}

/// A file of lines that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system said no.
    #[error("cannot {action} '{}': {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line is no record.
    #[error("'{}', line {line}: {message}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// Written by a later release.
    #[error("'{}' is {what} of version {found}; this release reads version {reads}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
        /// Its version.
        found: u64,
        /// The latest that can be read.
        reads: u32,
    },
    /// Another process has it open for writing.
    #[error("'{}' is being written by another process", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be resumed as asked.
    #[error("'{}' cannot be resumed: {reason}", path.display())]
    NotResumable {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

/// Reads a file of that kind: its header, and the length of its whole lines. Each line goes to `take` with its header, which gives back what is
/// wrong with it.
pub fn read<H: DeserializeOwned, S, L: DeserializeOwned>(
    path: &Path,
    kind: &Kind,
    begin: impl FnOnce(&H) -> S,
    mut take: impl FnMut(&mut S, L) -> Result<(), String>,
) -> Result<(H, S, u64), JournalError> {
    let io = |source| JournalError::Io { action: "read", path: path.to_owned(), source };
    let bad = |line: usize, message: String| JournalError::Line { path: path.to_owned(), line, message };
    let remedy = kind.remedy;
    let mut reader = BufReader::new(File::open(path).map_err(io)?);
    let mut text = String::new();
    reader.read_line(&mut text).map_err(io)?;
    let mut valid_bytes = text.len() as u64;
    let version = serde_json::from_str::<serde_json::Value>(&text).ok().and_then(|v| v.get(kind.version_key)?.as_u64());
    match version {
        Some(found) if found > u64::from(kind.version) => {
            return Err(JournalError::Newer { path: path.to_owned(), what: kind.name, found, reads: kind.version });
        }
        Some(_) => {}
        None => return Err(bad(1, format!("this is no header of {}; {remedy}", kind.name))),
    }
    let cut = |message: String| format!("{message}; the file was cut or edited: {remedy}");
    let header: H = serde_json::from_str(&text).map_err(|e| bad(1, cut(e.to_string())))?;
    let mut state = begin(&header);
    for number in 2.. {
        text.clear();
        if reader.read_line(&mut text).map_err(io)? == 0 || !text.ends_with('\n') {
            break;
        }
        let line: L = serde_json::from_str(&text).map_err(|e| bad(number, cut(e.to_string())))?;
        take(&mut state, line).map_err(|message| bad(number, cut(message)))?;
        valid_bytes += text.len() as u64;
    }
    Ok((header, state, valid_bytes))
}

/// A file of lines open for appending. Holds a lock, so that two processes do not write into each other.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens a file, which is made where there is none, and touches nothing in it.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io { action: "write", path: path.to_owned(), source };
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), file }),
            Err(std::fs::TryLockError::WouldBlock) => Err(JournalError::Busy { path: path.to_owned() }),
            Err(std::fs::TryLockError::Error(source)) => Err(io(source)),
        }
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> Result<bool, JournalError> {
        self.file.metadata().map(|m| m.len() == 0).map_err(|source| JournalError::Io { action: "read", path: self.path.clone(), source })
    }

    /// Empties it and writes a header.
    pub fn start(&mut self, header: &impl Serialize) -> Result<(), JournalError> {
        self.file.set_len(0).and_then(|()| self.file.rewind()).map_err(|e| self.error(e))?;
        self.append([header])
    }

    /// Goes on behind the whole lines, of this length.
    pub fn go_on(&mut self, valid_bytes: u64) -> Result<(), JournalError> {
        self.file.set_len(valid_bytes).and_then(|()| self.file.seek(SeekFrom::End(0))).map(|_| ()).map_err(|e| self.error(e))
    }

    /// Appends lines and waits until they are on disk.
    pub fn append<'a, T: Serialize + 'a>(&mut self, lines: impl IntoIterator<Item = &'a T>) -> Result<(), JournalError> {
        for line in lines {
            let mut bytes = serde_json::to_vec(line).map_err(|e| self.error(e.into()))?;
            bytes.push(b'\n');
            self.file.write_all(&bytes).map_err(|e| self.error(e))?;
        }
        self.file.sync_data().map_err(|e| self.error(e))
    }

    /// An error that says why it cannot be gone on with.
    pub fn differs(&self, reason: &str) -> JournalError {
        JournalError::NotResumable { path: self.path.clone(), reason: reason.to_owned() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn error(&self, source: std::io::Error) -> JournalError {
        JournalError::Io { action: "write", path: self.path.clone(), source }
    }
}
