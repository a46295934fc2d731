//! Masks in picture files.

use super::super::palette;
use super::super::pictures;
use anyhow::{Context, Result, bail, ensure};
use image::{DynamicImage, GenericImageView};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// How a file says what a pixel shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reading {
    /// By its value, 0 the background and 255 unknown: of a grey picture, or of one whose palette is PASCAL VOC's.
    Values,
    /// By whether it is light; in a file of 0 and 1 by whether it is 1. There is one class.
    Binary,
}

/// Half of white.
const LIGHT: u8 = 128;

/// `[height, width]` of a picture of that size.
pub fn read(file: &Path, [height, width]: [u32; 2], reading: Reading) -> Result<Vec<u8>> {
    let of_file = || format!("its mask {}", file.display());
    let mask = pictures::values(file).with_context(of_file)?;
    let (across, down) = mask.dimensions();
    ensure!(
        [down, across] == [height, width],
        "{} has {across} x {down} pixels, and the picture {width} x {height}",
        of_file()
    );
    match reading {
        Reading::Binary => {
            // Of more bits than that the small values, by which objects are numbered, would be lost.
            let has_16_bits = matches!(mask, DynamicImage::ImageLuma16(_) | DynamicImage::ImageLumaA16(_));
            ensure!(!has_16_bits, "{}: it is {:?}, expected 8 bits of grey, black and white", of_file(), mask.color());
            let values = mask.into_luma8().into_raw();
            let light = light(&values).with_context(of_file)?;
            Ok(values.into_iter().map(|value| u8::from(value >= light)).collect())
        }
        Reading::Values => classes_of(mask).with_context(of_file),
    }
}

/// The least value that is light. Some programs write 1 for it; a file that may say something else is refused, since what is shown would
/// be taken for what is not.
fn light(values: &[u8]) -> Result<u8> {
    const EXPECTED: &str = "expected black and white, or 0 and 1, of which the lighter is what is shown";
    let most = values.iter().copied().max().unwrap_or(0);
    if most <= 1 {
        return Ok(1);
    }
    ensure!(most >= LIGHT, "its lightest value is {most}: {EXPECTED}");
    // Few values, small ones among them, number something; edges that were smoothed have many.
    const FEW: usize = 16;
    let distinct: BTreeSet<u8> = values.iter().copied().filter(|value| *value > 0).collect();
    let numbers: Vec<String> = distinct.iter().map(u8::to_string).collect();
    let is_numbered = distinct.len() <= FEW && distinct.first().is_some_and(|least| usize::from(*least) <= FEW);
    ensure!(!is_numbered, "it holds {} beside 0: {EXPECTED}", numbers.join(", "));
    Ok(LIGHT)
}

/// What the pixels of a file show by their values.
pub fn values(file: &Path) -> Result<Vec<u8>> {
    classes_of(pictures::values(file)?)
}

fn classes_of(mask: DynamicImage) -> Result<Vec<u8>> {
    match mask {
        DynamicImage::ImageLuma8(values) => Ok(values.into_raw()),
        mask @ (DynamicImage::ImageRgb8(_) | DynamicImage::ImageRgba8(_)) => coloured(&mask),
        mask => bail!("it is {:?}, expected 8 bits of grey, or a palette", mask.color()),
    }
}

fn coloured(mask: &DynamicImage) -> Result<Vec<u8>> {
    let classes = palette::classes();
    let value = |colour: [u8; 3]| {
        classes.get(&colour).copied().with_context(|| {
            let [red, green, blue] = colour;
            format!("it has the colour {red}, {green}, {blue}, which is no class's in PASCAL VOC's palette")
        })
    };
    mask.to_rgb8().pixels().map(|pixel| value(pixel.0)).collect()
}
