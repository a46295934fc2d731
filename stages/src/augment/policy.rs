//! The `views` artifact: a list of random operations, as JSON.

use super::ops::{self, Crop};
use super::{Image, picture};
use crate::context::Context;
use crate::data;
use crate::random::{Purpose, Rng};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// One random operation. Probabilities are `p`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Operation {
    /// A crop whose share of the area is uniform in `scale` and whose aspect is log-uniform in `ratio`, scaled back to
    /// the image's size.
    RandomResizedCrop {
        scale: [f32; 2],
        ratio: [f32; 2],
    },
    /// Pads with black on all sides and cuts the image's size out of it.
    RandomCrop {
        padding: usize,
    },
    HorizontalFlip {
        p: f32,
    },
    /// Brightness, contrast, saturation by factors within the given distance of 1, hue by a shift within the given
    /// distance of 0, in random order.
    ColorJitter {
        p: f32,
        brightness: f32,
        contrast: f32,
        saturation: f32,
        hue: f32,
    },
    Grayscale {
        p: f32,
    },
    /// The kernel covers a tenth of the image.
    GaussianBlur {
        p: f32,
        sigma: [f32; 2],
    },
    Solarize {
        p: f32,
        threshold: f32,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    pub operations: Vec<Operation>,
}

impl Policy {
    /// Leaves images as they are.
    pub fn identity() -> Self {
        Self { operations: vec![] }
    }

    pub fn open(folder: &Path) -> Result<Self> {
        data::read_json(&folder.join("policy.json"))
    }

    /// Publishes the policy, with a picture of what it does beside the result.
    pub fn publish(&self, context: &Context) -> Result<()> {
        data::write_json(&context.output("views")?.join("policy.json"), self)?;
        picture::draw(self, &context.side().join("views.png"))
    }

    /// View number `view` of image number `image` in `epoch`.
    pub fn apply(&self, image: Image, seed: u64, epoch: u64, index: u64, view: u64) -> Image {
        let mut rng = Rng::new(seed, Purpose::View, &[epoch, index, view]);
        self.operations.iter().fold(image, |image, operation| operation.apply(image, &mut rng))
    }
}

impl Operation {
    fn apply(&self, mut image: Image, rng: &mut Rng) -> Image {
        match *self {
            Self::RandomResizedCrop { scale, ratio } => {
                let crop = draw_crop(&image, scale, ratio, rng);
                let size = image.height;
                return ops::resized_crop(&image, crop, size);
            }
            Self::RandomCrop { padding } => {
                let mut draw = || rng.below(2 * padding + 1) as isize - padding as isize;
                let (down, right) = (draw(), draw());
                return ops::shift(&image, down, right);
            }
            Self::HorizontalFlip { p } => {
                if rng.chance(p) {
                    ops::horizontal_flip(&mut image);
                }
            }
            Self::ColorJitter { p, brightness, contrast, saturation, hue } => {
                if rng.chance(p) {
                    color_jitter(&mut image, [brightness, contrast, saturation], hue, rng);
                }
            }
            Self::Grayscale { p } => {
                if rng.chance(p) {
                    ops::grayscale(&mut image);
                }
            }
            Self::GaussianBlur { p, sigma: [low, high] } => {
                if rng.chance(p) {
                    let kernel = (image.height / 10) | 1;
                    ops::gaussian_blur(&mut image, kernel, rng.range(low, high));
                }
            }
            Self::Solarize { p, threshold } => {
                if rng.chance(p) {
                    ops::solarize(&mut image, threshold);
                }
            }
        }
        image
    }
}

/// As torchvision's RandomResizedCrop: ten tries, then the largest central crop of an allowed aspect.
fn draw_crop(image: &Image, scale: [f32; 2], ratio: [f32; 2], rng: &mut Rng) -> Crop {
    let area = (image.height * image.width) as f32;
    for _ in 0..10 {
        let target = area * rng.range(scale[0], scale[1]);
        let aspect = rng.range(ratio[0].ln(), ratio[1].ln()).exp();
        let width = (target * aspect).sqrt().round() as usize;
        let height = (target / aspect).sqrt().round() as usize;
        if (1..=image.width).contains(&width) && (1..=image.height).contains(&height) {
            let top = rng.below(image.height - height + 1);
            let left = rng.below(image.width - width + 1);
            return Crop { top, left, height, width };
        }
    }
    let (h, w) = (image.height as f32, image.width as f32);
    let (height, width) = if w / h < ratio[0] {
        ((w / ratio[0]).round() as usize, image.width)
    } else if w / h > ratio[1] {
        (image.height, (h * ratio[1]).round() as usize)
    } else {
        (image.height, image.width)
    };
    Crop { top: (image.height - height) / 2, left: (image.width - width) / 2, height, width }
}

fn color_jitter(image: &mut Image, strengths: [f32; 3], hue: f32, rng: &mut Rng) {
    let factors = strengths.map(|strength| rng.range((1.0 - strength).max(0.0), 1.0 + strength));
    let shift = rng.range(-hue, hue);
    let mut order = [0, 1, 2, 3];
    rng.shuffle(&mut order);
    for operation in order {
        match operation {
            0 => ops::brightness(image, factors[0]),
            1 => ops::contrast(image, factors[1]),
            2 => ops::saturation(image, factors[2]),
            _ => ops::hue(image, shift),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn photograph() -> Image {
        picture::samples().swap_remove(0)
    }

    #[test]
    fn a_view_depends_on_its_place_and_on_nothing_else() {
        let policy = super::super::simclr::Params::default().policy();
        let view = |epoch, index, view| policy.apply(photograph(), 1, epoch, index, view);
        assert_eq!(view(0, 5, 1), view(0, 5, 1));
        assert_ne!(view(0, 5, 1), view(0, 5, 0));
        assert_ne!(view(0, 5, 1), view(1, 5, 1));
        assert!(view(3, 2, 1).data.iter().all(|v| (0.0..=1.0001).contains(v)));
    }

    #[test]
    fn crops_cover_the_areas_and_aspects_they_are_asked_for() {
        let image = photograph();
        let mut rng = Rng::new(1, Purpose::View, &[]);
        let (mut smallest, mut largest) = (1.0f32, 0.0f32);
        for _ in 0..2000 {
            let crop = draw_crop(&image, [0.2, 1.0], [0.75, 4.0 / 3.0], &mut rng);
            assert!(crop.top + crop.height <= 64 && crop.left + crop.width <= 64);
            let share = (crop.height * crop.width) as f32 / 4096.0;
            // Rounding to whole pixels moves area and aspect by a few percent at 64 pixels.
            assert!((0.19..=1.0).contains(&share));
            assert!((0.72..=1.39).contains(&(crop.width as f32 / crop.height as f32)));
            (smallest, largest) = (smallest.min(share), largest.max(share));
        }
        assert!(smallest < 0.22 && largest > 0.95, "{smallest} {largest}");
    }
}
