//! Where a suite's two files are, and how both are replaced at once.
//!
//! No system renames two files as one. So the texts of both are first written into one file, `SUITE.pending`, whose renaming is the moment at
//! which the new baseline holds; then the two files follow, and it is removed. Readers take what is pending for what is there, and the next
//! `baseline accept` finishes what was cut off. Whenever a program is killed, readers see both old files or both new ones.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::error::BaselineError;
use super::text::{Part, Unknown, parse, render};
use super::values::Baseline;
use crate::files;

/// Version of the file of pending texts.
const VERSION: u32 = 1;

/// Files by name, in a folder or in a commit.
pub trait Texts {
    /// Contents of a file; `None` where there is none of that name.
    fn text(&self, name: &str) -> Result<Option<String>, BaselineError>;
    /// Where it is, for messages.
    fn place(&self, name: &str) -> PathBuf;
}

impl Texts for &Path {
    fn text(&self, name: &str) -> Result<Option<String>, BaselineError> {
        let path = self.join(name);
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(source) => Err(BaselineError::Io { action: "read", path, source }),
        }
    }

    fn place(&self, name: &str) -> PathBuf {
        self.join(name)
    }
}

/// File of a suite's exact values.
pub fn exact_path(folder: &Path, suite: &str) -> PathBuf {
    folder.join(Part::Exact.file_name(suite))
}

/// File of a suite's sampled values.
pub fn times_path(folder: &Path, suite: &str) -> PathBuf {
    folder.join(Part::Times.file_name(suite))
}

/// Texts that hold already and are still to be put in their places.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Pending {
    weighbridge_pending: u32,
    exact: String,
    times: String,
}

impl Pending {
    fn text(&self, part: Part) -> &str {
        match part {
            Part::Exact => &self.exact,
            Part::Times => &self.times,
        }
    }
}

fn pending_name(suite: &str) -> String {
    format!("{suite}.pending")
}

fn pending(texts: &dyn Texts, suite: &str) -> Result<Option<Pending>, BaselineError> {
    let name = pending_name(suite);
    let Some(text) = texts.text(&name)? else { return Ok(None) };
    let bad = |message: String| BaselineError::Line { path: texts.place(&name), line: 1, message };
    let pending: Pending = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
    if pending.weighbridge_pending != VERSION {
        return Err(bad(format!("version {} is not known", pending.weighbridge_pending)));
    }
    Ok(Some(pending))
}

/// The text of one of a suite's files.
pub fn part_text(texts: &dyn Texts, suite: &str, part: Part) -> Result<Option<String>, BaselineError> {
    match pending(texts, suite)? {
        Some(pending) => Ok(Some(pending.text(part).to_owned())),
        None => texts.text(&part.file_name(suite)),
    }
}

/// Reads one of a suite's files.
pub fn read_part(texts: &dyn Texts, suite: &str, part: Part, unknown: Unknown) -> Result<Option<Baseline>, BaselineError> {
    let text = part_text(texts, suite, part)?;
    text.map(|text| parse(&text, &texts.place(&part.file_name(suite)), unknown)).transpose()
}

/// Finishes what a killed `baseline accept` had decided and not carried out; whether there was something.
pub fn finish_pending(folder: &Path, suite: &str) -> Result<bool, BaselineError> {
    let Some(pending) = pending(&folder, suite)? else { return Ok(false) };
    for part in [Part::Exact, Part::Times] {
        put(&folder.join(part.file_name(suite)), pending.text(part))?;
    }
    let path = folder.join(pending_name(suite));
    std::fs::remove_file(&path).map_err(|source| BaselineError::Io { action: "remove", path, source })?;
    Ok(true)
}

/// Replaces both files of a suite, in the end or not at all.
pub fn write(folder: &Path, baseline: &Baseline) -> Result<(), BaselineError> {
    std::fs::create_dir_all(folder).map_err(|source| BaselineError::Io { action: "write", path: folder.to_owned(), source })?;
    files::remove_leftovers(folder);
    finish_pending(folder, &baseline.suite)?;
    let pending = Pending { weighbridge_pending: VERSION, exact: render(baseline, Part::Exact), times: render(baseline, Part::Times) };
    let text = serde_json::to_string(&pending).unwrap_or_default();
    put(&folder.join(pending_name(&baseline.suite)), &text)?;
    finish_pending(folder, &baseline.suite).map(|_| ())
}

