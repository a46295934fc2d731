//! Rotation and shear: each pixel of the result is the nearest of the source; what comes in from outside is black.

use crate::augment::{Affine, Image, scratch};

/// Turns counter-clockwise about the centre. Returns the map that leads back.
pub fn rotate(image: &mut Image, degrees: f32) -> Affine {
    let (sin, cos) = f64::from(degrees).to_radians().sin_cos();
    let centre = [image.width as f64 / 2.0, image.height as f64 / 2.0];
    sample(image, [[cos, -sin], [sin, cos]], centre)
}

/// Slants by `right` pixels to the left for each row downwards, and by `down` pixels upwards for each column, from the
/// upper left corner: AutoAugment's shear. Returns the map that leads back.
pub fn shear(image: &mut Image, right: f32, down: f32) -> Affine {
    sample(image, [[1.0, f64::from(right)], [f64::from(down), 1.0]], [0.0; 2])
}

/// `back` leads from a pixel's distance (x, y) to `centre` to its source's.
fn sample(image: &mut Image, back: [[f64; 2]; 2], centre: [f64; 2]) -> Affine {
    let (height, width) = (image.height, image.width);
    scratch::with(image.data.len(), |source| {
        source.copy_from_slice(&image.data);
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let from = [x as f64 + 0.5 - centre[0], y as f64 + 0.5 - centre[1]];
            let [column, row] = [0, 1].map(|i| {
                let place = back[i][0] * from[0] + back[i][1] * from[1] + centre[i] - 0.5;
                place.round_ties_even()
            });
            let inside = (0.0..width as f64).contains(&column) && (0.0..height as f64).contains(&row);
            for channel in 0..3 {
                let plane = channel * height * width;
                let value = if inside { source[plane + row as usize * width + column as usize] } else { 0.0 };
                image.data[plane + y * width + x] = value;
            }
        }
    });
    let shift = |i: usize| centre[i] - back[i][0] * centre[0] - back[i][1] * centre[1];
    Affine([0, 1].map(|i| [back[i][0], back[i][1], shift(i)]))
}
