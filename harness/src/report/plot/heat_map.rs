//! Error of each tensor under each kernel, a map a fixture.

use plotters::prelude::RGBColor;

use super::axis::{Axis, Scale, cell};
use super::canvas::{self, INK, Layout, PlotError};
use super::figure::Figure;
use super::labels;
use crate::model::metric::as_f64;
use crate::report::Report;
use crate::report::grid::Grid;

/// Fixtures that are drawn: a page with a map of each of fifty models would be slow to open, and none of them read.
const MOST_FIXTURES: usize = 12;

/// Columns that can still be told apart.
const MOST_TENSORS: usize = 64;

/// Viridis at nine even steps (van der Walt and Smith 2015): even in lightness, so that it orders values with any colour vision and in grey.
const VIRIDIS: [(u8, u8, u8); 9] = [
    (68, 1, 84),
    (71, 44, 122),
    (59, 81, 139),
    (44, 113, 142),
    (33, 144, 141),
    (39, 173, 129),
    (92, 200, 99),
    (170, 220, 50),
    (253, 231, 37),
];

/// A shade between nothing and one.
fn shade(share: f64) -> RGBColor {
    let scaled = share.clamp(0.0, 1.0) * 8.0;
    let below = (0..8).rev().find(|i| as_f64(*i) <= scaled).unwrap_or(0);
    let part = scaled - as_f64(below);
    let index = usize::try_from(below).unwrap_or(0);
    let (a, b) = (VIRIDIS[index], VIRIDIS[index + 1]);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two bytes")]
    let mix = |a: u8, b: u8| (f64::from(a) + part * (f64::from(b) - f64::from(a))).round() as u8;
    RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

/// Relative errors of a fixture's tensors, one row a kernel.
struct Map<'a> {
    fixture: &'a str,
    kernels: Vec<&'a str>,
    /// Tensors that some kernel changes.
    tensors: Vec<&'a str>,
    /// By kernel, then by tensor.
    errors: Vec<Vec<Option<f64>>>,
}

fn map<'a>(report: &'a Report, fixture: &'a str) -> Map<'a> {
    let measured =
        report.records.iter().filter(|r| r.case.fixture == fixture).filter_map(|r| Some((r.case.kernel.as_str(), r.measured.as_ref()?)));
    let measured: Vec<_> = measured.collect();
    let mut tensors: Vec<&str> = Vec::new();
    for (_, m) in &measured {
        let changed = m.checked.tensors.iter().filter(|t| t.noise > 0.0).map(|t| t.name.as_str());
        tensors.extend(changed.filter(|t| !tensors.contains(t)).collect::<Vec<_>>());
    }
    // In the model's order, which every kernel sees.
    let order: Vec<&str> = measured
        .iter()
        .max_by_key(|(_, m)| m.checked.tensors.len())
        .map_or(vec![], |(_, m)| m.checked.tensors.iter().map(|t| t.name.as_str()).collect());
    tensors.sort_by_key(|t| order.iter().position(|o| o == t));
    let row = |m: &crate::model::record::Measured| {
        let error = |name: &&str| {
            m.checked.tensors.iter().find(|t| t.name == *name).filter(|t| t.signal > 0.0).map(|t| (t.noise / t.signal).sqrt())
        };
        tensors.iter().map(error).collect::<Vec<_>>()
    };
    Map {
        fixture,
        kernels: measured.iter().map(|(k, _)| *k).collect(),
        errors: measured.iter().map(|(_, m)| row(m)).collect(),
        tensors: tensors.clone(),
    }
}

/// A map for each of the first fixtures of which some tensor changed.
pub fn draw(report: &Report) -> Result<Vec<Figure>, PlotError> {
    let fixtures = super::values::Values::of(report).fixtures;
    let maps: Vec<Map<'_>> = fixtures.iter().map(|f| map(report, f)).filter(|m| !m.tensors.is_empty()).collect();
    let drawn = maps.len().min(MOST_FIXTURES);
    let note = if maps.len() > drawn { format!(" Maps of {drawn} of {} fixtures are drawn.", maps.len()) } else { String::new() };
    maps.iter().take(drawn).map(|m| figure(m, &note)).collect()
}

/// The end of a name, which tells tensors apart.
fn tail(name: &str, longest: usize) -> String {
    let n = name.chars().count();
    if n <= longest { name.to_owned() } else { std::iter::once('…').chain(name.chars().skip(n - longest + 1)).collect() }
}

