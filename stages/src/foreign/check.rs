use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::{ops, state};
use anyhow::{Context, Result, ensure};
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::BTreeMap;

/// Float32 in another order, through a hundred layers: of the largest feature. Of what is wrong in a file the least is far above it.
const TOLERANCE: f64 = 1e-4;

/// What an encoder makes of images `[n, channels, h, w]`, u8 or from 0 to 1, batch norm by its running statistics.
pub fn features_of(encoder: &Encoder, images: &tch::Tensor, [mean, sd]: [&[f32]; 2], device: &Device) -> Tensor<2> {
    let shape: Vec<usize> = images.size().iter().map(|&n| n as usize).collect();
    let most = if images.kind() == tch::Kind::Uint8 { 255.0 } else { 1.0 };
    let mut values = state::floats(images);
    for (plane, values) in values.chunks_mut(shape[2] * shape[3]).enumerate() {
        let channel = plane % shape[1];
        values.iter_mut().for_each(|value| *value = (*value / most - mean[channel]) / sd[channel]);
    }
    let images = Tensor::<4>::from_data(TensorData::new(values, shape), device);
    encoder.pooled(ops::channels_last(images), Mode::Eval)
}

/// That an encoder makes of a reference's images what the library made of them: names and shapes fit also where two layers are exchanged,
/// channels are in another order or a square matrix is transposed. Returns how far off it is, of the largest feature.
///
/// `reference`: `images`, `[n, channels, h, w]`, u8 or from 0 to 1, before they are normalised, and `features`, `[n, features]`.
pub fn check_features(
    encoder: &Encoder,
    reference: &BTreeMap<String, tch::Tensor>,
    normal: [&[f32]; 2],
    device: &Device,
) -> Result<f64> {
    let part = |name: &str| {
        reference.get(name).with_context(|| {
            format!("the reference has no tensor `{name}`: expected `images` [n, channels, h, w] and `features` [n, features]")
        })
    };
    let (images, expected) = (part("images")?, part("features")?);
    let (&[_, channels, height, width], Some(&features)) = (&images.size()[..], expected.size().last()) else {
        anyhow::bail!("the reference's images are {:?}: expected [n, channels, h, w]", images.size());
    };
    ensure!(
        channels == normal[0].len() as i64 && features == encoder.features() as i64,
        "the reference has images of {channels} channels and {features} features, the encoder {} and {}",
        normal[0].len(),
        encoder.features()
    );
    encoder.takes([height as usize, width as usize]).context("the reference's images do not fit")?;
    ensure!(images.size()[0] > 0, "the reference has no image");
    let got = features_of(encoder, images, normal, device);
    let shape = got.dims().map(|n| n as i64);
    ensure!(shape[..] == expected.size(), "the reference has features {:?}, and these are {shape:?}", expected.size());
    let expected = state::floats(expected);
    let largest = largest_of(expected.iter().copied());
    ensure!(
        largest > 0.0 && largest.is_finite(),
        "the largest of the reference's features is {largest}, by which nothing can be told"
    );
    let off =
        ops::read(&got, |got| largest_of(got.iter().zip(&expected).map(|(got, expected)| got - expected))) / largest;
    ensure!(
        off <= TOLERANCE,
        "the features of the reference's images are off by {off:.1e} of the largest, and {TOLERANCE:.0e} is allowed: every tensor was found \
         with its shape, but two may be exchanged, channels in another order, a matrix transposed, or `mean` and `sd` others than the \
         library's"
    );
    Ok(off)
}

/// The largest absolute value; not a number where one is none.
fn largest_of(values: impl Iterator<Item = f32>) -> f64 {
    let of_both = |largest: f32, value: f32| if value.abs() <= largest { largest } else { value.abs() };
    f64::from(values.fold(0.0, |largest: f32, value| if largest.is_nan() { largest } else { of_both(largest, value) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_the_largest() {
        assert_eq!(largest_of([1.0, -3.5, 2.0].into_iter()), 3.5);
        assert_eq!(largest_of([].into_iter()), 0.0);
        assert!(
            largest_of([1.0, f32::NAN, 2.0].into_iter()).is_nan() && largest_of([f32::NAN, 2.0].into_iter()).is_nan()
        );
    }
}
