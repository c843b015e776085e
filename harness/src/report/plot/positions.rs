//! An axis in the form in which plotters takes it.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};

use super::axis::{Axis, Scale};

/// Positions between both ends of an axis, with its ticks.
#[derive(Clone)]
pub struct Positions {
    axis: Axis,
    ticks: Vec<f64>,
}

impl Positions {
    /// Of an axis, with or without ticks.
    pub fn of(axis: &Axis, ticks: bool) -> Self {
        Self { axis: axis.clone(), ticks: if ticks { axis.ticks() } else { Vec::new() } }
    }
}

impl Ranged for Positions {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    #[expect(clippy::cast_possible_truncation, reason = "pixels of a plot a few thousand wide; casts saturate")]
    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let (low, high) = self.axis.ends;
        let share = (value - low) / (high - low);
        // Names are read from the top.
        let share = if matches!(self.axis.scale, Scale::Names(_)) { 1.0 - share } else { share };
        (f64::from(from) + share * f64::from(to - from)).round() as i32
    }

    fn key_points<H: KeyPointHint>(&self, hint: H) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.axis.ends.0..self.axis.ends.1
    }
}

impl ValueFormatter<f64> for Positions {
    fn format(value: &f64) -> String {
        value.to_string()
    }
}
