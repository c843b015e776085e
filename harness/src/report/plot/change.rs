//! Before and after: what changed, and how speeds moved, as forest plots with intervals.

use plotters::prelude::RGBColor;

use super::axis::{Scale, cell};
use super::canvas::{Entry, INK, PlotError};
use super::dots::{self, DotRow, MOST_ROWS, Mark, UPPER_AND_LOWER};
use super::figure::Figure;
use super::marker::{Marker, PALETTE};
use super::values::{Values, mean};
use crate::compare::{Row, Verdict};
use crate::model::metric::{Direction, as_f64};
use crate::report::grid::Grid;
use crate::report::{Report, format, tables, words};
use crate::stats::distribution::t_upper_quantile;

/// Changes below this many per cent are spread evenly.
const LINEAR_BELOW: f64 = 0.1;

/// Series of verdicts: their colours and shapes.
const SERIES: [(Verdict, RGBColor, usize); 4] = [
    (Verdict::Regression, PALETTE[1], 0),
    (Verdict::Inconclusive, PALETTE[4], 1),
    (Verdict::Waived, PALETTE[3], 2),
    (Verdict::Improvement, PALETTE[2], 3),
];

fn marker(verdict: Verdict) -> Marker {
    let found = SERIES.iter().find(|(v, _, _)| *v == verdict);
    found.map_or_else(|| Marker::of_series(0).coloured(INK), |(_, colour, shape)| Marker::of_series(*shape).coloured(*colour))
}

/// Per cent by which a row got worse, with its 95 % interval; improvements are below nothing.
fn worse_by(row: &Row) -> Option<(f64, Option<(f64, f64)>)> {
    let sign = if row.metric.direction == Direction::Higher { -100.0 } else { 100.0 };
    let change = sign * row.relative_change()?;
    if let Some([low, high]) = row.paired.as_ref().and_then(|p| p.interval) {
        // Times: lower is better, so that the change is the one for the worse.
        return Some((change, Some((100.0 * low, 100.0 * high))));
    }
    let before = row.before.filter(|b| *b != 0.0)?;
    let half = words::half_interval(row).map(|half| 100.0 * half / before.abs());
    Some((change, half.map(|h| (change - h, change + h))))
}

/// Metrics that changed; nothing where none did.
pub fn draw_changes(report: &Report) -> Result<Vec<Figure>, PlotError> {
    let changed: Vec<&Row> = words::changed(report).into_iter().filter(|r| r.verdict != Some(Verdict::Failed)).collect();
    let row = |r: &&Row| {
        let (value, interval) = worse_by(r)?;
        let band = r.smallest_detectable.zip(r.before).map(|(t, b)| 100.0 * (t / b).abs()).filter(|b| b.is_finite() && *b > 0.0);
        let name = format!("{} {} {}", r.case.kernel, r.case.fixture, r.metric.name);
        Some(DotRow { name, marks: vec![Mark { marker: marker(r.verdict?), value, interval, lower: 0.0 }], band })
    };
    let mut rows: Vec<DotRow> = changed.iter().filter_map(row).collect();
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let left_out = changed.len() - rows.len().min(MOST_ROWS);
    rows.truncate(MOST_ROWS);
    let used = |v: Verdict| changed.iter().any(|r| r.verdict == Some(v));
    let legend = SERIES.iter().filter(|s| used(s.0)).map(|s| Entry { marker: Some(marker(s.0)), name: s.0.word().to_owned() });
    let svg = dots::draw(&rows, "change for the worse, per cent of before", Scale::SignedLog(LINEAR_BELOW), Some(0.0), legend.collect())?;
    let more = if left_out > 0 {
        format!(" {} more in the table: what is missing, or was nothing before, has no per cent.", words::count(left_out, "row"))
    } else {
        String::new()
    };
    Ok(vec![Figure {
        id: "changes".to_owned(),
        title: "What changed".to_owned(),
        caption: format!(
            "Right of the line is worse, whichever way the metric counts. Lines through marks are intervals of the change of times of both builds, and 95 % intervals of the value after where else an error is known; bands are what would not have been noticed. The axis is even below {LINEAR_BELOW} % and logarithmic above.{more}"
        ),
        svg,
        data: tables::changes_with_intervals(report),
    }])
}

