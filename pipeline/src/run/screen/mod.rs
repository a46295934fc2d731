//! What a person sees of a run: on standard error, so that tables alone go to standard output.

mod bars;
mod lines;
mod sweep;
#[cfg(test)]
pub(super) mod tests;
mod wording;

pub(crate) use wording::{pace, percent};

use super::Observer;
use crate::terminal;
use indicatif::ProgressDrawTarget;
use std::io::stderr;

/// Bars in a terminal that can draw them, plain lines elsewhere.
pub fn screen() -> Box<dyn Observer> {
    if terminal::can_draw(&stderr()) {
        Box::new(bars::Bars::new(ProgressDrawTarget::stderr()))
    } else {
        Box::new(lines::Lines::new(stderr()))
    }
}
