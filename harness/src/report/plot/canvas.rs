//! The drawing itself: a frame with axes, a legend beside it, and marks, lines and names in it.
//!
//! What is neither of a series nor of a scale is drawn in [`INK`]. A page replaces that colour by its own; a file that stands alone gets black on
//! white.

use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::{
    ChartBuilder, Color, DrawingArea, FontTransform, IntoDrawingArea, IntoFont, PathElement, RGBColor, Rectangle, SVGBackend, ShapeStyle,
    Text, TextStyle,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::labels;
use super::marker::Marker;
use super::positions::Positions;

/// The colour of text and lines, before the drawing is put somewhere.
pub const INK: RGBColor = RGBColor(1, 2, 3);

/// How plotters writes it.
const INK_IN_SVG: &str = "#010203";

/// What is drawn on: positions are pixels.
pub type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A plot that could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct PlotError(String);

impl<E: std::error::Error + Send + Sync> From<DrawingAreaErrorKind<E>> for PlotError {
    fn from(error: DrawingAreaErrorKind<E>) -> Self {
        Self(error.to_string())
    }
}

/// A line of the legend.
pub struct Entry {
    /// Its mark; a line where there is none.
    pub marker: Option<Marker>,
    /// Its name.
    pub name: String,
}

/// Sizes and axes of a plot.
pub struct Layout {
    /// Height in pixels; every plot is 960 wide.
    pub height: u32,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// Room for the names on the vertical axis, in pixels.
    pub left: u32,
    /// Legend, from the top.
    pub legend: Vec<Entry>,
}

const WIDTH: u32 = 960;
const LEGEND_WIDTH: i32 = 210;
const LEGEND_LINE: i32 = 19;
const MARGIN: u32 = 14;
const BOTTOM: u32 = 46;

/// A frame with axes, to draw in.
pub struct Frame<'a> {
    area: Area<'a>,
    place: Box<dyn Fn(f64, f64) -> (i32, i32) + 'a>,
    x: &'a Axis,
    y: &'a Axis,
    /// Left, top, right and bottom of the inside, in pixels.
    pub inside: (i32, i32, i32, i32),
}

fn ink(opacity: f64) -> ShapeStyle {
    ShapeStyle { color: INK.mix(opacity), filled: false, stroke_width: 1 }
}

fn text_style(size: u32, opacity: f64) -> TextStyle<'static> {
    let font = ("sans-serif", size).into_font();
    TextStyle { font, color: INK.mix(opacity).to_backend_color(), pos: Pos::new(HPos::Left, VPos::Top) }
}

