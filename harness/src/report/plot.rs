//! Plots, drawn with plotters as SVG: the only module that knows of it.

use plotters::prelude::{
    BLACK, ChartBuilder, Circle, Color, EmptyElement, IntoDrawingArea, IntoFont, IntoLogRange, LineSeries, PathElement, RGBColor,
    SVGBackend, Text, WHITE,
};

use super::Report;
use crate::model::metric::as_f64;
use crate::stats::change_points::ChangePoint;

/// Okabe and Ito's colours, which people with any colour vision tell apart.
const PALETTE: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(120, 120, 120),
    RGBColor(0, 0, 0),
];

/// A point of the rate–distortion plot.
struct Point {
    fixture: String,
    kernel: String,
    bits: f64,
    error: f64,
    /// From a sample: drawn hollow.
    estimate: bool,
}

/// Bits per weight against relative error, one colour a fixture, with the Gaussian rate–distortion bound 2^−R. `None` where no case has
/// both an error and a rate.
pub fn rate_distortion(report: &Report) -> Option<Result<String, String>> {
    let value = |case: &crate::model::record::Case, metric: &str| {
        report.comparison.rows.iter().find(|r| r.case == *case && r.metric.name == metric).and_then(|r| r.after)
    };
    let mut points = Vec::new();
    for case in &report.header.cases {
        if let (Some(bits), Some(error)) = (value(case, "bits_per_weight"), value(case, "relative_error"))
            && error > 0.0
        {
            let estimate = report.is_estimate(case, "relative_error");
            points.push(Point { fixture: case.fixture.clone(), kernel: case.kernel.clone(), bits, error, estimate });
        }
    }
    (!points.is_empty()).then(|| draw(&points).map_err(|e| e.to_string()))
}

/// A metric over refreshes, oldest first: its values, the mean of each stretch, and a line where the level changed.
pub fn series(title: &str, unit: &str, values: &[f64], changes: &[ChangePoint]) -> Result<String, String> {
    draw_series(title, unit, values, changes).map_err(|e| e.to_string())
}

fn draw_series<'a>(title: &'a str, unit: &str, values: &[f64], changes: &[ChangePoint]) -> Result<String, Box<dyn std::error::Error + 'a>> {
    let (least, most) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
    // A flat series has its line in the middle.
    let room = if most > least { 0.1 * (most - least) } else { (0.1 * most.abs()).max(f64::MIN_POSITIVE) };
    let (last, x) = (as_f64(values.len() as u64), |i: usize| as_f64(i as u64));
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (960, 400)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 22))
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(88)
            .build_cartesian_2d(-0.5..last, least - room..most + room)?;
        chart
            .configure_mesh()
            .x_desc("refresh, oldest first")
            .y_desc(unit)
            .light_line_style(WHITE)
            .label_style(("sans-serif", 14))
            .draw()?;
        let points: Vec<_> = values.iter().enumerate().map(|(i, v)| (x(i), *v)).collect();
        chart.draw_series(LineSeries::new(points.iter().copied(), PALETTE[5]))?;
        chart.draw_series(points.iter().map(|p| Circle::new(*p, 3, PALETTE[0].filled())))?;
        for (i, change) in changes.iter().enumerate() {
            let at = x(change.index) - 0.5;
            let start = if i == 0 { 0.0 } else { x(changes[i - 1].index) - 0.5 };
            let end = changes.get(i + 1).map_or(last, |next| x(next.index) - 0.5);
            let line = |from: (f64, f64), to: (f64, f64), colour: RGBColor| PathElement::new(vec![from, to], colour.stroke_width(2));
            chart.draw_series([
                line((start, change.mean_before), (at, change.mean_before), PALETTE[2]),
                line((at, change.mean_after), (end, change.mean_after), PALETTE[2]),
                line((at, least - room), (at, most + room), PALETTE[1]),
            ])?;
            chart.draw_series([Text::new(
                format!("change of level at {}", change.index + 1),
                (at, most + room),
                ("sans-serif", 13).into_font(),
            )])?;
        }
        area.present()?;
    }
    Ok(svg)
}

fn draw(points: &[Point]) -> Result<String, Box<dyn std::error::Error + '_>> {
    let mut fixtures: Vec<&str> = points.iter().map(|p| p.fixture.as_str()).collect();
    fixtures.sort_unstable();
    fixtures.dedup();
    let most = |f: fn(&Point) -> f64| points.iter().map(f).fold(f64::MIN, f64::max);
    let least = points.iter().map(|p| p.error).fold(f64::MAX, f64::min);
    let (bits_end, error_end) = (most(|p| p.bits) * 1.15, most(|p| p.error).max(1.0) * 1.5);
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (960, 600)).into_drawing_area();
        area.fill(&WHITE)?;
        let mut chart = ChartBuilder::on(&area)
            .caption("Rate and distortion: below and left is better", ("sans-serif", 22))
            .margin(16)
            .x_label_area_size(44)
            .y_label_area_size(72)
            .build_cartesian_2d(0.0..bits_end, (least / 2.0..error_end).log_scale())?;
        chart
            .configure_mesh()
            .x_desc("bits per weight, whole artifact")
            .y_desc("relative error ‖W−Ŵ‖/‖W‖")
            .y_label_formatter(&|y| format!("{y:.0e}"))
            .light_line_style(WHITE)
            .label_style(("sans-serif", 14))
            .draw()?;
        let bound = (0..=200).map(|i| bits_end * f64::from(i) / 200.0).map(|r| (r, 2f64.powf(-r))).filter(|(_, d)| *d > least / 2.0);
        chart
            .draw_series(LineSeries::new(bound, BLACK.mix(0.5)))?
            .label("Gaussian bound 2^−R")
            .legend(|(x, y)| PathElement::new(vec![(x, y), (x + 16, y)], BLACK.mix(0.5)));
        for (i, fixture) in fixtures.iter().enumerate() {
            let colour = PALETTE[i % PALETTE.len()];
            let mine = points.iter().filter(|p| p.fixture == *fixture);
            let first = i == 0;
            let mark = |p: &Point| {
                // One fixture's points carry the kernels' names; the others lie close by.
                let name = if first { p.kernel.clone() } else { String::new() };
                EmptyElement::at((p.bits, p.error))
                    + Circle::new((0, 0), 4, if p.estimate { colour.stroke_width(1) } else { colour.filled() })
                    + Text::new(name, (7, -5), ("sans-serif", 13).into_font())
            };
            chart.draw_series(mine.map(mark))?.label(*fixture).legend(move |(x, y)| Circle::new((x + 8, y), 4, colour.filled()));
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.9))
            .border_style(BLACK.mix(0.3))
            .label_font(("sans-serif", 14))
            .draw()?;
        area.present()?;
    }
    Ok(svg)
}
