//! Merging: the run files of all shards become the run file that one run would have made.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::journal::JournalError;
use crate::model::machine::Machine;
use crate::model::record::{CaseRecord, Header, Line, Shard};
use crate::store::{Run, RunWriter};

/// Shards that do not make a whole.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A run file.
    #[error(transparent)]
    Store(#[from] JournalError),
    /// Nothing to merge.
    #[error("no run to merge; name the run file of each shard")]
    Nothing,
    /// One that is no shard.
    #[error("'{}' is no shard of a run; make it with 'weighbridge run --shard'", path.display())]
    NoShard {
        /// The file.
        path: PathBuf,
    },
    /// Two that do not belong together.
    #[error("'{}' and '{}' do not belong together: {what} differs", first.display(), other.display())]
    Foreign {
        /// The first file.
        first: PathBuf,
        /// The other.
        other: PathBuf,
        /// What differs.
        what: &'static str,
    },
    /// A shard is there twice.
    #[error("shard {index} is there twice: '{}' and '{}'", first.display(), other.display())]
    Twice {
        /// Which shard.
        index: usize,
        /// One file.
        first: PathBuf,
        /// The other.
        other: PathBuf,
    },
    /// Shards are not there.
    #[error("of {count} shards these are missing: {missing}")]
    Missing {
        /// How many there are.
        count: usize,
        /// Their numbers.
        missing: String,
    },
    /// A case that is in no shard, in two, or not finished.
    #[error("case '{case}' {what}; measure its shard again")]
    Case {
        /// The case.
        case: String,
        /// What is wrong with it.
        what: String,
    },
}

/// Joins shards into one run: header and records in the order of one run.
pub fn merge(shards: &[(PathBuf, Run)], command: &str) -> Result<(Header, Vec<CaseRecord>, f64), MergeError> {
    let (first_path, first) = shards.first().ok_or(MergeError::Nothing)?;
    let mut seen = Vec::<(usize, &PathBuf)>::new();
    for (path, run) in shards {
        let shard = run.header.shard.as_ref().ok_or_else(|| MergeError::NoShard { path: path.clone() })?;
        if let Some(what) = difference(&first.header, &run.header) {
            return Err(MergeError::Foreign { first: first_path.clone(), other: path.clone(), what });
        }
        if let Some((index, other)) = seen.iter().find(|(index, _)| *index == shard.index) {
            return Err(MergeError::Twice { index: *index, first: (*other).clone(), other: path.clone() });
        }
        seen.push((shard.index, path));
    }
    let Some(Shard { count, all_cases, .. }) = &first.header.shard else { return Err(MergeError::NoShard { path: first_path.clone() }) };
    let missing: Vec<_> = (1..=*count).filter(|i| seen.iter().all(|(index, _)| index != i)).map(|i| i.to_string()).collect();
    if !missing.is_empty() {
        return Err(MergeError::Missing { count: *count, missing: missing.join(", ") });
    }
    let mut records = Vec::new();
    for case in all_cases {
        let mut found = shards.iter().flat_map(|(_, run)| &run.records).filter(|r| r.case == *case);
        let wrong = |what: &str| MergeError::Case { case: case.to_string(), what: what.to_owned() };
        let record = found.next().ok_or_else(|| wrong("is in no shard"))?;
        if found.next().is_some() {
            return Err(wrong("is in two shards"));
        }
        if !record.is_finished() {
            return Err(wrong("is not finished"));
        }
        records.push(record.clone());
    }
    let mut header = Header { command: command.to_owned(), cases: all_cases.clone(), shard: None, ..first.header.clone() };
    for (_, run) in shards {
        header.started = header.started.min(run.header.started.clone());
    }
    header.machine = machine_of(shards.iter().map(|(_, run)| &run.header.machine));
    Ok((header, records, shards.iter().filter_map(|(_, run)| run.seconds).sum()))
}

/// What keeps two shards from being parts of one run, if anything.
fn difference(a: &Header, b: &Header) -> Option<&'static str> {
    let all = |h: &Header| h.shard.as_ref().map(|s| (s.count, s.all_cases.clone()));
    let differs = [
        (a.suite != b.suite, "the suite"),
        (a.commit != b.commit, "the commit"),
        (a.dirty != b.dirty, "whether the work tree had uncommitted changes"),
        (a.worker_sha256 != b.worker_sha256, "the worker program"),
        (a.release != b.release, "the release"),
        (a.sampling != b.sampling, "how times were sampled"),
        (a.sample != b.sample || a.limits != b.limits, "how large models were sampled"),
        (all(a) != all(b), "the list of cases or the number of shards"),
    ];
    differs.into_iter().find_map(|(differs, what)| differs.then_some(what))
}

