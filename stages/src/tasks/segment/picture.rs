//! Masks as people look at them: colours by class, and images with truth and prediction beside each other.

use crate::data::palette::{colour, hex};
use crate::data::{Dataset, coloured};
use crate::metrics::UNKNOWN;
use anyhow::{Context, Result};
use image::imageops::{FilterType, replace, resize};
use image::{Rgb, RgbImage};
use std::fmt::Write;
use std::path::Path;

/// Images side by side, each of them three pictures wide.
const COLUMNS: usize = 2;
/// Side of a picture at least, as far as a whole factor reaches it, and the gap between two.
const SIDE: u32 = 192;
const GAP: u32 = 2;
/// For each row of the data set its image, its mask, and what was `predicted` (masks one after the other), from left to right.
pub fn draw(data: &Dataset, rows: &[usize], predicted: &[u8], file: &Path) -> Result<()> {
    let [height, width] = [data.manifest.height as u32, data.manifest.width as u32];
    let scale = (SIDE / height.max(width)).max(1);
    let [down, across] = [height * scale + GAP, width * scale + GAP];
    let columns = COLUMNS.min(rows.len()) as u32;
    let lines = rows.len().div_ceil(COLUMNS) as u32;
    let mut picture = RgbImage::from_pixel(columns * (3 * across + GAP), lines * down + GAP, Rgb([255; 3]));
    let masks = predicted.chunks_exact((height * width) as usize);
    for ((number, &row), predicted) in rows.iter().enumerate().zip(masks) {
        let truth = data.mask(row).context("the data set has masks")?;
        let [mask, told] = [truth, predicted].map(|mask| painted(mask, [height, width]));
        let (column, line) = ((number % COLUMNS) as u32, (number / COLUMNS) as u32);
        for (place, part) in (0..).zip([coloured(data, row)?, mask, told]) {
            let part = resize(&part, width * scale, height * scale, FilterType::Nearest);
            let left = column * (3 * across + GAP) + place * across + GAP;
            replace(&mut picture, &part, left.into(), (line * down + GAP).into());
        }
    }
    picture.save(file).with_context(|| format!("cannot write {}", file.display()))
}

fn painted(mask: &[u8], [height, width]: [u32; 2]) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| Rgb(colour(mask[(y * width + x) as usize])))
}

/// Which colour is which class, as a scalable picture.
pub fn legend(classes: &[String]) -> String {
    const LINE: usize = 24;
    const LETTER: usize = 9;
    let unknown = "unknown".to_owned();
    let lines: Vec<(u8, &String)> = (0..).zip(classes).chain([(UNKNOWN, &unknown)]).collect();
    let longest = lines.iter().map(|(_, name)| name.chars().count()).max().unwrap_or(0);
    let (width, height) = (3 * LINE + LETTER * longest, LINE * lines.len());
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"14\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (place, (class, name)) in lines.into_iter().enumerate() {
        let (fill, top) = (hex(class), place * LINE);
        let name = name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = writeln!(
            text,
            "<rect x=\"4\" y=\"{}\" width=\"36\" height=\"16\" fill=\"{fill}\"/>\n\
             <text x=\"48\" y=\"{}\">{name}</text>",
            top + 4,
            top + 17
        );
    }
    text + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_legend_names_every_class() {
        let text = legend(&["background".into(), "a < b".into()]);
        assert!(text.contains("#800000\"/>\n<text x=\"48\" y=\"41\">a &lt; b</text>"), "{text}");
        assert_eq!(text.matches("<text").count(), 3);
    }
}
