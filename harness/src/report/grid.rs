//! A table as text: what every form of a report shares before it is laid out.

use comfy_table::{CellAlignment, Table};

/// Header and rows; columns from `first_number` on hold numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grid {
    /// Names of the columns.
    pub header: Vec<String>,
    /// The first column that holds numbers and is aligned to the right.
    pub first_number: usize,
    /// As many cells a row as the header has.
    pub rows: Vec<Vec<String>>,
}

impl Grid {
    /// An empty table.
    pub fn new(header: &[&str], first_number: usize) -> Self {
        Self { header: header.iter().map(|&h| h.to_owned()).collect(), first_number, rows: Vec::new() }
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
        table.set_header(grid.header);
        table.add_rows(grid.rows);
        for (i, column) in table.column_iter_mut().enumerate() {
            column.set_cell_alignment(if i < grid.first_number { CellAlignment::Left } else { CellAlignment::Right });
        }
        table
    }
}
