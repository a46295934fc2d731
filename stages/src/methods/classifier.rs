use crate::nn::Init;
use crate::nn::encoder::{Encoder, EncoderConfig};
use crate::nn::layers::{Linear, Mode};
use crate::nn::loss::cross_entropy;
use burn::module::Module;
use burn::tensor::{Int, Tensor};

/// An encoder and a linear classifier of its features, trained together.
#[derive(Module, Debug)]
pub struct Classifier {
    pub encoder: Encoder,
    classifier: Linear,
}

impl Classifier {
    pub fn new(init: &mut Init, encoder: &EncoderConfig, classes: usize) -> Self {
        let encoder = encoder.build(init);
        let classifier = Linear::new(init, encoder.features(), classes);
        Self { encoder, classifier }
    }

    /// Cross entropy with the class numbers `[batch]` of images `[batch, 3, h, w]`, mean over the batch.
    pub fn loss(&self, images: Tensor<4>, classes: Tensor<1, Int>) -> Tensor<1> {
        let logits = self.classifier.forward(self.encoder.forward(images, Mode::Train)); // [batch, classes]
        cross_entropy(logits, classes)
    }
}
