//! A volume of a body as images: which of its voxels make a slice, and how that becomes an image of a data set's size.

use super::pictures::{Fit, Picture};
use anyhow::{Context as _, Result};
use image::GrayImage;
use image::imageops::{FilterType, resize};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Along which slices follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Axis {
    /// From below to above.
    Axial,
    /// From back to front.
    Coronal,
    /// From left to right.
    Sagittal,
}

impl Axis {
    /// Its number among right, anterior and superior.
    pub fn number(self) -> usize {
        match self {
            Self::Sagittal => 0,
            Self::Coronal => 1,
            Self::Axial => 2,
        }
    }

    /// What is to the right and what is upwards in a slice, as those numbers: the person's left is left, and of a sagittal slice the back.
    fn across_and_up(self) -> [usize; 2] {
        match self {
            Self::Axial => [0, 1],
            Self::Coronal => [0, 2],
            Self::Sagittal => [1, 2],
        }
    }
}

/// How the slices of a volume lie in it.
#[derive(Debug, Clone, Copy)]
pub struct Slices {
    pub axis: Axis,
    /// Voxels to the right, to the front and upwards; the last lie furthest apart in memory.
    pub shape: [usize; 3],
    /// Millimetres between them.
    pub spacing: [f32; 3],
}

impl Slices {
    pub fn count(&self) -> usize {
        self.shape[self.axis.number()]
    }

    /// `[height, width]` of a volume's values, from above.
    pub fn slice(&self, values: &[u8], number: usize) -> Vec<u8> {
        let [width, depth, _] = self.shape;
        let steps = [1, width, width * depth];
        let [across, up] = self.axis.across_and_up();
        let start = number * steps[self.axis.number()];
        let row =
            |row: usize| (0..self.shape[across]).map(move |column| start + row * steps[up] + column * steps[across]);
        (0..self.shape[up]).rev().flat_map(row).map(|place| values[place]).collect()
    }

    /// Of a slice the image, `[side, side]`: first with square pixels, then as `fit` says.
    pub fn image(&self, slice: Vec<u8>, fit: Fit, side: u32) -> Result<Vec<u8>> {
        let grey = self.square(slice, FilterType::Triangle)?;
        let (width, height) = (grey.width() as usize, grey.height() as usize);
        let rgb = grey.into_raw().into_iter().flat_map(|value| [value; 3]).collect();
        let image = fit.apply(Picture { height, width, rgb, is_turned: false }, [side; 2])?;
        Ok(image.pixels().map(|pixel| pixel.0[0]).collect())
    }

    /// Of a slice of classes the mask, which lies as the image does.
    pub fn mask(&self, slice: Vec<u8>, fit: Fit, side: u32) -> Result<Vec<u8>> {
        let mask = self.square(slice, FilterType::Nearest)?;
        let placement = fit.placement([mask.height(), mask.width()], [side; 2]);
        Ok(placement.mask(mask.as_raw(), mask.width(), side))
    }

    /// A slice whose pixels are as wide as high: the coarser side has more of them.
    fn square(&self, slice: Vec<u8>, filter: FilterType) -> Result<GrayImage> {
        let [across, up] = self.axis.across_and_up();
        let [width, height] = [across, up].map(|axis| self.shape[axis] as u32);
        let finest = self.spacing[across].min(self.spacing[up]);
        let longer = |axis: usize| (self.shape[axis] as f32 * self.spacing[axis] / finest).round() as u32;
        let grey = GrayImage::from_raw(width, height, slice).context("a slice has its size")?;
        let size = [longer(across), longer(up)];
        Ok(if size == [width, height] { grey } else { resize(&grey, size[0], size[1], filter) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 2 x 3 x 4 voxels, at right x, anterior y, superior z 100 x + 10 y + z.
    fn voxels() -> Vec<u8> {
        (0..24).map(|place| (100 * (place % 2) + 10 * (place / 2 % 3) + place / 6) as u8).collect()
    }

    #[test]
    fn a_slice_lies_as_people_look_at_it() {
        let slice = |axis: Axis, number: usize| {
            let slices = Slices { axis, shape: [2, 3, 4], spacing: [1.0; 3] };
            (slices.count(), slices.slice(&voxels(), number))
        };
        // Front and top are above, left and back to the left.
        assert_eq!(slice(Axis::Axial, 3), (4, vec![23, 123, 13, 113, 3, 103]));
        assert_eq!(slice(Axis::Coronal, 2), (3, vec![23, 123, 22, 122, 21, 121, 20, 120]));
        assert_eq!(slice(Axis::Sagittal, 1), (2, vec![103, 113, 123, 102, 112, 122, 101, 111, 121, 100, 110, 120]));
    }

    /// A mask has the same place as its image, also where voxels are longer than wide.
    #[test]
    fn voxels_that_are_no_cubes_become_square_pixels() {
        let slices = Slices { axis: Axis::Coronal, shape: [4, 1, 2], spacing: [1.0, 1.0, 2.0] };
        let slice = vec![9, 9, 9, 9, 1, 1, 1, 1];
        assert_eq!(slices.mask(slice.clone(), Fit::Pad, 4).unwrap(), [[9; 4], [9; 4], [1; 4], [1; 4]].concat());
        let image = slices.image(slice, Fit::Pad, 4).unwrap();
        assert!(image[..4] == [9; 4] && image[12..] == [1; 4], "{image:?}");
        let flat = Slices { spacing: [1.0; 3], ..slices };
        let [image, mask] =
            [flat.image(vec![9; 8], Fit::Pad, 4), flat.mask(vec![9; 8], Fit::Pad, 4)].map(Result::unwrap);
        assert_eq!(image, [[0; 4], [9; 4], [9; 4], [0; 4]].concat());
        assert_eq!(mask, [[255; 4], [9; 4], [9; 4], [255; 4]].concat(), "nobody knows what is outside");
    }
}
