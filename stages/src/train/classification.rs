use super::{At, Objective, Term};
use crate::augment::Batch;
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::loss::{cross_entropy, weighted_cross_entropy};
use crate::nn::state::Part;
use crate::nn::{CLASSIFIER, HeadConfig, Init, Mlp, Norms, ops};

/// Cross entropy of a linear classifier on the encoder's features.
pub struct Classification {
    pub classifier: Mlp,
    /// Of the encoder.
    mode: Mode,
    /// What an image of each class counts in the loss, where they do not count alike.
    weights: Option<Vec<f32>>,
}

impl Classification {
    pub fn new(init: &mut Init, features: usize, classes: usize) -> Self {
        Self { classifier: Mlp::new(init, &[features, classes], Norms::None), mode: Mode::Train, weights: None }
    }

    /// In which mode the encoder is, and what an image of each class counts.
    pub fn with(self, mode: Mode, weights: Option<Vec<f32>>) -> Self {
        Self { mode, weights, ..self }
    }
}

impl Objective for Classification {
    fn views(&self) -> usize {
        1
    }

    fn needs_classes(&self) -> bool {
        true
    }

    fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        vec![(CLASSIFIER, &self.classifier)]
    }

    fn kept(&self) -> Vec<(&'static str, HeadConfig)> {
        vec![(CLASSIFIER, self.classifier.config())]
    }

    fn losses(&mut self, encoder: &Encoder, batch: Batch, _: &At) -> Vec<Term> {
        let device = batch.views[0].device().inner();
        let of_images =
            |weights: &Vec<f32>| -> Vec<f32> { batch.labels.iter().map(|&label| weights[label as usize]).collect() };
        let weights = self.weights.as_ref().map(|weights| ops::floats(&of_images(weights), &device));
        let labels = ops::integers(&batch.labels, &device);
        let [images] = batch.into_views();
        let logits = self.classifier.forward(encoder.forward(images, self.mode), Mode::Train); // [batch, classes]
        Term::alone(match weights {
            Some(weights) => weighted_cross_entropy(logits, labels, weights),
            None => cross_entropy(logits, labels),
        })
    }
}
