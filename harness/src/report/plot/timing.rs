//! How times scatter: the share of samples below each multiple of their case's median.

use super::axis::{Axis, Scale, cell};
use super::canvas::{self, Entry, INK, Layout, PlotError};
use super::figure::Figure;
use super::marker::Marker;
use super::values::Values;
use crate::model::metric::as_f64;
use crate::model::record::CaseRecord;
use crate::report::Report;
use crate::report::grid::Grid;
use crate::worker::protocol::Samples;

/// Points of a curve.
const STEPS: u32 = 200;

/// Quantiles in the table, in per mille.
const QUANTILES: [(&str, f64); 7] =
    [("5 %", 0.05), ("25 %", 0.25), ("50 %", 0.5), ("75 %", 0.75), ("95 %", 0.95), ("99 %", 0.99), ("largest", 1.0)];

/// Samples of a fixture's cases over their medians, in order.
fn scatter(report: &Report, fixture: &str, side: fn(&CaseRecord) -> Option<&Samples>) -> Vec<f64> {
    let mut all = Vec::new();
    for samples in report.records.iter().filter(|r| r.case.fixture == fixture).filter_map(side) {
        let mut times: Vec<f64> = samples.cpu_ns.iter().map(|ns| as_f64(*ns)).collect();
        times.sort_by(f64::total_cmp);
        let median = quantile(&times, 0.5);
        all.extend(median.filter(|m| *m > 0.0).into_iter().flat_map(|m| times.iter().map(move |t| t / m)).collect::<Vec<_>>());
    }
    all.sort_by(f64::total_cmp);
    all
}

/// The value that this share of sorted values does not exceed.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let n = sorted.len();
    let reached = (0..n).find(|i| as_f64((*i + 1) as u64) >= share * as_f64(n as u64) - 1e-9)?;
    sorted.get(reached).copied()
}

/// A figure for encode, one for decode; nothing where no case has samples.
pub fn draw(report: &Report) -> Result<Vec<Figure>, PlotError> {
    type Side = fn(&CaseRecord) -> Option<&Samples>;
    let sides: [(&str, Side); 2] =
        [("encode", |r| r.measured.as_ref().map(|m| &m.encode_times)), ("decode", |r| r.measured.as_ref().map(|m| &m.decode_times))];
    let mut figures = Vec::new();
    for (name, side) in sides {
        let fixtures = Values::of(report).fixtures;
        let curves: Vec<(String, Vec<f64>)> =
            fixtures.iter().map(|f| ((*f).to_owned(), scatter(report, f, side))).filter(|(_, c)| c.len() > 1).collect();
        if !curves.is_empty() {
            figures.push(figure(name, &curves)?);
        }
    }
    Ok(figures)
}

fn figure(name: &str, curves: &[(String, Vec<f64>)]) -> Result<Figure, PlotError> {
    // The fastest and the slowest sample in a hundred are where a curve ends; the few beyond would make the rest a line.
    let ends = curves.iter().flat_map(|(_, c)| [quantile(c, 0.01), quantile(c, 0.99)]).flatten();
    let layout = Layout {
        height: 480,
        x: Axis::over(format!("CPU time of {name}, sample ÷ median of its case"), Scale::Log, ends),
        y: Axis::over("share of samples", Scale::Linear, [0.0, 1.0]),
        left: 66,
        legend: curves.iter().enumerate().map(|(i, (f, _))| Entry { marker: Some(Marker::of_series(i)), name: f.clone() }).collect(),
    };
    let svg = canvas::draw(&layout, |frame| {
        frame.line([(1.0, 0.0), (1.0, 1.0)], INK, 1, 0.5)?;
        for (i, (_, curve)) in curves.iter().enumerate() {
            let marker = Marker::of_series(i);
            let point = |step: u32| {
                let share = f64::from(step) / f64::from(STEPS);
                Some((quantile(curve, share)?, share))
            };
            let drawn: Vec<(f64, f64)> = (STEPS / 100..=STEPS * 99 / 100).filter_map(point).collect();
            frame.line(drawn.iter().copied(), marker.colour, 2, 0.85)?;
            // Marks tell curves apart where colours do not.
            for (x, y) in drawn.iter().skip(20 + 3 * i).step_by(40) {
                frame.mark(marker, *x, *y)?;
            }
        }
        Ok(())
    })?;
    let header: Vec<&str> = ["Fixture", "Samples"].into_iter().chain(QUANTILES.iter().map(|q| q.0)).collect();
    let mut data = Grid::new(&header, 1);
    for (fixture, curve) in curves {
        let quantiles = QUANTILES.iter().map(|(_, share)| cell(quantile(curve, *share)));
        data.add_row([fixture.clone(), curve.len().to_string()].into_iter().chain(quantiles));
    }
    Ok(Figure {
        id: format!("timing-{name}"),
        title: format!("Distribution of times: {name}"),
        caption: format!(
            "Empirical distribution of the CPU times of {name} over all kernels, each sample over the median of its case. The steeper, the quieter the machine was. Curves go from the 1st to the 99th percentile; the table has the largest."
        ),
        svg,
        data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_there() {
        let sorted = [1.0, 2.0, 3.0, 4.0];
        let found = [0.0, 0.25, 0.26, 0.5, 0.99, 1.0].map(|s| quantile(&sorted, s).unwrap());
        assert_eq!(found, [1.0, 1.0, 2.0, 2.0, 4.0, 4.0]);
        assert_eq!(quantile(&[], 0.5), None);
    }
}
