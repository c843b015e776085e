//! Peak heap of encode and decode, as a multiple of the model.

use std::collections::BTreeMap;

use super::axis::{Scale, cell};
use super::canvas::{Entry, PlotError};
use super::dots::{self, DotRow, MOST_ROWS, Mark, UPPER_AND_LOWER};
use super::figure::Figure;
use super::marker::Marker;
use super::values::{Values, geometric};
use crate::model::metric::as_f64;
use crate::report::Report;
use crate::report::grid::Grid;
use crate::report::{format, words};

const METRICS: [(&str, &str); 2] = [("encode", "encode_peak_heap_bytes"), ("decode", "decode_peak_heap_bytes")];

/// Bytes of each fixture's tensors.
fn sizes(report: &Report) -> BTreeMap<&str, f64> {
    let measured = report.records.iter().filter_map(|r| Some((r.case.fixture.as_str(), r.measured.as_ref()?)));
    measured.map(|(fixture, m)| (fixture, as_f64(m.checked.input_bytes))).collect()
}

/// The figure; nothing where no case has a peak.
pub fn draw(report: &Report) -> Result<Vec<Figure>, PlotError> {
    let values = Values::of(report);
    let sizes = sizes(report);
    let mut data = Grid::new(&["Kernel", "Fixtures", "Encode, × model", "Decode, × model", "Encode, largest", "Decode, largest"], 1);
    let mut rows = Vec::new();
    for kernel in &values.kernels {
        let peaks = METRICS.map(|(_, metric)| {
            let peak = |fixture: &&str| Some((values.after(kernel, fixture, metric)?, *sizes.get(fixture)?));
            let pairs: Vec<(f64, f64)> = values.fixtures.iter().filter_map(peak).filter(|(_, size)| *size > 0.0).collect();
            let largest = pairs.iter().map(|p| p.0).reduce(f64::max);
            (pairs.len(), geometric(&pairs.iter().map(|(peak, size)| peak / size).collect::<Vec<_>>()), largest)
        });
        if peaks.iter().all(|p| p.0 == 0) {
            continue;
        }
        let marks = peaks
            .iter()
            .enumerate()
            .filter_map(|(i, p)| Some(Mark { marker: Marker::of_series(i), value: p.1?, interval: None, lower: UPPER_AND_LOWER[i] }));
        rows.push(DotRow { name: (*kernel).to_owned(), marks: marks.collect(), band: None });
        let largest = |p: &(usize, Option<f64>, Option<f64>)| p.2.map_or_else(|| cell(None), format::bytes);
        data.add_row([
            (*kernel).to_owned(),
            peaks[0].0.to_string(),
            cell(peaks[0].1),
            cell(peaks[1].1),
            largest(&peaks[0]),
            largest(&peaks[1]),
        ]);
    }
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let left_out = rows.len().saturating_sub(MOST_ROWS);
    rows.truncate(MOST_ROWS);
    let legend =
        METRICS.iter().enumerate().map(|(i, (name, _))| Entry { marker: Some(Marker::of_series(i)), name: format!("peak heap of {name}") });
    let svg = dots::draw(&rows, "peak heap ÷ bytes of the model, geometric mean over fixtures", Scale::Log, Some(1.0), legend.collect())?;
    let more = if left_out > 0 { format!(" {} more in the table.", words::count(left_out, "kernel")) } else { String::new() };
    Ok(vec![Figure {
        id: "memory".to_owned(),
        title: "Memory".to_owned(),
        caption: format!(
            "Left is better. Heap above the loaded model (encode) or above the packed parts (decode), on one thread. At the line it is as large as the model. A kernel that took none on some fixture has no mark.{more}"
        ),
        svg,
        data,
    }])
}
