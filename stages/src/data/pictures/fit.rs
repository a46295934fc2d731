use super::Picture;
use crate::metrics::UNKNOWN;
use anyhow::{Context, Result};
use image::RgbImage;
use image::imageops::{FilterType, crop_imm, replace, resize};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a picture of any shape becomes an image of a given one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// The largest part in its middle.
    Crop,
    /// All of it, with black on two sides.
    Pad,
    /// All of it, with height and width scaled by themselves.
    Stretch,
}

/// Where a picture's pixels go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// What of the picture is used: top, left, height and width.
    pub part: [u32; 4],
    /// Height and width that this gets.
    pub inside: [u32; 2],
    /// Where in the image it then lies: top and left.
    pub at: [u32; 2],
}

impl Placement {
    /// Of a mask that is `width` pixels wide one of `side` x `side`: each place as what is nearest to it in the picture.
    pub fn mask(self, mask: &[u8], width: u32, side: u32) -> Vec<u8> {
        let Self { part, inside, at } = self;
        // Of each row or column the picture's.
        let from = |axis: usize| -> Vec<Option<usize>> {
            let [start, length] = [part[axis], part[axis + 2]];
            let back = |place: u32| {
                let within = place.checked_sub(at[axis]).filter(|&within| within < inside[axis])?;
                let middle = (f64::from(within) + 0.5) * f64::from(length) / f64::from(inside[axis]);
                Some((f64::from(start) + middle) as usize)
            };
            (0..side).map(back).collect()
        };
        let (rows, columns) = (from(0), from(1));
        let at = |(row, column): (Option<usize>, Option<usize>)| match (row, column) {
            (Some(row), Some(column)) => mask[row * width as usize + column],
            _ => UNKNOWN,
        };
        rows.iter().flat_map(|&row| columns.iter().map(move |&column| at((row, column)))).collect()
    }

    /// Has each place of a mask of `side` x `side` say what object of the picture's mask, `width` pixels wide, touches it, of several the
    /// last.
    pub fn touch(self, mask: &[u8], width: u32, side: u32, placed: &mut [u8]) {
        let Self { part, inside, at } = self;
        let to = |axis: usize, place: u32| {
            let within = place.checked_sub(part[axis]).filter(|&within| within < part[axis + 2])?;
            Some(at[axis] + (u64::from(within) * u64::from(inside[axis]) / u64::from(part[axis + 2])) as u32)
        };
        let objects = mask.iter().enumerate().filter(|(_, shown)| ![0, UNKNOWN].contains(*shown));
        for (place, &shown) in objects {
            let (row, column) = (place as u32 / width, place as u32 % width);
            if let (Some(row), Some(column)) = (to(0, row), to(1, column)) {
                placed[(row * side + column) as usize] = shown;
            }
        }
    }
}

impl Fit {
    /// `height` x `width` pixels, bilinear, antialiased.
    pub fn apply(self, picture: Picture, [height, width]: [u32; 2]) -> Result<RgbImage> {
        let (across, down) = (picture.width as u32, picture.height as u32);
        let whole = RgbImage::from_raw(across, down, picture.rgb).context("a picture has three values a pixel")?;
        let Placement { part, inside, at } = self.placement([down, across], [height, width]);
        let [top, left, part_height, part_width] = part;
        let part = match part == [0, 0, down, across] {
            true => whole,
            false => crop_imm(&whole, left, top, part_width, part_height).to_image(),
        };
        let part = scaled(part, inside);
        if inside == [height, width] {
            return Ok(part);
        }
        let mut padded = RgbImage::new(width, height);
        let [top, left] = at;
        replace(&mut padded, &part, left.into(), top.into());
        Ok(padded)
    }