/// Draws a plot: axes and legend, then what `paint` adds.
pub fn draw(layout: &Layout, paint: impl FnOnce(&Frame<'_>) -> Result<(), PlotError>) -> Result<String, PlotError> {
    chart(layout, BOTTOM, true, paint)
}

/// The same without ticks on the horizontal axis, and with this much room below it for what is written there instead, and some for a key above.
pub fn draw_with_bottom(
    layout: &Layout,
    bottom: u32,
    paint: impl FnOnce(&Frame<'_>) -> Result<(), PlotError>,
) -> Result<String, PlotError> {
    chart(layout, bottom, false, paint)
}

fn chart(layout: &Layout, bottom: u32, ticks: bool, paint: impl FnOnce(&Frame<'_>) -> Result<(), PlotError>) -> Result<String, PlotError> {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, layout.height)).into_drawing_area();
        let (main, side) = if layout.legend.is_empty() { (root.clone(), None) } else { split(&root) };
        let mut chart = ChartBuilder::on(&main)
            .margin(MARGIN)
            .margin_top(if ticks { MARGIN } else { 40 })
            .x_label_area_size(bottom)
            .y_label_area_size(layout.left)
            .build_cartesian_2d(Positions::of(&layout.x, ticks), Positions::of(&layout.y, true))?;
        chart
            .configure_mesh()
            .x_desc(layout.x.title.as_str())
            .y_desc(layout.y.title.as_str())
            .x_label_formatter(&|p| layout.x.label(*p))
            .y_label_formatter(&|p| layout.y.label(*p))
            .axis_style(ink(0.5))
            .bold_line_style(ink(0.13))
            .light_line_style(ink(0.0))
            .label_style(text_style(13, 0.85))
            .axis_desc_style(text_style(14, 1.0))
            .draw()?;
        let plotting = chart.plotting_area().clone();
        let (x, y) = plotting.get_pixel_range();
        let frame = Frame {
            area: root.clone(),
            place: Box::new(move |x, y| plotting.map_coordinate(&(x, y))),
            x: &layout.x,
            y: &layout.y,
            inside: (x.start, y.start, x.end, y.end),
        };
        paint(&frame)?;
        if let Some(side) = side {
            legend(&side, &layout.legend, layout.height)?;
        }
        root.present()?;
    }
    Ok(svg)
}

fn split<'a>(root: &Area<'a>) -> (Area<'a>, Option<Area<'a>>) {
    let (main, side) = root.split_horizontally(i32::try_from(WIDTH).unwrap_or(i32::MAX) - LEGEND_WIDTH);
    (main, Some(side))
}

/// As many entries as fit, and how many more there are.
fn legend(side: &Area<'_>, entries: &[Entry], height: u32) -> Result<(), PlotError> {
    let fit = usize::try_from((i32::try_from(height).unwrap_or(i32::MAX) - 40) / LEGEND_LINE).unwrap_or(0);
    let shown = if entries.len() > fit { fit.saturating_sub(1) } else { entries.len() };
    let mut y = 22;
    let mut write = |marker: Option<Option<Marker>>, name: &str| -> Result<(), PlotError> {
        match marker {
            Some(Some(marker)) => marker.draw(side, (14, y))?,
            Some(None) => side.draw(&PathElement::new(vec![(4, y), (24, y)], ink(0.8)))?,
            None => {}
        }
        let most = 27;
        let name = if name.chars().count() > most { name.chars().take(most - 1).chain(['…']).collect() } else { name.to_owned() };
        side.draw(&Text::new(name, (30, y), text_style(13, 1.0).pos(Pos::new(HPos::Left, VPos::Center))))?;
        y += LEGEND_LINE;
        Ok(())
    };
    for entry in entries.iter().take(shown) {
        write(Some(entry.marker), &entry.name)?;
    }
    if entries.len() > shown {
        write(None, &format!("and {} more, in the table", entries.len() - shown))?;
    }
    Ok(())
}

impl Frame<'_> {
    /// The pixel of a pair of values; `None` where one of them has no place on its axis.
    pub fn pixel(&self, x: f64, y: f64) -> Option<(i32, i32)> {
        let (x, y) = (self.x.scale.position(x), self.y.scale.position(y));
        (x.is_finite() && y.is_finite()).then(|| (self.place)(x, y))
    }

    /// A mark at a pair of values.
    pub fn mark(&self, marker: Marker, x: f64, y: f64) -> Result<(), PlotError> {
        self.pixel(x, y).map_or(Ok(()), |pixel| marker.draw(&self.area, pixel))
    }

    /// A line through pairs of values; those that have no place are left out.
    pub fn line(&self, points: impl IntoIterator<Item = (f64, f64)>, colour: RGBColor, width: u32, opacity: f64) -> Result<(), PlotError> {
        let pixels: Vec<_> = points.into_iter().filter_map(|(x, y)| self.pixel(x, y)).collect();
        let style = ShapeStyle { color: colour.mix(opacity), filled: false, stroke_width: width };
        Ok(self.area.draw(&PathElement::new(pixels, style))?)
    }

    /// A filled rectangle between two pixels.
    pub fn fill(&self, corners: [(i32, i32); 2], colour: RGBColor, opacity: f64) -> Result<(), PlotError> {
        Ok(self.area.draw(&Rectangle::new(corners, colour.mix(opacity).filled()))?)
    }

    /// Text whose upper left corner is at a pixel.
    pub fn write(&self, text: &str, corner: (i32, i32)) -> Result<(), PlotError> {
        Ok(self.area.draw(&Text::new(text.to_owned(), corner, text_style(12, 1.0)))?)
    }

    /// Text that reads upwards, from a pixel.
    pub fn write_upwards(&self, text: &str, from: (i32, i32)) -> Result<(), PlotError> {
        let mut style = text_style(11, 0.85).pos(Pos::new(HPos::Right, VPos::Center));
        style.font = style.font.transform(FontTransform::Rotate270);
        Ok(self.area.draw(&Text::new(text.to_owned(), from, style))?)
    }

    /// Names beside their points, as far as there is room; how many there was none for.
    pub fn names(&self, points: &[(f64, f64, &str)]) -> Result<usize, PlotError> {
        let pixels: Vec<_> = points.iter().filter_map(|(x, y, name)| Some((self.pixel(*x, *y)?, *name))).collect();
        let places = labels::place(&pixels, self.inside);
        for ((_, name), corner) in pixels.iter().zip(&places) {
            if let Some(corner) = corner {
                self.write(name, *corner)?;
            }
        }
        Ok(places.iter().filter(|p| p.is_none()).count())
    }
}

/// A drawing for a page: it takes the page's colours and width.
pub fn for_page(svg: &str) -> String {
    let mut themed = svg.replace(INK_IN_SVG, "currentColor");
    for (i, colour) in super::marker::PALETTE.iter().enumerate() {
        themed = themed.replace(&format!("#{:02X}{:02X}{:02X}", colour.0, colour.1, colour.2), &format!("var(--series-{i})"));
    }
    themed.replacen("<svg ", "<svg aria-hidden=\"true\" focusable=\"false\" ", 1)
}

/// A drawing that stands alone: black on white.
pub fn alone(svg: &str) -> String {
    let body = svg.find('>').map_or(0, |i| i + 1);
    let (head, body) = svg.split_at(body);
    format!("{head}<rect width=\"100%\" height=\"100%\" fill=\"#FFFFFF\"/>{}", body.replace(INK_IN_SVG, "#000000"))
}
