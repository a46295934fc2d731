use crate::augment::Image;
use crate::augment::ops::gaussian_blur;
use crate::nn::ops;
use burn::tensor::Tensor;
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use rayon::prelude::*;

/// In deviations, as scipy's `gaussian_filter`.
const TRUNCATED: f64 = 4.0;

/// Maps `[batch, 1, rows, columns]` enlarged bilinearly to a size and smoothed, `[batch, height, width]`. Edges are reflected.
pub fn smoothed(map: Tensor<4>, [height, width]: [usize; 2], sigma: f64) -> Vec<f32> {
    let [_, _, rows, columns] = map.dims();
    let map = if [rows, columns] == [height, width] {
        map
    } else {
        let options = InterpolateOptions::new(InterpolateMode::Bilinear).with_align_corners(false);
        interpolate(map, options.with_output_size([height, width]))
    };
    let mut maps = ops::read(&map, <[f32]>::to_vec);
    let taps = 2 * (TRUNCATED * sigma + 0.5) as usize + 1;
    if taps > 1 {
        // An image has three planes, and so three maps are one.
        maps.par_chunks_mut(3 * height * width).for_each(|three| {
            let mut image = Image::black(height, width);
            image.data[..three.len()].copy_from_slice(three);
            gaussian_blur(&mut image, taps, sigma as f32);
            three.copy_from_slice(&image.data[..three.len()]);
        });
    }
    maps
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    fn maps() -> Tensor<4> {
        let values: Vec<f32> = (0..4 * 6 * 5).map(|i| (1.7 * f64::from(i)).sin() as f32).collect();
        Tensor::from_data(TensorData::new(values, [4, 1, 6, 5]), &crate::nn::device("cpu").unwrap())
    }

    /// scipy 1.17.1, `gaussian_filter(map, 1.2, mode="mirror")`, by `stages/tests/anomaly/reference.py`: places of the first and last map.
    #[test]
    fn it_smooths_as_scipy_does() {
        let found = smoothed(maps(), [6, 5], 1.2);
        for (place, expected) in EXPECTED {
            assert!(
                (f64::from(found[place]) - expected).abs() < 1e-6,
                "{place}: {} in place of {expected}",
                found[place]
            );
        }
    }

    const EXPECTED: [(usize, f64); 4] =
        [(0, 0.039986597233924524), (12, 0.0010512581766801493), (90, -0.09368112793627234), (119, -0.095145304601145)];

    #[test]
    fn nothing_is_smoothed_where_that_is_asked_for_and_means_stay() {
        assert_eq!(smoothed(maps(), [6, 5], 0.0), ops::read(&maps(), <[f32]>::to_vec));
        let same = Tensor::<4>::ones([2, 1, 3, 3], &crate::nn::device("cpu").unwrap()) * 0.5;
        let found = smoothed(same, [12, 12], 2.0);
        assert!(found.len() == 288 && found.iter().all(|value| (value - 0.5).abs() < 1e-6));
    }
}
