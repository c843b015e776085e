//! Metrics over refreshes, with the stretches between changes of their level.

use plotters::prelude::RGBColor;

use super::axis::{Axis, Scale};
use super::canvas::{self, Layout, PlotError};
use super::figure::Figure;
use super::marker::{Marker, PALETTE};
use crate::model::metric::as_f64;
use crate::report::grid::Grid;
use crate::report::{Report, format};
use crate::stats::change_points::ChangePoint;

/// What a change of level is drawn in, and the mean of a stretch.
const CHANGE: RGBColor = PALETTE[1];
const MEAN: RGBColor = PALETTE[2];

/// One figure for each series of the report.
pub fn draw(report: &Report) -> Result<Vec<Figure>, PlotError> {
    let figures = report.histories.iter().enumerate().map(|(i, history)| {
        let metric = history.series.metric;
        let numbers: Vec<_> = history.series.values.iter().map(|v| v.value).collect();
        let mut data = Grid::new(&["Refresh", "Day", "Commit", "Value", "Subject"], 3).with_text_from(4);
        for (i, value) in history.series.values.iter().enumerate() {
            let commit = value.commit.get(..12).unwrap_or(&value.commit).to_owned();
            data.add_row([(i + 1).to_string(), value.day(), commit, format::value(metric, value.value), value.subject.clone()]);
        }
        let changes = history.series.changes.len();
        Ok(Figure {
            id: format!("history-{}", i + 1),
            title: format!("History: {} of {}", metric.name, history.case),
            caption: format!(
                "What each refresh of the baseline accepted, oldest first, with the mean of each stretch. {} of its level: E-divisive means with a t-test at 1 %.",
                if changes == 0 { "There is no change".to_owned() } else { crate::report::words::count(changes, "change") }
            ),
            svg: chart(&metric.with_unit(), &numbers, &history.series.changes)?,
            data,
        })
    });
    figures.collect()
}

/// One series that stands alone, black on white.
pub fn draw_alone(unit: &str, values: &[f64], changes: &[ChangePoint]) -> Result<String, PlotError> {
    Ok(canvas::alone(&chart(unit, values, changes)?))
}

/// The values, oldest first, the mean of each stretch, and a line where the level changed.
fn chart(unit: &str, values: &[f64], changes: &[ChangePoint]) -> Result<String, PlotError> {
    let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
    // A flat series has its line in the middle.
    let room = if most > least { 0.1 * (most - least) } else { (0.1 * most.abs()).max(f64::MIN_POSITIVE) };
    let last = as_f64(values.len() as u64);
    let layout = Layout {
        height: 400,
        x: Axis { title: "refresh, oldest first".to_owned(), scale: Scale::Linear, ends: (0.5, last + 0.5) },
        y: Axis { title: unit.to_owned(), scale: Scale::Linear, ends: (least - room, most + room) },
        left: 88,
        legend: Vec::new(),
    };
    let points: Vec<_> = values.iter().enumerate().map(|(i, v)| (as_f64(i as u64) + 1.0, *v)).collect();
    canvas::draw(&layout, |frame| {
        frame.line(points.iter().copied(), PALETTE[5], 1, 1.0)?;
        for (x, y) in &points {
            frame.mark(Marker::of_series(0), *x, *y)?;
        }
        let at = |change: &ChangePoint| as_f64(change.index as u64) + 0.5;
        for (i, change) in changes.iter().enumerate() {
            let start = if i == 0 { 0.5 } else { at(&changes[i - 1]) };
            let end = changes.get(i + 1).map_or(last + 0.5, at);
            frame.line([(start, change.mean_before), (at(change), change.mean_before)], MEAN, 2, 1.0)?;
            frame.line([(at(change), change.mean_after), (end, change.mean_after)], MEAN, 2, 1.0)?;
            frame.line([(at(change), least - room), (at(change), most + room)], CHANGE, 2, 1.0)?;
            if let Some((x, y)) = frame.pixel(at(change), most + room) {
                frame.write(&format!("change of level at {}", change.index + 1), (x + 4, y + 2))?;
            }
        }
        Ok(())
    })
}
