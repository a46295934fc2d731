//! Operations by how often each value occurs.

use crate::augment::Image;
use crate::augment::vectorised::{least, most, unit};

/// Stretches each channel from its least and greatest value to 0 and 1; a channel of one value stays.
pub fn autocontrast(image: &mut Image) {
    for plane in image.planes_mut() {
        let low = plane.iter().copied().fold(f32::INFINITY, least);
        let high = plane.iter().copied().fold(f32::NEG_INFINITY, most);
        if low < high {
            plane.iter_mut().for_each(|value| *value = unit((*value - low) / (high - low)));
        }
    }
}

/// Spreads each channel's values, as bytes, so that all occur about as often (PIL's rule). A channel whose pixels, but
/// for those of its greatest value, are fewer than 255 stays.
pub fn equalize(image: &mut Image) {
    for plane in image.planes_mut() {
        // torchvision's way from floats to bytes: every byte has an interval of the same length.
        plane.iter_mut().for_each(|value| *value = (*value * 255.999).floor());
        let mut counts = [0u32; 256];
        plane.iter().for_each(|&value| counts[value as usize] += 1);
        let greatest = counts.iter().rposition(|&count| count > 0).unwrap_or(0);
        let step = (plane.len() as u32 - counts[greatest]) / 255;
        let mut below = 0;
        let spread: [f32; 256] = std::array::from_fn(|byte| {
            let to = if step == 0 { byte as u32 } else { ((below + step / 2) / step).min(255) };
            below += counts[byte];
            to as f32 / 255.0
        });
        plane.iter_mut().for_each(|value| *value = spread[*value as usize]);
    }
}
