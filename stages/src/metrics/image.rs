//! How near one image comes to another, as scikit-image measures it.

/// Peak signal-to-noise ratio in decibels, of values from 0 to 1 (a range of 1): `-10 log10` of the mean squared error over all values.
/// Infinite where there is none.
///
/// # Panics
/// When there are not as many values of both.
pub fn psnr(truth: &[f32], found: &[f32]) -> f64 {
    assert_eq!(truth.len(), found.len(), "both images have as many values");
    let squares = truth.iter().zip(found).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2));
    -10.0 * (squares.sum::<f64>() / truth.len() as f64).log10()
}

/// Side of the windows that [`ssim`] looks at.
pub const WINDOW: usize = 7;

/// Structural similarity (Wang et al. 2004, eq. 13, with `K1` .01 and `K2` .03), of images `[height, width, channels]` of values from 0 to
/// 1: the mean over every window of 7 x 7 pixels that lies in the image and over the channels, each pixel of a window counting alike,
/// with unbiased variances and covariances. 1 where both are the same.
///
/// # Panics
/// When an image is smaller than a window, or has another number of values.
pub fn ssim(truth: &[f32], found: &[f32], shape: [usize; 3]) -> f64 {
    let [height, width, channels] = shape;
    assert!(height >= WINDOW && width >= WINDOW, "a window of {WINDOW} x {WINDOW} lies in the image");
    assert_eq!([truth.len(), found.len()], [height * width * channels; 2], "both images have as many values");
    let of_channel = |channel| {
        let plane = |values: &[f32]| -> Vec<f64> {
            values.iter().skip(channel).step_by(channels).map(|&value| f64::from(value)).collect()
        };
        of_planes(&plane(truth), &plane(found), width)
    };
    (0..channels).map(of_channel).sum::<f64>() / channels as f64
}

fn of_planes(a: &[f64], b: &[f64], width: usize) -> f64 {
    const C1: f64 = 0.01 * 0.01;
    const C2: f64 = 0.03 * 0.03;
    let product = |a: &[f64], b: &[f64]| window_means(&a.iter().zip(b).map(|(a, b)| a * b).collect::<Vec<_>>(), width);
    let [mean_a, mean_b] = [a, b].map(|plane| window_means(plane, width));
    let [aa, bb, ab] = [product(a, a), product(b, b), product(a, b)];
    let pixels = (WINDOW * WINDOW) as f64;
    let unbiased = pixels / (pixels - 1.0);
    let similarity = |place: usize| {
        let (a, b) = (mean_a[place], mean_b[place]);
        let [variance_a, variance_b, covariance] =
            [aa[place] - a * a, bb[place] - b * b, ab[place] - a * b].map(|moment| unbiased * moment);
        let [luminance, contrast] = [2.0 * a * b + C1, 2.0 * covariance + C2];
        luminance * contrast / ((a * a + b * b + C1) * (variance_a + variance_b + C2))
    };
    (0..mean_a.len()).map(similarity).sum::<f64>() / mean_a.len() as f64
}

/// The mean of each window, row by row.
fn window_means(plane: &[f64], width: usize) -> Vec<f64> {
    let across: Vec<Vec<f64>> =
        plane.chunks(width).map(|row| row.windows(WINDOW).map(|part| part.iter().sum()).collect()).collect();
    let mean =
        |rows: &[Vec<f64>], column: usize| rows.iter().map(|row| row[column]).sum::<f64>() / (WINDOW * WINDOW) as f64;
    across.windows(WINDOW).flat_map(|rows| (0..=width - WINDOW).map(move |column| mean(rows, column))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wave(phase: f32) -> Vec<f32> {
        (0..9 * 8 * 3).map(|place| 0.5 + 0.5 * (phase + 0.7 * place as f32).sin()).collect()
    }

    #[test]
    fn an_image_is_itself() {
        let image = wave(0.0);
        assert_eq!((psnr(&image, &image), ssim(&image, &image, [9, 8, 3])), (f64::INFINITY, 1.0));
    }

    #[test]
    fn both_are_symmetric_and_a_tenth_of_the_range_is_twenty_decibels() {
        let (image, other) = (wave(0.0), wave(1.0));
        let shifted: Vec<f32> = image.iter().map(|value| value + 0.1).collect();
        assert!((psnr(&image, &shifted) - 20.0).abs() < 1e-5);
        assert_eq!(psnr(&image, &other), psnr(&other, &image));
        assert!((ssim(&image, &other, [9, 8, 3]) - ssim(&other, &image, [9, 8, 3])).abs() < 1e-12);
    }

    /// Of two flat images only their means differ, and their variances are 0.
    #[test]
    fn flat_images_are_as_alike_as_their_means() {
        let (a, b) = (0.25f64, 0.75f64);
        let [dark, light] = [a, b].map(|value| vec![value as f32; 7 * 7]);
        let expected = (2.0 * a * b + 1e-4) / (a * a + b * b + 1e-4);
        assert!((ssim(&dark, &light, [7, 7, 1]) - expected).abs() < 1e-12);
    }
}
