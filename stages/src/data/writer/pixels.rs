//! What is summed up of images' pixels: a digest of each, and mean and standard deviation of all.

/// What the writer needs to know of an image's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summed {
    pub(super) digest: u64,
    /// Pixels.
    count: u64,
    /// Of each channel: the sum of its values and of their squares.
    sums: [u64; MOST_CHANNELS],
    squares: [u64; MOST_CHANNELS],
}

/// Those of colours, in which views are made.
const MOST_CHANNELS: usize = 3;

impl Summed {
    /// Of an image `[height, width, channels]`.
    pub fn of(image: &[u8], channels: usize) -> Self {
        let (mut sums, mut squares) = ([0; MOST_CHANNELS], [0; MOST_CHANNELS]);
        for pixel in image.chunks_exact(channels) {
            for (channel, &value) in pixel.iter().enumerate() {
                sums[channel] += u64::from(value);
                squares[channel] += u64::from(value) * u64::from(value);
            }
        }
        Self { digest: digest(image), count: (image.len() / channels) as u64, sums, squares }
    }
}

/// The first 8 bytes of its blake3.
fn digest(image: &[u8]) -> u64 {
    let bytes = blake3::hash(image);
    u64::from_le_bytes(*bytes.as_bytes().first_chunk().expect("a digest has 32 bytes"))
}

/// Of each channel, in whole numbers to the end, so that the deviation of a channel that never changes is 0 and not nearly so.
pub struct Moments {
    values: u64,
    sums: Vec<u64>,
    squares: Vec<u64>,
}

impl Moments {
    pub fn new(channels: usize) -> Self {
        Self { values: 0, sums: vec![0; channels], squares: vec![0; channels] }
    }

    pub fn add(&mut self, image: Summed) {
        self.values += image.count;
        self.sums.iter_mut().zip(image.sums).for_each(|(sum, more)| *sum += more);
        self.squares.iter_mut().zip(image.squares).for_each(|(sum, more)| *sum += more);
    }

    /// Of values in [0, 1].
    pub fn mean_and_sd(&self) -> (Vec<f32>, Vec<f32>) {
        let n = self.values;
        let mean = self.sums.iter().map(|&sum| (sum as f64 / n as f64 / 255.0) as f32).collect();
        let variance = |sum: u64, squares: u64| {
            let (n, sum, squares) = (u128::from(n), u128::from(sum), u128::from(squares));
            (n * squares - sum * sum) as f64 / (n as f64 * 255.0).powi(2)
        };
        let sd = self.sums.iter().zip(&self.squares).map(|(&sum, &squares)| variance(sum, squares).sqrt() as f32);
        (mean, sd.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_that_never_changes_has_no_deviation() {
        for level in 0..=255u8 {
            let image: Vec<u8> = (0..192).map(|place| if place % 3 == 1 { level } else { place as u8 }).collect();
            let mut moments = Moments::new(3);
            (0..7).for_each(|_| moments.add(Summed::of(&image, 3)));
            let (mean, sd) = moments.mean_and_sd();
            assert_eq!(sd[1], 0.0, "all are {level}");
            assert!((mean[1] - f32::from(level) / 255.0).abs() < 1e-7 && sd[0] > 0.1);
        }
    }
}
