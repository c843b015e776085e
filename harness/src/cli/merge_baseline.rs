//! `baseline merge`: git's merge driver for baseline files.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use super::arguments::{MergeBaselineArguments, Side};
use super::workspace::Workspace;
use super::{CliError, Exit};
use crate::baseline::merge::{Merged, merge as join};
use crate::baseline::{Baseline, Part, Row, Unknown, parse};
use crate::files;
use crate::git;
use crate::model::record::Case;

/// Name of the driver in git's configuration and in `.gitattributes`.
const DRIVER: &str = "weighbridge-baseline";

/// `baseline merge`. Exits with 0 where all is decided and with 1 where git has to leave a conflict, as git asks of a driver.
pub fn merge(arguments: &MergeBaselineArguments, root: Option<&Path>) -> Result<Exit, CliError> {
    let (Some(base), Some(ours), Some(theirs)) = (&arguments.base, &arguments.ours, &arguments.theirs) else { return install(root) };
    let name = arguments.name.as_ref().unwrap_or(ours);
    let [before, mine, others] = [read(base)?, read(ours)?, read(theirs)?];
    let mut merged = join(&before, &mine, &others);
    let cases: Vec<_> = merged.conflicts.keys().cloned().collect();
    for case in cases {
        let side = match arguments.prefer {
            Some(side) => Some(side),
            None => asked(&case, &merged)?,
        };
        if let Some(side) = side {
            merged.take(&case, side == Side::Theirs);
        }
    }
    let all = merged.baseline.rows.iter().chain(merged.conflicts.values().flatten().flatten());
    let part = if all.into_iter().any(Row::is_sampled) { Part::Times } else { Part::Exact };
    let text = merged.text(part);
    files::replace(ours, |out| out.write_all(text.as_bytes()))?;
    for case in merged.conflicts.keys() {
        eprintln!("'{}': {case} was refreshed on both sides; measure it as merged:", name.display());
        eprintln!("  weighbridge run --kernel '{}' --fixture '{}' && weighbridge baseline accept", case.kernel, case.fixture);
    }
    Ok(if merged.conflicts.is_empty() { Exit::Pass } else { Exit::Unexpected })
}

/// A version of the file; an empty one, as git gives for a file that was not there, has no values.
fn read(path: &Path) -> Result<Baseline, CliError> {
    let text = std::fs::read_to_string(path).map_err(|e| CliError::Usage(format!("cannot read '{}': {e}", path.display())))?;
    if text.is_empty() { Ok(Baseline::default()) } else { Ok(parse(&text, path, Unknown::Refuse)?) }
}

/// What whoever merges says of a case; `None` where nobody is there, or to leave it open.
fn asked(case: &Case, merged: &Merged) -> Result<Option<Side>, CliError> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(None);
    }
    let Some([ours, theirs]) = merged.conflicts.get(case) else { return Ok(None) };
    eprintln!("{case} was refreshed on both sides:");
    for row in ours {
        let other = theirs.iter().find(|r| r.metric.name == row.metric.name).map(|r| r.value);
        if other != Some(row.value) {
            eprintln!("  {}: ours {}, theirs {}", row.metric.name, row.value, other.map_or_else(|| "none".to_owned(), |v| v.to_string()));
        }
    }
    eprint!("take [o]urs, [t]heirs, or leave it open and [m]easure it? [o/t/M] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(match answer.trim() {
        "o" => Some(Side::Ours),
        "t" => Some(Side::Theirs),
        _ => None,
    })
}

/// Tells git of the driver, and names the line that says which files it is for.
fn install(root: Option<&Path>) -> Result<Exit, CliError> {
    let workspace = Workspace::find(root)?;
    let program = tell_git(&workspace.root)?;
    let attributes = workspace.root.join(".gitattributes");
    let line = format!("baselines/*.jsonl merge={DRIVER}");
    println!("git merges with '{}' from now on, in this repository", program.display());
    if !std::fs::read_to_string(&attributes).unwrap_or_default().lines().any(|l| l.trim() == line) {
        println!("add this line to '{}' and commit it:\n{line}", attributes.display());
    }
    Ok(Exit::Pass)
}

/// Whether this program is the merge driver already.
pub fn knows_git(root: &Path) -> bool {
    driver().is_ok_and(|(_, command)| git::merge_driver(root, DRIVER).as_deref() == Some(command.as_str()))
}

/// This program, and how git is to call it.
fn driver() -> Result<(PathBuf, String), CliError> {
    let program = std::env::current_exe()?;
    // Git hands the command to a shell.
    let quoted = program.display().to_string().replace('\'', "'\\''");
    Ok((program, format!("'{quoted}' baseline merge %O %A %B %P")))
}

/// Makes this program the merge driver of the repository around a folder; the program.
pub fn tell_git(root: &Path) -> Result<PathBuf, CliError> {
    let (program, command) = driver()?;
    git::install_merge_driver(root, DRIVER, "baselines of Weighbridge, case by case", &command)?;
    Ok(program)
}