fn figure(map: &Map<'_>, note: &str) -> Result<Figure, PlotError> {
    let columns = map.tensors.len().min(MOST_TENSORS);
    let errors = || map.errors.iter().flat_map(|row| row.iter().take(columns)).flatten().filter(|e| **e > 0.0).map(|e| e.log10());
    let (low, high) = errors().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), e| (low.min(e), high.max(e)));
    let share = |error: f64| if high > low { (error.log10() - low) / (high - low) } else { 0.5 };
    let names: Vec<String> = map.kernels.iter().map(|k| (*k).to_owned()).collect();
    let left = names.iter().map(|n| labels::width(n)).max().unwrap_or(0) + 24;
    let bottom = map.tensors.iter().take(columns).map(|t| labels::width(&tail(t, 26))).max().unwrap_or(0);
    let x = Axis { title: String::new(), scale: Scale::Linear, ends: (-0.5, as_f64(columns as u64) - 0.5) };
    let rows = u32::try_from(map.kernels.len()).unwrap_or(u32::MAX);
    let height = 60 + 15 * rows + u32::try_from(bottom).unwrap_or(0) + 30;
    let layout =
        Layout { height, x, y: Axis::over("", Scale::Names(names), []), left: u32::try_from(left).unwrap_or(300), legend: Vec::new() };
    let bottom = u32::try_from(bottom).unwrap_or(0) + 34;
    let svg = canvas::draw_with_bottom(&layout, bottom, |frame| {
        let corner = |column: f64, row: f64| frame.pixel(column, row).unwrap_or_default();
        for (i, row) in map.errors.iter().enumerate() {
            for (j, error) in row.iter().take(columns).enumerate() {
                let Some(error) = *error else { continue };
                let (x, y) = (as_f64(j as u64), as_f64(i as u64));
                let corners = [corner(x - 0.5, y - 0.5), corner(x + 0.5, y + 0.5)];
                match error > 0.0 {
                    true => frame.fill(corners, shade(share(error)), 1.0)?,
                    false => frame.fill(corners, INK, 0.07)?,
                }
            }
        }
        for (j, tensor) in map.tensors.iter().take(columns).enumerate() {
            let (x, _) = corner(as_f64(j as u64), 0.0);
            frame.write_upwards(&tail(tensor, 26), (x, frame.inside.3 + 6))?;
        }
        key(frame, low, high)
    })?;
    let mut data = Grid::new(&["Kernel", "Tensor", "Relative error"], 2);
    for (kernel, row) in map.kernels.iter().zip(&map.errors) {
        for (tensor, error) in map.tensors.iter().zip(row) {
            data.add_row([(*kernel).to_owned(), (*tensor).to_owned(), cell(*error)]);
        }
    }
    let cut = if map.tensors.len() > columns {
        format!(" The first {columns} of {} tensors are drawn.", map.tensors.len())
    } else {
        String::new()
    };
    Ok(Figure {
        id: format!("error-map-{}", map.fixture),
        title: format!("Error by layer: {}", map.fixture),
        caption: format!(
            "Relative error of each tensor under each kernel; the key is at the top. The faintest cells are tensors that came back as they were.{cut}{note}"
        ),
        svg,
        data,
    })
}

/// The scale of shades, above the map.
fn key(frame: &canvas::Frame<'_>, low: f64, high: f64) -> Result<(), PlotError> {
    let (left, top, _, _) = frame.inside;
    let ends = [10f64.powf(low), 10f64.powf(high)].map(crate::report::format::number);
    frame.write(&ends[0], (left, top - 22))?;
    let from = left + labels::width(&ends[0]) + 8;
    for i in 0..60 {
        let x = from + 3 * i;
        frame.fill([(x, top - 21), (x + 3, top - 10)], shade(f64::from(i) / 59.0), 1.0)?;
    }
    frame.write(&ends[1], (from + 188, top - 22))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_go_from_dark_to_light_and_stay_in_their_bounds() {
        let light = |c: RGBColor| 0.2126 * f64::from(c.0) + 0.7152 * f64::from(c.1) + 0.0722 * f64::from(c.2);
        let lights: Vec<f64> = (0..=100).map(|i| light(shade(f64::from(i) / 100.0))).collect();
        assert!(lights.windows(2).all(|w| w[1] >= w[0]), "{lights:?}");
        assert_eq!((shade(-1.0), shade(2.0)), (RGBColor(68, 1, 84), RGBColor(253, 231, 37)));
    }

    #[test]
    fn the_end_of_a_name_is_kept() {
        assert_eq!(tail("blocks.11.attn.q.weight", 10), "….q.weight");
        assert_eq!(tail("short", 10), "short");
    }
}
