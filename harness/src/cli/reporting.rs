//! `--format`: which reports to write, and where to.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;

use super::CliError;
use super::gate::put;
use crate::files;
use crate::report::form::{FORMS, Form, form};
use crate::report::{Report, github, pr, terminal};

/// Where GitHub Actions takes a job's summary from.
const STEP_SUMMARY: &str = "GITHUB_STEP_SUMMARY";

/// A report that is wanted: its form, and its file if it is not to go under its own name.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The form.
    pub form: &'static Form,
    /// The file.
    pub file: Option<PathBuf>,
}

/// Reads `NAME` or `NAME=FILE`.
#[derive(Debug, Clone, Copy)]
pub struct WantedParser;

impl TypedValueParser for WantedParser {
    type Value = Wanted;

    fn parse_ref(&self, command: &clap::Command, _: Option<&clap::Arg>, value: &OsStr) -> Result<Wanted, clap::Error> {
        let text = value.to_string_lossy();
        let (name, file) = text.split_once('=').map_or((text.as_ref(), None), |(name, file)| (name, Some(PathBuf::from(file))));
        let refuse = |message: String| clap::Error::raw(ErrorKind::InvalidValue, message + "\n").with_cmd(command);
        if file.as_ref().is_some_and(|f| f.as_os_str().is_empty()) {
            return Err(refuse(format!("'{text}' names no file; write it as {name}=FILE")));
        }
        let known = || FORMS.iter().map(|f| f.name).collect::<Vec<_>>().join(", ");
        let form = form(name).ok_or_else(|| refuse(format!("unknown form of a report '{name}'; known: {}", known())))?;
        Ok(Wanted { form, file })
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(FORMS.iter().map(|f| PossibleValue::new(f.name).help(f.doc))))
    }
}

/// Writes reports into a folder, or each into its own file; the files that were written.
pub fn write_all(report: &Report, wanted: &[Wanted], folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let mut written = Vec::new();
    for Wanted { form, file } in wanted {
        let bytes = (form.render)(report)?;
        if form.name == "github" && file.is_none() && std::env::var_os("GITHUB_ACTIONS").is_some() {
            annotate(report)?;
        }
        if bytes.is_empty() {
            continue;
        }
        let path = file.clone().unwrap_or_else(|| folder.join(form.file));
        write(&path, &bytes)?;
        written.push(path);
    }
    Ok(written)
}

/// Writes one report to a file or standard output; colours only where they are wanted.
pub fn show(report: &Report, wanted: &Wanted, file: Option<&Path>) -> Result<(), CliError> {
    let bytes = (wanted.form.render)(report)?;
    match wanted.file.as_deref().or(file) {
        Some(path) => write(path, &bytes),
        None if wanted.form.name == "terminal" => put(None, &terminal::coloured(&String::from_utf8_lossy(&bytes))),
        None => {
            let mut out = std::io::stdout().lock();
            match out.write_all(&bytes).and_then(|()| out.flush()) {
                Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e.into()),
                _ => Ok(()),
            }
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    files::replace(path, |out| out.write_all(bytes)).map_err(|e| CliError::Usage(format!("cannot write '{}': {e}", path.display())))
}

/// Prints annotations where the runner reads them, and appends the comment to the job's summary.
fn annotate(report: &Report) -> Result<(), CliError> {
    put(None, &github::annotations(report))?;
    let Some(summary) = std::env::var_os(STEP_SUMMARY).map(PathBuf::from) else { return Ok(()) };
    let cannot =
        |e: std::io::Error| CliError::Unexpected(format!("cannot append to '{}', which {STEP_SUMMARY} names: {e}", summary.display()));
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&summary).map_err(cannot)?;
    file.write_all(pr::render(report).as_bytes()).map_err(cannot)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Wanted, clap::Error> {
        WantedParser.parse_ref(&clap::Command::new("weighbridge"), None, OsStr::new(text))
    }

    #[test]
    fn a_form_may_name_its_file() {
        let wanted = parse("pr=a=b.md").unwrap();
        assert_eq!((wanted.form.name, wanted.file), ("pr", Some("a=b.md".into())));
        assert_eq!(parse("html").unwrap().file, None);
        assert!(parse("pdf").unwrap_err().to_string().contains("unknown form of a report 'pdf'; known: terminal, markdown, pr,"));
        assert!(parse("pr=").unwrap_err().to_string().contains("write it as pr=FILE"));
    }
}
