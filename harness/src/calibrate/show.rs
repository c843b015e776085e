//! The table as text for a terminal, as a Markdown document, and as JSON.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use super::class::Class;
use super::record::{Header, Trial};
use super::table::{Count, Row};
use crate::builds::Layout;
use crate::model::metric::as_f64;
use crate::report::terminal as report_terminal;

/// Version of the JSON document.
const VERSION: u32 = 1;
/// An empty cell.
const NONE: &str = "–";

const fn layout_word(layout: Option<Layout>) -> &'static str {
    match layout {
        None => "either",
        Some(Layout::Relinked) => "relinks",
        Some(Layout::Copied) => "copies",
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    let header = [
        "Class",
        "Layout",
        "Clock",
        "Planted",
        "Was there",
        "Called slower",
        "Called faster",
        "Undecided",
        "Within 0.5",
        "Spread",
        "Blocks",
    ];
    table.set_header(header);
    for (i, column) in table.column_iter_mut().enumerate() {
        column.set_cell_alignment(if i < 3 { CellAlignment::Left } else { CellAlignment::Right });
    }
    for row in rows {
        let count = |count: Count| {
            let interval = count.interval();
            format!("{}/{} ({:.1}–{:.1} %)", count.hits, count.trials, 100.0 * interval.lower, 100.0 * interval.upper)
        };
        table.add_row([
            row.class.clone().unwrap_or_else(|| "all".to_owned()),
            layout_word(row.layout).to_owned(),
            row.clock.to_owned(),
            format!("{} %", 100.0 * row.share),
            row.truth_percent.map_or_else(|| NONE.to_owned(), |x| format!("{x:.2} %")),
            count(row.slower),
            count(row.faster),
            count(row.undecided),
            count(row.near),
            row.spread_points.map_or_else(|| NONE.to_owned(), |x| format!("{x:.2}")),
            format!("{:.0}", row.blocks),
        ]);
    }
    table
}

/// What the columns mean.
const EXPLANATION: &str = "Each trial compares a program with itself, one side doing the planted share of real extra work; 0 % is A/A, where whatever is called is a false alarm. \
     *Was there* is what the workers counted of it, as a median. In brackets stand 95 % Clopper–Pearson intervals. *Within 0.5* counts estimates \
     within half a point of what was there, *Spread* is the standard deviation of their error in points, *Blocks* the median that a comparison took. A \
     gate decides on the first clock; the others are judged on the same blocks by the same rules.";

/// What was measured, in words.
fn lines(header: &Header, trials: &[Trial]) -> Vec<String> {
    let loads: Vec<_> = trials.iter().filter_map(|trial| trial.load).collect();
    let [least, most] = [f64::min, f64::max].map(|of| loads.iter().copied().reduce(of));
    let relinked = trials.iter().filter(|trial| trial.layout == Layout::Relinked).count();
    let mut lines = vec![
        format!("Machine: {}.", header.machine),
        format!(
            "{} trials, {relinked} between shuffled links and {} between copies, {} s a comparison, batches of {} ms, seed {}.",
            trials.len(),
            trials.len() - relinked,
            as_f64(header.comparison_ns) / 1e9,
            as_f64(header.batch_ns) / 1e6,
            header.seed
        ),
    ];
    if let Some((least, most)) = least.zip(most) {
        lines.push(format!("Load when trials began: {least:.1} to {most:.1}."));
    }
    lines
}

/// Text for a terminal.
pub fn terminal(rows: &[Row], header: &Header, trials: &[Trial]) -> String {
    format!("{}\n{}\n", report_terminal::show(table(rows)), lines(header, trials).join("\n"))
}

