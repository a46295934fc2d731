use crate::artifact::EncoderArtifact;
use crate::context::Context;
use crate::data::Dataset;
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::ops::{self, Staging};
use crate::nn::{Bottleneck, DECODER, PixelValues};
use anyhow::{Context as _, Result, ensure};
use burn::tensor::Device;

/// An encoder and what draws images of its features.
pub struct Drawer {
    pub artifact: EncoderArtifact,
    encoder: Encoder,
    bottleneck: Bottleneck,
    values: PixelValues,
    /// Height, width and channels of an image.
    pub shape: [usize; 3],
    device: Device,
}

impl Drawer {
    /// The input `encoder`, where it draws images of the data set's size.
    pub fn open(data: &Dataset, context: &Context) -> Result<Self> {
        let (folder, device) = (context.input("encoder")?, context.device.clone());
        let frozen = EncoderArtifact::open(folder, &device)?;
        let artifact = &frozen.artifact;
        artifact.check_channels(&data.manifest)?;
        let ([height, width, _], [own_height, own_width]) = (super::shape(data), artifact.size);
        ensure!(
            [height, width] == artifact.size,
            "the encoder's decoder draws images of {own_height} x {own_width} pixels, and the data set's have {height} x {width}: use the \
             data that it was trained on, or train it on these"
        );
        let bottleneck = artifact.open_bottleneck(folder, &device)?.with_context(|| {
            format!(
                "the encoder has no {DECODER} that draws images of its features: use one of `pretrain/denoising_autoencoder`, \
                 `pretrain/autoencoder`, `pretrain/vae` or `pretrain/inpainting`"
            )
        })?;
        let values = PixelValues::new(&artifact.mean, &artifact.sd, &device);
        let encoder = frozen.encoder().context("an encoder with a decoder has weights")?.clone();
        Ok(Self { artifact: frozen.artifact, encoder, bottleneck, values, shape: super::shape(data), device })
    }

    /// What it draws of `images`: each `[height, width, channels]`, of values from 0 to 1, beyond which noise may go.
    pub fn draw(&self, images: &[Vec<f32>]) -> Result<Vec<Vec<f32>>> {
        let [height, width, channels] = self.shape;
        let mut staging = Staging::<f32>::new([images.len(), height, width, channels], &self.device);
        staging.values().copy_from_slice(&images.concat());
        let seen = self.values.of_values(staging.into_tensor());
        let code = self.bottleneck.code(&self.encoder, seen, Mode::Eval);
        let drawn = self.values.of_normalised(self.bottleneck.images(code, Mode::Eval, &self.values));
        ops::read(&drawn.permute([0, 2, 3, 1]), |values| {
            ensure!(values.iter().all(|value| value.is_finite()), "what the encoder's decoder draws is not finite");
            Ok(values.chunks_exact(height * width * channels).map(<[f32]>::to_vec).collect())
        })
    }
}
