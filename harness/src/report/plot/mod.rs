//! Plots, drawn with plotters as SVG: the only module that knows of it.
//!
//! Each plot is a file with a function from a report to figures, and one line in [`PLOTS`]. A figure carries its data as a table. Colours are
//! those of Okabe and Ito, which people with any colour vision tell apart; series differ by shape as well.

mod axis;
mod canvas;
mod change;
mod dots;
mod figure;
mod heat_map;
mod history;
mod labels;
mod marker;
mod memory;
mod positions;
mod rate_accuracy;
mod rate_distortion;
mod scaling;
mod speed;
mod timing;
mod values;

pub use canvas::{PlotError, for_page};
pub use figure::Figure;
pub use history::draw_alone as series;
pub use rate_distortion::alone as rate_distortion_alone;

use super::Report;

/// What draws figures of a report: none where the run has nothing to show in it.
pub type Plot = fn(&Report) -> Result<Vec<Figure>, PlotError>;

/// All plots, in the order of the page.
pub const PLOTS: &[Plot] = &[
    rate_distortion::draw,
    rate_accuracy::draw,
    change::draw_changes,
    change::draw_speeds,
    speed::draw,
    memory::draw,
    scaling::draw,
    timing::draw,
    heat_map::draw,
    history::draw,
];