/// The document.
pub fn markdown(rows: &[Row], header: &Header, trials: &[Trial], classes: &[Class], command: &str) -> String {
    let mut out = format!("# Error rates of the comparison of times\n\n```sh\n{command}\n```\n\n{}\n\n", lines(header, trials).join("\n"));
    let mut table = table(rows);
    table.load_preset(presets::ASCII_MARKDOWN);
    let _ = writeln!(out, "{}\n\n{EXPLANATION}\n", table.trim_fmt());
    for class in classes {
        let _ = writeln!(out, "- **{}**: {} of `{}` × {}: {}", class.name, class.operation.word(), class.kernel, class.fixture, class.why);
    }
    out
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document<'a> {
    weighbridge_calibration: u32,
    command: &'a str,
    header: &'a Header,
    trials: usize,
    rows: Vec<RowOut<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct RowOut<'a> {
    class: Option<&'a str>,
    layout: &'static str,
    clock: &'static str,
    planted: f64,
    was_there: Option<f64>,
    trials: usize,
    slower: Share,
    faster: Share,
    undecided: Share,
    within_half_a_point: Share,
    spread_points: Option<f64>,
    blocks: f64,
}

impl<'a> RowOut<'a> {
    fn of(row: &'a Row) -> Self {
        Self {
            class: row.class.as_deref(),
            layout: layout_word(row.layout),
            clock: row.clock,
            planted: row.share,
            was_there: row.truth_percent.map(|percent| percent / 100.0),
            trials: row.slower.trials,
            slower: Share::of(row.slower),
            faster: Share::of(row.faster),
            undecided: Share::of(row.undecided),
            within_half_a_point: Share::of(row.near),
            spread_points: row.spread_points,
            blocks: row.blocks,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Share {
    count: usize,
    share: f64,
    interval: [f64; 2],
}

impl Share {
    fn of(count: Count) -> Self {
        let interval = count.interval();
        Self { count: count.hits, share: count.share(), interval: [interval.lower, interval.upper] }
    }
}

/// JSON at full precision; shares of 1.
pub fn json(rows: &[Row], header: &Header, trials: &[Trial], command: &str) -> serde_json::Result<String> {
    let rows = rows.iter().map(RowOut::of).collect();
    let document = Document { weighbridge_calibration: VERSION, command, header, trials: trials.len(), rows };
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

#[cfg(test)]
mod tests {
    use super::super::record::VERSION as FILE_VERSION;
    use super::super::table::{rows, tests::trial};
    use super::*;
    use crate::model::machine::Machine;
    use crate::stats::trial::{Plan, Schedule};
    use crate::worker::batch::Operation;

    #[test]
    fn every_form_says_what_was_called_with_its_interval() {
        let trials = [trial("branchy", 0.05, 1, Layout::Relinked, 0.05)];
        let header = Header {
            weighbridge_calibrate: FILE_VERSION,
            started: String::new(),
            machine: Machine::current(),
            comparison_ns: 72_000_000_000,
            batch_ns: 8_000_000,
            clocks: super::super::table::CLOCKS.to_vec(),
            seed: 3,
        };
        let rows = rows(&Schedule::new(Plan::default()).unwrap(), &trials, header.comparison_ns, &header.clocks).unwrap();
        let classes = Class::chosen(&[], &[], Operation::Encode);
        let markdown = markdown(&rows, &header, &trials, &classes, "weighbridge calibrate");
        for text in [terminal(&rows, &header, &trials), markdown.clone()] {
            let line = text.lines().find(|l| l.contains("thread CPU") && l.contains("branchy")).unwrap();
            assert!(line.contains("1/1 (2.5–100.0 %)") && line.contains("5 %") && line.contains("5.13 %"), "{line}");
            assert!(text.contains("1 trials, 1 between shuffled links and 0 between copies, 72 s a comparison"), "{text}");
            assert!(text.contains("Load when trials began: 0.5 to 0.5."), "{text}");
        }
        assert!(markdown.contains("**memory-bound**: decode of `q8_0` × minilm-front"), "{markdown}");
        let json: serde_json::Value = serde_json::from_str(&json(&rows, &header, &trials, "c").unwrap()).unwrap();
        assert_eq!((&json["rows"][0]["slower"]["count"], &json["rows"][0]["trials"]), (&1.into(), &1.into()));
        assert!((json["rows"][0]["slower"]["interval"][0].as_f64().unwrap() - 0.025).abs() < 1e-9);
    }
}
