//! The body of a pull request: the project's template with what the run can say filled in.
//!
//! A box is ticked only where the run, or the list of changed files, is evidence for it, and the evidence stands beside it. All that is a
//! person's to say stays as it was, and so does every line of a template that is not known here.

use super::evidence::{self, Line};
use super::markdown_table::compact;
use super::{Report, tables};

/// The template that is shipped, for projects without one.
pub const TEMPLATE: &str = include_str!("../../../.github/pull_request_template.md");

/// What is known of a pull request besides its run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proposal {
    /// The project's template, where it has one.
    pub template: Option<String>,
    /// What its commits change, where version control tells.
    pub changes: Option<crate::git::Changes>,
}

/// The template, filled in.
pub fn render(report: &Report) -> String {
    let template = report.proposal.template.as_deref().unwrap_or(TEMPLATE);
    let mut out = String::new();
    let mut section = String::new();
    let mut lines = template.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("##") {
            section = title.trim_start_matches('#').trim().to_owned();
        }
        if section == "Metrics" && line.starts_with('|') {
            while lines.next_if(|l| l.starts_with('|')).is_some() {}
            out.push_str(&five_rows(report));
        } else if line.starts_with("```") && section == "Benchmark" && !report.header.command.is_empty() {
            while lines.next_if(|l| !l.starts_with("```")).is_some() {}
            out.push_str(&format!("{line}\n{}\n", report.header.command));
            out.extend(lines.next().map(|end| format!("{end}\n")));
        } else {
            out.push_str(&filled(report, &section, line));
            out.push('\n');
        }
    }
    out
}

fn five_rows(report: &Report) -> String {
    let Some(all) = report.summaries.last() else { return String::new() };
    let (head, rows) = compact(&tables::five_rows(all));
    head + &rows.concat()
}

/// A line with its evidence, or as it was.
fn filled(report: &Report, section: &str, line: &str) -> String {
    if let Some(text) = line.strip_prefix("- [ ] ") {
        let found = evidence::of_box(report, section, text);
        return found.map_or_else(|| line.to_owned(), |evidence| format!("- [x] {} {evidence}", without_comment(text)));
    }
    let known = evidence::LINES.iter().find(|Line { section: s, begins, .. }| *s == section && line.starts_with(begins));
    let said = known.and_then(|known| Some(format!("{} {}", known.begins, (known.say)(report)?)));
    said.unwrap_or_else(|| line.to_owned())
}

/// A line without the comment at its end that says what to fill in.
fn without_comment(text: &str) -> &str {
    text.split("<!--").next().unwrap_or(text).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_that_is_known_stands_in_the_template_that_is_shipped() {
        let in_section = |wanted: &str, begins: &str| {
            let mut section = "";
            TEMPLATE.lines().any(|line| {
                if let Some(title) = line.strip_prefix("##") {
                    section = title.trim_start_matches('#').trim();
                }
                section == wanted && line.starts_with(begins)
            })
        };
        for line in evidence::LINES {
            assert!(in_section(line.section, line.begins), "{} in {}", line.begins, line.section);
        }
        for known in evidence::BOXES {
            let line = format!("- [ ] {}", known.begins);
            assert!(in_section(known.section, &line), "{line} in {}", known.section);
        }
    }
}
