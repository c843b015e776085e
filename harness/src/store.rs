//! Run files: a header line, then a line for each result as it comes, flushed to disk before the next begins.
//!
//! A run that is killed leaves whole lines and at most one torn one at the end; [`Run::read`] drops the torn line and `run --resume` goes
//! on from there. A line that does not parse anywhere else is an error that names file, line and remedy.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::model::record::{Case, CaseFailure, CaseRecord, Header, Line, VERSION};

/// A run file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
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
    #[error("'{}' is a run file of version {found}; this release reads version {VERSION}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// Another process has it open for writing.
    #[error("'{}' is being written by another run", path.display())]
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

/// A run as stored, complete or not.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Its header.
    pub header: Header,
    /// One record a case, in the header's order.
    pub records: Vec<CaseRecord>,
    /// Seconds it took, once it is complete.
    pub seconds: Option<f64>,
    /// Length of its whole lines.
    valid_bytes: u64,
}

impl Run {
    /// Reads a run file.
    pub fn read(path: &Path) -> Result<Self, StoreError> {
        let io = |source| StoreError::Io { action: "read", path: path.to_owned(), source };
        let bad = |line: usize, message: String| StoreError::Line { path: path.to_owned(), line, message };
        let mut reader = BufReader::new(File::open(path).map_err(io)?);
        let mut text = String::new();
        reader.read_line(&mut text).map_err(io)?;
        let mut valid_bytes = text.len() as u64;
        let version = serde_json::from_str::<serde_json::Value>(&text).ok().and_then(|v| v.get("weighbridge-run")?.as_u64());
        match version {
            Some(found) if found > u64::from(VERSION) => return Err(StoreError::Newer { path: path.to_owned(), found }),
            Some(_) => {}
            None => return Err(bad(1, "this is no header of a run file; measure again with 'weighbridge run'".to_owned())),
        }
        let remedy = "; the file was cut or edited: measure again with 'weighbridge run'";
        let header: Header = serde_json::from_str(&text).map_err(|e| bad(1, format!("{e}{remedy}")))?;
        let mut records: Vec<_> = header.cases.iter().cloned().map(CaseRecord::pending).collect();
        let mut seconds = None;
        for number in 2.. {
            text.clear();
            if reader.read_line(&mut text).map_err(io)? == 0 || !text.ends_with('\n') {
                break;
            }
            let line: Line = serde_json::from_str(&text).map_err(|e| bad(number, format!("{e}{remedy}")))?;
            valid_bytes += text.len() as u64;
            let unknown = apply(&mut records, &mut seconds, line).err();
            if let Some(case) = unknown {
                return Err(bad(number, format!("case '{case}' is not in the header{remedy}")));
            }
        }
        Ok(Self { header, records, seconds, valid_bytes })
    }

    /// A run made of these records, for tests.
    #[cfg(test)]
    pub(crate) fn of(records: Vec<CaseRecord>) -> Self {
        let header = Header { suite: "mini".into(), cases: records.iter().map(|r| r.case.clone()).collect(), ..Header::empty() };
        Self { header, records, seconds: None, valid_bytes: 0 }
    }

    /// Whether every case has come to an end.
    pub fn is_finished(&self) -> bool {
        self.records.iter().all(CaseRecord::is_finished)
    }
}

fn find(records: &mut [CaseRecord], case: Case) -> Result<&mut CaseRecord, Case> {
    records.iter_mut().find(|r| r.case == case).ok_or(case)
}

/// Takes a line into the records; a case they do not know is given back.
fn apply(records: &mut [CaseRecord], seconds: &mut Option<f64>, line: Line) -> Result<(), Case> {
    match line {
        Line::Measured { case, measured, seconds } => {
            let record = find(records, case)?;
            (record.measured, record.measure_seconds) = (Some(*measured), seconds);
        }
        Line::Evaluated { case, scores, seconds } => {
            let record = find(records, case)?;
            (record.scores, record.evaluate_seconds) = (Some(scores), seconds);
        }
        Line::Failed { case, stage, message } => find(records, case)?.failure = Some(CaseFailure { stage, message }),
        Line::Finished { seconds: s, .. } => *seconds = Some(s),
    }
    Ok(())
}

/// A run file open for appending. Holds a lock, so that two runs do not write into each other.
#[derive(Debug)]
pub struct RunWriter {
    path: PathBuf,
    file: File,
    run: Run,
}

impl RunWriter {
    /// Starts a run file; one that is there is replaced.
    pub fn create(path: &Path, header: Header) -> Result<Self, StoreError> {
        let mut writer = Self::lock(path)?;
        writer.file.set_len(0).map_err(|e| writer.write_error(e))?;
        writer.put(&header)?;
        writer.run =
            Run { records: header.cases.iter().cloned().map(CaseRecord::pending).collect(), header, seconds: None, valid_bytes: 0 };
        Ok(writer)
    }

