//! Scenes with what was found on them, missed and invented.

use crate::data::{Dataset, Manifest, coloured};
use crate::metrics::detection::{Found, Scene, iou, outcome};
use anyhow::{Context, Result};
use image::imageops::{FilterType, replace, resize};
use image::{Rgb, RgbImage};
use std::path::Path;

const COLUMNS: u32 = 4;
const SCENES: usize = 16;
/// A scene is enlarged by a whole number, to this width about.
const WIDTH: u32 = 288;
const GAP: u32 = 4;
const LINE: i64 = 2;
/// An overlap from which a box is where an object is.
const HALF: f64 = 0.5;

/// Colours that are told apart by those who see no red or no green too (Okabe & Ito); the stage's documentation names them.
const RIGHT: Rgb<u8> = Rgb([86, 180, 233]);
const INVENTED: Rgb<u8> = Rgb([213, 94, 0]);
const OTHERWISE: Rgb<u8> = Rgb([204, 121, 167]);
const MISSED: Rgb<u8> = Rgb([240, 228, 66]);

/// Draws the first scenes, rows of the data set. What is less sure than `least` is left out.
pub fn draw(data: &Dataset, rows: &[usize], scenes: &[Scene], least: f64, file: &Path) -> Result<()> {
    let Manifest { height, width, .. } = data.manifest;
    let times = (WIDTH / width as u32).max(1);
    let [tile_width, tile_height] = [width, height].map(|side| side as u32 * times + GAP);
    let count = rows.len().min(SCENES) as u32;
    let size = [count.min(COLUMNS) * tile_width + GAP, count.div_ceil(COLUMNS) * tile_height + GAP];
    let mut picture = RgbImage::from_pixel(size[0], size[1], Rgb([255; 3]));
    for (number, (&row, scene)) in (0..count).zip(rows.iter().zip(scenes)) {
        let [left, top] = [number % COLUMNS * tile_width + GAP, number / COLUMNS * tile_height + GAP];
        replace(&mut picture, &with_boxes(data, row, scene, least, times)?, left.into(), top.into());
    }
    picture.save(file).with_context(|| format!("cannot write {}", file.display()))
}

fn with_boxes(data: &Dataset, row: usize, scene: &Scene, least: f64, times: u32) -> Result<RgbImage> {
    let image = coloured(data, row)?;
    let mut tile = resize(&image, image.width() * times, image.height() * times, FilterType::Triangle);
    let found = outcome(scene, least);
    let missed = found.missed.iter().map(|truth| (truth.edges, MISSED));
    let is_other = |found: &Found| {
        scene.truths.iter().any(|truth| truth.class != found.class && iou(&truth.edges, &found.edges) >= HALF)
    };
    let wrong = |found: &Found| if is_other(found) { OTHERWISE } else { INVENTED };
    let invented = found.invented.iter().map(|found| (found.edges, wrong(found)));
    for (edges, colour) in missed.chain(invented).chain(found.right.iter().map(|found| (found.edges, RIGHT))) {
        frame(&mut tile, edges.map(|edge| (edge * f64::from(times)).round() as i64), colour);
    }
    Ok(tile)
}

/// The inner border of a box, as far as it is in the picture.
fn frame(picture: &mut RgbImage, [left, top, right, bottom]: [i64; 4], colour: Rgb<u8>) {
    let [width, height] = [picture.width(), picture.height()].map(i64::from);
    for y in top.max(0)..bottom.min(height) {
        for x in left.max(0)..right.min(width) {
            if (x - left).min(right - 1 - x).min(y - top).min(bottom - 1 - y) < LINE {
                picture.put_pixel(x as u32, y as u32, colour);
            }
        }
    }
}
