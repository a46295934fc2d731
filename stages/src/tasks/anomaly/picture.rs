//! Maps as colours over the images that they are of.

use crate::data::{Dataset, Split, coloured, samples};
use crate::metrics::UNKNOWN;
use anyhow::{Context, Result};
use image::imageops::{FilterType, resize};
use image::{Rgb, RgbImage};
use std::path::Path;

/// Test images in the picture, of which the smaller part is normal.
const NORMAL: usize = 4;
const ANOMALOUS: usize = 12;
/// Side of an image at least, as far as a whole factor reaches it.
const SIDE: u32 = 96;

/// The places in the test split of the images that are shown: the first anomalous ones, and then the first normal ones.
pub fn heat_rows(is_anomalous: &[bool]) -> Vec<usize> {
    let first = |wanted: bool, count: usize| {
        (0..is_anomalous.len()).filter(move |&place| is_anomalous[place] == wanted).take(count)
    };
    first(true, ANOMALOUS).chain(first(false, NORMAL)).collect()
}

/// For each place in the test split its image, its map over it, and its mask where there is one, from left to right. `maps`:
/// `[image, height, width]` of the whole split, of which the least value is blue and the largest red.
pub fn heat_maps(data: &Dataset, places: &[usize], maps: &[f32], file: &Path) -> Result<()> {
    let [height, width] = [data.manifest.height as u32, data.manifest.width as u32];
    let scale = (SIDE / height.max(width)).max(1);
    let (low, high) = maps.iter().fold((f32::MAX, f32::MIN), |(low, high), &value| (low.min(value), high.max(value)));
    let first = data.rows(Split::Test).start;
    let row = |&place: &usize| -> Result<Vec<RgbImage>> {
        let image = coloured(data, first + place)?;
        let map = &maps[place * (height * width) as usize..][..(height * width) as usize];
        let share = |value: f32| if high > low { (value - low) / (high - low) } else { 0.0 };
        let over = RgbImage::from_fn(width, height, |x, y| {
            let (own, heat) = (image.get_pixel(x, y).0, heat(share(map[(y * width + x) as usize])));
            Rgb(std::array::from_fn(|channel| own[channel] / 2 + heat[channel] / 2))
        });
        let mask = data.mask(first + place).map(|mask| painted(mask, [height, width]));
        let tiles = [Some(image), Some(over), mask].into_iter().flatten();
        Ok(tiles.map(|tile| resize(&tile, width * scale, height * scale, FilterType::Nearest)).collect())
    };
    let rows: Result<Vec<Vec<RgbImage>>> = places.iter().map(row).collect();
    // Two images side by side.
    let rows: Vec<Vec<RgbImage>> = rows?.chunks(2).map(<[_]>::concat).collect();
    samples::sheet(&rows, [height * scale, width * scale])
        .save(file)
        .with_context(|| format!("cannot write {}", file.display()))
}

/// Blue, green, yellow, red from 0 to 1.
fn heat(share: f32) -> [u8; 3] {
    const STOPS: [[f32; 3]; 4] = [[0.0, 0.0, 160.0], [0.0, 200.0, 120.0], [255.0, 230.0, 0.0], [220.0, 0.0, 0.0]];
    let place = share.clamp(0.0, 1.0) * (STOPS.len() - 1) as f32;
    let before = (place as usize).min(STOPS.len() - 2);
    let part = place - before as f32;
    std::array::from_fn(|channel| (STOPS[before][channel] * (1.0 - part) + STOPS[before + 1][channel] * part) as u8)
}

/// White where something is wrong, grey where nobody knows.
fn painted(mask: &[u8], [height, width]: [u32; 2]) -> RgbImage {
    let light = |shown: u8| match shown {
        0 => 0,
        UNKNOWN => 128,
        _ => 255,
    };
    RgbImage::from_fn(width, height, |x, y| Rgb([light(mask[(y * width + x) as usize]); 3]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anomalous_images_come_before_normal_ones() {
        let is_anomalous: Vec<bool> = (0..40).map(|place| place % 2 == 1).collect();
        let rows = heat_rows(&is_anomalous);
        assert_eq!(rows, [1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 0, 2, 4, 6]);
    }

    #[test]
    fn colours_go_from_blue_to_red() {
        assert_eq!([0.0, 1.0, 2.0].map(heat), [[0, 0, 160], [220, 0, 0], [220, 0, 0]]);
    }
}
