//! A table as text: what every form of a report shares before it is laid out.

use comfy_table::{CellAlignment, Table};

/// Header and rows; columns from `first_number` on hold numbers, up to `text_again`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// Names of the columns.
    pub header: Vec<String>,
    /// The first column that holds numbers and is aligned to the right.
    pub first_number: usize,
    /// The first column after them that holds text again.
    pub text_again: usize,
    /// As many cells a row as the header has.
    pub rows: Vec<Vec<String>>,
}

impl Grid {
    /// An empty table.
    pub fn new(header: &[&str], first_number: usize) -> Self {
        Self { header: header.iter().map(|&h| h.to_owned()).collect(), first_number, text_again: header.len(), rows: Vec::new() }
    }

    /// The same, with text from this column on.
    pub fn with_text_from(self, column: usize) -> Self {
        Self { text_again: column, ..self }
    }

    /// Whether a column holds numbers.
    pub fn is_number(&self, column: usize) -> bool {
        (self.first_number..self.text_again).contains(&column)
    }

    /// Adds a row.
    pub fn add_row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Whether it has no row.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl From<Grid> for Table {
    fn from(grid: Grid) -> Self {
        let mut table = Self::new();
        let alignments = (0..grid.header.len()).map(|i| if grid.is_number(i) { CellAlignment::Right } else { CellAlignment::Left });
        let alignments: Vec<_> = alignments.collect();
        table.set_header(grid.header);
        table.add_rows(grid.rows);
        for (column, alignment) in table.column_iter_mut().zip(alignments) {
            column.set_cell_alignment(alignment);
        }
        table
    }
}
