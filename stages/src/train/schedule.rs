//! How learning rate and momentum coefficients change over the steps.

use std::f64::consts::PI;

/// From `start` at the first of `steps` to `end` at the last, by half a cosine. A training of `n` steps asks for those of `n + 1`: its
/// end is where a further step would be, so that the last one still does something (as PyTorch's `CosineAnnealingLR`).
pub fn cosine(step: usize, steps: usize, start: f64, end: f64) -> f64 {
    if steps <= 1 {
        return end;
    }
    end + (start - end) * (1.0 + (PI * step as f64 / (steps - 1) as f64).cos()) / 2.0
}

/// Linear from `base / warmup` to `base` in the first `warmup` steps, then [`cosine`] to `end`.
pub fn warmup_cosine(step: usize, steps: usize, warmup: usize, base: f64, end: f64) -> f64 {
    if step < warmup {
        base * (step + 1) as f64 / warmup as f64
    } else {
        cosine(step - warmup, steps - warmup, base, end)
    }
}
