//! Marks of series: a colour and a shape each, so that colour alone tells nothing apart.

use plotters::prelude::{Circle, Color, Polygon, RGBColor, Rectangle, ShapeStyle};

use super::canvas::{Area, PlotError};

/// Okabe and Ito's colours, without the yellow that paper swallows. The page has lighter ones of the same hues for dark surroundings.
pub const PALETTE: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(120, 120, 120),
];

/// Shape of a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Circle,
    Square,
    Triangle,
    Diamond,
}

const SHAPES: [Shape; 4] = [Shape::Circle, Shape::Square, Shape::Triangle, Shape::Diamond];

/// How a series is marked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Marker {
    /// Colour.
    pub colour: RGBColor,
    shape: Shape,
    /// Half its width, in pixels.
    pub radius: i32,
    /// Opacity, from 0 to 1.
    pub opacity: f64,
    /// Only its outline.
    pub hollow: bool,
}

impl Marker {
    /// The mark of the series of that number: neighbours differ in colour and in shape.
    pub fn of_series(index: usize) -> Self {
        // Twenty-eight pairs before one comes again, because 7 and 4 have no common divisor.
        Self { colour: PALETTE[index % PALETTE.len()], shape: SHAPES[index % SHAPES.len()], radius: 4, opacity: 1.0, hollow: false }
    }

    /// The same, smaller and paler, for what lies behind.
    pub fn behind(self) -> Self {
        Self { radius: 3, opacity: 0.45, ..self }
    }

    /// The same as an outline.
    pub fn hollow(self, hollow: bool) -> Self {
        Self { hollow, ..self }
    }

    /// The same in another colour.
    pub fn coloured(self, colour: RGBColor) -> Self {
        Self { colour, ..self }
    }

    /// Draws it around a pixel.
    pub fn draw(self, area: &Area<'_>, (x, y): (i32, i32)) -> Result<(), PlotError> {
        let colour = self.colour.mix(self.opacity);
        let style = ShapeStyle { color: colour, filled: !self.hollow, stroke_width: 2 };
        let r = self.radius;
        match self.shape {
            Shape::Circle => area.draw(&Circle::new((x, y), r, style))?,
            Shape::Square => area.draw(&Rectangle::new([(x - r, y - r), (x + r, y + r)], style))?,
            Shape::Triangle => area.draw(&Polygon::new([(x, y - r - 1), (x + r + 1, y + r), (x - r - 1, y + r)], colour))?,
            Shape::Diamond => area.draw(&Polygon::new([(x, y - r - 1), (x + r + 1, y), (x, y + r + 1), (x - r - 1, y)], colour))?,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_eight_series_look_different() {
        let seen: Vec<_> = (0..28).map(Marker::of_series).collect();
        for (i, a) in seen.iter().enumerate() {
            assert!(seen[..i].iter().all(|b| (a.colour, a.shape) != (b.colour, b.shape)), "{i}");
        }
    }
}
