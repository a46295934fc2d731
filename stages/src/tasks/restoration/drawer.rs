use super::{Spoilt, shape};
use crate::artifact::{EncoderArtifact, Frozen};
use crate::context::Context;
use crate::data::Dataset;
use crate::nn::layers::Mode;
use crate::nn::ops::{self, Staging};
use crate::nn::{Bottleneck, PixelValues};
use anyhow::{Context as _, Result, ensure};
use burn::tensor::Device;

/// An encoder and what draws images of its features.
pub struct Drawer {
    pub frozen: Frozen,
    bottleneck: Bottleneck,
    values: PixelValues,
    /// Height, width and channels of an image.
    pub shape: [usize; 3],
    device: Device,
}

impl Drawer {
    /// The input `encoder`, where it draws images of the data set's size.
    pub fn open(data: &Dataset, context: &Context) -> Result<Self> {
        let device = context.device.clone();
        let (frozen, bottleneck) = EncoderArtifact::open_to_draw(context.input("encoder")?, &data.manifest, &device)?;
        let values = PixelValues::new(&frozen.artifact.mean, &frozen.artifact.sd, &device);
        Ok(Self { frozen, bottleneck, values, shape: shape(data), device })
    }

    /// What it draws of images of values from 0 to 1, beyond which they may go.
    pub fn draw(&self, images: &[Spoilt]) -> Result<Vec<Vec<f32>>> {
        let [height, width, channels] = self.shape;
        let length = height * width * channels;
        let mut staging = Staging::<f32>::new([images.len(), height, width, channels], &self.device);
        let parts = staging.values().chunks_exact_mut(length);
        parts.zip(images).for_each(|(part, image)| part.copy_from_slice(&image.values));
        let seen = self.values.of_values(staging.into_tensor());
        let encoder = self.frozen.encoder().context("an encoder with a decoder has weights")?;
        let code = self.bottleneck.code(encoder, seen, Mode::Eval);
        let drawn = self.values.of_normalised(self.bottleneck.images(code, Mode::Eval, &self.values));
        ops::read(&drawn.permute([0, 2, 3, 1]), |values| {
            ensure!(values.iter().all(|value| value.is_finite()), "what the encoder's decoder draws is not finite");
            Ok(values.chunks_exact(length).map(<[f32]>::to_vec).collect())
        })
    }
}
