//! CIE Lab, of sRGB and white D65. Values of sRGB are from 0 to 1, lightness from 0 to 100.

use burn::tensor::Tensor;

/// From linear red, green and blue to X, Y and Z, over those of white.
const TO_XYZ: [[f64; 3]; 3] = [
    [0.4124564 / 0.95047, 0.3575761 / 0.95047, 0.1804375 / 0.95047],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339 / 1.08883, 0.1191920 / 1.08883, 0.9503041 / 1.08883],
];
/// And back.
const TO_LINEAR: [[f64; 3]; 3] = [
    [3.2404542 * 0.95047, -1.5371385, -0.4985314 * 1.08883],
    [-0.9692660 * 0.95047, 1.8760108, 0.0415560 * 1.08883],
    [0.0556434 * 0.95047, -0.2040259, 1.0572252 * 1.08883],
];
/// Where the cubic root gives way to a line.
const EDGE: f64 = 6.0 / 29.0;

/// `[batch, 3, height, width]` to the same.
pub fn of_rgb(colours: Tensor<4>) -> Tensor<4> {
    let curved = colours.clone().add_scalar(0.055).div_scalar(1.055).powf_scalar(2.4);
    let linear = curved.mask_where(colours.clone().lower_equal_scalar(0.04045), colours.div_scalar(12.92));
    let xyz = mixed(linear, &TO_XYZ);
    let low = xyz.clone().div_scalar(3.0 * EDGE * EDGE).add_scalar(4.0 / 29.0);
    let is_low = xyz.clone().lower_equal_scalar(EDGE * EDGE * EDGE);
    let roots = xyz.clamp_min(1e-12).powf_scalar(1.0 / 3.0).mask_where(is_low, low);
    let [x, y, z] = [0, 1, 2].map(|plane| roots.clone().narrow(1, plane, 1));
    let lightness = y.clone().mul_scalar(116.0).sub_scalar(16.0);
    Tensor::cat(vec![lightness, (x - y.clone()).mul_scalar(500.0), (y - z).mul_scalar(200.0)], 1)
}

/// The same backwards; what no screen shows becomes the nearest that it does, colour by colour.
pub fn to_rgb(lab: Tensor<4>) -> Tensor<4> {
    let [lightness, a, b] = [0, 1, 2].map(|plane| lab.clone().narrow(1, plane, 1));
    let y = lightness.add_scalar(16.0).div_scalar(116.0);
    let roots = Tensor::cat(vec![y.clone() + a.div_scalar(500.0), y.clone(), y - b.div_scalar(200.0)], 1);
    let low = roots.clone().sub_scalar(4.0 / 29.0).mul_scalar(3.0 * EDGE * EDGE);
    let is_low = roots.clone().lower_equal_scalar(EDGE);
    let linear = mixed(roots.powi_scalar(3).mask_where(is_low, low), &TO_LINEAR).clamp(0.0, 1.0);
    let curved = linear.clone().clamp_min(1e-12).powf_scalar(1.0 / 2.4).mul_scalar(1.055).sub_scalar(0.055);
    curved.mask_where(linear.clone().lower_equal_scalar(0.0031308), linear.mul_scalar(12.92)).clamp(0.0, 1.0)
}

/// Each plane of the result a sum of the three by a row of `shares`.
fn mixed(planes: Tensor<4>, shares: &[[f64; 3]; 3]) -> Tensor<4> {
    let plane = |number: usize, share: f64| planes.clone().narrow(1, number, 1).mul_scalar(share);
    let row = |[a, b, c]: &[f64; 3]| plane(0, *a) + plane(1, *b) + plane(2, *c);
    Tensor::cat(shares.iter().map(row).collect(), 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::ops;

    const COLOURS: [[f32; 3]; 5] =
        [[1.0, 0.0, 0.0], [0.0, 0.5, 0.0], [0.1, 0.2, 0.9], [0.01, 0.02, 0.03], [1.0, 1.0, 1.0]];
    /// `skimage.color.rgb2lab` 0.26, whose matrix has fewer digits.
    const LAB: [[f32; 3]; 5] = [
        [53.2406, 80.0923, 67.2028],
        [46.0523, -51.5530, 49.7565],
        [34.5254, 57.1625, -89.7019],
        [1.3001, -0.3124, -1.1998],
        [100.0000, -0.0025, 0.0047],
    ];

    fn pixels(colours: &[[f32; 3]; 5]) -> Tensor<4> {
        ops::floats(&colours.concat(), &crate::nn::device("cpu").unwrap()).reshape([5, 3, 1, 1])
    }

    fn values(x: Tensor<4>) -> Vec<f32> {
        x.into_data().iter::<f32>().collect()
    }

    #[test]
    fn colours_are_those_of_scikit_image() {
        for (found, expected) in values(of_rgb(pixels(&COLOURS))).iter().zip(LAB.concat()) {
            assert!((found - expected).abs() < 0.02, "{found} {expected}");
        }
    }

    #[test]
    fn there_and_back_is_where_it_began() {
        for (found, expected) in values(to_rgb(of_rgb(pixels(&COLOURS)))).iter().zip(COLOURS.concat()) {
            assert!((found - expected).abs() < 2e-4, "{found} {expected}");
        }
    }
}
