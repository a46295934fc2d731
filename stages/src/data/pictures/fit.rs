use super::Picture;
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

impl Fit {
    /// `height` x `width` pixels, bilinear, antialiased.
    pub fn apply(self, picture: Picture, [height, width]: [u32; 2]) -> Result<RgbImage> {
        let (across, down) = (picture.width as u32, picture.height as u32);
        let whole = RgbImage::from_raw(across, down, picture.rgb).context("a picture has three values a pixel")?;
        Ok(match self {
            Self::Crop => central(&whole, [height, width]),
            Self::Stretch => scaled(whole, [height, width]),
            Self::Pad => {
                let is_wide = u64::from(across) * u64::from(height) >= u64::from(down) * u64::from(width);
                let inside = if is_wide {
                    [fitted(down, width, across).min(height), width]
                } else {
                    [height, fitted(across, height, down).min(width)]
                };
                let mut padded = RgbImage::new(width, height);
                let [top, left] = [(height - inside[0]) / 2, (width - inside[1]) / 2];
                replace(&mut padded, &scaled(whole, inside), left.into(), top.into());
                padded
            }
        })
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

/// The largest part in the middle that has the shape of `height` x `width`, in that size.
fn central(whole: &RgbImage, [height, width]: [u32; 2]) -> RgbImage {
    let (whole_width, whole_height) = whole.dimensions();
    let is_wide = u64::from(whole_width) * u64::from(height) >= u64::from(whole_height) * u64::from(width);
    let (across, down) = match is_wide {
        true => (fitted(whole_height, width, height).min(whole_width), whole_height),
        false => (whole_width, fitted(whole_width, height, width).min(whole_height)),
    };
    let middle = crop_imm(whole, (whole_width - across) / 2, (whole_height - down) / 2, across, down).to_image();
    scaled(middle, [height, width])
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
