//! Annotations of GitHub Actions: commands on standard output that the runner turns into notes on the pull request's checks.

use super::{Report, basis, tables, words};
use crate::compare::{Outcome, Verdict};

/// Annotations of one level that the runner shows for a step; it drops those that come after.
const SHOWN: usize = 10;

/// Escapes what a command's text cannot hold.
fn text(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Escapes what a command's properties cannot hold.
fn property(value: &str) -> String {
    text(value).replace(':', "%3A").replace(',', "%2C")
}

fn command(level: &str, title: &str, message: &str) -> String {
    format!("::{level} title={}::{}\n", property(title), text(message))
}

/// One line for the verdict, then one for each failed case and each row worth seeing, the most serious first, ten of a level at most.
pub fn annotations(report: &Report) -> String {
    let c = &report.comparison;
    let level = if c.outcome() == Outcome::Pass { "notice" } else { "error" };
    let mut lines = vec![(level, command(level, "Weighbridge", &words::verdict(report)))];
    for f in &c.failures {
        lines.push(("error", command("error", &format!("failed: {}", f.case), &format!("at {}: {}", f.stage, f.message))));
    }
    for row in words::changed(report) {
        let level = match row.verdict {
            Some(Verdict::Regression | Verdict::Missing | Verdict::Inconclusive) => "error",
            Some(Verdict::Waived) => "warning",
            Some(Verdict::Improvement) => "notice",
            _ => continue,
        };
        let [before, after, change, seen_from] = tables::judged_cells(report, row);
        let title = format!("{}: {} of {}", row.verdict.map_or("", Verdict::word), row.metric.name, row.case);
        lines.push((level, command(level, &title, &format!("{before} to {after}, change {change}, seen from {seen_from}"))));
    }
    lines.extend(basis::warnings(report).iter().map(|w| ("warning", command("warning", "waiver", w.trim_start_matches("warning: ")))));
    for row in c.scaling.iter().filter(|r| r.verdict == Some(Verdict::Regression)) {
        let title = format!("regression: growth of {} of {}", row.quantity.title, row.kernel);
        let growth = row.growth.map_or_else(String::new, |g| format!("the exponent grew by {:.4}", g.exponent));
        lines.push(("error", command("error", &title, &growth)));
    }
    let mut out = String::new();
    for level in ["error", "warning", "notice"] {
        let mine: Vec<&String> = lines.iter().filter(|(l, _)| *l == level).map(|(_, line)| line).collect();
        let shown = if mine.len() > SHOWN { SHOWN - 1 } else { mine.len() };
        out.extend(mine.iter().take(shown).map(|line| line.as_str()));
        if mine.len() > shown {
            out.push_str(&command(level, "Weighbridge", &format!("{} more; the report has them", mine.len() - shown)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_holds_one_line_whatever_its_text() {
        assert_eq!(command("error", "a:b,c", "50 %\nmore"), "::error title=a%3Ab%2Cc::50 %25%0Amore\n");
    }
}
