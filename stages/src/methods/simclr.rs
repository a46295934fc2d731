//! SimCLR: bring two views of an image together and push all others of the batch apart (Chen et al. 2020,
//! arXiv:2002.05709). The loss is NT-Xent, equation 1, mean over both views of every image.

use super::shared::pretrain::{Common, ENCODERS, LARS, Partner, TRAINED, TRAINING, pretrain_alone};
use super::shared::projector::Projector;
use crate::augment::{Batch, Policy, SimClrViews, Wants};
use crate::context::Context;
use crate::data::Manifest;
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::loss::{cross_entropy, l2_normalise};
use crate::nn::state::Part;
use crate::nn::{Init, Mlp, Norms};
use crate::stage::{About, Deviations, Stage};
use crate::train::{At, Objective, Term};
use anyhow::Result;
use burn::tensor::{Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct SimClr;

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    #[serde(flatten)]
    own: Own,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Own {
    /// of the NT-Xent loss (eq. 1)
    #[schemars(range(min = 0.001))]
    temperature: f64,
    /// what it goes to over the training, by half a cosine; null: it stays
    #[schemars(range(min = 0.001))]
    temperature_end: Option<f64>,
    #[serde(flatten)]
    projector: Projector<512, 128>,
}

impl Default for Own {
    fn default() -> Self {
        Self { temperature: 0.5, temperature_end: None, projector: Projector::default() }
    }
}

impl Stage for SimClr {
    type Params = Params;
    const ABOUT: About = About {
        name: "pretrain/simclr",
        // 2: linear layers' gradients are read in their own order. 3: views are rounded otherwise, by 1e-6, of which even
        // a short training makes more than rounding. 4: the last step moves weights too.
        // 5: batch norm in bfloat16 is libtorch's.
        // 6: the artifact says what the encoder has seen. 7: and no more than that.
        version: 7,
        summary: "SimCLR: contrastive learning of two views (Chen et al. 2020, arXiv:2002.05709)",
        docs: "NT-Xent (eq. 1) on the outputs of a two-layer projector, each layer followed by a batch norm, as in the authors' \
               code. Without views: augment/simclr with its defaults.",
        deviations: &[
            Deviations::from_paper(&[
                "the two views pass through the network one after the other, so that batch norm has statistics of its own for \
                 each (as in lightly), where the authors' code joins them",
                "the projector's hidden layer has a width of its own, where the paper's is as wide as the features, and its last \
                 norm shifts, where the authors' does not",
            ]),
            LARS,
            TRAINING,
            ENCODERS,
        ],
        ..TRAINED
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        pretrain_alone(&params.common, &params.own, context)
    }
}

impl Partner for Own {
    fn views(&self) -> usize {
        2
    }

    fn policy(&self) -> Policy {
        SimClrViews::default_policy()
    }

    fn objective(&self, init: &mut Init, encoder: &Encoder, _: &Manifest) -> Result<Box<dyn Objective>> {
        let projector = self.projector.build(init, encoder.features(), Norms::All);
        Ok(Box::new(Contrast { projector, temperature: self.temperature, temperature_end: self.temperature_end }))
    }
}

struct Contrast {
    projector: Mlp,
    temperature: f64,
    temperature_end: Option<f64>,
}

impl Objective for Contrast {
    fn wants(&self) -> Wants {
        Wants::views(2)
    }

    fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        vec![("projector", &self.projector)]
    }

    fn losses(&mut self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Term> {
        let project = |view| self.projector.forward(encoder.pooled(view, Mode::Train), Mode::Train);
        let [a, b] = batch.into_views().map(project); // [batch, dim] each
        Term::alone(nt_xent(a, b, at.between(self.temperature, self.temperature_end)))
    }
}

/// NT-Xent (eq. 1): for each of the 2N projections, the cross entropy of finding its partner among the 2N - 1 others by
/// cosine similarity over `temperature`; mean over all 2N.
///
/// `a` and `b` are `[batch, dim]`, row i of each from the same image; they need not be normalised.
pub fn nt_xent(a: Tensor<2>, b: Tensor<2>, temperature: f64) -> Tensor<1> {
    let [batch, _] = a.dims();
    let device = a.device().inner();
    let z = l2_normalise(Tensor::cat(vec![a, b], 0)); // [2 batch, dim]
    let similarity = z.clone().matmul(z.transpose()).div_scalar(temperature); // [2 batch, 2 batch]
    let itself = Tensor::<2>::eye(2 * batch, &device).equal_scalar(1.0);
    let logits = similarity.mask_fill(itself, f32::NEG_INFINITY);
    let half = Tensor::<1, Int>::arange(0..batch as i64, &device);
    let partner = Tensor::cat(vec![half.clone().add_scalar(batch as i64), half], 0);
    cross_entropy(logits, partner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Targets;
    use crate::nn::encoder::EncoderConfig;
    use burn::tensor::TensorData;

    /// At the smallest temperature that a recipe may ask for similarities differ by up to 2,000 times the unit of entropy.
    #[test]
    fn the_smallest_temperature_has_a_finite_loss_and_gradient() {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let wave = |phase: f32| {
            let values: Vec<f32> = (0..8 * 4).map(|i| (phase + 1.7 * i as f32).sin()).collect();
            Tensor::<2>::from_data(TensorData::new(values, [8, 4]), &device)
        };
        let (a, b) = (wave(0.0).require_grad(), wave(1.0));
        let loss = nt_xent(a.clone(), b, 0.001);
        let gradient = a.grad(&loss.backward()).unwrap();
        assert!(loss.into_scalar::<f32>().is_finite());
        assert!(gradient.into_data().iter::<f32>().all(f32::is_finite));
    }

    /// The third of four steps of a temperature from 1 to .2: .6.
    #[test]
    fn the_temperature_goes_to_its_end() {
        let mut init = Init::new(0, &crate::nn::device("cpu").unwrap().autodiff());
        let encoder = EncoderConfig { width: 4, ..EncoderConfig::default() }.build(&mut init, [3, 16, 16]);
        let values = |phase: f32| (0..4 * 3 * 16 * 16).map(|i| (phase + 0.37 * i as f32).sin()).collect();
        let views = [0.0, 1.0].map(|phase| crate::augment::channels_last(values(phase), 16, 16, &init.device));
        let own = Own { temperature: 1.0, temperature_end: Some(0.2), ..Own::default() };
        let projector = own.projector.build(&mut init, encoder.features(), Norms::All);
        let project = |view| projector.forward(encoder.pooled(view, Mode::Train), Mode::Train);
        let [a, b] = views.clone().map(project);
        let expected = nt_xent(a, b, 0.6).into_scalar::<f32>();
        let Own { temperature, temperature_end, .. } = own;
        let mut objective = Contrast { projector: projector.clone(), temperature, temperature_end };
        let at = At { seed: 0, step: 2, steps: 4, epoch: 0, epochs: 1, turn: 0 };
        let batch = Batch { ids: vec![0, 1, 2, 3], views: views.to_vec(), targets: Targets::None };
        let found = objective.losses(&encoder, batch, &at).remove(0).value.into_scalar::<f32>();
        assert!((found - expected).abs() < 1e-5 * expected, "{found} in place of {expected}");
    }
}
