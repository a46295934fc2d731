//! Columns of text, aligned by the width that a terminal gives them.

use unicode_width::UnicodeWidthStr;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Align {
    Left,
    Right,
}

/// Texts that stand under one another.
pub(super) struct GridColumn {
    pub title: String,
    pub align: Align,
    pub cells: Vec<String>,
}

impl GridColumn {
    pub fn new(title: impl Into<String>, align: Align, cells: impl IntoIterator<Item = String>) -> Self {
        Self { title: title.into(), align, cells: cells.into_iter().collect() }
    }

    pub fn width(&self) -> usize {
        self.cells.iter().chain([&self.title]).map(|text| text.width()).max().unwrap_or(0)
    }

    fn padded(&self, text: &str) -> String {
        pad(text, self.width(), self.align)
    }
}

/// `text` filled up with spaces to `width`.
pub(super) fn pad(text: &str, width: usize, align: Align) -> String {
    let fill = " ".repeat(width.saturating_sub(text.width()));
    match align {
        Align::Left => format!("{text}{fill}"),
        Align::Right => format!("{fill}{text}"),
    }
}

/// The titles' line, then one line for each row, with `between` between the columns.
pub(super) fn lines(columns: &[GridColumn], between: &str) -> Vec<String> {
    let line = |text: &dyn Fn(&GridColumn) -> String| columns.iter().map(text).collect::<Vec<_>>().join(between);
    let rows = columns.first().map_or(0, |column| column.cells.len());
    let titles = line(&|column| column.padded(&column.title));
    let row = |at: usize| line(&|column| column.padded(&column.cells[at]));
    [titles].into_iter().chain((0..rows).map(row)).collect()
}
