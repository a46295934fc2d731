//! Image operations, as torchvision.transforms.v2.functional defines them on floats in [0, 1].

use super::Image;

/// Luminance (ITU-R 601), torchvision's rounding of the weights.
fn grey([r, g, b]: [f32; 3]) -> f32 {
    0.2989 * r + 0.587 * g + 0.114 * b
}

/// Multiplies by `factor`, clamped.
pub fn brightness(image: &mut Image, factor: f32) {
    for value in &mut image.data {
        *value = (*value * factor).clamp(0.0, 1.0);
    }
}

/// Blends with the image's mean luminance.
pub fn contrast(image: &mut Image, factor: f32) {
    let sum: f64 = image.pixels_mut().map(|pixel| f64::from(grey(*pixel))).sum();
    let rest = (1.0 - factor) * (sum / (image.height * image.width) as f64) as f32;
    for value in &mut image.data {
        *value = (*value * factor + rest).clamp(0.0, 1.0);
    }
}

/// Blends with each pixel's luminance.
pub fn saturation(image: &mut Image, factor: f32) {
    for pixel in image.pixels_mut() {
        let rest = (1.0 - factor) * grey(*pixel);
        *pixel = pixel.map(|value| (value * factor + rest).clamp(0.0, 1.0));
    }
}

/// Turns the hue by `shift`, in turns of the colour circle, through HSV.
pub fn hue(image: &mut Image, shift: f32) {
    for pixel in image.pixels_mut() {
        *pixel = turn_hue(*pixel, shift);
    }
}

fn turn_hue([r, g, b]: [f32; 3], shift: f32) -> [f32; 3] {
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    let chroma = max - min;
    if chroma <= 0.0 {
        return [r, g, b];
    }
    let sixth = if max == r {
        (g - b) / chroma
    } else if max == g {
        2.0 + (b - r) / chroma
    } else {
        4.0 + (r - g) / chroma
    };
    let turned = (sixth / 6.0 + shift).rem_euclid(1.0) * 6.0;
    // Each channel is max - chroma * clamp(min(k, 4 - k), 0, 1) at its own phase of the circle (Smith 1978).
    let channel = |phase: f32| {
        let k = (phase + turned) % 6.0;
        max - chroma * k.min(4.0 - k).clamp(0.0, 1.0)
    };
    [channel(5.0), channel(3.0), channel(1.0)]
}

pub fn grayscale(image: &mut Image) {
    for pixel in image.pixels_mut() {
        *pixel = [grey(*pixel); 3];
    }
}

/// Inverts what is at least `threshold`.
pub fn solarize(image: &mut Image, threshold: f32) {
    for value in &mut image.data {
        if *value >= threshold {
            *value = 1.0 - *value;
        }
    }
}

pub fn horizontal_flip(image: &mut Image) {
    let width = image.width;
    for y in 0..image.height {
        let (pixels, _) = image.row_mut(y).as_chunks_mut::<3>();
        pixels[..width].reverse();
    }
}

/// A quarter turn counter-clockwise.
pub fn rot90(image: &Image) -> Image {
    let mut turned = Image::black(image.width, image.height);
    for y in 0..turned.height {
        for x in 0..turned.width {
            let from = (x * image.width + (image.width - 1 - y)) * 3;
            let to = (y * turned.width + x) * 3;
            turned.data[to..to + 3].copy_from_slice(&image.data[from..from + 3]);
        }
    }
    turned
}

/// Gaussian blur of `kernel` taps (odd), edges reflected without repeating the edge pixel.
pub fn gaussian_blur(image: &mut Image, kernel: usize, sigma: f32) {
    let half = (kernel / 2) as isize;
    let weights: Vec<f32> = (-half..=half).map(|i| (-0.5 * (i as f32 / sigma).powi(2)).exp()).collect();
    let total: f32 = weights.iter().sum();
    let weights: Vec<f32> = weights.iter().map(|w| w / total).collect();
    let mut across = Image::black(image.height, image.width);
    for y in 0..image.height {
        for x in 0..image.width {
            for (tap, weight) in weights.iter().enumerate() {
                let from = reflect(x as isize + tap as isize - half, image.width) * 3;
                for c in 0..3 {
                    across.row_mut(y)[x * 3 + c] += weight * image.row(y)[from + c];
                }
            }
        }
    }
    image.data.fill(0.0);
    for y in 0..image.height {
        for (tap, weight) in weights.iter().enumerate() {
            let from = across.row(reflect(y as isize + tap as isize - half, across.height));
            for (value, source) in image.row_mut(y).iter_mut().zip(from) {
                *value += weight * source;
            }
        }
    }
}

