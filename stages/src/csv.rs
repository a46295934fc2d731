//! Tables for people, one line a row.

/// A text as a cell that may hold commas and quotes.
pub fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}
