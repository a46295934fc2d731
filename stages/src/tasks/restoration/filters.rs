//! Filters that have learned nothing, of images `[height, width, channels]`.

/// Of each channel the median over 3 x 3 pixels; beyond the border the outermost pixels go on.
pub fn median(values: &[f32], [height, width, channels]: [usize; 3]) -> Vec<f32> {
    let near = |place: usize, side: usize| [place.saturating_sub(1), place, (place + 1).min(side - 1)];
    let of = |place: usize| {
        let (row, column, channel) = (place / channels / width, place / channels % width, place % channels);
        let rows = near(row, height).map(|row| near(column, width).map(|column| (row * width + column) * channels));
        let mut around: [f32; 9] = std::array::from_fn(|n| values[rows[n / 3][n % 3] + channel]);
        around.sort_unstable_by(f32::total_cmp);
        around[4]
    };
    (0..height * width * channels).map(of).collect()
}

/// Pixels of the side of a patch that is compared, and how far away it may lie.
const PATCH: usize = 5;
const BORDER: usize = PATCH / 2;
const DISTANCE: usize = 6;
/// What patches may differ by, in units of `h`, as a share of the noise's deviation.
const H: f64 = 0.8;
/// From here on patches have nothing in common.
const FAR: f64 = 5.0;

/// Non-local means (Buades et al. 2005): each pixel becomes the mean of those within 6 rows and columns, each counting the more, the less
/// the 5 x 5 pixels around both differ by more than noise of deviation `sigma` explains. The weights of a patch's pixels are Gaussian, of
/// deviation 1; beyond the border the image is reflected. As scikit-image's with `fast_mode=False` and `h` of .8 `sigma`.
///
/// # Panics
/// When an image has fewer than three rows or columns.
pub fn nl_means(values: &[f32], shape: [usize; 3], sigma: f64) -> Vec<f32> {
    nl_means_by(values, shape, sigma, f64::exp)
}

fn nl_means_by(
    values: &[f32],
    [height, width, channels]: [usize; 3],
    sigma: f64,
    exp: impl Fn(f64) -> f64,
) -> Vec<f32> {
    let padded = Padded::new(values, [height, width, channels]);
    let weights = weights_within_a_patch().map(|weight| weight / (channels as f64 * (H * sigma).powi(2)));
    let near = |place: usize, side: usize| place.saturating_sub(DISTANCE)..(place + DISTANCE + 1).min(side);
    let mut made = Vec::with_capacity(values.len());
    for (row, column) in (0..height).flat_map(|row| (0..width).map(move |column| (row, column))) {
        let (mut sums, mut total) = (vec![0.0; channels], 0.0);
        for (y, x) in near(row, height).flat_map(|y| near(column, width).map(move |x| (y, x))) {
            let weight = padded.distance([row, column], [y, x], &weights, sigma).map_or(0.0, |far| exp(-far.max(0.0)));
            total += weight;
            let pixel = &values[(y * width + x) * channels..][..channels];
            sums.iter_mut().zip(pixel).for_each(|(sum, &value)| *sum += weight * f64::from(value));
        }
        made.extend(sums.iter().map(|sum| (sum / total) as f32));
    }
    made
}

/// Row by row; their sum is 1.
fn weights_within_a_patch() -> [f64; PATCH * PATCH] {
    let from_centre = |place: usize| place as f64 - BORDER as f64;
    let weight = |n: usize| (-0.5 * (from_centre(n / PATCH).powi(2) + from_centre(n % PATCH).powi(2))).exp();
    let weights: [f64; PATCH * PATCH] = std::array::from_fn(weight);
    let sum: f64 = weights.iter().sum();
    weights.map(|weight| weight / sum)
}

/// An image with a border in which it is reflected, so that every pixel is the centre of a patch.
struct Padded {
    values: Vec<f64>,
    width: usize,
    channels: usize,
}

