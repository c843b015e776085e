//! Costs against parameters on logarithmic axes, with the power laws that were fitted to them.

use super::axis::{Axis, Scale, cell};
use super::canvas::{self, Entry, Layout, PlotError};
use super::figure::Figure;
use super::marker::Marker;
use super::values::Values;
use crate::report::Report;
use crate::report::grid::Grid;
use crate::scaling::{QUANTITIES, Quantity, ScalingRow, sizes_of};

/// Kernels that one plot can hold and be read.
const MOST_KERNELS: usize = 8;

/// A figure for each cost that some kernel has an exponent of.
pub fn draw(report: &Report) -> Result<Vec<Figure>, PlotError> {
    let values = Values::of(report);
    let figures = QUANTITIES.iter().map(|quantity| figure(report, &values, quantity)).collect::<Result<Vec<_>, _>>()?;
    Ok(figures.into_iter().flatten().collect())
}

/// The cost with its unit, which the names of some have in them.
fn title(quantity: &Quantity) -> String {
    if quantity.title.ends_with("heap") { format!("{}, bytes", quantity.title) } else { quantity.title.to_owned() }
}

/// Of rows in order of their exponents, some that are spread evenly over them: the first and the last among them.
fn spread(mut rows: Vec<&ScalingRow>) -> Vec<&ScalingRow> {
    rows.sort_by(|a, b| a.after.exponent.total_cmp(&b.after.exponent));
    let n = rows.len();
    if n <= MOST_KERNELS {
        return rows;
    }
    (0..MOST_KERNELS).map(|i| rows[i * (n - 1) / (MOST_KERNELS - 1)]).collect()
}

fn figure(report: &Report, values: &Values<'_>, quantity: &'static Quantity) -> Result<Option<Figure>, PlotError> {
    let rows: Vec<&ScalingRow> = report.comparison.scaling.iter().filter(|r| r.quantity == quantity).collect();
    let sizes = sizes_of(&report.records);
    let points = |kernel: &str| {
        let point = |fixture: &&str| {
            let size = sizes.get(fixture)?;
            Some(((*fixture).to_owned(), size.parameters, quantity.cost(values.after(kernel, fixture, quantity.metric)?, size)))
        };
        values.fixtures.iter().filter_map(point).collect::<Vec<(String, f64, f64)>>()
    };
    let shown = spread(rows.clone());
    if shown.is_empty() {
        return Ok(None);
    }
    let all: Vec<(f64, f64)> = shown.iter().flat_map(|r| points(&r.kernel)).map(|(_, x, y)| (x, y)).collect();
    let legend = shown.iter().enumerate().map(|(i, r)| Entry {
        marker: Some(Marker::of_series(i)),
        name: format!("{:.2} ± {:.2} {}", r.after.exponent, r.after.half_width, r.kernel),
    });
    let layout = Layout {
        height: 520,
        x: Axis::over("parameters of the model", Scale::Log, all.iter().map(|p| p.0)),
        y: Axis::over(title(quantity), Scale::Log, all.iter().map(|p| p.1)),
        left: 76,
        legend: legend.collect(),
    };
    let svg = canvas::draw(&layout, |frame| {
        for (i, row) in shown.iter().enumerate() {
            let marker = Marker::of_series(i);
            let law = |x: f64| (x, (row.after.log_factor + row.after.exponent * x.ln()).exp());
            frame.line([law(row.span.0), law(row.span.1)], marker.colour, 2, 0.8)?;
            for (_, x, y) in points(&row.kernel) {
                frame.mark(marker, x, y)?;
            }
        }
        Ok(())
    })?;
    let mut data = Grid::new(&["Kernel", "Fixture", "Exponent", "± 95 %", "Parameters", quantity.title], 2);
    for row in &rows {
        for (fixture, x, y) in points(&row.kernel) {
            let names = [row.kernel.clone(), fixture];
            let fit = [format!("{:.4}", row.after.exponent), format!("{:.4}", row.after.half_width)];
            data.add_row(names.into_iter().chain(fit).chain([cell(Some(x)), cell(Some(y))]));
        }
    }
    let more = if rows.len() > shown.len() {
        format!(" {} of {} kernels are drawn, spread evenly over the exponents; the table has all.", shown.len(), rows.len())
    } else {
        String::new()
    };
    Ok(Some(Figure {
        id: format!("scaling-{}", quantity.name.replace('_', "-")),
        title: format!("Growth with size: {}", quantity.title),
        caption: format!(
            "Lines are power laws, least squares on both logarithms; the legend has their exponents with 95 % intervals. An exponent of 1 means that a model twice as large costs twice as much.{more}"
        ),
        svg,
        data,
    }))
}
