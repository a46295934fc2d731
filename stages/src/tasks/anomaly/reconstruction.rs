use super::{Detector, Found};
use crate::artifact::{EncoderArtifact, Frozen};
use crate::context::Context;
use crate::data::Manifest;
use crate::nn::layers::Mode;
use crate::nn::{Bottleneck, PixelValues, ops};
use anyhow::{Result, bail, ensure};
use burn::tensor::Tensor;
use std::path::Path;

/// How badly an image is drawn again by the decoder that was trained with the encoder.
pub struct Reconstruction<'a> {
    encoder: &'a Frozen,
    bottleneck: Bottleneck,
    values: PixelValues,
}

impl<'a> Reconstruction<'a> {
    /// `folder`: of the encoder; `data`: whose images are drawn again.
    pub fn open(encoder: &'a Frozen, folder: &Path, data: &Manifest, context: &Context) -> Result<Self> {
        let EncoderArtifact { heads, mean, sd, size: [own_height, own_width], .. } = &encoder.artifact;
        let (height, width) = (data.height, data.width);
        ensure!(
            [height, width] == encoder.artifact.size,
            "the decoder draws images of {own_height} x {own_width} pixels, and the data set's have {height} x {width}: use a data set of \
             its size"
        );
        let Some(bottleneck) = encoder.artifact.open_bottleneck(folder, &context.device)? else {
            bail!(
                "method is reconstruction, and the encoder has kept no head `decoder` that draws images{}: connect the encoder of \
                 pretrain/autoencoder, or choose another method",
                if heads.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", heads.keys().cloned().collect::<Vec<_>>().join(", "))
                }
            )
        };
        Ok(Self { encoder, bottleneck, values: PixelValues::new(mean, sd, &context.device) })
    }
}

impl Detector for Reconstruction<'_> {
    /// The squared error of each pixel, the mean over the channels, and of each image.
    fn look_at(&self, images: Tensor<4>) -> Result<Found> {
        let drawn = self.bottleneck.images(self.encoder.features(images.clone()), Mode::Eval, &self.values);
        let map = (drawn - images).square().mean_dim(1); // [batch, 1, height, width]
        let scores = map.clone().mean_dim(2).mean_dim(3);
        Ok(Found { scores: Some(ops::read(&scores, <[f32]>::to_vec)), map: Some(map) })
    }
}
