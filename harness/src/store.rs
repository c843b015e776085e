//! Run files: a header line, then a line for each result as it comes, flushed to disk before the next begins.
//!
//! A run that is killed leaves what it did; `run --resume` goes on from there.

use std::path::Path;

use crate::journal::{self, Journal, JournalError, Kind};
use crate::model::record::{Case, CaseFailure, CaseRecord, Header, Line, VERSION};

const KIND: Kind =
    Kind { name: "a run file", version_key: "weighbridge-run", version: VERSION, remedy: "measure again with 'weighbridge run'" };

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
    pub fn read(path: &Path) -> Result<Self, JournalError> {
        let begin = |header: &Header| (header.cases.iter().cloned().map(CaseRecord::pending).collect::<Vec<_>>(), None);
        let (header, (records, seconds), valid_bytes) = journal::read(path, &KIND, begin, |(records, seconds), line: Line| {
            apply(records, seconds, line).map_err(|case| format!("case '{case}' is not in the header"))
        })?;
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

/// A run file open for appending.
#[derive(Debug)]
pub struct RunWriter {
    journal: Journal,
    run: Run,
}

impl RunWriter {
    /// Starts a run file; one that is there is replaced.
    pub fn create(path: &Path, header: Header) -> Result<Self, JournalError> {
        let mut journal = Journal::open(path)?;
        journal.start(&header)?;
        let records = header.cases.iter().cloned().map(CaseRecord::pending).collect();
        Ok(Self { journal, run: Run { header, records, seconds: None, valid_bytes: 0 } })
    }

    /// Opens a run file to go on with it; `header` is what a new run would have, and must agree in all that shapes results.
    pub fn resume(path: &Path, header: &Header) -> Result<Self, JournalError> {
        let mut journal = Journal::open(path)?;
        let run = Run::read(path)?;
        if run.header.worker_sha256 != header.worker_sha256 {
            return Err(journal.differs("it was made with another build; start anew without '--resume'"));
        }
        if run.header.cases != header.cases || run.header.suite != header.suite || run.header.shard != header.shard {
            return Err(journal.differs("it has other cases; give the same suite, filters and shard"));
        }
        if run.header.sample != header.sample || run.header.limits != header.limits {
            return Err(journal.differs("it draws other samples of large models; start anew without '--resume'"));
        }
        if run.header.sampling != header.sampling || run.header.machine != header.machine {
            return Err(journal.differs("it was made on another machine or with other time settings; start anew without '--resume'"));
        }
        journal.go_on(run.valid_bytes)?;
        Ok(Self { journal, run })
    }

    /// The run so far.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Appends a line and waits until it is on disk.
    pub fn append(&mut self, line: Line) -> Result<(), JournalError> {
        self.journal.append([&line])?;
        let Run { records, seconds, .. } = &mut self.run;
        apply(records, seconds, line).map_err(|case| JournalError::Line {
            path: self.journal.path().to_owned(),
            line: 0,
            message: format!("case '{case}' is not in the header"),
        })
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
        assert!(matches!(RunWriter::resume(&path, &header()), Err(JournalError::Busy { .. })));
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
        assert!(matches!(Run::read(&path), Err(JournalError::Newer { found: 7, .. })));
        std::fs::write(&path, "").unwrap();
        assert!(matches!(Run::read(&path), Err(JournalError::Line { line: 1, .. })));
    }

    #[test]
    fn another_build_or_plan_is_not_resumed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.jsonl");
        drop(RunWriter::create(&path, header()).unwrap());
        let other_build = Header { worker_sha256: "other".into(), ..header() };
        assert!(matches!(RunWriter::resume(&path, &other_build), Err(JournalError::NotResumable { .. })));
        let other_cases = Header { cases: vec![], ..header() };
        assert!(matches!(RunWriter::resume(&path, &other_cases), Err(JournalError::NotResumable { .. })));
    }
}
