//! Random operations, and how each draws what it does.

use super::ops::{self, Crop, Size};
use super::{Geometry, Image, Rgb8, space};
use crate::random::Rng;
use serde::{Deserialize, Serialize};

/// One random operation. Probabilities are `p`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub enum Operation {
    /// A crop whose share of the area is uniform in `scale` and whose aspect is log-uniform in `ratio`, scaled to `size`
    /// x `size`, or back to the image's size.
    RandomResizedCrop {
        scale: [f32; 2],
        ratio: [f32; 2],
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<usize>,
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
    /// The kernel covers a tenth of the image, at least 3 pixels.
    GaussianBlur {
        p: f32,
        sigma: [f32; 2],
    },
    Solarize {
        p: f32,
        threshold: f32,
    },
    /// One operation of fourteen, at one strength of 31 (Müller & Hutter 2021, arXiv:2103.10158: the wide space).
    TrivialAugment,
    /// `number` such operations of a milder space, at `strength` of 30 (Cubuk et al. 2019, arXiv:1909.13719).
    RandAugment {
        number: usize,
        strength: usize,
    },
    /// Noise in place of a rectangle whose share of the area is uniform in `scale` and whose aspect is log-uniform in
    /// `ratio` (Zhong et al. 2017, arXiv:1708.04896: RE-R).
    RandomErasing {
        p: f32,
        scale: [f32; 2],
        ratio: [f32; 2],
    },
}

/// Does `operations`, in order, to what is loaded from `source` into `image`, and says where its places have gone. A crop that comes
/// first and says no size gets `own`.
pub fn apply_all(operations: &[Operation], source: Rgb8<'_>, own: Size, image: &mut Image, rng: &mut Rng) -> Geometry {
    let mut geometry = Geometry::none(Size { height: source.height, width: source.width });
    // A crop that comes first reads the bytes that it needs, and the rest is never loaded.
    let rest = match operations {
        [Operation::RandomResizedCrop { scale, ratio, size }, rest @ ..] => {
            let crop = draw_crop(source.height, source.width, *scale, *ratio, rng);
            let size = size_or(*size, own.height, own.width);
            ops::resized_crop(source, crop, size, image);
            geometry.crop(crop, size);
            rest
        }
        all => {
            image.load(source);
            all
        }
    };
    rest.iter().for_each(|operation| operation.apply(image, &mut geometry, rng));
    geometry
}

fn size_or(size: Option<usize>, height: usize, width: usize) -> Size {
    size.map_or(Size { height, width }, |size| Size { height: size, width: size })
}

impl Operation {
    /// What it makes of an image's size.
    pub fn size(&self, size: Size) -> Size {
        match self {
            Self::RandomResizedCrop { size: Some(n), .. } => Size { height: *n, width: *n },
            _ => size,
        }
    }

    fn apply(&self, image: &mut Image, geometry: &mut Geometry, rng: &mut Rng) {
        match *self {
            Self::RandomResizedCrop { scale, ratio, size } => {
                let crop = draw_crop(image.height, image.width, scale, ratio, rng);
                let size = size_or(size, image.height, image.width);
                ops::resized_crop_of(image, crop, size);
                geometry.crop(crop, size);
            }
            Self::RandomCrop { padding } => {
                let mut draw = || rng.below(2 * padding + 1) as isize - padding as isize;
                let (down, right) = (draw(), draw());
                ops::shift(image, down, right);
                geometry.shift(down, right);
            }
            Self::HorizontalFlip { p } => {
                if rng.chance(p) {
                    ops::horizontal_flip(image);
                    geometry.flip();
                }
            }
            Self::ColorJitter { p, brightness, contrast, saturation, hue } => {
                if rng.chance(p) {
                    color_jitter(image, [brightness, contrast, saturation], hue, rng);
                }
            }
            Self::Grayscale { p } => {
                if rng.chance(p) {
                    ops::grayscale(image);
                }
            }
            Self::GaussianBlur { p, sigma: [low, high] } => {
                if rng.chance(p) {
                    // Of one pixel it would do nothing.
                    let kernel = ((image.height / 10) | 1).max(3);
                    ops::gaussian_blur(image, kernel, rng.range(low, high));
                }
            }
            Self::Solarize { p, threshold } => {
                if rng.chance(p) {
                    ops::solarize(image, threshold);
                }
            }
            Self::TrivialAugment => space::trivial_augment(image, geometry, rng),
            Self::RandAugment { number, strength } => space::rand_augment(image, geometry, number, strength, rng),
            Self::RandomErasing { p, scale, ratio } => {
                if rng.chance(p)
                    && let Some(area) = try_crop(image.height, image.width, scale, ratio, rng)
                {
                    ops::erase(image, area, rng);
                }
            }
        }
    }
}

