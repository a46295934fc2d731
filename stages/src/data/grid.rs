use anyhow::{Context, Result};
use image::imageops::{FilterType, replace, resize};
use image::{Rgb, RgbImage};
use std::path::Path;

/// Side of a picture at least, as far as a whole factor reaches it, and the gap between two.
const SIDE: u32 = 64;
const GAP: u32 = 2;

/// Pictures of one size in rows, small ones enlarged.
pub fn draw_grid(rows: &[Vec<RgbImage>], file: &Path) -> Result<()> {
    let Some(first) = rows.iter().flatten().next() else { return Ok(()) };
    let (width, height) = first.dimensions();
    let scale = (SIDE / width.max(height)).max(1);
    let [across, down] = [width * scale + GAP, height * scale + GAP];
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0) as u32;
    let mut picture = RgbImage::from_pixel(columns * across + GAP, rows.len() as u32 * down + GAP, Rgb([255; 3]));
    for (y, row) in (0..).zip(rows) {
        for (x, part) in (0..).zip(row) {
            let part = resize(part, width * scale, height * scale, FilterType::Nearest);
            replace(&mut picture, &part, (x * across + GAP).into(), (y * down + GAP).into());
        }
    }
    picture.save(file).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pictures_are_enlarged_by_a_whole_factor_and_lie_in_rows() {
        let of = |shade: u8| RgbImage::from_pixel(20, 10, Rgb([shade; 3]));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("grid.png");
        draw_grid(&[vec![of(10), of(20)], vec![of(30)]], &file).unwrap();
        let made = image::open(&file).unwrap().into_rgb8();
        // Three times as large, with gaps of 2.
        assert_eq!(made.dimensions(), (2 * 62 + 2, 2 * 32 + 2));
        let shade = |x, y| made.get_pixel(x, y)[0];
        assert_eq!([shade(2, 2), shade(61, 31), shade(64, 2), shade(2, 34)], [10, 10, 20, 30]);
        assert_eq!([shade(62, 2), shade(64, 34)], [255, 255]);
    }
}
