//! Axes: how a value becomes a position, and where ticks stand.

use crate::report::format;

/// How values are spread along an axis.
#[derive(Debug, Clone)]
pub enum Scale {
    /// Evenly.
    Linear,
    /// By their logarithm; only positive values have a place.
    Log,
    /// Evenly near nothing, below this value, and by their logarithm above, on both sides.
    SignedLog(f64),
    /// One row a name, from the top.
    Names(Vec<String>),
}

/// An axis.
#[derive(Debug, Clone)]
pub struct Axis {
    /// Quantity and unit.
    pub title: String,
    /// How values are spread.
    pub scale: Scale,
    /// Positions of both ends.
    pub ends: (f64, f64),
}

impl Axis {
    /// An axis that these values fit on, with some air.
    pub fn over(title: impl Into<String>, scale: Scale, values: impl IntoIterator<Item = f64>) -> Self {
        let positions = values.into_iter().map(|v| scale.position(v)).filter(|p| p.is_finite());
        let (low, high) = positions.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| (low.min(p), high.max(p)));
        let ends = match &scale {
            Scale::Names(names) => (-0.6, crate::model::metric::as_f64(names.len() as u64) - 0.4),
            _ if low > high => (0.0, 1.0),
            _ => {
                let air = (0.06 * (high - low)).max(0.02);
                (low - air, high + air)
            }
        };
        Self { title: title.into(), scale, ends }
    }

    /// The same with this value on it.
    pub fn with(mut self, value: f64) -> Self {
        let position = self.scale.position(value);
        self.ends = (self.ends.0.min(position), self.ends.1.max(position));
        self
    }

    /// The values at both ends.
    pub fn values_at_ends(&self) -> [f64; 2] {
        [self.ends.0, self.ends.1].map(|position| self.scale.value(position))
    }

    /// Positions of ticks.
    pub fn ticks(&self) -> Vec<f64> {
        let values = match &self.scale {
            Scale::Linear => linear_ticks(self.ends),
            Scale::Log => log_ticks(self.ends),
            Scale::SignedLog(linear) => {
                let powers = (0..12).map(|i| linear * 10f64.powi(i));
                let mut ticks: Vec<f64> = powers.flat_map(|p| [-p, p]).chain([0.0]).collect();
                ticks.sort_by(f64::total_cmp);
                ticks
            }
            Scale::Names(names) => (0..names.len()).map(|i| crate::model::metric::as_f64(i as u64)).collect(),
        };
        let positions = values.into_iter().map(|v| self.scale.position(v));
        positions.filter(|p| (self.ends.0..=self.ends.1).contains(p)).collect()
    }

    /// What stands at a tick.
    pub fn label(&self, position: f64) -> String {
        match &self.scale {
            Scale::Linear | Scale::Log | Scale::SignedLog(_) => short(self.scale.value(position)),
            Scale::Names(names) => {
                let index = names.iter().enumerate().find(|(i, _)| (crate::model::metric::as_f64(*i as u64) - position).abs() < 0.5);
                index.map_or_else(String::new, |(_, name)| name.clone())
            }
        }
    }
}

impl Scale {
    /// Position of a value; not finite where it has none.
    pub fn position(&self, value: f64) -> f64 {
        match self {
            Self::Linear | Self::Names(_) => value,
            Self::Log => value.log10(),
            Self::SignedLog(linear) => (value / linear).asinh(),
        }
    }

    /// The value at a position.
    fn value(&self, position: f64) -> f64 {
        match self {
            Self::Linear | Self::Names(_) => position,
            Self::Log => 10f64.powf(position),
            Self::SignedLog(linear) => linear * position.sinh(),
        }
    }
}

fn linear_ticks((low, high): (f64, f64)) -> Vec<f64> {
    let rough = (high - low) / 7.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|s| *s >= rough).unwrap_or(rough);
    let first = (low / step).ceil();
    (0..=8).map(|i| (first + f64::from(i)) * step).collect()
}

/// Powers of ten; 2 and 5 besides where there are few of them, and even steps within one.
fn log_ticks((low, high): (f64, f64)) -> Vec<f64> {
    if high - low < 1.0 {
        return linear_ticks((10f64.powf(low), 10f64.powf(high)));
    }
    let within: &[f64] = if high - low < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let every = if high - low > 14.0 { 3 } else { 1 };
    let powers = (-30..=30).filter(|p| p % every == 0).map(|p| 10f64.powi(p));
    powers.flat_map(|p| within.iter().map(move |w| w * p)).collect()
}

/// A number of a tick, without digits that say nothing.
fn short(x: f64) -> String {
    let rounded = (x * 1e9).round() / 1e9;
    let x = if rounded == 0.0 && x.abs() < 1e-12 { 0.0 } else { x };
    let magnitude = x.abs();
    let trimmed = |text: String| if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text };
    match magnitude {
        0.0 => "0".to_owned(),
        m if m >= 1e9 => format!("{}G", trimmed(format!("{:.1}", x / 1e9))),
        m if m >= 1e6 => format!("{}M", trimmed(format!("{:.1}", x / 1e6))),
        m if m >= 1e4 => format!("{}k", trimmed(format!("{:.1}", x / 1e3))),
        m if m >= 1e-4 => trimmed(format!("{x:.4}")),
        _ => format!("{x:.0e}"),
    }
}

/// Four digits for a table; nothing where there is no value.
pub fn cell(value: Option<f64>) -> String {
    value.map_or_else(|| crate::report::tables::NONE.to_owned(), format::number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_lie_on_the_axis_and_are_round() {
        let labels = |axis: &Axis| axis.ticks().into_iter().map(|t| axis.label(t)).collect::<Vec<_>>();
        assert_eq!(labels(&Axis::over("", Scale::Linear, [0.0, 17.0])), ["0", "5", "10", "15"]);
        assert_eq!(labels(&Axis::over("", Scale::Log, [0.001, 9.0])), ["0.001", "0.01", "0.1", "1", "10"]);
        assert_eq!(labels(&Axis::over("", Scale::Log, [1e4, 3e5])), ["10k", "20k", "50k", "100k", "200k"]);
        assert_eq!(labels(&Axis::over("", Scale::Log, [0.62, 1.4])), ["0.6", "0.8", "1", "1.2", "1.4"]);
        assert_eq!(labels(&Axis::over("", Scale::SignedLog(0.1), [-0.2, 30.0])), ["-0.1", "0", "0.1", "1", "10"]);
        assert_eq!(labels(&Axis::over("", Scale::Names(vec!["a".into(), "b".into()]), [])), ["a", "b"]);
    }

    #[test]
    fn what_has_no_position_does_not_stretch_an_axis() {
        assert_eq!(Axis::over("", Scale::Log, [0.0, 10.0, 100.0]).ends, Axis::over("", Scale::Log, [10.0, 100.0]).ends);
        assert_eq!(Axis::over("", Scale::Log, []).ends, (0.0, 1.0));
    }
}