    /// Opens a run file to go on with it; `header` is what a new run would have, and must agree in all that shapes results.
    pub fn resume(path: &Path, header: &Header) -> Result<Self, StoreError> {
        let mut writer = Self::lock(path)?;
        let run = Run::read(path)?;
        let differs = |reason: &str| StoreError::NotResumable { path: path.to_owned(), reason: reason.to_owned() };
        if run.header.worker_sha256 != header.worker_sha256 {
            return Err(differs("it was made with another build; start anew without '--resume'"));
        }
        if run.header.cases != header.cases || run.header.suite != header.suite || run.header.shard != header.shard {
            return Err(differs("it has other cases; give the same suite, filters and shard"));
        }
        if run.header.sample != header.sample || run.header.limits != header.limits {
            return Err(differs("it draws other samples of large models; start anew without '--resume'"));
        }
        if run.header.sampling != header.sampling || run.header.machine != header.machine {
            return Err(differs("it was made on another machine or with other time settings; start anew without '--resume'"));
        }
        writer.file.set_len(run.valid_bytes).and_then(|()| writer.file.seek(SeekFrom::End(0))).map_err(|e| writer.write_error(e))?;
        writer.run = run;
        Ok(writer)
    }

    fn lock(path: &Path) -> Result<Self, StoreError> {
        let io = |source| StoreError::Io { action: "write", path: path.to_owned(), source };
        let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(StoreError::Busy { path: path.to_owned() }),
            Err(std::fs::TryLockError::Error(source)) => return Err(io(source)),
        }
        let header = Header::empty();
        Ok(Self { path: path.to_owned(), file, run: Run { header, records: Vec::new(), seconds: None, valid_bytes: 0 } })
    }

    /// The run so far.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Appends a line and waits until it is on disk.
    pub fn append(&mut self, line: Line) -> Result<(), StoreError> {
        self.put(&line)?;
        let Run { records, seconds, .. } = &mut self.run;
        let unknown = apply(records, seconds, line);
        unknown.map_err(|case| StoreError::Line {
            path: self.path.clone(),
            line: 0,
            message: format!("case '{case}' is not in the header"),
        })
    }

    fn put(&mut self, value: &impl Serialize) -> Result<(), StoreError> {
        let mut bytes = serde_json::to_vec(value).map_err(|e| self.write_error(e.into()))?;
        bytes.push(b'\n');
        self.file.write_all(&bytes).and_then(|()| self.file.sync_data()).map_err(|e| self.write_error(e))
    }

    fn write_error(&self, source: std::io::Error) -> StoreError {
        StoreError::Io { action: "write", path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::tests::case;

    fn header() -> Header {
        Header { cases: vec![case("int4", "mlp").case, case("int8", "mlp").case], ..Header::empty() }
    }

    fn line(kernel: &str) -> Line {
        let record = case(kernel, "mlp");
        Line::Measured { case: record.case, measured: Box::new(record.measured.unwrap()), seconds: Some(1.5) }
    }

    #[test]
    fn a_run_comes_back_and_a_torn_last_line_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        let mut writer = RunWriter::create(&path, header()).unwrap();
        writer.append(line("int4")).unwrap();
        assert!(matches!(RunWriter::resume(&path, &header()), Err(StoreError::Busy { .. })));
        drop(writer);
        let whole = std::fs::read(&path).unwrap();
        let mut torn = whole.clone();
        torn.extend_from_slice(b"{\"record\":\"meas");
        std::fs::write(&path, &torn).unwrap();
        let run = Run::read(&path).unwrap();
        assert_eq!(run.records[0].measured, case("int4", "mlp").measured);
        assert!(run.records[1].measured.is_none() && !run.is_finished());
        let mut writer = RunWriter::resume(&path, &header()).unwrap();
        writer.append(line("int8")).unwrap();
        drop(writer);
        assert!(Run::read(&path).unwrap().records.iter().all(|r| r.measured.is_some()));
    }

    #[test]
    fn edited_and_newer_files_are_named_with_the_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        drop(RunWriter::create(&path, header()).unwrap());
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{text}{{\"record\":\"measured\"}}\n")).unwrap();
        let error = Run::read(&path).unwrap_err().to_string();
        assert!(error.contains("run.jsonl', line 2") && error.contains("measure again"), "{error}");
        std::fs::write(&path, text.replace("\"weighbridge-run\":1", "\"weighbridge-run\":7")).unwrap();
        assert!(matches!(Run::read(&path), Err(StoreError::Newer { found: 7, .. })));
        std::fs::write(&path, "").unwrap();
        assert!(matches!(Run::read(&path), Err(StoreError::Line { line: 1, .. })));
    }

    #[test]
    fn another_build_or_plan_is_not_resumed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        drop(RunWriter::create(&path, header()).unwrap());
        let other_build = Header { worker_sha256: "other".into(), ..header() };
        assert!(matches!(RunWriter::resume(&path, &other_build), Err(StoreError::NotResumable { .. })));
        let other_cases = Header { cases: vec![], ..header() };
        assert!(matches!(RunWriter::resume(&path, &other_cases), Err(StoreError::NotResumable { .. })));
    }
}
