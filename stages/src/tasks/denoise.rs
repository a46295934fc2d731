//! Taking noise away: what an autoencoder draws of noisy images, beside filters that have learned nothing.

mod drawer;
mod filters;

use super::features::{SEEN, evenly, measure_seen};
use crate::context::Context;
use crate::data::{Dataset, Split, draw_grid};
use crate::metrics::image::{WINDOW, psnr, ssim};
use crate::random::{Purpose, Rng};
use crate::stage::{About, DATA, MeasureAbout, PortAbout, Stage};
use anyhow::{Result, ensure};
use drawer::Drawer;
use image::RgbImage;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt::Write;

pub struct Denoise;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// standard deviations of Gaussian noise on every value, in units of black to white: images are spoilt by each of them
    #[schemars(inner(range(min = 0.001, max = 2.0)), length(min = 1))]
    gaussian: Vec<f64>,
    /// how many images of test are looked at, evenly over the split; 0: all
    #[schemars(range(min = 0), extend("x-unit" = "images"))]
    images: u32,
    /// of the noise; an image has the same at every deviation, times that
    #[schemars(range(min = 0))]
    seed: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self { gaussian: vec![0.1, 0.2, 0.4], images: 500, seed: 0 }
    }
}

/// What is judged: its name in denoise.csv, and what is measured of it.
const METHODS: [(&str, [MeasureAbout; 2]); 4] = [
    ("noisy", measures(["psnr_noisy", "ssim_noisy"], ["of the noisy image itself", "of the noisy image itself"])),
    ("median", measures(["psnr_median", "ssim_median"], ["of a median over 3 x 3 pixels", "of the median"])),
    ("nl_means", measures(["psnr_nl_means", "ssim_nl_means"], ["of non-local means", "of non-local means"])),
    (
        "encoder",
        measures(
            ["psnr", "ssim"],
            [
                "peak signal-to-noise ratio of what the encoder's decoder draws of the noisy image, mean over images and then over `gaussian`; \
                 an image counts 58.9 dB at most, which is what rounding to bytes leaves",
                "structural similarity of the same (Wang et al. 2004)",
            ],
        ),
    ),
];

const fn measures([psnr, ssim]: [&'static str; 2], docs: [&'static str; 2]) -> [MeasureAbout; 2] {
    const ABOUT: MeasureAbout = MeasureAbout { name: "", splits: &["test"], unit: "", setting: false, doc: "" };
    [MeasureAbout { name: psnr, unit: "dB", doc: docs[0], ..ABOUT }, MeasureAbout { name: ssim, doc: docs[1], ..ABOUT }]
}

/// Of values that are known to half a step of a byte.
const MOST_DECIBELS: f64 = 58.92;
const BATCH: usize = 100;
/// Images in the picture.
const SHOWN: usize = 8;

impl Stage for Denoise {
    type Params = Params;
    const ABOUT: About = About {
        name: "eval/denoise",
        summary: "Denoising: PSNR and SSIM of what an autoencoder draws of noisy images, beside median and non-local means",
        docs: "Takes an encoder that was trained to draw images (`pretrain/denoising_autoencoder`, `pretrain/autoencoder` and their kin). \
               Images of test are spoilt by noise that is not cut off at black and white; what is made of them is, before it is measured. \
               Nothing is chosen: the median is over 3 x 3 pixels, and non-local means (Buades et al. 2005) knows the noise's deviation, as \
               scikit-image's with patches of 5 x 5, distance 6 and h of .8 of it. Measured are means over all of `gaussian`; denoise.csv \
               has each by itself, and denoised.png some images: clean, then for each deviation noisy, median, non-local means, drawn.",
        needs: &[
            DATA,
            PortAbout { name: "encoder", type_: "encoder", required: true, used: true, doc: "what draws images again" },
        ],
        measures: &[
            METHODS[3].1[0],
            METHODS[3].1[1],
            METHODS[0].1[0],
            METHODS[0].1[1],
            METHODS[1].1[0],
            METHODS[1].1[1],
            METHODS[2].1[0],
            METHODS[2].1[1],
            MeasureAbout { splits: &["test"], ..SEEN },
        ],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let data = Dataset::open(context.input("data")?)?;
        let [height, width, _] = shape(&data);
        ensure!(
            height >= WINDOW && width >= WINDOW,
            "images have {height} x {width} pixels, and SSIM looks at windows of {WINDOW} x {WINDOW}: use larger ones"
        );
        let drawer = Drawer::open(&data, context)?;
        let rows = evenly(data.rows(Split::Test), params.images as usize);
        ensure!(!rows.is_empty(), "the data set has no test images to judge by");
        measure_seen(&drawer.artifact, &data, Split::Test, context);
        let of_row = |&row: &usize| vec![picture(&clean(&data, row), drawer.shape)];
        let mut pictures: Vec<Vec<RgbImage>> = rows.iter().take(SHOWN).map(of_row).collect();
        let look = Look { data: &data, rows, drawer, seed: params.seed, context };
        let mut all = vec![];
        for &gaussian in &params.gaussian {
            all.push((gaussian, look.at(gaussian, &mut pictures)?));
        }
        for (place, (_, measures)) in METHODS.iter().enumerate() {
            for (figure, measure) in measures.iter().enumerate() {
                let sum: f64 = all.iter().map(|(_, figures)| figures[place][figure]).sum();
                context.measure(measure.name, "test", sum / all.len() as f64);
            }
        }
        std::fs::write(context.side().join("denoise.csv"), to_csv(&all))?;
        draw_grid(&pictures, &context.side().join("denoised.png"))
    }
}

