//! How accepted values went over the commits that refreshed the baseline: one series with its change points, and slow drift in all of them.

mod drift;
mod moved;
mod read;
mod series;

pub use drift::{Drift, Drifts, drifts};
pub use moved::moved;
pub use read::{HistoryError, Refreshes, refreshes};
pub use series::{Series, Value, series};
