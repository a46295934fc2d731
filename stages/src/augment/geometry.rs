//! Where a picture's places have gone in a view, so that masks and boxes go with them.

use super::ops::{Crop, Size};
use crate::data::Region;
use crate::metrics::UNKNOWN;

/// What a mask says of a place that is not in the picture: nothing is known of it, and no loss counts it.
pub const OUTSIDE: u8 = UNKNOWN;

/// An affine map of places, x to the right and y down in pixels, where a pixel's centre lies at a half.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Affine(pub [[f64; 3]; 2]);

impl Affine {
    pub const NONE: Self = Self([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);

    pub fn of(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        self.0.map(|[of_x, of_y, shift]| of_x * x + of_y * y + shift)
    }

    /// Of one that leaves no area empty.
    fn inverse(&self) -> Self {
        let [[a, b, c], [d, e, f]] = self.0;
        let determinant = a * e - b * d;
        let [a, b, d, e] = [e, -b, -d, a].map(|value| value / determinant);
        Self([[a, b, -(a * c + b * f)], [d, e, -(d * c + e * f)]])
    }
}

/// What has been done to a picture, step by step: at each, what lay outside was lost.
#[derive(Debug, Clone, PartialEq)]
pub struct Geometry {
    picture: Size,
    /// Where the places have gone, and the size that the picture then had.
    steps: Vec<(Affine, Size)>,
}

impl Geometry {
    /// Of a picture as it is.
    pub fn none(picture: Size) -> Self {
        Self { picture, steps: vec![] }
    }

    /// Of the view.
    fn size(&self) -> Size {
        self.steps.last().map_or(self.picture, |(_, size)| *size)
    }

    fn go(&mut self, by: Affine) {
        self.steps.push((by, self.size()));
    }

    /// `crop` became a view of a size.
    pub fn crop(&mut self, crop: Crop, to: Size) {
        let [x, y] = [to.width as f64 / crop.width as f64, to.height as f64 / crop.height as f64];
        self.steps.push((Affine([[x, 0.0, -x * crop.left as f64], [0.0, y, -y * crop.top as f64]]), to));
    }

    pub fn flip(&mut self) {
        self.go(Affine([[-1.0, 0.0, self.size().width as f64], [0.0, 1.0, 0.0]]));
    }

    pub fn shift(&mut self, down: isize, right: isize) {
        self.go(Affine([[1.0, 0.0, right as f64], [0.0, 1.0, down as f64]]));
    }

    /// `back` leads from places to where they came from.
    pub fn by_inverse(&mut self, back: Affine) {
        self.go(back.inverse());
    }

    /// A mask `[height, width]` of the picture as one of the view, each place what is nearest to it in the picture.
    pub fn mask(&self, mask: &[u8]) -> Vec<u8> {
        let sizes = std::iter::once(self.picture).chain(self.steps.iter().map(|(_, size)| *size));
        let mut back: Vec<(Affine, Size)> =
            self.steps.iter().zip(sizes).map(|((by, _), before)| (by.inverse(), before)).collect();
        back.reverse();
        let Size { height, width } = self.size();
        let places = (0..height).flat_map(|y| (0..width).map(move |x| [x as f64 + 0.5, y as f64 + 0.5]));
        let at = |place: [f64; 2]| {
            let from = back.iter().try_fold(place, |place, (by, size)| Some(by.of(place)).filter(|&at| size.holds(at)));
            from.map_or(OUTSIDE, |[x, y]| mask[y as usize * self.picture.width + x as usize])
        };
        places.map(at).collect()
    }

    /// Boxes in the picture as boxes in the view: after each step the upright one around where the corners have gone, as far as it is
    /// inside (as torchvision's transforms).
    pub fn boxes(&self, regions: &[Region]) -> Vec<Region> {
        let moved = |region: &Region| {
            let step = |region: Region, (by, size): &(Affine, Size)| {
                Some(Region { edges: around(region.edges, by, *size), ..region }).filter(Region::is_seen)
            };
            self.steps.iter().try_fold(*region, step).filter(Region::is_seen)
        };
        regions.iter().filter_map(moved).collect()
    }
}

/// The part inside a picture of the upright box around where a box has gone.
fn around(edges: [f32; 4], by: &Affine, size: Size) -> [f32; 4] {
    let [left, top, right, bottom] = edges.map(f64::from);
    let corners = [[left, top], [right, top], [left, bottom], [right, bottom]].map(|corner| by.of(corner));
    let [[left, right], [top, bottom]] = [(0, size.width), (1, size.height)].map(|(axis, most)| {
        let values = corners.map(|corner| corner[axis]);
        let ends = [values.iter().copied().fold(f64::INFINITY, f64::min), values.iter().copied().fold(0.0, f64::max)];
        ends.map(|end| end.clamp(0.0, most as f64) as f32)
    });
    [left, top, right, bottom]
}

#[cfg(test)]
mod tests;