impl Padded {
    fn new(values: &[f32], [height, width, channels]: [usize; 3]) -> Self {
        assert!(height > BORDER && width > BORDER, "an image is larger than its border");
        let inside = |place: usize, side: usize| {
            let from = place.abs_diff(BORDER);
            if from < side { from } else { 2 * (side - 1) - from }
        };
        let pixel = |row: usize, column: usize| {
            let at = (inside(row, height) * width + inside(column, width)) * channels;
            values[at..at + channels].iter().map(|&value| f64::from(value))
        };
        let places = (0..height + 2 * BORDER).flat_map(|row| (0..width + 2 * BORDER).map(move |column| (row, column)));
        let values = places.flat_map(|(row, column)| pixel(row, column)).collect();
        Self { values, width: width + 2 * BORDER, channels }
    }

    /// How far the patches around two pixels are from each other beyond what noise explains; `None` where that is too far.
    fn distance(&self, a: [usize; 2], b: [usize; 2], weights: &[f64], sigma: f64) -> Option<f64> {
        let noise = 2.0 * sigma * sigma;
        let mut distance = 0.0;
        for (row, weights) in weights.chunks_exact(PATCH).enumerate() {
            if distance > FAR {
                return None;
            }
            let [a, b] = [a, b].map(|[y, x]| {
                let at = ((y + row) * self.width + x) * self.channels;
                self.values[at..at + PATCH * self.channels].chunks_exact(self.channels)
            });
            for ((a, b), weight) in a.zip(b).zip(weights) {
                distance += weight * a.iter().zip(b).map(|(a, b)| (a - b).powi(2) - noise).sum::<f64>();
            }
        }
        Some(distance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::state;

    /// Made by `generate.py` beside it, by scikit-image.
    const EXPECTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/denoise/expected.safetensors");

    /// Of a colour and of a grey image, what is made and what is expected, and by how much they differ at most.
    fn off(filter: &str, make: impl Fn(&[f32], [usize; 3], f64) -> Vec<f32>) -> f32 {
        let expected = state::load(EXPECTED.as_ref()).unwrap();
        let flat = |name: &str| Vec::<f32>::try_from(&expected[name].flatten(0, -1)).unwrap();
        let sigma = f64::from(flat("sigma")[0]);
        let of = |image: &str| {
            let noisy = &expected[&format!("{image}.noisy")];
            let shape = [0, 1, 2].map(|axis| noisy.size()[axis] as usize);
            let made = make(&flat(&format!("{image}.noisy")), shape, sigma);
            let expected = flat(&format!("{image}.{filter}"));
            assert_eq!(made.len(), expected.len());
            made.iter().zip(expected).map(|(made, expected)| (made - expected).abs()).fold(0.0, f32::max)
        };
        of("colour").max(of("grey"))
    }

    #[test]
    fn medians_are_scikit_images() {
        assert_eq!(off("median", |values, shape, _| median(values, shape)), 0.0);
    }

    /// scikit-image's exponential is an approximation (Schraudolph 1999), which is some percent off: with it the same values come, and
    /// with the exact one values that are near.
    #[test]
    fn non_local_means_are_scikit_images() {
        let approximate = |x: f64| {
            let high = (1_048_576.0 / std::f64::consts::LN_2 * x + f64::from(1_072_693_248 - 60_801)) as i32;
            f64::from_bits((high as u64) << 32)
        };
        let found = off("nl_means", |values, shape, sigma| nl_means_by(values, shape, sigma, approximate));
        assert!(found < 2e-6, "{found}");
        let found = off("nl_means", nl_means);
        assert!(found < 2e-3, "{found}");
    }

    /// A constant image has no noise to take away, and a single spot is no pixel's median.
    #[test]
    fn what_is_flat_stays_and_a_spot_goes() {
        let mut image = vec![0.25; 7 * 6];
        let flat = image.clone();
        assert_eq!(nl_means(&image, [7, 6, 1], 0.1), flat);
        image[3 * 6 + 2] = 1.0;
        assert_eq!(median(&image, [7, 6, 1]), flat);
    }
}
