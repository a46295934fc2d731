use super::Image;
use super::vectorised::vectorised;
use std::array::from_fn;

/// `(value - mean) / sd` of each channel, from values in [0, 1] to what a network sees.
#[derive(Debug, Clone, Copy)]
pub struct Normaliser {
    /// 3, or 1 of a grey image, whose colours are alike.
    channels: usize,
    mean: [f32; 3],
    /// 1 / sd; 0 for a channel that never changes, which then becomes 0
    scale: [f32; 3],
}

/// Bytes taken at a time: whole pixels and whole vectors.
const BLOCK: usize = 48;

impl Normaliser {
    /// Leaves values as they are.
    pub const NONE: Self = Self { channels: 3, mean: [0.0; 3], scale: [1.0; 3] };

    /// Of red, green and blue, or of grey.
    pub fn new(mean: &[f32], sd: &[f32]) -> Self {
        let scale = |sd: f32| if sd == 0.0 { 0.0 } else { 1.0 / sd };
        let channels = mean.len();
        assert!(channels == 1 || channels == 3, "images of {channels} channels are neither grey nor coloured");
        Self { channels, mean: from_fn(|c| mean[c % channels]), scale: from_fn(|c| scale(sd[c % channels])) }
    }

    /// What is taken from each channel, and what it is then multiplied by.
    pub fn mean_and_scale(&self) -> [&[f32]; 2] {
        [&self.mean[..self.channels], &self.scale[..self.channels]]
    }

    /// Writes `[height, width, channels]`.
    pub fn image(&self, image: &Image, to: &mut [f32]) {
        if self.channels == 3 {
            return interleave(image, self.mean, self.scale, to);
        }
        let [grey, ..] = image.planes();
        to.iter_mut().zip(grey).for_each(|(to, grey)| *to = (grey - self.mean[0]) * self.scale[0]);
    }

    /// From bytes `[.., channels]` to as many numbers, as [`Normaliser::image`] of the loaded image gives.
    pub fn bytes(&self, from: &[u8], to: &mut [f32]) {
        assert_eq!(from.len(), to.len(), "a number for every byte");
        let [mean, scale] = [self.mean, self.scale].map(|channel| from_fn(|i| channel[i % self.channels]));
        normalise_blocks(from, to, &mean, &scale);
    }
}

vectorised! {
    fn interleave(image: &Image, mean: [f32; 3], scale: [f32; 3], to: &mut [f32]) {
        let [reds, greens, blues] = image.planes();
        let pixels = to.as_chunks_mut::<3>().0;
        assert_eq!(pixels.len(), reds.len(), "three numbers for every pixel");
        for (((pixel, red), green), blue) in pixels.iter_mut().zip(reds).zip(greens).zip(blues) {
            pixel[0] = (red - mean[0]) * scale[0];
            pixel[1] = (green - mean[1]) * scale[1];
            pixel[2] = (blue - mean[2]) * scale[2];
        }
    }
}

vectorised! {
    fn normalise_blocks(from: &[u8], to: &mut [f32], mean: &[f32; BLOCK], scale: &[f32; BLOCK]) {
        for (from, to) in from.chunks(BLOCK).zip(to.chunks_mut(BLOCK)) {
            for (((to, &byte), mean), scale) in to.iter_mut().zip(from).zip(mean).zip(scale) {
                *to = (f32::from(byte) * (1.0 / 255.0) - mean) * scale;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Rgb8;
    use crate::nn::ops::Staging;

    #[test]
    fn bytes_and_the_image_made_of_them_normalise_to_the_same() {
        // 7 x 11 pixels: no whole number of blocks.
        let bytes: Vec<u8> = (0..231).map(|i| (i * 37 % 256) as u8).collect();
        let normaliser = Normaliser::new(&[0.1, 0.2, 0.3], &[0.2, 0.25, 0.5]);
        let mut image = Image::default();
        image.load(Rgb8::new(&bytes, 7, 11));
        let (mut by_image, mut by_bytes) = (vec![0.0; 231], vec![0.0; 231]);
        normaliser.image(&image, &mut by_image);
        normaliser.bytes(&bytes, &mut by_bytes);
        assert_eq!(by_image, by_bytes);
        assert!((by_bytes[5] - (185.0 / 255.0 - 0.3) / 0.5).abs() < 1e-6);
    }

    /// What a GPU does, done here by the same operations.
    #[test]
    fn bytes_become_the_same_numbers_on_a_device() {
        let device = crate::nn::device("cpu").unwrap();
        for channels in [1, 3] {
            let bytes: Vec<u8> = (0..2 * 7 * 11 * channels).map(|i| (i * 37 % 256) as u8).collect();
            let normaliser = Normaliser::new(&[0.1, 0.2, 0.3][..channels], &[0.2, 0.25, 0.0][..channels]);
            let mut here = vec![0.0; bytes.len()];
            normaliser.bytes(&bytes, &mut here);
            let mut staging = Staging::<u8>::new([2, 7, 11, channels], &device);
            staging.values().copy_from_slice(&bytes);
            let [mean, scale] = normaliser.mean_and_scale();
            let there = staging.into_normalised(mean, scale);
            assert_eq!(there.dims(), [2, channels, 7, 11]);
            assert_eq!(there.permute([0, 2, 3, 1]).into_data().iter::<f32>().collect::<Vec<_>>(), here);
        }
    }

    #[test]
    fn a_channel_that_never_changes_becomes_0() {
        let normaliser = Normaliser::new(&[0.1, 0.2, 77.0 / 255.0], &[0.2, 0.25, 0.0]);
        let mut to = vec![f32::NAN; 6];
        normaliser.bytes(&[0, 255, 77, 255, 0, 78], &mut to);
        assert!(to.iter().all(|value| value.is_finite()), "{to:?}");
        assert_eq!([to[2], to[5]], [0.0; 2]);
    }
}
