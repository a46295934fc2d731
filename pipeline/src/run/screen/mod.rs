//! What a person sees of a run: on standard error, so that tables alone go to standard output.

mod bars;
mod lines;
mod sweep;
#[cfg(test)]
pub(super) mod tests;
mod wording;

pub(crate) use wording::{pace, percent};

use super::Observer;
use indicatif::ProgressDrawTarget;
use std::io::{IsTerminal, stderr};

/// Bars in a terminal, plain lines elsewhere.
pub fn screen() -> Box<dyn Observer> {
    if stderr().is_terminal() {
        Box::new(bars::Bars::new(ProgressDrawTarget::stderr()))
    } else {
        Box::new(lines::Lines::new(stderr()))
    }
}
