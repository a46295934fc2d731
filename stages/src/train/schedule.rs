//! How learning rates and momentum coefficients go over the steps, as values that a recipe may name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    Constant,
    /// Half a cosine (Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5, without restarts).
    #[default]
    Cosine,
    Linear,
    /// By `(1 - t)^0.9` (Chen et al. 2017, arXiv:1606.00915, section 4.1.1).
    Poly,
}

impl Schedule {
    /// Over a training of `steps`, whose end is where a further step would be, so that the last one still does something (as PyTorch's
    /// `CosineAnnealingLR`).
    pub fn over(self, step: usize, steps: usize, start: f64, end: f64) -> f64 {
        self.at(step, steps + 1, start, end)
    }

    /// From `start` at the first of `steps` to `end` at the last.
    pub fn at(self, step: usize, steps: usize, start: f64, end: f64) -> f64 {
        if self == Self::Constant {
            return start;
        }
        if steps <= 1 {
            return end;
        }
        let left = |power: f64| (1.0 - step as f64 / (steps - 1) as f64).powf(power);
        match self {
            Self::Constant => start,
            Self::Cosine => end + (start - end) * (1.0 + (PI * step as f64 / (steps - 1) as f64).cos()) / 2.0,
            Self::Linear => end + (start - end) * left(1.0),
            Self::Poly => end + (start - end) * left(0.9),
        }
    }

    /// Linear from `base / warmup` to `base` in the first `warmup` steps, then from there to `end`.
    pub fn after_warmup(self, step: usize, steps: usize, warmup: usize, base: f64, end: f64) -> f64 {
        if step < warmup {
            base * (step + 1) as f64 / warmup as f64
        } else {
            self.at(step - warmup, steps - warmup, base, end)
        }
    }

    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, of five steps from 2 to 1; the cosine is a golden case.
    #[test]
    fn a_number_goes_as_its_schedule_says() {
        let values = |schedule: Schedule| -> Vec<f64> { (0..5).map(|step| schedule.at(step, 5, 2.0, 1.0)).collect() };
        assert_eq!(values(Schedule::Constant), [2.0; 5]);
        assert_eq!(values(Schedule::Linear), [2.0, 1.75, 1.5, 1.25, 1.0]);
        let poly = [2.0, 1.0 + 0.75f64.powf(0.9), 1.0 + 0.5f64.powf(0.9), 1.0 + 0.25f64.powf(0.9), 1.0];
        assert!(values(Schedule::Poly).iter().zip(poly).all(|(found, expected)| (found - expected).abs() < 1e-15));
        let warm: Vec<f64> = (0..6).map(|step| Schedule::Linear.after_warmup(step, 6, 2, 4.0, 0.0)).collect();
        assert_eq!(warm[..3], [2.0, 4.0, 4.0]);
        assert_eq!(warm[5], 0.0);
    }
}
