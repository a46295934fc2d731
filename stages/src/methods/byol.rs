//! BYOL: predict, from one view of an image, what a slow copy of the network makes of another view, without negatives
//! (Grill et al. 2020, arXiv:2006.07733). The loss is eq. 2, the squared distance of the normalised prediction and
//! target, 2 - 2 cos, in both directions, and their *sum*. The target network follows by xi <- tau xi + (1 - tau) theta
//! (eq. 1), where tau goes from `ema` to `ema_end` by half a cosine
//! (section 3.2: k of K, where k counts from 0).

use super::shared::pretrain::{Common, ENCODERS, Inputs, LARS, TRAINED, TRAINING, pretrain};
use super::shared::projector::Projector;
use crate::augment::{Batch, SimClrViews, Wants};
use crate::context::Context;
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::loss::l2_normalise;
use crate::nn::state::Part;
use crate::nn::{Init, Mlp, Norms};
use crate::stage::{About, Deviations, Stage};
use crate::train::{At, MomentumEncoder, Objective, Term};
use anyhow::Result;
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct Byol;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    /// tau of eq. 1 at the first step: the share of itself that the target network keeps; goes to `ema_end` by half a cosine
    #[schemars(range(min = 0, max = 1))]
    ema: f64,
    /// tau after the last step
    #[schemars(range(min = 0, max = 1))]
    ema_end: f64,
    #[serde(flatten)]
    projector: Projector<1024, 256>,
    /// length of the predictor's hidden layer
    #[schemars(range(min = 1, max = 8192))]
    predictor_hidden: u32,
}

impl Default for Params {
    fn default() -> Self {
        let common = Common::default();
        Self { common, ema: 0.996, ema_end: 1.0, projector: Projector::default(), predictor_hidden: 1024 }
    }
}

impl Stage for Byol {
    type Params = Params;
    const ABOUT: About = About {
        name: "pretrain/byol",
        // 2: views and the products of linear layers are rounded otherwise. 3: the last step moves weights and target too.
        // 4: batch norm in bfloat16 is libtorch's.
        // 5: the artifact says what the encoder has seen. 6: and no more than that.
        version: 6,
        summary: "BYOL: predict a slow copy's projection of another view (Grill et al. 2020, arXiv:2006.07733)",
        docs: "2 - 2 cos of prediction and target (eq. 2), the sum of both directions. Without views: augment/simclr with its \
               defaults; the paper's unequal ones are augment/byol.",
        deviations: &[
            Deviations::from_paper(&[
                "without views of augment/byol both are SimCLR's, drawn from one distribution, where the paper blurs and solarises \
                 them unequally and changes saturation by at most .2 in place of .4",
                "projector and predictor are narrower than the paper's 4,096",
                "of their two layers the last has a bias, where the authors' code gives one to the first, from which batch norm \
                 takes it away",
            ]),
            LARS,
            TRAINING,
            ENCODERS,
        ],
        ..TRAINED
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let inputs = Inputs::open(context, SimClrViews::default_policy())?;
        pretrain(&params.common, &inputs, context, |init, encoder, _| {
            Ok(Box::new(Bootstrap::new(init, encoder, &params)))
        })
    }
}

struct Bootstrap {
    projector: Mlp,
    predictor: Mlp,
    /// The target network.
    target: MomentumEncoder,
    /// At the first step, and after the last.
    ema: [f64; 2],
}

impl Bootstrap {
    fn new(init: &mut Init, encoder: &Encoder, params: &Params) -> Self {
        let out = params.projector.out();
        let projector = params.projector.build(init, encoder.features(), Norms::Hidden);
        let predictor = Mlp::new(init, &[out, params.predictor_hidden as usize, out], Norms::Hidden);
        Self {
            target: MomentumEncoder::of(encoder, &projector),
            projector,
            predictor,
            ema: [params.ema, params.ema_end],
        }
    }
}

impl Objective for Bootstrap {
    fn wants(&self) -> Wants {
        Wants::views(2)
    }

    fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        vec![("projector", &self.projector), ("predictor", &self.predictor)]
    }

    fn losses(&mut self, encoder: &Encoder, batch: Batch, _: &At) -> Vec<Term> {
        // [batch, dim]
        let predict = |view| {
            let projection = self.projector.forward(encoder.pooled(view, Mode::Train), Mode::Train);
            self.predictor.forward(projection, Mode::Train)
        };
        let [a, b] = batch.into_views();
        let [target_of_a, target_of_b] = [&a, &b].map(|view| Tensor::from_inner(self.target.project(view.clone())));
        Term::alone(regression(predict(a), target_of_b) + regression(predict(b), target_of_a))
    }

    fn after_step(&mut self, step: usize, steps: usize) {
        let [start, end] = self.ema;
        self.target.follow(step, steps, start, end);
    }

    fn buffers(&self) -> Vec<(String, tch::Tensor)> {
        self.target.buffers()
    }
}

/// Eq. 2: the squared distance of normalised prediction and target, which is 2 - 2 cos; mean over the batch.
///
/// Both are `[batch, dim]`, row i of each from the same image; the target is given without gradient.
pub fn regression(prediction: Tensor<2>, target: Tensor<2>) -> Tensor<1> {
    (l2_normalise(prediction) - l2_normalise(target)).square().sum_dim(1).mean()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::encoder::EncoderConfig;

    /// The weights of the target network after the last of so many steps, in which the online network has become twice itself.
    #[test]
    fn the_target_follows_to_the_last_step() {
        let encoder = EncoderConfig { width: 4, ..EncoderConfig::default() };
        let common = Common { encoder, ..Common::default() };
        let params = Params {
            common,
            projector: Projector { projector_hidden: 8, projector_out: 4 },
            predictor_hidden: 8,
            ..Params::default()
        };
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let init = &mut Init::new(0, &device);
        let online = params.common.encoder.build(init, [3, 16, 16]);
        let mut objective = Bootstrap::new(init, &online, &params);
        let trained = online.entries().into_iter().filter(|entry| entry.trained);
        trained.for_each(|mut entry| tch::no_grad(|| drop(entry.tensor.g_mul_scalar_(2.0))));
        let first_weight = |objective: &Bootstrap| {
            let weight = objective.buffers().swap_remove(0).1.flatten(0, -1);
            weight.double_value(&[0])
        };
        let before = first_weight(&objective);
        objective.after_step(9, 10);
        // Of ten steps the last is number 9, where tau is 1 - .004 (1 + cos(.9 pi)) / 2.
        let share = 0.004 * (1.0 + (0.9 * std::f64::consts::PI).cos()) / 2.0;
        let moved = first_weight(&objective) / before - 1.0;
        assert!((moved / share - 1.0).abs() < 0.01 && moved > 0.0, "{moved} in place of {share}");
    }
}