/// A rectangle in one of ten tries, as torchvision's RandomResizedCrop and RandomErasing.
fn try_crop(height: usize, width: usize, scale: [f32; 2], ratio: [f32; 2], rng: &mut Rng) -> Option<Crop> {
    let area = (height * width) as f32;
    (0..10).find_map(|_| {
        let target = area * rng.range(scale[0], scale[1]);
        let aspect = rng.range(ratio[0].ln(), ratio[1].ln()).exp();
        let (crop_width, crop_height) = ((target * aspect).sqrt().round(), (target / aspect).sqrt().round());
        let (crop_width, crop_height) = (crop_width as usize, crop_height as usize);
        if !(1..=width).contains(&crop_width) || !(1..=height).contains(&crop_height) {
            return None;
        }
        let top = rng.below(height - crop_height + 1);
        let left = rng.below(width - crop_width + 1);
        Some(Crop { top, left, height: crop_height, width: crop_width })
    })
}

/// The same, or else the largest central crop of an allowed aspect.
fn draw_crop(height: usize, width: usize, scale: [f32; 2], ratio: [f32; 2], rng: &mut Rng) -> Crop {
    try_crop(height, width, scale, ratio, rng).unwrap_or_else(|| {
        let (h, w) = (height as f32, width as f32);
        let (crop_height, crop_width) = if w / h < ratio[0] {
            ((w / ratio[0]).round() as usize, width)
        } else if w / h > ratio[1] {
            (height, (h * ratio[1]).round() as usize)
        } else {
            (height, width)
        };
        let (top, left) = ((height - crop_height) / 2, (width - crop_width) / 2);
        Crop { top, left, height: crop_height, width: crop_width }
    })
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
    use crate::random::Purpose;

    #[test]
    fn crops_cover_the_areas_and_aspects_they_are_asked_for() {
        let mut rng = Rng::new(1, Purpose::View, &[]);
        let (mut smallest, mut largest) = (1.0f32, 0.0f32);
        for _ in 0..2000 {
            let crop = draw_crop(64, 64, [0.2, 1.0], [0.75, 4.0 / 3.0], &mut rng);
            assert!(crop.top + crop.height <= 64 && crop.left + crop.width <= 64);
            let share = (crop.height * crop.width) as f32 / 4096.0;
            // Rounding to whole pixels moves area and aspect by a few percent at 64 pixels.
            assert!((0.19..=1.0).contains(&share));
            assert!((0.72..=1.39).contains(&(crop.width as f32 / crop.height as f32)));
            (smallest, largest) = (smallest.min(share), largest.max(share));
        }
        assert!(smallest < 0.22 && largest > 0.95, "{smallest} {largest}");
    }

    #[test]
    fn erasing_takes_the_share_it_is_asked_for_and_nothing_else() {
        let erasing = Operation::RandomErasing { p: 0.5, scale: [0.1, 0.2], ratio: [0.3, 3.3] };
        let mut erased = 0;
        for seed in 0..400 {
            let mut image = Image::black(32, 32);
            image.data.fill(2.0);
            let mut geometry = Geometry::none(Size { height: 32, width: 32 });
            erasing.apply(&mut image, &mut geometry, &mut Rng::new(seed, Purpose::View, &[]));
            let gone = image.data.iter().filter(|&&v| v < 1.0).count();
            let share = gone as f32 / 3072.0;
            assert!(gone == 0 || (0.08..0.23).contains(&share), "{share}");
            assert_eq!(gone, image.data.iter().filter(|&&v| v != 2.0).count());
            erased += usize::from(gone > 0);
        }
        // 200 expected, sd 10; four of them.
        assert!((160..=240).contains(&erased), "{erased}");
    }

    #[test]
    fn a_crop_does_the_same_to_bytes_and_to_the_image_made_of_them() {
        let sample = &crate::augment::samples()[1];
        let crop = Operation::RandomResizedCrop { scale: [0.1, 1.0], ratio: [0.75, 1.5], size: Some(24) };
        for seed in 0..20 {
            let rng = || Rng::new(seed, Purpose::View, &[]);
            let (mut direct, mut loaded) = (Image::default(), Image::default());
            let gone = apply_all(
                std::slice::from_ref(&crop),
                sample.source(),
                Size { height: 64, width: 64 },
                &mut direct,
                &mut rng(),
            );
            loaded.load(sample.source());
            let mut geometry = Geometry::none(Size { height: loaded.height, width: loaded.width });
            crop.apply(&mut loaded, &mut geometry, &mut rng());
            assert_eq!(gone, geometry);
            assert_eq!((loaded.height, loaded.width), (24, 24));
            let worst = direct.data.iter().zip(&loaded.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-6, "{worst}");
        }
    }
}
