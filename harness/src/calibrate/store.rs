//! The file of a calibration: trials are appended as they end, and a later sitting goes on with it.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::record::{Header, Key, Trial, VERSION};
use crate::store::StoreError;

/// A file that is open, with what it holds. No other calibration writes it meanwhile.
#[derive(Debug)]
pub struct Trials {
    path: PathBuf,
    file: File,
    /// Its header.
    pub header: Header,
    /// Its trials, in order.
    pub trials: Vec<Trial>,
}

impl Trials {
    /// Opens a file, or starts it. One that is there must be of the same machine, build and settings; `seed` of `None` takes its seed. A torn
    /// last line is dropped.
    pub fn open(path: &Path, header: Header, seed: Option<u64>) -> Result<Self, StoreError> {
        let io = |action| {
            let path = path.to_owned();
            move |source| StoreError::Io { action, path, source }
        };
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path).map_err(io("write"))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(StoreError::Busy { path: path.to_owned() }),
            Err(std::fs::TryLockError::Error(source)) => return Err(io("write")(source)),
        }
        let mut new = Self { path: path.to_owned(), file, header, trials: Vec::new() };
        if new.file.metadata().map_err(io("read"))?.len() == 0 {
            let header = new.header.clone();
            new.put(&header)?;
            return Ok(new);
        }
        let valid_bytes = new.read(seed)?;
        new.file.set_len(valid_bytes).and_then(|()| new.file.seek(SeekFrom::End(0))).map_err(io("write"))?;
        Ok(new)
    }

    /// Reads what is there; the length of its whole lines.
    fn read(&mut self, seed: Option<u64>) -> Result<u64, StoreError> {
        let path = self.path.clone();
        let io = |source| StoreError::Io { action: "read", path: path.clone(), source };
        let bad = |line: usize, message: String| StoreError::Line { path: path.clone(), line, message };
        let differs =
            |reason: &str| StoreError::NotResumable { path: path.clone(), reason: format!("{reason}; give another file with '--output'") };
        let remedy = "; the file was cut or edited: give another one with '--output'";
        let mut reader = BufReader::new(&self.file);
        let mut text = String::new();
        reader.read_line(&mut text).map_err(io)?;
        let mut valid_bytes = text.len() as u64;
        let version = serde_json::from_str::<serde_json::Value>(&text).ok().and_then(|v| v.get("weighbridge-calibrate")?.as_u64());
        match version {
            Some(found) if found > u64::from(VERSION) => return Err(StoreError::Newer { path, found }),
            Some(_) => {}
            None => return Err(bad(1, format!("this is no header of a calibration{remedy}"))),
        }
        let there: Header = serde_json::from_str(&text).map_err(|e| bad(1, format!("{e}{remedy}")))?;
        if there.machine != self.header.machine {
            return Err(differs("it was made on another machine or by another toolchain"));
        }
        if (there.comparison_ns, there.batch_ns) != (self.header.comparison_ns, self.header.batch_ns) {
            return Err(differs("its comparisons take another time"));
        }
        if seed.is_some_and(|seed| seed != there.seed) {
            return Err(differs("it has another seed"));
        }
        for number in 2.. {
            text.clear();
            if reader.read_line(&mut text).map_err(io)? == 0 || !text.ends_with('\n') {
                break;
            }
            self.trials.push(serde_json::from_str(&text).map_err(|e| bad(number, format!("{e}{remedy}")))?);
            valid_bytes += text.len() as u64;
        }
        self.header = there;
        Ok(valid_bytes)
    }

    /// Whether it holds that trial.
    pub fn holds(&self, key: &Key) -> bool {
        self.trials.iter().any(|trial| trial.key == *key)
    }

    /// Appends a trial and waits until it is on disk.
    pub fn append(&mut self, trial: Trial) -> Result<(), StoreError> {
        self.put(&trial)?;
        self.trials.push(trial);
        Ok(())
    }

    fn put(&mut self, value: &impl Serialize) -> Result<(), StoreError> {
        let error = |source| StoreError::Io { action: "write", path: self.path.clone(), source };
        let mut bytes = serde_json::to_vec(value).map_err(|e| error(e.into()))?;
        bytes.push(b'\n');
        self.file.write_all(&bytes).and_then(|()| self.file.sync_data()).map_err(error)
    }
}
