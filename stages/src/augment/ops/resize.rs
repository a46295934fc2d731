//! Scaling: bilinear with antialiasing, as PIL's.

use super::Crop;
use crate::augment::normalise::Normaliser;
use crate::augment::sum_of_rows::{Sample, sum_of_rows};
use crate::augment::vectorised::vectorised;
use crate::augment::{Image, Rgb8, scratch};
use std::cell::RefCell;

/// What an image is scaled to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub height: usize,
    pub width: usize,
}

impl Size {
    /// Whether a place, x and y, is inside.
    pub fn holds(self, [x, y]: [f64; 2]) -> bool {
        (0.0..self.width as f64).contains(&x) && (0.0..self.height as f64).contains(&y)
    }
}

/// Scales all of `source`.
pub fn resize(source: Rgb8<'_>, size: Size, to: &mut Image) {
    let whole = Crop { top: 0, left: 0, height: source.height, width: source.width };
    resized_crop(source, whole, size, to);
}

/// Cuts out `crop` and scales it, straight from the bytes.
pub fn resized_crop(source: Rgb8<'_>, crop: Crop, size: Size, to: &mut Image) {
    scale(source.bytes, source.width, crop, size, to);
}

/// The same with an image that operations have changed already.
pub fn resized_crop_of(image: &mut Image, crop: Crop, size: Size) {
    scratch::with(image.data.len(), |pixels| {
        Normaliser::NONE.image(image, pixels);
        let width = image.width;
        scale(pixels, width, crop, size, image);
    });
}

/// `pixels` are `[.., width, 3]`.
fn scale<T: Sample>(pixels: &[T], width: usize, crop: Crop, size: Size, to: &mut Image) {
    thread_local! {
        static TAPS: RefCell<[Taps; 2]> = RefCell::default();
    }
    to.resize(size.height, size.width);
    let crop_from = (crop.top * width + crop.left) * 3;
    TAPS.with_borrow_mut(|[rows, columns]| {
        rows.set(crop.height, size.height, T::SCALE);
        columns.set(crop.width, size.width, 1.0);
        // Taps take four numbers at a time, of which the last is the next pixel's.
        scratch::with(crop.width * 3 + 1, |row| scale_rows(&pixels[crop_from..], 3 * width, rows, columns, row, to));
    });
}

vectorised! {
    /// Down first, where a row is summed in one go; then across, from `row` to the three planes.
    fn scale_rows<T: Sample>(
        pixels: &[T],
        stride: usize,
        rows: &Taps,
        columns: &Taps,
        row: &mut [f32],
        to: &mut Image,
    ) {
        let width = to.width;
        let [reds, greens, blues] = to.planes_mut();
        let planes = reds.chunks_mut(width).zip(greens.chunks_mut(width)).zip(blues.chunks_mut(width));
        let last = row.len() - 1;
        row[last] = 0.0;
        for (((reds, greens), blues), (first, weights)) in planes.zip(rows.iter()) {
            sum_of_rows(&mut row[..last], weights, |tap| &pixels[(first + tap) * stride..]);
            // Two taps are all that scaling up needs: unrolled.
            match columns.count {
                2 => across(row, columns, 2, reds, greens, blues),
                3 => across(row, columns, 3, reds, greens, blues),
                count => across(row, columns, count, reds, greens, blues),
            }
        }
    }
}

#[inline(always)]
fn across(row: &[f32], columns: &Taps, count: usize, reds: &mut [f32], greens: &mut [f32], blues: &mut [f32]) {
    let taps = columns.first.iter().zip(columns.weights.chunks_exact(count));
    for ((((&first, weights), red), green), blue) in taps.zip(reds).zip(greens).zip(blues) {
        let from = &row[3 * first..][..3 * count + 1];
        let mut sums = [0.0; 4];
        for tap in 0..count {
            for lane in 0..4 {
                sums[lane] += weights[tap] * from[3 * tap + lane];
            }
        }
        [*red, *green, *blue, _] = sums;
    }
}

/// Which source positions each result position is made of: a triangle filter, widened when scaling down.
#[derive(Debug, Default)]
struct Taps {
    /// Positions for each result, the same for all.
    count: usize,
    /// The first of them, for each result.
    first: Vec<usize>,
    /// `[result, count]`
    weights: Vec<f32>,
}

impl Taps {
    /// `total`: what the weights of a result sum to.
    fn set(&mut self, from: usize, to: usize, total: f32) {
        let scale = from as f32 / to as f32;
        let support = scale.max(1.0);
        self.count = ((2.0 * support).ceil() as usize).min(from);
        self.first.clear();
        self.weights.clear();
        self.weights.resize(to * self.count, 0.0);
        for (result, weights) in self.weights.chunks_exact_mut(self.count).enumerate() {
            let centre = scale * (result as f32 + 0.5);
            let start = ((centre - support + 0.5) as isize).max(0) as usize;
            let end = ((centre + support + 0.5) as usize).min(from);
            // Near the end fewer positions count: the first ones then weigh nothing.
            let first = start.min(from - self.count);
            let mut sum = 0.0;
            for (position, weight) in (first..end).zip(&mut *weights) {
                *weight = (1.0 - ((position as f32 - centre + 0.5) / support).abs()).max(0.0);
                sum += *weight;
            }
            weights.iter_mut().for_each(|weight| *weight *= total / sum);
            self.first.push(first);
        }
    }

    /// First position and weights of each result.
    #[inline(always)]
    fn iter(&self) -> impl Iterator<Item = (usize, &[f32])> {
        self.first.iter().copied().zip(self.weights.chunks_exact(self.count))
    }
}
