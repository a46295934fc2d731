//! Filling holes: what a decoder draws where an image is missing, beside fills that have learned nothing.

mod fills;

use super::restoration::{Drawer, NEEDS, Restoring, Spoiling, Spoilt, all_measures, each, evaluate, measures};
use crate::augment::holes::{Holes, Region};
use crate::context::Context;
use crate::random::{Purpose, Rng};
use crate::stage::{About, Stage};
use anyhow::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct Inpaint;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// shares of an image that are missing (blocks: at least): images are spoilt by each of them
    #[schemars(inner(range(min = 0.01, max = 0.9)), length(min = 1), extend("x-unit" = "fraction"))]
    missing: Vec<f64>,
    /// what is missing. centre: a square in the middle; blocks: squares of a quarter of the image's side at random places, that may overlap
    region: Region,
    /// how many images of test are looked at, evenly over the split; 0: all
    #[schemars(range(min = 0), extend("x-unit" = "images"))]
    images: u32,
    /// of the blocks' places, which an image has by itself
    #[schemars(range(min = 0))]
    seed: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self { missing: vec![0.1, 0.25, 0.5], region: Region::Centre, images: 500, seed: 0 }
    }
}

/// What is judged: its name in inpaint.csv, and what is measured of it.
const METHODS: [Restoring; 4] = [
    (
        "mean",
        measures(
            ["psnr_mean", "ssim_mean"],
            ["PSNR of the mean colour, which is what is shown", "SSIM of the mean colour"],
        ),
    ),
    (
        "median",
        measures(
            ["psnr_median", "ssim_median"],
            ["PSNR of medians over 3 x 3 pixels, from the border inwards", "SSIM of the medians"],
        ),
    ),
    (
        "harmonic",
        measures(
            ["psnr_harmonic", "ssim_harmonic"],
            [
                "PSNR of the harmonic fill, in which every pixel is the mean of its neighbours",
                "SSIM of the harmonic fill",
            ],
        ),
    ),
    (
        "encoder",
        measures(
            ["psnr", "ssim"],
            [
                "peak signal-to-noise ratio of the missing pixels alone, as the encoder's decoder draws them, mean over images and then over \
                 `missing`; an image counts 58.9 dB at most, which is what rounding to bytes leaves",
                "structural similarity of the whole image with the hole filled so (Wang et al. 2004)",
            ],
        ),
    ),
];

impl Stage for Inpaint {
    type Params = Params;
    const ABOUT: About = About {
        name: "eval/inpaint",
        summary: "Inpainting: PSNR and SSIM of what a decoder draws where an image is missing, beside medians and a harmonic fill",
        docs: "Takes an encoder that was trained to draw images (`pretrain/inpainting`, or an autoencoder of whatever kind). Missing pixels \
               of test images have the mean colour of the training images; what is known stays as it is. Nothing is chosen. Non-local means, \
               which takes noise away, knows of no holes, and does not stand beside them. Measured are means over all of `missing`; \
               inpaint.csv has each by itself, and inpainted.png some images: whole, then for each share with its hole, and filled by \
               medians, harmonically, and by the decoder.",
        needs: NEEDS,
        measures: &all_measures(&METHODS),
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let Params { missing, region, images, seed } = params;
        evaluate(&Cut { region, seed }, &missing, images, ["inpaint", "inpainted"], context)
    }
}

/// A hole with the mean colour.
struct Cut {
    region: Region,
    seed: u64,
}

impl Spoiling for Cut {
    const STRENGTH: &'static str = "missing";
    const METHODS: &'static [Restoring] = &METHODS;

    fn spoil(&self, clean: &[f32], missing: f64, row: usize, drawer: &Drawer) -> Spoilt {
        let [height, width, channels] = drawer.shape;
        let mut rng = Rng::new(self.seed, Purpose::Mask, &[row as u64]);
        let hole = Holes { region: self.region, missing }.cut([height, width], &mut rng);
        let missing: Vec<bool> = hole.into_iter().flat_map(|missing| std::iter::repeat_n(missing, channels)).collect();
        let mean = &drawer.frozen.artifact.mean;
        let shown = clean.iter().zip(&missing).enumerate();
        let values =
            shown.map(|(place, (&value, &is_missing))| if is_missing { mean[place % channels] } else { value });
        Spoilt { values: values.collect(), missing: Some(missing) }
    }

    fn restored(&self, holed: &[Spoilt], _: f64, drawer: &Drawer) -> Result<Vec<Vec<Vec<f32>>>> {
        let missing = |holed: &Spoilt| holed.missing.clone().expect("something is missing");
        Ok(vec![
            each(holed, |holed| holed.values.clone()),
            each(holed, |holed| fills::median(&holed.values, &missing(holed), drawer.shape)),
            each(holed, |holed| fills::harmonic(&holed.values, &missing(holed), drawer.shape)),
            drawer.draw(holed)?,
        ])
    }
}
