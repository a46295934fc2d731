use super::{Detector, Found};
use crate::artifact::{EncoderArtifact, Frozen};
use crate::context::Context;
use crate::nn::Head;
use crate::nn::layers::Mode;
use crate::nn::ops;
use anyhow::{Result, bail};
use burn::tensor::Tensor;
use std::path::Path;

/// How badly an image is drawn again by the decoder that was trained with the encoder.
pub struct Reconstruction<'a> {
    encoder: &'a Frozen,
    decoder: Head,
}

/// The head's name.
const DECODER: &str = "decoder";

impl<'a> Reconstruction<'a> {
    pub fn open(encoder: &'a Frozen, folder: &Path, context: &Context) -> Result<Self> {
        let Frozen { artifact: EncoderArtifact { heads, .. }, .. } = encoder;
        match encoder.artifact.open_head(DECODER, folder, &context.device)? {
            Some(decoder @ (Head::Decoder(_) | Head::Mlp(_))) => Ok(Self { encoder, decoder }),
            _ => bail!(
                "method is reconstruction, and the encoder has kept no head `{DECODER}` that draws images{}: connect the encoder of \
                 pretrain/autoencoder, or choose another method",
                if heads.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", heads.keys().cloned().collect::<Vec<_>>().join(", "))
                }
            ),
        }
    }

    /// Features `[batch, features]` to images of the shape of those that they are of.
    fn draw(&self, features: Tensor<2>, shape: [usize; 4]) -> Tensor<4> {
        match &self.decoder {
            Head::Decoder(decoder) => decoder.forward(features, Mode::Eval),
            Head::Mlp(decoder) => decoder.forward(features, Mode::Eval).reshape(shape),
            _ => unreachable!("it was looked at when it was opened"),
        }
    }
}

impl Detector for Reconstruction<'_> {
    /// The squared error of each pixel, the mean over the channels, and of each image.
    fn look_at(&self, images: Tensor<4>) -> Result<Found> {
        let shape = images.dims();
        let drawn = self.draw(self.encoder.features(images.clone()), shape);
        let map = (drawn - images).square().mean_dim(1); // [batch, 1, height, width]
        let scores = map.clone().mean_dim(2).mean_dim(3);
        Ok(Found { scores: Some(ops::read(&scores, <[f32]>::to_vec)), map: Some(map) })
    }
}
