//! Putting a file where it belongs, unless something is there.

use std::path::Path;

use super::files::{Content, Planned};
use crate::files;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It was not there, and was written.
    Written,
    /// Lines that it lacked were added at its end.
    Completed,
    /// It is there already, the same.
    Same,
    /// Another one is there, and stays.
    Kept,
}

impl Placed {
    /// It in words; of what would be done where nothing is.
    pub const fn words(self, dry_run: bool) -> &'static str {
        match (self, dry_run) {
            (Self::Written, false) => "written",
            (Self::Written, true) => "would be written",
            (Self::Completed, false) => "lines added",
            (Self::Completed, true) => "lines would be added",
            (Self::Same, _) => "there already, the same",
            (Self::Kept, _) => "kept: yours differs",
        }
    }
}

/// Writes a file below `root` where none is. What is there is never changed, but for lines that a list of lines lacks.
pub fn place(root: &Path, planned: &Planned, dry_run: bool) -> std::io::Result<Placed> {
    let path = root.join(&planned.path);
    // A link that leads nowhere is something, too.
    let is_there = path.symlink_metadata().is_ok();
    let (text, placed) = match &planned.content {
        Content::Whole(wanted) if !is_there => (wanted.clone(), Placed::Written),
        Content::Whole(wanted) => {
            let same = std::fs::read(&path).is_ok_and(|found| found == *wanted);
            return Ok(if same { Placed::Same } else { Placed::Kept });
        }
        Content::Lines(lines) if !is_there => (lines.clone().into_bytes(), Placed::Written),
        Content::Lines(lines) => match completed(&std::fs::read_to_string(&path)?, lines) {
            None => return Ok(Placed::Same),
            Some(text) => (text.into_bytes(), Placed::Completed),
        },
    };
    if !dry_run {
        std::fs::create_dir_all(path.parent().unwrap_or(root))?;
        // A link is followed, so that it stays one.
        let target = if is_there { path.canonicalize()? } else { path };
        files::replace(&target, |out| out.write_all(&text))?;
    }
    Ok(placed)
}

/// A text with the lines that it lacks; `None` where it has all of them.
fn completed(found: &str, lines: &str) -> Option<String> {
    let lacking: Vec<_> = lines.lines().filter(|line| !found.lines().any(|l| l.trim() == *line)).collect();
    if lacking.is_empty() {
        return None;
    }
    let end = if found.is_empty() || found.ends_with('\n') { "" } else { "\n" };
    Some(format!("{found}{end}{}\n", lacking.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Planned {
        Planned { path: path.to_owned(), content: Content::Lines(text.to_owned()) }
    }

    #[test]
    fn what_is_there_is_never_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let planned = Planned::text("a/b.txt", "mine\n");
        let read = || std::fs::read_to_string(folder.path().join("a/b.txt"));
        assert_eq!(place(folder.path(), &planned, true).unwrap(), Placed::Written);
        assert!(read().is_err(), "a dry run writes nothing");
        assert_eq!(place(folder.path(), &planned, false).unwrap(), Placed::Written);
        assert_eq!(place(folder.path(), &planned, false).unwrap(), Placed::Same);
        std::fs::write(folder.path().join("a/b.txt"), "yours\n").unwrap();
        assert_eq!(place(folder.path(), &planned, false).unwrap(), Placed::Kept);
        assert_eq!(read().unwrap(), "yours\n");
    }

    #[test]
    fn lines_are_added_once_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let planned = lines("list", "one\ntwo\n");
        std::fs::write(folder.path().join("list"), "zero\n  two").unwrap();
        assert_eq!(place(folder.path(), &planned, false).unwrap(), Placed::Completed);
        assert_eq!(std::fs::read_to_string(folder.path().join("list")).unwrap(), "zero\n  two\none\n");
        assert_eq!(place(folder.path(), &planned, false).unwrap(), Placed::Same);
        assert_eq!(place(folder.path(), &lines("new", "one\n"), false).unwrap(), Placed::Written);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_nowhere_stays() {
        let folder = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("nowhere", folder.path().join("x")).unwrap();
        assert_eq!(place(folder.path(), &Planned::text("x", "text"), false).unwrap(), Placed::Kept);
        assert!(!folder.path().join("nowhere").exists());
    }
}
