//! A drawn plot with what a reader needs besides: a title, how to read it, and its data.

use crate::report::grid::Grid;

/// A plot.
#[derive(Debug, Clone)]
pub struct Figure {
    /// Name that links and files use, in kebab case.
    pub id: String,
    /// Title.
    pub title: String,
    /// What the axes are and how to read it, in a sentence or two.
    pub caption: String,
    /// The drawing; colours are those of the canvas.
    pub svg: String,
    /// What was drawn, and what could not be, as a table.
    pub data: Grid,
}
