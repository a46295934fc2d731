use super::Picture;
use anyhow::{Context, Result};
use image::RgbImage;
use image::imageops::{FilterType, crop_imm, resize};

/// The largest part in the middle of a picture that has the shape of `height` x `width`, in that size.
pub fn central(picture: Picture, [height, width]: [u32; 2]) -> Result<RgbImage> {
    let (whole_width, whole_height) = (picture.width as u32, picture.height as u32);
    let fitted = |side: u32, of: u32, to: u32| {
        let exact = u64::from(side) * u64::from(of) + u64::from(to) / 2;
        (exact / u64::from(to)).max(1) as u32
    };
    let is_wide = u64::from(whole_width) * u64::from(height) >= u64::from(whole_height) * u64::from(width);
    let (across, down) = match is_wide {
        true => (fitted(whole_height, width, height).min(whole_width), whole_height),
        false => (whole_width, fitted(whole_width, height, width).min(whole_height)),
    };
    let whole =
        RgbImage::from_raw(whole_width, whole_height, picture.rgb).context("a picture has three values a pixel")?;
    let middle = crop_imm(&whole, (whole_width - across) / 2, (whole_height - down) / 2, across, down).to_image();
    let is_right = (across, down) == (width, height);
    Ok(if is_right { middle } else { resize(&middle, width, height, FilterType::Triangle) })
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
        let corner = |width, height, size| central(picture(width, height), size).unwrap().get_pixel(0, 0).0;
        assert_eq!(corner(10, 4, [4, 4]), [3, 0, 7], "of a wide one both sides are cut off");
        assert_eq!(corner(4, 9, [4, 4]), [0, 2, 7], "of a high one top and bottom");
        assert_eq!(corner(10, 8, [4, 10]), [0, 2, 7]);
        assert_eq!(corner(10, 4, [4, 8]), [1, 0, 7]);
        let smaller = central(picture(20, 10), [5, 5]).unwrap();
        assert_eq!((smaller.width(), smaller.height(), smaller.get_pixel(2, 2).0), (5, 5, [10, 5, 7]));
        assert_eq!(central(picture(1, 9), [2, 8]).unwrap().dimensions(), (8, 2));
    }
}
