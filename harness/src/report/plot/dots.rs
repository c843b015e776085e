//! A row a name, with marks and intervals on it: what forest plots and dot plots share.

use super::axis::{Axis, Scale};
use super::canvas::{self, Entry, INK, Layout, PlotError};
use super::labels;
use super::marker::Marker;

/// A mark on a row, with the ends of its interval where it has one.
pub struct Mark {
    /// How it looks.
    pub marker: Marker,
    /// Where it is.
    pub value: f64,
    /// Ends of its interval.
    pub interval: Option<(f64, f64)>,
    /// How far below the middle of its row it is, in rows, so that marks of one row do not hide each other.
    pub lower: f64,
}

/// Where each of two marks of a row is.
pub const UPPER_AND_LOWER: [f64; 2] = [-0.2, 0.2];

/// A row.
pub struct DotRow {
    /// Its name.
    pub name: String,
    /// Its marks.
    pub marks: Vec<Mark>,
    /// Range around nothing that would not have been noticed: drawn as a band.
    pub band: Option<f64>,
}

/// Rows that one plot can hold and be read; a caller says what it left out.
pub const MOST_ROWS: usize = 60;

/// Characters of a name that are shown.
const LONGEST_NAME: usize = 46;

/// Draws rows from the top.
pub fn draw(rows: &[DotRow], title: &str, scale: Scale, reference: Option<f64>, legend: Vec<Entry>) -> Result<String, PlotError> {
    let short = |name: &str| {
        let longer = name.chars().count() > LONGEST_NAME;
        if longer { name.chars().take(LONGEST_NAME - 1).chain(['…']).collect() } else { name.to_owned() }
    };
    let names: Vec<String> = rows.iter().map(|r| short(&r.name)).collect();
    let left = names.iter().map(|n| labels::width(n)).max().unwrap_or(0) + 24;
    let ends = rows.iter().flat_map(|r| {
        let marks = r.marks.iter().flat_map(|m| m.interval.map_or([m.value, m.value], |(low, high)| [low, high]));
        marks.chain(r.band.into_iter().flat_map(|b| [-b, b])).collect::<Vec<_>>()
    });
    let x = Axis::over(title, scale, ends.chain(reference));
    let height = 90 + 18 * u32::try_from(rows.len()).unwrap_or(u32::MAX);
    let y = Axis::over("", Scale::Names(names), []);
    let layout = Layout { height: height.max(180), x, y, left: u32::try_from(left).unwrap_or(300), legend };
    canvas::draw(&layout, |frame| {
        let mut at = 0.0;
        for row in rows {
            if let Some((left, right)) = row.band.and_then(|b| Some((frame.pixel(-b, at)?, frame.pixel(b, at)?))) {
                frame.fill([(left.0, left.1 - 7), (right.0, right.1 + 7)], INK, 0.12)?;
            }
            for mark in &row.marks {
                let at = at + mark.lower;
                if let Some((low, high)) = mark.interval {
                    frame.line([(low, at), (high, at)], mark.marker.colour, 2, 0.9)?;
                }
                frame.mark(mark.marker, mark.value, at)?;
            }
            at += 1.0;
        }
        reference.map_or(Ok(()), |x| frame.line([(x, layout.y.ends.0), (x, layout.y.ends.1)], INK, 1, 0.7))
    })
}
