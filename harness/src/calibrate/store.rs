//! The file of a calibration: trials are appended as they end, and a later sitting goes on with it.

use std::path::Path;

use super::record::{Header, Key, Trial, VERSION};
use crate::journal::{self, Journal, JournalError, Kind};

const KIND: Kind =
    Kind { name: "a calibration", version_key: "weighbridge-calibrate", version: VERSION, remedy: "give another one with '--output'" };

/// A file that is open, with what it holds. No other calibration writes it meanwhile.
#[derive(Debug)]
pub struct Trials {
    journal: Journal,
    /// Its header.
    pub header: Header,
    /// Its trials, in order.
    pub trials: Vec<Trial>,
}

impl Trials {
    /// Opens a file, or starts it. One that is there must be of the same machine, build and settings; `seed` of `None` takes its seed. A torn
    /// last line is dropped.
    pub fn open(path: &Path, header: Header, seed: Option<u64>) -> Result<Self, JournalError> {
        let mut journal = Journal::open(path)?;
        if journal.is_empty()? {
            journal.start(&header)?;
            return Ok(Self { journal, header, trials: Vec::new() });
        }
        let (there, trials, valid_bytes) = journal::read(
            path,
            &KIND,
            |_: &Header| Vec::new(),
            |trials: &mut Vec<Trial>, trial| {
                trials.push(trial);
                Ok(())
            },
        )?;
        let differs = |reason: &str| Err(journal.differs(&format!("{reason}; {}", KIND.remedy)));
        if there.machine != header.machine {
            return differs("it was made on another machine or by another toolchain");
        }
        if (there.comparison_ns, there.batch_ns) != (header.comparison_ns, header.batch_ns) {
            return differs("its comparisons take another time");
        }
        if there.clocks != header.clocks {
            return differs("its trials were decided by other clocks");
        }
        if seed.is_some_and(|seed| seed != there.seed) {
            return differs("it has another seed");
        }
        journal.go_on(valid_bytes)?;
        Ok(Self { journal, header: there, trials })
    }

    /// Whether it holds that trial.
    pub fn holds(&self, key: &Key) -> bool {
        self.trials.iter().any(|trial| trial.key == *key)
    }

    /// Appends a trial and waits until it is on disk.
    pub fn append(&mut self, trial: Trial) -> Result<(), JournalError> {
        self.journal.append([&trial])?;
        self.trials.push(trial);
        Ok(())
    }
}
