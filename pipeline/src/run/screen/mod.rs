//! What a person sees of a run: on standard error, so that tables alone go to standard output.

mod bars;
mod lines;
mod wording;

use super::Observer;
use std::io::{IsTerminal, stderr};

/// Bars in a terminal, plain lines elsewhere.
pub fn screen() -> Box<dyn Observer> {
    if stderr().is_terminal() { Box::new(bars::Bars::new()) } else { Box::new(lines::Lines::new(stderr())) }
}
