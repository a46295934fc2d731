//! Blurring and sharpening.

use crate::augment::sum_of_rows::sum_of_rows;
use crate::augment::vectorised::{unit, vectorised};
use crate::augment::{Image, scratch};

/// Gaussian blur of `kernel` taps (odd), edges reflected without repeating the edge pixel.
pub fn gaussian_blur(image: &mut Image, kernel: usize, sigma: f32) {
    let half = (kernel / 2) as isize;
    scratch::with(kernel, |weights| {
        for (weight, i) in weights.iter_mut().zip(-half..=half) {
            *weight = (-0.5 * (i as f32 / sigma).powi(2)).exp();
        }
        let total: f32 = weights.iter().sum();
        weights.iter_mut().for_each(|weight| *weight /= total);
        let (rows, columns) = (image.height + kernel - 1, image.width + kernel - 1);
        scratch::with(columns, |row| {
            scratch::with(rows * image.width, |across| blur(image, weights, row, across));
        });
    });
}

vectorised! {
    /// `row` and `across` hold a row of an image and an image that are longer by the kernel.
    fn blur(image: &mut Image, weights: &[f32], row: &mut [f32], across: &mut [f32]) {
        let (height, width, half) = (image.height, image.width, weights.len() / 2);
        for plane in image.planes_mut() {
            for (from, to) in plane.chunks(width).zip(across[half * width..].chunks_mut(width)) {
                row[half..half + width].copy_from_slice(from);
                for (i, value) in row.iter_mut().enumerate().take(half) {
                    *value = from[reflect(i as isize - half as isize, width)];
                }
                for (i, value) in row.iter_mut().enumerate().skip(half + width) {
                    *value = from[reflect(i as isize - half as isize, width)];
                }
                sum_of_rows(to, weights, |tap| &row[tap..]);
            }
            for y in (0..half).chain(half + height..height + 2 * half) {
                let from = half + reflect(y as isize - half as isize, height);
                across.copy_within(from * width..(from + 1) * width, y * width);
            }
            for (y, to) in plane.chunks_mut(width).enumerate() {
                sum_of_rows(to, weights, |tap| &across[(y + tap) * width..]);
            }
        }
    }
}

fn reflect(index: isize, size: usize) -> usize {
    let last = size as isize - 1;
    let mut i = index;
    while last > 0 && (i < 0 || i > last) {
        i = if i < 0 { -i } else { 2 * last - i };
    }
    i.clamp(0, last) as usize
}

/// Blends with a mean of each pixel's neighbourhood (3 x 3, of which the pixel itself counts five times); 0 blurs, 1
/// changes nothing. Pixels at the edge stay.
pub fn sharpness(image: &mut Image, factor: f32) {
    scratch::with(image.height * image.width, |plane| sharpen(image, factor, plane));
}

vectorised! {
    fn sharpen(image: &mut Image, factor: f32, copy: &mut [f32]) {
        let (height, width) = (image.height, image.width);
        for plane in image.planes_mut() {
            copy.copy_from_slice(plane);
            for y in 1..height.saturating_sub(1) {
                let [above, here, below] = [y - 1, y, y + 1].map(|y| &copy[y * width..(y + 1) * width]);
                let to = &mut plane[y * width..(y + 1) * width];
                for x in 1..width.saturating_sub(1) {
                    let column = |x: usize| above[x] + here[x] + below[x];
                    let mean = (column(x - 1) + column(x) + column(x + 1) + 4.0 * here[x]) / 13.0;
                    to[x] = here[x] + (1.0 - factor) * (mean - here[x]);
                }
            }
            for value in plane {
                *value = unit(*value);
            }
        }
    }
}