fn reflect(index: isize, size: usize) -> usize {
    let last = size as isize - 1;
    let mut i = index;
    while i < 0 || i > last {
        i = if i < 0 { -i } else { 2 * last - i };
    }
    i as usize
}

/// A rectangle of an image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crop {
    pub top: usize,
    pub left: usize,
    pub height: usize,
    pub width: usize,
}

/// Cuts out `crop` and scales it to `size` x `size`: bilinear with antialiasing, as PIL's.
pub fn resized_crop(image: &Image, crop: Crop, size: usize) -> Image {
    let (columns, rows) = (taps(crop.width, size), taps(crop.height, size));
    // Across first: rows of the crop, columns of the result.
    let mut across = Image::black(crop.height, size);
    for y in 0..crop.height {
        let source = &image.row(crop.top + y)[crop.left * 3..(crop.left + crop.width) * 3];
        for (pixel, taps) in across.row_mut(y).as_chunks_mut::<3>().0.iter_mut().zip(&columns) {
            for (weight, from) in taps.weights.iter().zip(source[taps.first * 3..].as_chunks::<3>().0) {
                for c in 0..3 {
                    pixel[c] += weight * from[c];
                }
            }
        }
    }
    let mut result = Image::black(size, size);
    for (y, taps) in rows.iter().enumerate() {
        for (i, weight) in taps.weights.iter().enumerate() {
            for (value, source) in result.row_mut(y).iter_mut().zip(across.row(taps.first + i)) {
                *value += weight * source;
            }
        }
    }
    result
}

/// Which source positions one result position is made of.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

/// A triangle filter, widened when scaling down.
fn taps(from: usize, to: usize) -> Vec<Taps> {
    let scale = from as f32 / to as f32;
    let support = scale.max(1.0);
    (0..to)
        .map(|i| {
            let centre = scale * (i as f32 + 0.5);
            let first = ((centre - support + 0.5) as isize).max(0) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            let weights: Vec<f32> =
                (first..end).map(|x| (1.0 - ((x as f32 - centre + 0.5) / support).abs()).max(0.0)).collect();
            let total: f32 = weights.iter().sum();
            Taps { first, weights: weights.iter().map(|w| w / total).collect() }
        })
        .collect()
}

pub fn resize(image: &Image, size: usize) -> Image {
    resized_crop(image, Crop { top: 0, left: 0, height: image.height, width: image.width }, size)
}

/// Shifts the image by (`down`, `right`) pixels; what comes in from outside is black.
pub fn shift(image: &Image, down: isize, right: isize) -> Image {
    let mut shifted = Image::black(image.height, image.width);
    for y in 0..image.height {
        let from = y as isize - down;
        if !(0..image.height as isize).contains(&from) {
            continue;
        }
        for x in 0..image.width {
            let source = x as isize - right;
            if (0..image.width as isize).contains(&source) {
                let (to, source) = (x * 3, source as usize * 3);
                shifted.row_mut(y)[to..to + 3].copy_from_slice(&image.row(from as usize)[source..source + 3]);
            }
        }
    }
    shifted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_moves_and_blackens() {
        let mut image = Image::black(3, 3);
        image.row_mut(1)[3..6].copy_from_slice(&[0.1, 0.2, 0.3]);
        let moved = shift(&image, 1, -1);
        assert_eq!(moved.row(2)[..3], [0.1, 0.2, 0.3]);
        assert_eq!(moved.data.iter().filter(|&&v| v != 0.0).count(), 3);
    }
}