/// The machine of all shards; where they ran on several kinds, one that is none of them, so that its times are compared with nothing.
fn machine_of<'a>(mut machines: impl Iterator<Item = &'a Machine>) -> Machine {
    let Some(first) = machines.next() else { return Machine::current() };
    let mut machine = first.clone();
    for other in machines.filter(|m| m.fingerprint() != first.fingerprint()) {
        if !machine.cpu.split("; ").any(|cpu| cpu == other.cpu) {
            machine.cpu = format!("{}; {}", machine.cpu, other.cpu);
        }
        if machine.cpu == first.cpu {
            machine.cpu = format!("{}; another of the same name", machine.cpu);
        }
    }
    machine
}

/// Merges run files into one at `path`.
pub fn merge_files(paths: &[PathBuf], path: &Path, command: &str) -> Result<Run, MergeError> {
    let read = |path: &PathBuf| Run::read(path).map(|run| (path.clone(), run));
    let shards = paths.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let (header, records, seconds) = merge(&shards, command)?;
    let mut writer = RunWriter::create(path, header)?;
    for record in records {
        let CaseRecord { case, measured, scores, failure, measure_seconds, evaluate_seconds } = record;
        if let Some(measured) = measured {
            writer.append(Line::Measured { case: case.clone(), measured: Box::new(measured), seconds: measure_seconds })?;
        }
        if let Some(scores) = scores {
            writer.append(Line::Evaluated { case: case.clone(), scores, seconds: evaluate_seconds })?;
        }
        if let Some(failure) = failure {
            writer.append(Line::Failed { case, stage: failure.stage, message: failure.message })?;
        }
    }
    writer.append(Line::Finished { at: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(), seconds })?;
    Ok(writer.run().clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::record::Case;
    use crate::model::record::tests::case;

    fn shard(index: usize, kernels: &[&str]) -> (PathBuf, Run) {
        let mut run = Run::of(kernels.iter().map(|k| case(k, "mlp")).collect());
        let all_cases = ["a", "b", "c"].map(|k| Case { kernel: k.into(), fixture: "mlp".into() }).to_vec();
        run.header.shard = Some(Shard { index, count: 2, all_cases });
        run.seconds = Some(2.0);
        (PathBuf::from(format!("{index}.jsonl")), run)
    }

    fn error(shards: &[(PathBuf, Run)]) -> String {
        merge(shards, "weighbridge merge").map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn shards_in_any_order_make_one_run() {
        let (header, records, seconds) = merge(&[shard(2, &["c"]), shard(1, &["a", "b"])], "weighbridge merge").unwrap();
        assert_eq!(records, ["a", "b", "c"].map(|k| case(k, "mlp")));
        assert!(header.shard.is_none() && header.cases.len() == 3 && seconds == 4.0 && header.command == "weighbridge merge");
    }

    #[test]
    fn what_does_not_belong_together_is_named() {
        let (one, two) = (shard(1, &["a", "b"]), shard(2, &["c"]));
        assert_eq!(error(std::slice::from_ref(&one)), "of 2 shards these are missing: 2");
        assert_eq!(error(&[one.clone(), one.clone()]), "shard 1 is there twice: '1.jsonl' and '1.jsonl'");
        assert_eq!(error(&[one.clone(), shard(2, &["b", "c"])]), "case 'b × mlp' is in two shards; measure its shard again");
        assert_eq!(error(&[one.clone(), shard(2, &[])]), "case 'c × mlp' is in no shard; measure its shard again");
        let mut foreign = two.clone();
        foreign.1.header.worker_sha256 = "other".into();
        assert_eq!(error(&[one.clone(), foreign]), "'1.jsonl' and '2.jsonl' do not belong together: the worker program differs");
        let mut unfinished = two.clone();
        unfinished.1.records[0].scores = None;
        assert!(error(&[one.clone(), unfinished]).contains("'c × mlp' is not finished"));
        let mut plain = two;
        plain.1.header.shard = None;
        assert!(error(&[one, plain]).contains("'2.jsonl' is no shard"));
        assert!(error(&[]).contains("no run to merge"));
    }

    #[test]
    fn times_of_several_machines_belong_to_none() {
        let (one, mut two) = (shard(1, &["a", "b"]), shard(2, &["c"]));
        two.1.header.machine.cpu = "Other CPU".into();
        let (header, ..) = merge(&[one.clone(), two.clone()], "m").unwrap();
        assert!(header.machine.cpu.ends_with("; Other CPU"));
        assert!([&one, &two].iter().all(|s| s.1.header.machine.fingerprint() != header.machine.fingerprint()));
    }
}
