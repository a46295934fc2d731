//! What evaluations of restored images have in common: images are spoilt by several strengths, and what an encoder's decoder draws of them is
//! measured beside what methods make of them that have learned nothing.

mod drawer;
pub mod filters;

use super::features::{SEEN, evenly, measure_seen};
use crate::context::Context;
use crate::data::{Dataset, Split, draw_grid};
use crate::metrics::image::{WINDOW, psnr, ssim};
use crate::stage::{DATA, ENCODER, MeasureAbout, PortAbout};
use anyhow::{Result, ensure};
pub use drawer::Drawer;
use image::RgbImage;
use rayon::prelude::*;
use std::fmt::Write;

/// A way of spoiling images, and what restores them.
pub trait Spoiling: Sync {
    /// What a strength is called in the tables.
    const STRENGTH: &'static str;
    /// What is judged, the decoder's drawings last.
    const METHODS: &'static [Restoring];

    /// A row's image, of values from 0 to 1.
    fn spoil(&self, clean: &[f32], strength: f64, row: usize, drawer: &Drawer) -> Spoilt;

    /// What each of [`Spoiling::METHODS`] makes of images.
    fn restored(&self, images: &[Spoilt], strength: f64, drawer: &Drawer) -> Result<Vec<Vec<Vec<f32>>>>;
}

/// What restores images: its name in the table, and what is measured of it, PSNR and SSIM.
pub type Restoring = (&'static str, [MeasureAbout; 2]);

/// An image `[height, width, channels]`.
pub struct Spoilt {
    pub values: Vec<f32>,
    /// Of each value whether it is missing, where some are: then they alone count, and all others stay what they are.
    pub missing: Option<Vec<bool>>,
}

pub const NEEDS: &[PortAbout] = &[DATA, PortAbout { doc: "what draws images again", ..ENCODER }];

pub const fn measures([psnr, ssim]: [&'static str; 2], docs: [&'static str; 2]) -> [MeasureAbout; 2] {
    const ABOUT: MeasureAbout = MeasureAbout { name: "", splits: &["test"], unit: "", setting: false, doc: "" };
    [MeasureAbout { name: psnr, unit: "dB", doc: docs[0], ..ABOUT }, MeasureAbout { name: ssim, doc: docs[1], ..ABOUT }]
}

/// All that is measured, of the last method first.
pub const fn all_measures(methods: &[Restoring; 4]) -> [MeasureAbout; 9] {
    let [first, second, third, (_, [psnr, ssim])] = methods;
    let [of_first, of_second, of_third] = [&first.1, &second.1, &third.1];
    [
        *psnr,
        *ssim,
        of_first[0],
        of_first[1],
        of_second[0],
        of_second[1],
        of_third[0],
        of_third[1],
        MeasureAbout { splits: &["test"], ..SEEN },
    ]
}

/// Of values that are known to half a step of a byte.
const MOST_DECIBELS: f64 = 58.92;
const BATCH: usize = 100;
/// Images in the picture.
const SHOWN: usize = 8;

/// Measures what is made of so many images of test, evenly over the split (0: all): means over images and then over the strengths. Each by
/// itself goes to `NAME.csv`, some images to `PICTURE.png`.
pub fn evaluate<S: Spoiling>(
    spoiling: &S,
    strengths: &[f64],
    images: u32,
    [name, picture_name]: [&str; 2],
    context: &Context,
) -> Result<()> {
    let data = Dataset::open(context.input("data")?)?;
    let [height, width, _] = shape(&data);
    ensure!(
        height >= WINDOW && width >= WINDOW,
        "images have {height} x {width} pixels, and SSIM looks at windows of {WINDOW} x {WINDOW}: use larger ones"
    );
    let drawer = Drawer::open(&data, context)?;
    let rows = evenly(data.rows(Split::Test), images as usize);
    ensure!(!rows.is_empty(), "the data set has no test images to judge by");
    measure_seen(&drawer.frozen.artifact, &data, Split::Test, context);
    let of_row = |&row: &usize| vec![picture(&clean(&data, row), drawer.shape)];
    let mut pictures: Vec<Vec<RgbImage>> = rows.iter().take(SHOWN).map(of_row).collect();
    let look = Look { spoiling, data: &data, rows, drawer, context };
    let mut all = vec![];
    for &strength in strengths {
        all.push((strength, look.at(strength, &mut pictures)?));
    }
    for (place, (_, measures)) in S::METHODS.iter().enumerate() {
        for (figure, measure) in measures.iter().enumerate() {
            let sum: f64 = all.iter().map(|(_, figures)| figures[place][figure]).sum();
            context.measure(measure.name, "test", sum / all.len() as f64);
        }
    }
    std::fs::write(context.side().join(format!("{name}.csv")), to_csv::<S>(&all))?;
    draw_grid(&pictures, &context.side().join(format!("{picture_name}.png")))
}

/// PSNR and SSIM of each method, means over images.
type Figures = Vec<[f64; 2]>;

fn to_csv<S: Spoiling>(all: &[(f64, Figures)]) -> String {
    let mut text = format!("{},method,psnr,ssim\n", S::STRENGTH);
    for (strength, figures) in all {
        for ((name, _), [psnr, ssim]) in S::METHODS.iter().zip(figures) {
            let _ = writeln!(text, "{strength},{name},{psnr},{ssim}");
        }
    }
    text
}

/// What is looked at, and what draws it.
struct Look<'a, S> {
    spoiling: &'a S,
    data: &'a Dataset,
    rows: Vec<usize>,
    drawer: Drawer,
    context: &'a Context<'a>,
}

