use super::{Operation, Policy};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters that views of SimCLR and what came after it have in common.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Distortions {
    /// probability of a horizontal flip
    #[schemars(range(min = 0, max = 1))]
    pub flip: f64,
    /// probability of colour jitter
    #[schemars(range(min = 0, max = 1))]
    pub jitter: f64,
    /// probability of a grey image
    #[schemars(range(min = 0, max = 1))]
    pub grayscale: f64,
}

impl Default for Distortions {
    fn default() -> Self {
        Self { flip: 0.5, jitter: 0.8, grayscale: 0.2 }
    }
}

/// A view of SimCLR and what came after it: crop, flip, jitter, grey, blur, solarise.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Smallest and largest share of the area that a crop keeps.
    pub scale: [f64; 2],
    /// Side of the view in pixels; 0 keeps the image's size.
    pub size: u32,
    pub distortions: Distortions,
    /// Of brightness, contrast, saturation, hue.
    pub strengths: [f64; 4],
    pub blur: f64,
    pub solarize: f64,
}

/// Brightness, contrast, saturation and hue of SimCLR's jitter of strength s (appendix A): 0.8 s, 0.8 s, 0.8 s, 0.2 s.
pub fn strengths(s: f64) -> [f64; 4] {
    [0.8 * s, 0.8 * s, 0.8 * s, 0.2 * s]
}

impl View {
    pub fn operations(&self) -> Vec<Operation> {
        let [brightness, contrast, saturation, hue] = self.strengths.map(|strength| strength as f32);
        let Distortions { flip, jitter, grayscale } = self.distortions;
        let mut operations = vec![
            Operation::RandomResizedCrop {
                scale: self.scale.map(|s| s as f32),
                ratio: [3.0 / 4.0, 4.0 / 3.0],
                size: (self.size > 0).then_some(self.size as usize),
            },
            Operation::HorizontalFlip { p: flip as f32 },
            Operation::ColorJitter { p: jitter as f32, brightness, contrast, saturation, hue },
            Operation::Grayscale { p: grayscale as f32 },
            Operation::GaussianBlur { p: self.blur as f32, sigma: [0.1, 2.0] },
        ];
        if self.solarize > 0.0 {
            operations.push(Operation::Solarize { p: self.solarize as f32, threshold: 0.5 });
        }
        operations
    }
}

/// A policy of several different views.
pub fn policy(views: impl IntoIterator<Item = View>) -> Policy {
    Policy::Views(views.into_iter().map(|view| view.operations()).collect())
}
