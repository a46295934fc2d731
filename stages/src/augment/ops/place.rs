//! Operations that move pixels, or take them away.

use crate::augment::Image;
use crate::random::Rng;

/// A rectangle of an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crop {
    pub top: usize,
    pub left: usize,
    pub height: usize,
    pub width: usize,
}

pub fn horizontal_flip(image: &mut Image) {
    let width = image.width;
    image.data.chunks_mut(width).for_each(<[f32]>::reverse);
}

/// A quarter turn counter-clockwise.
pub fn rot90(image: &Image) -> Image {
    let mut turned = Image::black(image.width, image.height);
    for (from, to) in image.planes().into_iter().zip(turned.planes_mut()) {
        for (y, row) in to.chunks_mut(image.height).enumerate() {
            for (x, value) in row.iter_mut().enumerate() {
                *value = from[x * image.width + (image.width - 1 - y)];
            }
        }
    }
    turned
}

/// Shifts the image by (`down`, `right`) pixels; what comes in from outside is black.
pub fn shift(image: &mut Image, down: isize, right: isize) {
    let (height, width) = (image.height, image.width);
    let columns = width.saturating_sub(right.unsigned_abs());
    let (to, from) = if right > 0 { (width - columns, 0) } else { (0, width - columns) };
    for plane in image.planes_mut() {
        let mut move_row = |y: usize| {
            let row = y * width..(y + 1) * width;
            match y.checked_add_signed(-down).filter(|&source| source < height) {
                Some(source) => {
                    plane.copy_within(source * width + from..source * width + from + columns, y * width + to);
                    plane[row.start..row.start + to].fill(0.0);
                    plane[row.start + to + columns..row.end].fill(0.0);
                }
                None => plane[row].fill(0.0),
            }
        };
        // Rows that others still come from are written last.
        if down > 0 { (0..height).rev().for_each(&mut move_row) } else { (0..height).for_each(&mut move_row) }
    }
}

/// Fills a rectangle with noise, uniform in [0, 1).
pub fn erase(image: &mut Image, area: Crop, rng: &mut Rng) {
    let width = image.width;
    for plane in image.planes_mut() {
        for row in plane.chunks_mut(width).skip(area.top).take(area.height) {
            row[area.left..area.left + area.width].fill_with(|| rng.uniform());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_moves_and_blackens() {
        let numbered = Image { height: 3, width: 4, data: (1..=36).map(|v| v as f32).collect() };
        for (down, right) in [(0, 0), (1, -1), (-1, 2), (2, 3), (-2, 0), (3, 0), (0, -5)] {
            let mut moved = numbered.clone();
            shift(&mut moved, down, right);
            for (from, to) in numbered.planes().into_iter().zip(moved.planes()) {
                for (y, x) in (0..3).flat_map(|y| (0..4).map(move |x| (y, x))) {
                    let (source_y, source_x) = (y - down, x - right);
                    let inside = (0..3).contains(&source_y) && (0..4).contains(&source_x);
                    let expected = if inside { from[(source_y * 4 + source_x) as usize] } else { 0.0 };
                    assert_eq!(to[(y * 4 + x) as usize], expected, "({down}, {right}) at ({y}, {x})");
                }
            }
        }
    }
}
