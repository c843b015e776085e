//! Bits a weight against relative error, with the Gaussian rate–distortion bound 2^−R (Cover and Thomas, *Elements of Information Theory*, §10.3).

use super::axis::{Axis, Scale, cell};
use super::canvas::{self, Entry, Frame, INK, Layout, PlotError};
use super::figure::Figure;
use super::marker::Marker;
use super::values::{Values, geometric, mean};
use crate::report::Report;
use crate::report::grid::Grid;

/// Bits a weight and error of a kernel on a fixture.
struct Point<'a> {
    kernel: &'a str,
    fixture: usize,
    bits: f64,
    error: f64,
    estimate: bool,
}

fn points<'a>(report: &Report, values: &Values<'a>) -> Vec<Point<'a>> {
    let mut points = Vec::new();
    for &kernel in &values.kernels {
        for (i, fixture) in values.fixtures.iter().enumerate() {
            let Some(row) = values.row(kernel, fixture, "relative_error") else { continue };
            if let (Some(bits), Some(error)) = (values.after(kernel, fixture, "bits_per_weight"), row.after) {
                let estimate = report.is_estimate(&row.case, row.metric.name);
                points.push(Point { kernel, fixture: i, bits, error, estimate });
            }
        }
    }
    points
}

/// Mean bits and geometric mean error of each kernel that loses something.
fn means<'a>(values: &Values<'a>, points: &[Point<'a>]) -> Vec<(&'a str, f64, f64)> {
    let mean_of = |&kernel: &&'a str| {
        let mine = || points.iter().filter(|p| p.kernel == kernel);
        let bits = mean(&mine().map(|p| p.bits).collect::<Vec<_>>())?;
        Some((kernel, bits, geometric(&mine().map(|p| p.error).collect::<Vec<_>>())?))
    };
    values.kernels.iter().filter_map(mean_of).collect()
}

/// The figure; nothing where no case has both a rate and an error above nothing.
pub fn draw(report: &Report) -> Result<Vec<Figure>, PlotError> {
    let values = Values::of(report);
    let points = points(report, &values);
    let lossy = || points.iter().filter(|p| p.error > 0.0);
    if lossy().next().is_none() {
        return Ok(Vec::new());
    }
    let means = means(&values, &points);
    let mut legend = vec![
        Entry { marker: None, name: "Gaussian bound 2^−R".to_owned() },
        Entry { marker: Some(Marker::of_series(0).coloured(INK)), name: "kernel, mean of fixtures".to_owned() },
    ];
    legend.extend(values.fixtures.iter().enumerate().map(|(i, f)| Entry { marker: Some(Marker::of_series(i)), name: (*f).to_owned() }));
    let layout = Layout {
        height: 620,
        x: Axis::over("bits per weight, whole artifact", Scale::Linear, lossy().map(|p| p.bits)).with(0.0),
        y: Axis::over("relative error ‖W−Ŵ‖ / ‖W‖", Scale::Log, lossy().map(|p| p.error)).with(1.2),
        left: 76,
        legend,
    };
    let svg = canvas::draw(&layout, |frame| paint(frame, &layout, &points, &means))?;
    let mut data = Grid::new(&["Kernel", "Fixture", "Bits per weight", "Relative error", "Gaussian bound"], 2);
    for p in &points {
        let names = [p.kernel.to_owned(), values.fixtures[p.fixture].to_owned()];
        let estimate = if p.estimate { crate::report::ESTIMATE } else { "" };
        let error = format!("{estimate}{}", cell(Some(p.error)));
        data.add_row(names.into_iter().chain([cell(Some(p.bits)), error, cell(Some(2f64.powf(-p.bits)))]));
    }
    Ok(vec![Figure {
        id: "rate-distortion".to_owned(),
        title: "Rate and distortion".to_owned(),
        caption: "Left and below is better. No code of that many bits keeps Gaussian weights nearer than the line; weights that are not Gaussian can lie below it. Hollow marks are estimates from samples. What is lossless has no place on a logarithmic axis and stands in the table only.".to_owned(),
        svg,
        data,
    }])
}

fn paint(frame: &Frame<'_>, layout: &Layout, points: &[Point<'_>], means: &[(&str, f64, f64)]) -> Result<(), PlotError> {
    let lowest = 10f64.powf(layout.y.ends.0);
    let bound = (0..=400).map(|i| layout.x.ends.1 * f64::from(i) / 400.0).map(|r| (r, 2f64.powf(-r)));
    frame.line(bound.filter(|(_, error)| *error >= lowest), INK, 2, 0.6)?;
    for p in points {
        frame.mark(Marker::of_series(p.fixture).behind().hollow(p.estimate), p.bits, p.error)?;
    }
    for (_, bits, error) in means {
        frame.mark(Marker::of_series(0).coloured(INK), *bits, *error)?;
    }
    frame.names(&means.iter().map(|(kernel, bits, error)| (*bits, *error, *kernel)).collect::<Vec<_>>())?;
    Ok(())
}

/// The plot as a file of its own; empty where there is nothing to draw.
pub fn alone(report: &Report) -> Result<String, PlotError> {
    Ok(draw(report)?.first().map_or_else(String::new, |figure| canvas::alone(&figure.svg)))
}
