use super::{At, Objective, Term};
use crate::artifact::CLASSIFIER;
use crate::augment::{Batch, Target, Wants};
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::loss::{cross_entropy, weighted_cross_entropy};
use crate::nn::state::Part;
use crate::nn::{HeadConfig, Init, Mlp, Norms, ops};
use burn::tensor::{Device, Tensor};

/// Cross entropy of a linear classifier on the encoder's features.
pub struct Classification {
    pub classifier: Mlp,
    /// Of the encoder.
    mode: Mode<'static>,
    /// What an image of each class counts in the loss, where they do not count alike.
    weights: Option<Vec<f32>>,
    /// What is taken from each feature, and what it is then multiplied by, `[1, features]`.
    standard: Option<[Tensor<2>; 2]>,
}

impl Classification {
    pub fn new(init: &mut Init, features: usize, classes: usize) -> Self {
        Self {
            classifier: Mlp::new(init, &[features, classes], Norms::None),
            mode: Mode::Train,
            weights: None,
            standard: None,
        }
    }

    /// Images count by the weights of their classes.
    pub fn weighted(self, weights: Vec<f32>) -> Self {
        Self { weights: Some(weights), ..self }
    }

    /// Of an encoder that stays as it is, whose features are seen from their mean and multiplied by a scale each: those of one that was
    /// never trained are of any size.
    pub fn of_fixed(self, mean_and_scale: [Vec<f32>; 2], device: &Device) -> Self {
        let row = |values: Vec<f32>| ops::floats(&values, device).unsqueeze::<2>();
        Self { mode: Mode::Eval, standard: Some(mean_and_scale.map(row)), ..self }
    }

    /// The classifier as one of features as they are.
    pub fn into_classifier(self) -> Mlp {
        if let Some([mean, scale]) = &self.standard {
            self.classifier.take_features_from(mean, scale);
        }
        self.classifier
    }
}

impl Objective for Classification {
    fn wants(&self) -> Wants {
        Wants { views: 1, target: Target::Class }
    }

    fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        vec![(CLASSIFIER, &self.classifier)]
    }

    fn heads_to_keep(&self) -> Vec<(&'static str, HeadConfig)> {
        vec![(CLASSIFIER, self.classifier.config())]
    }

    fn losses(&mut self, encoder: &Encoder, batch: Batch, _: &At) -> Vec<Term> {
        let device = batch.views[0].device().inner();
        let classes = batch.targets.classes();
        let of_images =
            |weights: &Vec<f32>| -> Vec<f32> { classes.iter().map(|&class| weights[class as usize]).collect() };
        let weights = self.weights.as_ref().map(|weights| ops::floats(&of_images(weights), &device));
        let labels = ops::integers(classes, &device);
        let [images] = batch.into_views();
        let features = encoder.pooled(images, self.mode); // [batch, features]
        let features = match &self.standard {
            Some([mean, scale]) => Tensor::from_inner((features.inner() - mean.clone()) * scale.clone()),
            None => features,
        };
        let logits = self.classifier.forward(features, Mode::Train); // [batch, classes]
        Term::alone(match weights {
            Some(weights) => weighted_cross_entropy(logits, labels, weights),
            None => cross_entropy(logits, labels),
        })
    }
}