fn put(path: &Path, text: &str) -> Result<(), BaselineError> {
    let write = |out: &mut dyn std::io::Write| out.write_all(text.as_bytes());
    files::replace(path, write).map_err(|source| BaselineError::Io { action: "write", path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::Row;
    use crate::model::machine::Machine;
    use crate::model::metric::metric;
    use crate::model::record::Case;

    fn baseline() -> Baseline {
        let row = |kernel: &str, metric_name: &str, value| Row {
            kernel: kernel.into(),
            fixture: "mlp".into(),
            metric: metric(metric_name).unwrap(),
            value,
            standard_error: None,
        };
        let rows = vec![
            row("int4", "encode_seconds_per_mb", 0.01),
            row("int8", "relative_error", 0.1 + 0.2),
            row("int4", "relative_error", 1e-17),
            row("int4", "compression_ratio", 7.0),
        ];
        let commits = [(Case { kernel: "int4".into(), fixture: "mlp".into() }, "c0ffee".to_owned())].into();
        Baseline { suite: "mini".into(), machine: Some(Machine::current()), commits, rows }
    }

    #[test]
    fn what_is_written_comes_back_sorted_and_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        baseline().write(folder.path()).unwrap();
        let back = Baseline::read(folder.path(), "mini").unwrap();
        let mut expected = baseline();
        expected.sort();
        assert_eq!(back, expected);
        let text = std::fs::read_to_string(exact_path(folder.path(), "mini")).unwrap();
        assert_eq!(text.lines().nth(1).unwrap(), r#"{"kernel":"int4","fixture":"mlp","metric":"compression_ratio","value":7.0}"#);
        assert!(!text.contains("seconds"), "times stand in a file of their own");
        let times = std::fs::read_to_string(times_path(folder.path(), "mini")).unwrap();
        assert!(times.lines().nth(1).unwrap().ends_with(r#""value":0.01,"commit":"c0ffee"}"#), "{times}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_is_pending_is_read_and_finished() {
        let folder = tempfile::tempdir().unwrap();
        baseline().write(folder.path()).unwrap();
        let mut next = baseline();
        next.rows[0].value = 0.02;
        next.rows[3].value = 8.0;
        next.sort();
        let pending = Pending { weighbridge_pending: VERSION, exact: render(&next, Part::Exact), times: render(&next, Part::Times) };
        let path = folder.path().join("mini.pending");
        std::fs::write(&path, serde_json::to_string(&pending).unwrap()).unwrap();
        std::fs::write(folder.path().join(".weighbridge-abc"), "torn").unwrap();
        assert_eq!(Baseline::read(folder.path(), "mini").unwrap(), next, "neither file is new yet, and both are read as if");
        assert!(finish_pending(folder.path(), "mini").unwrap() && !path.exists());
        assert_eq!(Baseline::read(folder.path(), "mini").unwrap(), next);
        assert!(!finish_pending(folder.path(), "mini").unwrap());
        baseline().write(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "what was torn is cleared away");
        std::fs::write(&path, "{").unwrap();
        assert!(Baseline::read(folder.path(), "mini").unwrap_err().to_string().contains("mini.pending', line 1"));
    }

    #[test]
    fn damage_is_named_with_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        baseline().write(folder.path()).unwrap();
        let path = exact_path(folder.path(), "mini");
        let text = std::fs::read_to_string(&path).unwrap();
        let reads = |changed: String| {
            std::fs::write(&path, changed).unwrap();
            Baseline::read(folder.path(), "mini").unwrap_err().to_string()
        };
        assert!(reads(text.replace("7.0}", "seven}")).contains("mini.jsonl', line 2"));
        assert!(reads(text.replace("compression_ratio", "speediness")).contains("unknown metric 'speediness'"));
        assert!(reads(text.clone() + text.lines().nth(1).unwrap() + "\n").contains("twice"));
        assert!(reads(text.trim_end().to_owned()).contains("middle of a line"));
        assert!(reads(String::new()).contains("line 1"));
        assert!(reads(text.replace("baseline\":2", "baseline\":9")).contains("use release 0.1.0 or later"));
        assert!(reads(text.replace("\"suite\"", "\"sweet\"")).contains("sweet"));
        assert!(reads(text.replacen('{', "<<<<<<< ours\n{", 2).replacen("<<<<<<< ours\n", "", 1)).contains("conflict"));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(Baseline::read(folder.path(), "mini"), Err(BaselineError::Missing { .. })));
    }
}
