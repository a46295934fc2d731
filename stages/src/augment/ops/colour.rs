//! Operations on each pixel's colour.

use crate::augment::Image;
use crate::augment::vectorised::{least, most, unit, vectorised};

/// Luminance (ITU-R 601), torchvision's rounding of the weights.
#[inline(always)]
fn grey(r: f32, g: f32, b: f32) -> f32 {
    0.2989 * r + 0.587 * g + 0.114 * b
}

vectorised! {
    /// Multiplies by `factor`, clamped.
    pub fn brightness(image: &mut Image, factor: f32) {
        for value in &mut image.data {
            *value = unit(*value * factor);
        }
    }
}

vectorised! {
    /// Blends with the image's mean luminance.
    pub fn contrast(image: &mut Image, factor: f32) {
        let rest = (1.0 - factor) * mean_grey(image);
        for value in &mut image.data {
            *value = unit(*value * factor + rest);
        }
    }
}

/// Summed in lanes within blocks, so that neither vectors nor large images change or blur the sum.
#[inline(always)]
fn mean_grey(image: &Image) -> f32 {
    const LANES: usize = 16;
    const BLOCK: usize = 64 * LANES;
    let [reds, greens, blues] = image.planes();
    let mut sum = 0.0f64;
    for ((reds, greens), blues) in reds.chunks(BLOCK).zip(greens.chunks(BLOCK)).zip(blues.chunks(BLOCK)) {
        let mut lanes = [0.0f32; LANES];
        let (whole, last) = reds.as_chunks::<LANES>();
        let rows = whole.iter().zip(greens.as_chunks::<LANES>().0).zip(blues.as_chunks::<LANES>().0);
        for ((r, g), b) in rows {
            for lane in 0..LANES {
                lanes[lane] += grey(r[lane], g[lane], b[lane]);
            }
        }
        for i in reds.len() - last.len()..reds.len() {
            lanes[0] += grey(reds[i], greens[i], blues[i]);
        }
        sum += lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>();
    }
    (sum / reds.len() as f64) as f32
}

/// Every pixel by itself.
#[inline(always)]
fn each_pixel(image: &mut Image, change: impl Fn(f32, f32, f32) -> (f32, f32, f32)) {
    let [reds, greens, blues] = image.planes_mut();
    for ((r, g), b) in reds.iter_mut().zip(greens).zip(blues) {
        (*r, *g, *b) = change(*r, *g, *b);
    }
}

vectorised! {
    /// Blends with each pixel's luminance.
    pub fn saturation(image: &mut Image, factor: f32) {
        each_pixel(image, |r, g, b| {
            let rest = (1.0 - factor) * grey(r, g, b);
            (unit(r * factor + rest), unit(g * factor + rest), unit(b * factor + rest))
        });
    }
}

vectorised! {
    /// Turns the hue by `shift`, in turns of the colour circle from -1/2 to 1/2, through HSV.
    pub fn hue(image: &mut Image, shift: f32) {
        each_pixel(image, |r, g, b| turn_hue(r, g, b, 6.0 * shift));
    }
}

/// Everything is computed and then chosen, since vectors cannot branch. `turn` is in sixths of the circle.
#[inline(always)]
fn turn_hue(r: f32, g: f32, b: f32, turn: f32) -> (f32, f32, f32) {
    let max = most(r, most(g, b));
    let chroma = max - least(r, least(g, b));
    let (from, difference) = if max == r {
        (0.0, g - b)
    } else if max == g {
        (2.0, b - r)
    } else {
        (4.0, r - g)
    };
    // Grey has no hue, and chroma 0 makes any hue grey below.
    let divisor = if chroma > 0.0 { chroma } else { 1.0 };
    let turned = from + difference / divisor + turn;
    let turned = if turned < 0.0 { turned + 6.0 } else { turned };
    let turned = if turned >= 6.0 { turned - 6.0 } else { turned };
    // Each channel is max - chroma * clamp(min(k, 4 - k), 0, 1) at its own phase of the circle (Smith 1978).
    let channel = |phase: f32| {
        let k = phase + turned;
        let k = if k >= 6.0 { k - 6.0 } else { k };
        max - chroma * unit(least(k, 4.0 - k))
    };
    (channel(5.0), channel(3.0), channel(1.0))
}

vectorised! {
    /// Every channel becomes the luminance.
    pub fn grayscale(image: &mut Image) {
        each_pixel(image, |r, g, b| {
            let grey = grey(r, g, b);
            (grey, grey, grey)
        });
    }
}

vectorised! {
    /// Inverts what is at least `threshold`.
    pub fn solarize(image: &mut Image, threshold: f32) {
        for value in &mut image.data {
            *value = if *value >= threshold { 1.0 - *value } else { *value };
        }
    }
}

vectorised! {
    /// Keeps `bits` bits of each value, rounded down.
    pub fn posterize(image: &mut Image, bits: u32) {
        let levels = (1u32 << bits) as f32;
        for value in &mut image.data {
            // Values are not negative, so that cutting off is rounding down.
            *value = least((*value * levels) as u32 as f32, levels - 1.0) / levels;
        }
    }
}
