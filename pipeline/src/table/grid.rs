//! Columns of text, aligned by the width that a terminal gives them.

use std::borrow::Borrow;
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
pub(super) fn lines<C: Borrow<GridColumn>>(columns: &[C], between: &str) -> Vec<String> {
    let columns = || columns.iter().map(Borrow::borrow);
    let line = |text: &dyn Fn(&GridColumn) -> String| columns().map(text).collect::<Vec<_>>().join(between);
    let rows = columns().next().map_or(0, |column| column.cells.len());
    let titles = line(&|column| column.padded(&column.title));
    let row = |at: usize| line(&|column| column.padded(&column.cells[at]));
    [titles].into_iter().chain((0..rows).map(row)).collect()
}

/// The same in blocks of at most `width` columns of a terminal, each beginning with `keys`. What is in one group stays
/// together, and a group that is too wide alone has a block of its own.
pub(super) fn folded<'a>(
    keys: &'a [GridColumn],
    groups: &'a [Vec<GridColumn>],
    between: &str,
    width: usize,
) -> Vec<Vec<String>> {
    let wide = |columns: &[GridColumn]| columns.iter().map(|column| column.width() + between.width()).sum::<usize>();
    let room = (width + between.width()).saturating_sub(wide(keys));
    let mut blocks: Vec<(Vec<&GridColumn>, usize)> = vec![];
    for group in groups {
        match blocks.last_mut().filter(|(_, taken)| taken + wide(group) <= room) {
            Some((block, taken)) => {
                block.extend(group);
                *taken += wide(group);
            }
            None => blocks.push((keys.iter().chain(group).collect(), wide(group))),
        }
    }
    blocks.iter().map(|(block, _)| lines(block, between)).collect()
}
