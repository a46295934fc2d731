//! Corruptions of CIFAR-10-C (Hendrycks & Dietterich 2019, arXiv:1903.12261), of as much as their authors' `make_cifar_c.py` has at
//! severities 1, 3 and 5. In what they differ is said in [`super::Robustness`].

use crate::augment::ops::gaussian_blur;
use crate::augment::{Image, Rgb8};
use crate::random::Rng;
use crate::stage::MeasureAbout;
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

pub const SEVERITIES: [u32; 3] = [1, 3, 5];

pub struct Corruption {
    pub measure: MeasureAbout,
    /// At each of [`SEVERITIES`].
    strengths: [f64; SEVERITIES.len()],
    /// Changes an image of values from 0 to 1, and leaves them there.
    apply: fn(&mut Image, f64, &mut Rng),
}

pub const CORRUPTIONS: [Corruption; 8] = [
    Corruption::new(
        "accuracy_gaussian_noise",
        "with Gaussian noise of deviation .04, .08, .1",
        [0.04, 0.08, 0.1],
        gaussian_noise,
    ),
    Corruption::new(
        "accuracy_shot_noise",
        "with shot noise: each value is what is counted of 500, 100, 50 events where it is 1",
        [500.0, 100.0, 50.0],
        shot_noise,
    ),
    Corruption::new(
        "accuracy_impulse_noise",
        "with impulse noise: of all values .01, .03, .07 become black or white",
        [0.01, 0.03, 0.07],
        impulse_noise,
    ),
    Corruption::new("accuracy_gaussian_blur", "blurred by a Gaussian of .4, .7, 1 pixels", [0.4, 0.7, 1.0], blur),
    Corruption::new("accuracy_contrast", "with .75, .4, .15 of the contrast", [0.75, 0.4, 0.15], contrast),
    Corruption::new("accuracy_brightness", "brighter by .05, .15, .3", [0.05, 0.15, 0.3], brightness),
    Corruption::new("accuracy_pixelate", "of .95, .85, .65 of the rows and columns", [0.95, 0.85, 0.65], pixelate),
    Corruption::new("accuracy_jpeg", "out of a JPEG of quality 80, 58, 40", [80.0, 58.0, 40.0], jpeg),
];

const PREFIX: &str = "accuracy_";

impl Corruption {
    const fn new(
        measure: &'static str,
        doc: &'static str,
        strengths: [f64; SEVERITIES.len()],
        apply: fn(&mut Image, f64, &mut Rng),
    ) -> Self {
        let measure = MeasureAbout { name: measure, splits: &["test"], unit: "fraction", setting: false, doc };
        Self { measure, strengths, apply }
    }

    pub fn name(&self) -> &'static str {
        &self.measure.name[PREFIX.len()..]
    }

    /// An image `[height, width, channels]` as it is at one of [`SEVERITIES`], counted from 0.
    pub fn of(&self, bytes: &[u8], [height, width, channels]: [usize; 3], severity: usize, rng: &mut Rng) -> Vec<u8> {
        let mut image = Image::default();
        match channels {
            1 => {
                let colours: Vec<u8> = bytes.iter().flat_map(|&grey| [grey; 3]).collect();
                image.load(Rgb8::new(&colours, height, width));
            }
            _ => image.load(Rgb8::new(bytes, height, width)),
        }
        (self.apply)(&mut image, self.strengths[severity], rng);
        image.to_bytes().into_iter().step_by(3 / channels).collect()
    }
}

fn each_value(image: &mut Image, mut change: impl FnMut(f32) -> f32) {
    image.data.iter_mut().for_each(|value| *value = change(*value).clamp(0.0, 1.0));
}

fn gaussian_noise(image: &mut Image, deviation: f64, rng: &mut Rng) {
    each_value(image, |value| value + deviation as f32 * rng.normal());
}

/// Photons are counted, of which `events` make white.
fn shot_noise(image: &mut Image, events: f64, rng: &mut Rng) {
    each_value(image, |value| (poisson(f64::from(value) * events, events, rng) / events) as f32);
}