/// PSNR and SSIM of each of [`METHODS`], means over images.
type Figures = [[f64; 2]; METHODS.len()];

fn to_csv(all: &[(f64, Figures)]) -> String {
    let mut text = "gaussian,method,psnr,ssim\n".to_owned();
    for (gaussian, figures) in all {
        for ((name, _), [psnr, ssim]) in METHODS.iter().zip(figures) {
            let _ = writeln!(text, "{gaussian},{name},{psnr},{ssim}");
        }
    }
    text
}

/// What is looked at, and what draws it.
struct Look<'a> {
    data: &'a Dataset,
    rows: Vec<usize>,
    drawer: Drawer,
    seed: u64,
    context: &'a Context<'a>,
}

impl Look<'_> {
    /// With noise of one deviation. What is made of the first images is added to their rows of pictures.
    fn at(&self, gaussian: f64, pictures: &mut [Vec<RgbImage>]) -> Result<Figures> {
        let mut meter = self.context.meter(&format!("noise of {gaussian}"), self.rows.len() as u64, "images");
        let mut sums = Figures::default();
        for (number, rows) in self.rows.chunks(BATCH).enumerate() {
            self.context.check_stop()?;
            let clean: Vec<Vec<f32>> = rows.iter().map(|&row| clean(self.data, row)).collect();
            let noisy = |(clean, &row): (&Vec<f32>, &usize)| spoilt(clean, gaussian, self.seed, row);
            let noisy: Vec<Vec<f32>> = clean.iter().zip(rows).map(noisy).collect();
            let made = made_of(&noisy, gaussian, &self.drawer)?;
            for (sums, made) in sums.iter_mut().zip(&made) {
                for (clean, made) in clean.iter().zip(made) {
                    sums[0] += psnr(clean, made).min(MOST_DECIBELS);
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
        Ok(sums.map(|sums| sums.map(|sum| sum / self.rows.len() as f64)))
    }
}

/// Height, width and channels of a data set's images.
pub(super) fn shape(data: &Dataset) -> [usize; 3] {
    [data.manifest.height, data.manifest.width, data.manifest.channels]
}

/// A row's image, `[height, width, channels]`, of values from 0 to 1.
fn clean(data: &Dataset, row: usize) -> Vec<f32> {
    data.image(row).iter().map(|&byte| f32::from(byte) / 255.0).collect()
}

fn spoilt(clean: &[f32], gaussian: f64, seed: u64, row: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed, Purpose::Evaluate, &[row as u64]);
    clean.iter().map(|value| value + gaussian as f32 * rng.normal()).collect()
}

/// What each of [`METHODS`] makes of noisy images, cut off at black and white.
fn made_of(noisy: &[Vec<f32>], gaussian: f64, drawer: &Drawer) -> Result<[Vec<Vec<f32>>; METHODS.len()]> {
    let each = |make: &(dyn Fn(&[f32]) -> Vec<f32> + Sync)| noisy.par_iter().map(|noisy| make(noisy)).collect();
    let made = [
        noisy.to_vec(),
        each(&|noisy| filters::median(noisy, drawer.shape)),
        each(&|noisy| filters::nl_means(noisy, drawer.shape, gaussian)),
        drawer.draw(noisy)?,
    ];
    Ok(made.map(|images| {
        let cut = |image: Vec<f32>| image.into_iter().map(|value| value.clamp(0.0, 1.0)).collect();
        images.into_iter().map(cut).collect()
    }))
}

/// With three colours.
pub(super) fn picture(values: &[f32], [height, width, channels]: [usize; 3]) -> RgbImage {
    RgbImage::from_fn(width as u32, height as u32, |x, y| {
        let pixel = &values[(y as usize * width + x as usize) * channels..][..channels];
        image::Rgb(std::array::from_fn(|colour| (pixel[colour % channels] * 255.0).round() as u8))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_its_own_noise_which_grows_with_the_deviation() {
        let noise = |gaussian: f64, seed: u64, row: usize| spoilt(&[0.0; 4], gaussian, seed, row);
        let once = noise(1.0, 3, 7);
        assert!(noise(0.25, 3, 7).iter().zip(&once).all(|(quarter, whole)| (quarter - 0.25 * whole).abs() < 1e-7));
        assert!(noise(1.0, 3, 8) != once && noise(1.0, 4, 7) != once);
    }
}