/// A speed's change over fixtures: the mean of logarithms, with Student's interval over them.
struct Moved {
    fixtures: usize,
    percent: f64,
    interval: Option<(f64, f64)>,
}

fn moved(values: &Values<'_>, kernel: &str, metric: &str) -> Option<Moved> {
    let log = |fixture: &&str| {
        let row = values.row(kernel, fixture, metric)?;
        // Seconds fall where speed rises.
        let log = (row.before? / row.after?).ln();
        log.is_finite().then_some(log)
    };
    let logs: Vec<f64> = values.fixtures.iter().filter_map(log).collect();
    let centre = mean(&logs)?;
    let degrees = u32::try_from(logs.len().checked_sub(1)?).ok().filter(|d| *d > 0);
    let percent = |log: f64| 100.0 * log.exp_m1();
    let interval = degrees.map(|d| {
        let variance = logs.iter().map(|l| (l - centre).powi(2)).sum::<f64>() / f64::from(d);
        let half = t_upper_quantile(0.025, f64::from(d)) * (variance / as_f64(logs.len() as u64)).sqrt();
        (percent(centre - half), percent(centre + half))
    });
    Some(Moved { fixtures: logs.len(), percent: percent(centre), interval })
}

/// How speeds of each kernel moved; nothing where the baseline has no times.
pub fn draw_speeds(report: &Report) -> Result<Vec<Figure>, PlotError> {
    let values = Values::of(report);
    let sides = [("compression", "encode_seconds_per_mb"), ("decompression", "decode_seconds_per_mb")];
    let mut rows = Vec::new();
    let mut data = Grid::new(&["Kernel", "Speed of", "Fixtures", "Change", "95 % interval"], 2);
    for kernel in &values.kernels {
        let mut marks = Vec::new();
        for (i, (name, metric)) in sides.iter().enumerate() {
            let Some(moved) = moved(&values, kernel, metric) else { continue };
            let interval = moved
                .interval
                .map_or_else(|| cell(None), |(low, high)| format!("{} to {}", format::percent(low / 100.0), format::percent(high / 100.0)));
            let names = [(*kernel).to_owned(), (*name).to_owned(), moved.fixtures.to_string()];
            data.add_row(names.into_iter().chain([format::percent(moved.percent / 100.0), interval]));
            marks.push(Mark { marker: Marker::of_series(i), value: moved.percent, interval: moved.interval, lower: UPPER_AND_LOWER[i] });
        }
        if !marks.is_empty() {
            rows.push(DotRow { name: (*kernel).to_owned(), marks, band: None });
        }
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let left_out = rows.len().saturating_sub(MOST_ROWS);
    rows.truncate(MOST_ROWS);
    let legend = sides.iter().enumerate().map(|(i, (name, _))| Entry { marker: Some(Marker::of_series(i)), name: (*name).to_owned() });
    let svg = dots::draw(&rows, "change of speed, per cent", Scale::Linear, Some(0.0), legend.collect())?;
    let times = match (report.comparison.paired.is_some(), report.comparison.same_machine) {
        (true, _) => "Where both builds were timed in turns, those times are taken",
        (false, true) => "The baseline's times come from a machine of the same kind, at another time; they are shown and do not gate",
        (false, false) => "The baseline's times come from another machine; they are shown and do not gate",
    };
    let more = if left_out > 0 { format!(" {} more in the table.", words::count(left_out, "kernel")) } else { String::new() };
    Ok(vec![Figure {
        id: "speed-changes".to_owned(),
        title: "Speeds before and after".to_owned(),
        caption: format!(
            "Right of the line is faster: geometric means over fixtures, with Student's 95 % interval over them. {times}.{more}"
        ),
        svg,
        data,
    }])
}
