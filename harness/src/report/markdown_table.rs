//! Tables as GitHub's Markdown: a bar in a cell would end it, so bars are escaped, and line breaks become blanks.

use std::fmt::Write as _;

use comfy_table::{Table, presets};

use super::grid::Grid;

/// What a cell may hold.
pub fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ")
}

/// With columns in line, for people who read the source.
pub fn aligned(mut grid: Grid) -> String {
    for cell in grid.rows.iter_mut().flatten() {
        *cell = escape(cell);
    }
    Table::from(grid).load_preset(presets::ASCII_MARKDOWN).trim_fmt()
}

/// Head and rows without blanks: a third of the characters.
pub fn compact(grid: &Grid) -> (String, Vec<String>) {
    let line = |cells: &Vec<String>| cells.iter().fold(String::new(), |line, cell| line + "|" + &escape(cell)) + "|\n";
    let mut head = line(&grid.header);
    for i in 0..grid.header.len() {
        let _ = write!(head, "{}", if grid.is_number(i) { "|--:" } else { "|---" });
    }
    (head + "|\n", grid.rows.iter().map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_do_not_end_cells() {
        let mut grid = Grid::new(&["Kernel", "Ratio"], 1);
        grid.add_row(["bitnet|entropy", "16"]);
        assert_eq!(compact(&grid), ("|Kernel|Ratio|\n|---|--:|\n".to_owned(), vec!["|bitnet\\|entropy|16|\n".to_owned()]));
        let aligned = aligned(grid);
        assert!(aligned.contains("| bitnet\\|entropy |"), "{aligned}");
    }
}
