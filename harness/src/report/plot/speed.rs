//! Speed of compression and decompression against the ratio.

use super::axis::{Axis, Scale, cell};
use super::canvas::{self, Entry, Layout, PlotError};
use super::figure::Figure;
use super::marker::Marker;
use super::values::Values;
use crate::report::Report;
use crate::report::grid::Grid;

/// The figure; nothing where no kernel has both a ratio and a speed.
pub fn draw(report: &Report) -> Result<Vec<Figure>, PlotError> {
    let values = Values::of(report);
    let mut kernels = Vec::new();
    for summary in &report.summaries {
        let of = |name: &str| summary.rows.iter().find(|r| r.name == name).and_then(|r| r.after);
        if let (Some(kernel), Some(ratio)) = (&summary.kernel, of("Compression Ratio")) {
            kernels.push((kernel.as_str(), ratio, [of("Compression Speed"), of("Decompression Speed")]));
        }
    }
    let speeds = || kernels.iter().flat_map(|(_, _, speeds)| speeds.iter().flatten().copied());
    if speeds().next().is_none() {
        return Ok(Vec::new());
    }
    let names = ["compression", "decompression"];
    let layout = Layout {
        height: 620,
        x: Axis::over("compression ratio, geometric mean over fixtures", Scale::Log, kernels.iter().map(|k| k.1)),
        y: Axis::over("MB (10⁶ bytes of input) a second, one thread", Scale::Log, speeds()),
        left: 76,
        legend: names.iter().enumerate().map(|(i, n)| Entry { marker: Some(Marker::of_series(i)), name: (*n).to_owned() }).collect(),
    };
    let svg = canvas::draw(&layout, |frame| {
        let mut named = Vec::new();
        for (kernel, ratio, speeds) in &kernels {
            for (i, speed) in speeds.iter().enumerate() {
                let Some(speed) = *speed else { continue };
                frame.mark(Marker::of_series(i), *ratio, speed)?;
                named.push((*ratio, speed, *kernel));
            }
        }
        frame.names(&named).map(|_| ())
    })?;
    let mut data = Grid::new(&["Kernel", "Fixtures", "Compression ratio", "Compression, MB/s", "Decompression, MB/s"], 1);
    for (kernel, ratio, [encode, decode]) in &kernels {
        let fixtures = values.over_fixtures(kernel, "encode_seconds_per_mb").len();
        data.add_row([(*kernel).to_owned(), fixtures.to_string(), cell(Some(*ratio)), cell(*encode), cell(*decode)]);
    }
    Ok(vec![Figure {
        id: "speed-ratio".to_owned(),
        title: "Speed and ratio".to_owned(),
        caption: "Right and above is better. Each kernel has two marks, one above the other: how fast it compresses and how fast it decompresses.".to_owned(),
        svg,
        data,
    }])
}
