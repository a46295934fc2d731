//! Taking noise away: what an autoencoder draws of noisy images, beside filters that have learned nothing.

use super::restoration::{Drawer, NEEDS, Restoring, Spoiling, Spoilt, all_measures, each, evaluate, filters, measures};
use crate::context::Context;
use crate::random::{Purpose, Rng};
use crate::stage::{About, Stage};
use anyhow::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
const METHODS: [Restoring; 4] = [
    (
        "noisy",
        measures(["psnr_noisy", "ssim_noisy"], ["PSNR of the noisy image itself", "SSIM of the noisy image itself"]),
    ),
    ("median", measures(["psnr_median", "ssim_median"], ["PSNR of a median over 3 x 3 pixels", "SSIM of the median"])),
    ("nl_means", measures(["psnr_nl_means", "ssim_nl_means"], ["PSNR of non-local means", "SSIM of non-local means"])),
    (
        "encoder",
        measures(
            ["psnr", "ssim"],
            [
                "peak signal-to-noise ratio of what the encoder's decoder draws of the noisy image, mean over images and then over `gaussian`; \
                 an image counts 58.9 dB at most, which is what rounding to bytes leaves",
                "structural similarity of what the decoder draws (Wang et al. 2004)",
            ],
        ),
    ),
];

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
        needs: NEEDS,
        measures: &all_measures(&METHODS),
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        evaluate(&Noise { seed: params.seed }, &params.gaussian, params.images, ["denoise", "denoised"], context)
    }
}

/// Gaussian noise on every value.
struct Noise {
    seed: u64,
}

impl Spoiling for Noise {
    const STRENGTH: &'static str = "gaussian";
    const METHODS: &'static [Restoring] = &METHODS;

    fn spoil(&self, clean: &[f32], gaussian: f64, row: usize, _: &Drawer) -> Spoilt {
        Spoilt { values: noisy(clean, gaussian, self.seed, row), missing: None }
    }

    fn restored(&self, noisy: &[Spoilt], gaussian: f64, drawer: &Drawer) -> Result<Vec<Vec<Vec<f32>>>> {
        Ok(vec![
            each(noisy, |noisy| noisy.values.clone()),
            each(noisy, |noisy| filters::median(&noisy.values, drawer.shape)),
            each(noisy, |noisy| filters::nl_means(&noisy.values, drawer.shape, gaussian)),
            drawer.draw(noisy)?,
        ])
    }
}

fn noisy(clean: &[f32], gaussian: f64, seed: u64, row: usize) -> Vec<f32> {
    let mut rng = Rng::new(seed, Purpose::Evaluate, &[row as u64]);
    clean.iter().map(|value| value + gaussian as f32 * rng.normal()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_its_own_noise_which_grows_with_the_deviation() {
        let noise = |gaussian: f64, seed: u64, row: usize| noisy(&[0.0; 4], gaussian, seed, row);
        let once = noise(1.0, 3, 7);
        assert!(noise(0.25, 3, 7).iter().zip(&once).all(|(quarter, whole)| (quarter - 0.25 * whole).abs() < 1e-7));
        assert!(noise(1.0, 3, 8) != once && noise(1.0, 4, 7) != once);
    }
}
