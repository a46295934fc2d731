use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::ops;
use anyhow::{Context, Result, ensure};
use burn::tensor::{Device, Tensor, TensorData};
use std::collections::BTreeMap;

/// Float32 in another order, through a hundred layers: of the largest feature. Of what is wrong in a file the least is far above it.
const TOLERANCE: f64 = 1e-4;

/// What an encoder makes of images `[n, channels, h, w]`, u8 or from 0 to 1, batch norm by its running statistics.
pub fn features_of(encoder: &Encoder, images: &tch::Tensor, normal: [&[f32]; 2], device: &Device) -> Tensor<2> {
    let channel = |values: &[f32]| tch::Tensor::from_slice(values).reshape([1, -1, 1, 1]);
    let [mean, sd] = normal.map(channel);
    let most = if images.kind() == tch::Kind::Uint8 { 255.0 } else { 1.0 };
    let normalised = ((images.to_kind(tch::Kind::Float) / most - mean) / sd).contiguous();
    let shape: Vec<usize> = normalised.size().iter().map(|&n| n as usize).collect();
    let values = Vec::<f32>::try_from(&normalised.flatten(0, -1)).expect("a flat tensor of floats");
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
    let got = ops::raw(&features_of(encoder, images, normal, device)).to_device(tch::Device::Cpu);
    ensure!(
        got.size() == expected.size(),
        "the reference has features {:?}, and these are {:?}",
        expected.size(),
        got.size()
    );
    ensure!(images.size()[0] > 0, "the reference has no image");
    let largest = expected.abs().max().double_value(&[]);
    ensure!(
        largest > 0.0 && largest.is_finite(),
        "the largest of the reference's features is {largest}, by which nothing can be told"
    );
    let off = (got - expected).abs().max().double_value(&[]) / largest;
    ensure!(
        off <= TOLERANCE,
        "the features of the reference's images are off by {off:.1e} of the largest, and {TOLERANCE:.0e} is allowed: every tensor was found \
         with its shape, but two may be exchanged, channels in another order, a matrix transposed, or `mean` and `sd` others than the \
         library's"
    );
    Ok(off)
}
