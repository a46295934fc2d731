//! Supervised training with all labels: the upper control. Cross entropy of a linear classifier on the encoder's
//! features; crop and flip (He et al. 2016, arXiv:1512.03385, section 4.2).
//!
//! Deviations: a cosine schedule in place of steps.

use super::pretrain::{Common, FAMILY, Inputs, pretrain};
use crate::augment::{Batch, StandardViews};
use crate::context::Context;
use crate::nn::encoder::Encoder;
use crate::nn::layers::{Linear, Mode};
use crate::nn::loss::cross_entropy;
use crate::stage::{About, Stage};
use crate::train::Method;
use anyhow::Result;
use burn::module::Module;
use burn::tensor::{Tensor, TensorData};

pub struct Supervised;

impl Stage for Supervised {
    type Params = Common;
    const ABOUT: About = About {
        name: "pretrain/supervised",
        summary: "Supervised training with all labels: the upper control (He et al. 2016, arXiv:1512.03385)",
        docs: "Cross entropy of a linear classifier. Without views: padded crop and flip, as augment/standard.",
        ..FAMILY
    };

    fn run(common: Common, context: &Context) -> Result<()> {
        let inputs = Inputs::open(context, StandardViews::default_policy())?;
        pretrain(
            &common,
            &inputs,
            1,
            context,
            |init, data| {
                let encoder = common.encoder.build(init);
                let classifier = Linear::new(init, encoder.features(), data.classes.len());
                Classification { model: Model { encoder, classifier } }
            },
            |method| &method.model.encoder,
        )
    }
}

#[derive(Module, Debug)]
struct Model {
    encoder: Encoder,
    classifier: Linear,
}

struct Classification {
    model: Model,
}

impl Method for Classification {
    type Model = Model;

    fn model(&self) -> &Model {
        &self.model
    }

    fn loss(&self, batch: Batch) -> Tensor<1> {
        let [images] = <[_; 1]>::try_from(batch.views).expect("one view of each image");
        let classes = Tensor::from_data(TensorData::from(batch.labels.as_slice()), &images.device().inner());
        let logits = self.model.classifier.forward(self.model.encoder.forward(images, Mode::Train)); // [batch, classes]
        cross_entropy(logits, classes)
    }
}