    /// Of a picture of `down` x `across` pixels in an image of `height` x `width`.
    pub fn placement(self, [down, across]: [u32; 2], [height, width]: [u32; 2]) -> Placement {
        let is_wide = u64::from(across) * u64::from(height) >= u64::from(down) * u64::from(width);
        let whole = Placement { part: [0, 0, down, across], inside: [height, width], at: [0, 0] };
        match self {
            Self::Stretch => whole,
            Self::Crop => {
                let (part_width, part_height) = match is_wide {
                    true => (fitted(down, width, height).min(across), down),
                    false => (across, fitted(across, height, width).min(down)),
                };
                let [top, left] = [(down - part_height) / 2, (across - part_width) / 2];
                Placement { part: [top, left, part_height, part_width], ..whole }
            }
            Self::Pad => {
                let inside = if is_wide {
                    [fitted(down, width, across).min(height), width]
                } else {
                    [height, fitted(across, height, down).min(width)]
                };
                Placement { inside, at: [(height - inside[0]) / 2, (width - inside[1]) / 2], ..whole }
            }
        }
    }
}

/// `side` times `of / to`, rounded, and 1 at least.
fn fitted(side: u32, of: u32, to: u32) -> u32 {
    let exact = u64::from(side) * u64::from(of) + u64::from(to) / 2;
    (exact / u64::from(to)).max(1) as u32
}

fn scaled(whole: RgbImage, [height, width]: [u32; 2]) -> RgbImage {
    if whole.dimensions() == (width, height) { whole } else { resize(&whole, width, height, FilterType::Triangle) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A picture whose pixels say where they are.
    fn picture(width: usize, height: usize) -> Picture {
        let rgb = (0..height).flat_map(|y| (0..width).flat_map(move |x| [x as u8, y as u8, 7])).collect();
        Picture { height, width, rgb, is_turned: false }
    }

    #[test]
    fn the_middle_of_a_picture_has_the_shape_that_is_asked_for() {
        let corner = |width, height, size| Fit::Crop.apply(picture(width, height), size).unwrap().get_pixel(0, 0).0;
        assert_eq!(corner(10, 4, [4, 4]), [3, 0, 7], "of a wide one both sides are cut off");
        assert_eq!(corner(4, 9, [4, 4]), [0, 2, 7], "of a high one top and bottom");
        assert_eq!(corner(10, 8, [4, 10]), [0, 2, 7]);
        assert_eq!(corner(10, 4, [4, 8]), [1, 0, 7]);
        let smaller = Fit::Crop.apply(picture(20, 10), [5, 5]).unwrap();
        assert_eq!((smaller.width(), smaller.height(), smaller.get_pixel(2, 2).0), (5, 5, [10, 5, 7]));
        assert_eq!(Fit::Crop.apply(picture(1, 9), [2, 8]).unwrap().dimensions(), (8, 2));
    }

    #[test]
    fn all_of_a_picture_is_padded_or_stretched() {
        let padded = Fit::Pad.apply(picture(20, 10), [8, 8]).unwrap();
        let rows = |y: u32| (0..8).map(|x| padded.get_pixel(x, y).0[2]).collect::<Vec<_>>();
        assert_eq!([0, 1, 2, 5, 6, 7].map(|y| rows(y) == [7; 8]), [false, false, true, true, false, false]);
        assert_eq!(rows(0), [0; 8], "black");
        let high = Fit::Pad.apply(picture(3, 12), [8, 8]).unwrap();
        assert_eq!((0..8).filter(|&x| high.get_pixel(x, 4).0[2] == 7).collect::<Vec<_>>(), [3, 4]);
        let stretched = Fit::Stretch.apply(picture(20, 10), [10, 10]).unwrap();
        assert!(stretched.pixels().all(|pixel| pixel.0[2] == 7));
        assert_eq!((stretched.get_pixel(9, 9).0[0], stretched.get_pixel(9, 9).0[1]), (18, 9));
        assert_eq!(Fit::Stretch.apply(picture(4, 4), [4, 4]).unwrap().get_pixel(3, 1).0, [3, 1, 7], "as it is");
    }
}