/// A Poisson-distributed number, and `most` where it is larger: the first whose cumulative probability lies above a uniform draw.
fn poisson(mean: f64, most: f64, rng: &mut Rng) -> f64 {
    let mut left = f64::from(rng.uniform());
    let (mut number, mut probability) = (0.0, (-mean).exp());
    while left >= probability && number < most {
        left -= probability;
        number += 1.0;
        probability *= mean / number;
    }
    number
}

fn impulse_noise(image: &mut Image, share: f64, rng: &mut Rng) {
    each_value(image, |value| match (rng.chance(share as f32), rng.chance(0.5)) {
        (false, _) => value,
        (true, is_white) => f32::from(is_white),
    });
}

fn blur(image: &mut Image, sigma: f64, _: &mut Rng) {
    // Four deviations to each side, as scikit-image's.
    let half = (4.0 * sigma + 0.5) as usize;
    gaussian_blur(image, 2 * half + 1, sigma as f32);
}

/// Seen from each channel's mean.
fn contrast(image: &mut Image, share: f64, _: &mut Rng) {
    for plane in image.planes_mut() {
        let mean = plane.iter().map(|&value| f64::from(value)).sum::<f64>() / plane.len() as f64;
        plane.iter_mut().for_each(|value| *value = ((f64::from(*value) - mean) * share + mean) as f32);
    }
}

/// The largest of a pixel's colours, its value in HSV, rises; hue and saturation stay, and black becomes grey.
fn brightness(image: &mut Image, more: f64, _: &mut Rng) {
    let [reds, greens, blues] = image.planes_mut();
    for ((red, green), blue) in reds.iter_mut().zip(greens).zip(blues) {
        let before = red.max(*green).max(*blue);
        let after = (before + more as f32).min(1.0);
        let of = |colour: f32| if before > 0.0 { colour * (after / before) } else { after };
        (*red, *green, *blue) = (of(*red).min(1.0), of(*green).min(1.0), of(*blue).min(1.0));
    }
}

/// Made smaller and as large again, each pixel by the mean of those whose middle it covers, as PIL's `BOX` does it.
fn pixelate(image: &mut Image, share: f64, _: &mut Rng) {
    let (height, width) = (image.height, image.width);
    let fewer = |side: usize| ((side as f64 * share) as usize).max(1);
    *image = boxed(&boxed(image, fewer(height), fewer(width)), height, width);
}

fn boxed(image: &Image, height: usize, width: usize) -> Image {
    let mut made = Image::black(height, width);
    let [rows, columns] = [covered(image.height, height), covered(image.width, width)];
    for (to, from) in made.planes_mut().into_iter().zip(image.planes()) {
        for (row, to) in rows.iter().zip(to.chunks_mut(width)) {
            for (column, to) in columns.iter().zip(to) {
                let pixels = row.clone().flat_map(|y| &from[y * image.width..][column.clone()]);
                *to = pixels.sum::<f32>() / (row.len() * column.len()) as f32;
            }
        }
    }
    made
}

/// Of each of `to` places those of `from` that are in it by their middle: on its border, those at its end.
fn covered(from: usize, to: usize) -> Vec<std::ops::Range<usize>> {
    let scale = from as f64 / to as f64;
    let half = scale.max(1.0) / 2.0;
    let begins_after = |border: f64| (border + 0.5).floor().max(0.0) as usize;
    let of = |place: usize| {
        let middle = (place as f64 + 0.5) * scale;
        begins_after(middle - half)..begins_after(middle + half).min(from)
    };
    (0..to).map(of).collect()
}

fn jpeg(image: &mut Image, quality: f64, _: &mut Rng) {
    let (height, width) = (image.height, image.width);
    let mut file = vec![];
    let mut encoder = JpegEncoder::new_with_quality(&mut file, quality as u8);
    let written = encoder.encode(&image.to_bytes(), width as u32, height as u32, ExtendedColorType::Rgb8);
    written.expect("memory takes what is written");
    let made = image::load_from_memory(&file).expect("what was written can be read").into_rgb8();
    image.load(Rgb8::new(&made, height, width));
}

#[cfg(test)]
mod tests;