impl<S: Spoiling> Look<'_, S> {
    /// With one strength. What is made of the first images is added to their rows of pictures.
    fn at(&self, strength: f64, pictures: &mut [Vec<RgbImage>]) -> Result<Figures> {
        let mut meter = self.context.meter(&format!("{} {strength}", S::STRENGTH), self.rows.len() as u64, "images");
        let mut sums = vec![[0.0; 2]; S::METHODS.len()];
        for (number, rows) in self.rows.chunks(BATCH).enumerate() {
            self.context.check_stop()?;
            let clean: Vec<Vec<f32>> = rows.iter().map(|&row| clean(self.data, row)).collect();
            let spoil = |(clean, &row): (&Vec<f32>, &usize)| self.spoiling.spoil(clean, strength, row, &self.drawer);
            let spoilt: Vec<Spoilt> = clean.iter().zip(rows).map(spoil).collect();
            let made = self.made_of(&clean, &spoilt, strength)?;
            for (sums, made) in sums.iter_mut().zip(&made) {
                for ((clean, spoilt), made) in clean.iter().zip(&spoilt).zip(made) {
                    sums[0] += decibels(clean, made, spoilt.missing.as_deref());
                    sums[1] += ssim(clean, made, self.drawer.shape);
                }
            }
            if number == 0 {
                for (place, row) in pictures.iter_mut().enumerate() {
                    row.extend(made.iter().map(|made| picture(&made[place], self.drawer.shape)));
                }
            }
            meter.at((number * BATCH + rows.len()) as u64, &[]);
        }
        Ok(sums.into_iter().map(|sums| sums.map(|sum| sum / self.rows.len() as f64)).collect())
    }

    /// Cut off at black and white, and with what is known as it is.
    fn made_of(&self, clean: &[Vec<f32>], spoilt: &[Spoilt], strength: f64) -> Result<Vec<Vec<Vec<f32>>>> {
        let mut made = self.spoiling.restored(spoilt, strength, &self.drawer)?;
        for images in &mut made {
            for ((image, clean), spoilt) in images.iter_mut().zip(clean).zip(spoilt) {
                image.iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0));
                let Some(missing) = &spoilt.missing else { continue };
                let known = image.iter_mut().zip(clean).zip(missing).filter(|(_, missing)| !**missing);
                known.for_each(|((value, &clean), _)| *value = clean);
            }
        }
        Ok(made)
    }
}

/// PSNR, of what was missing where something was.
fn decibels(clean: &[f32], made: &[f32], missing: Option<&[bool]>) -> f64 {
    let Some(missing) = missing else { return psnr(clean, made).min(MOST_DECIBELS) };
    let of = |values: &[f32]| -> Vec<f32> {
        values.iter().zip(missing).filter(|(_, missing)| **missing).map(|(&value, _)| value).collect()
    };
    psnr(&of(clean), &of(made)).min(MOST_DECIBELS)
}

/// What `make` makes of each image.
pub fn each(images: &[Spoilt], make: impl Fn(&Spoilt) -> Vec<f32> + Sync + Send) -> Vec<Vec<f32>> {
    images.par_iter().map(make).collect()
}

/// Height, width and channels of a data set's images.
pub fn shape(data: &Dataset) -> [usize; 3] {
    [data.manifest.height, data.manifest.width, data.manifest.channels]
}

/// A row's image, `[height, width, channels]`, of values from 0 to 1.
fn clean(data: &Dataset, row: usize) -> Vec<f32> {
    data.image(row).iter().map(|&byte| f32::from(byte) / 255.0).collect()
}

/// With three colours.
pub fn picture(values: &[f32], [height, width, channels]: [usize; 3]) -> RgbImage {
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let pixel = &values[(y as usize * width + x as usize) * channels..][..channels];
        image::Rgb(std::array::from_fn(|colour| (pixel[colour % channels] * 255.0).round() as u8))
    })
}
