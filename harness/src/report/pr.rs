//! The comment for a pull request: the verdict in words, five rows over all kernels, what changed; the rest folded.
//!
//! A comment may have 65,536 characters. Bytes are counted, which are never fewer. What does not fit is left out from the least important
//! row on, and each list says how many rows it lacks. The last line is invisible and the same for every run of a suite, so that a later run
//! finds the comment of an earlier one and replaces it.

use super::grid::Grid;
use super::markdown_table::{compact, escape};
use super::{Report, basis, markdown, scaling, tables, words};

/// Characters that a comment may have.
pub const LIMIT: usize = 65_536;

/// Room that failures and changes leave to what is folded.
const ROOM_FOR_FOLDED: usize = 10_000;

/// Characters of a failure's message that are shown: a worker may have said much.
const LONGEST_MESSAGE: usize = 400;

/// Characters of the folded account of how it was measured; a command or a list of fixtures may be long.
const LONGEST_ACCOUNT: usize = 8_000;

/// Edits of baselines, policy and waivers that are listed, those that loosen first; the page has all.
const MOST_EDITS: usize = 30;

/// What the comment of a suite is found by.
pub fn marker(suite: &str) -> String {
    // Two hyphens would end the comment.
    format!("<!-- weighbridge: suite {} -->\n", suite.replace("--", "- -"))
}

/// The whole comment.
pub fn render(report: &Report) -> String {
    let marker = marker(&report.header.suite);
    let mut out = Bounded { text: String::new(), limit: LIMIT - marker.len() };
    out.add(&format!("**{}**\n\n{}.\n\n", words::verdict(report), words::counts(report)));
    if let Some(all) = report.summaries.last() {
        let (head, rows) = compact(&tables::five_rows(all));
        out.add(&format!("{head}{}\n{}\n\n", rows.concat(), account_of_means(report)));
    }
    if let Some(grid) = basis::waivers(report) {
        out.table("### Waivers\n\n", &grid, "\n", ROOM_FOR_FOLDED);
    }
    if let (Some(line), Some(grid)) = (report.basis.edits_line(&report.waivers), basis::edits(&report.basis, MOST_EDITS)) {
        out.table(&format!("### Edits of what it is judged by\n\n{line}\n\n"), &grid, "\n", ROOM_FOR_FOLDED);
    }
    let failures = report.comparison.failures.iter().map(|f| {
        let message = clip(&f.message.replace(['\n', '\r'], " "), LONGEST_MESSAGE);
        format!("- `{}` at {}: {}\n", f.case, f.stage, escape(&message))
    });
    out.list("### Failed cases\n\n", failures.collect(), "\n", ROOM_FOR_FOLDED);
    out.table("### What changed\n\n", &tables::changes_with_intervals(report), "\n", ROOM_FOR_FOLDED);
    if let Some(grid) = tables::undecided(report) {
        out.table("### What would decide the rest\n\n", &grid, "\n", ROOM_FOR_FOLDED);
    }
    if let Some(grid) = scaling::changes(report) {
        out.table("### Costs that grow otherwise with size\n\n", &grid, "\n", ROOM_FOR_FOLDED);
    }
    let fold = |title: &str| format!("<details><summary>{title}</summary>\n\n");
    const END: &str = "\n</details>\n\n";
    let account = clip(&markdown::provenance(report), LONGEST_ACCOUNT);
    let account = fold("How this was measured, and what was not tested") + account.trim() + "\n" + END;
    out.table(&fold("Every kernel: after, and change"), &tables::kernels(report), END, account.len());
    out.add(&account);
    out.table(&fold("What did not change, by metric"), &tables::unchanged(report), END, 0);
    out.text + &marker
}

/// What the five rows are.
fn account_of_means(report: &Report) -> String {
    let speeds = match (&report.comparison.paired, report.comparison.same_machine) {
        (Some(paired), _) => format!(". {}", paired.lines().join(" ")),
        (None, true) => ", shown and not gated.".to_owned(),
        (None, false) => ", shown and not gated; the baseline's come from another machine.".to_owned(),
    };
    let lines = [report.left_out_line(), report.header.not_measured_line()];
    let notes = lines.into_iter().flatten().map(|line| format!(" {line}")).collect::<String>();
    format!(
        "<sub>Over all kernels and fixtures: geometric means of ratio, speeds and peak heap, mean of the accuracy loss in points. Speeds are CPU times of one thread{speeds} <i>Interval</i>: 95 % of the value after, or of the change where both builds were timed. <i>Seen from</i>: the smallest change that would have been noticed.{}</sub>",
        clip(&escape(&notes), LONGEST_ACCOUNT / 4)
    )
}

/// The beginning of a text, by characters.
fn clip(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Text that does not grow over its limit.
struct Bounded {
    text: String,
    limit: usize,
}

impl Bounded {
    fn room(&self) -> usize {
        self.limit - self.text.len()
    }

    /// Adds a text that fits; leaves out one that does not.
    fn add(&mut self, text: &str) {
        if text.len() <= self.room() {
            self.text.push_str(text);
        }
    }

    /// Adds a table, as far as it fits.
    fn table(&mut self, before: &str, grid: &Grid, after: &str, keep: usize) {
        let (head, rows) = compact(grid);
        self.list(&(before.to_owned() + &head), rows, after, keep);
    }

    /// Adds as many lines as fit when `keep` bytes are to stay free, and how many did not; nothing where there are no lines.
    fn list(&mut self, before: &str, lines: Vec<String>, after: &str, keep: usize) {
        let note = |n: usize| format!("\n{} left out: a comment holds no more. The report has all.\n", words::count(n, "row"));
        let room = self.room().saturating_sub(keep + before.len() + after.len());
        let whole: usize = lines.iter().map(String::len).sum();
        let room_for_lines = if whole <= room { room } else { room.saturating_sub(note(lines.len()).len()) };
        let mut used = 0;
        let fitting = lines.iter().take_while(|line| {
            used += line.len();
            used <= room_for_lines
        });
        let shown: Vec<&str> = fitting.map(String::as_str).collect();
        if lines.is_empty() || before.len() + after.len() + note(lines.len()).len() > self.room().saturating_sub(keep) {
            return;
        }
        let left_out = if shown.len() < lines.len() { note(lines.len() - shown.len()) } else { String::new() };
        self.text.extend([before, &shown.concat(), &left_out, after]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(n: usize) -> Vec<String> {
        (0..n).map(|i| format!("line {i:04}\n")).collect()
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_counted() {
        for limit in [0, 10, 50, 80, 100, 150, 500, 20_000] {
            for keep in [0, 40, 1000] {
                let mut out = Bounded { text: String::new(), limit };
                out.list("before\n", lines(1000), "after\n", keep);
                assert!(out.text.len() + keep <= limit || out.text.is_empty(), "{limit} {keep}");
                let shown = out.text.matches("line ").count();
                let said = out.text.lines().find_map(|l| l.strip_suffix(" rows left out: a comment holds no more. The report has all."));
                match said {
                    Some(n) => assert_eq!(n.parse::<usize>().unwrap() + shown, 1000),
                    None => assert!(shown == 1000 || out.text.is_empty(), "{limit} {keep} {}", out.text),
                }
            }
        }
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(clip("ÄÖÜ", 2), "ÄÖ…");
        assert_eq!(clip("ÄÖÜ", 3), "ÄÖÜ");
        assert_eq!(marker("a--b"), "<!-- weighbridge: suite a- -b -->\n");
    }
}
