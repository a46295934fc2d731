//! MoCo v2: tell the key of the same image from a queue of earlier images' keys (He et al. 2020, arXiv:1911.05722;
//! Chen et al. 2020, arXiv:2003.04297). Algorithm 1 of the former: queries q are made by the trained network, keys k by
//! its momentum encoder, which follows it by theta_k <- m theta_k + (1 - m) theta_q (eq. 2). The loss is InfoNCE
//! (eq. 1), temperature 0.2; the projector is v2's: linear, ReLU, linear.

use super::shared::pretrain::{Common, ENCODERS, Inputs, TRAINED, TRAINING, pretrain};
use super::shared::projector::Projector;
use crate::augment::{Batch, SimClrViews, Wants};
use crate::context::Context;
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::loss::{cross_entropy, l2_normalise};
use crate::nn::state::Part;
use crate::nn::{Init, Mlp, Norms, ops};
use crate::stage::{About, Deviations, Stage};
use crate::train::{At, MomentumEncoder, Objective, Term};
use anyhow::Result;
use burn::tensor::{Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct MoCo;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    /// of the InfoNCE loss (eq. 1)
    #[schemars(range(min = 0.001))]
    temperature: f64,
    /// what it goes to over the training, by half a cosine; null: it stays
    #[schemars(range(min = 0.001))]
    temperature_end: Option<f64>,
    /// keys of earlier images that a query is compared with
    #[schemars(range(min = 1, max = 1_048_576), extend("x-unit" = "keys"))]
    queue: u32,
    /// m of eq. 2: the share of itself that the momentum encoder keeps in a step
    #[schemars(range(min = 0, max = 1))]
    ema: f64,
    /// what it goes to over the training, by half a cosine; null: it stays
    #[schemars(range(min = 0, max = 1))]
    ema_end: Option<f64>,
    #[serde(flatten)]
    projector: Projector<512, 128>,
}

impl Default for Params {
    fn default() -> Self {
        let common = Common::default();
        Self {
            common,
            temperature: 0.2,
            temperature_end: None,
            queue: 4096,
            ema: 0.99,
            ema_end: None,
            projector: Projector::default(),
        }
    }
}

impl Stage for MoCo {
    type Params = Params;
    const ABOUT: About = About {
        name: "pretrain/moco",
        // 2: views and the products of linear layers are rounded otherwise. 3: the last step moves weights too.
        // 4: batch norm in bfloat16 is libtorch's.
        // 5: the artifact says what the encoder has seen. 6: and no more than that.
        version: 6,
        summary: "MoCo v2: contrastive learning with a queue of keys (Chen et al. 2020, arXiv:2003.04297)",
        docs: "InfoNCE (He et al. 2020, arXiv:1911.05722, eq. 1) against a queue of keys from a momentum encoder. \
               Without views: augment/simclr with its defaults.",
        deviations: &[
            Deviations::from_paper(&[
                "queue and ema are those of the authors' demonstration on CIFAR-10, where the paper has 65,536 and .999",
                "no shuffling of batch norm between devices, since there is one, and nothing in its place: the keys of a step share \
                 their batch's statistics and those in the queue do not, by which a network could tell its own key",
                "the projector's hidden layer has a width of its own, where the paper's is as wide as the features",
                "augment/simclr's crops keep at least .08 of the area, where the paper's keep .2, and it does not blur",
            ]),
            TRAINING,
            ENCODERS,
        ],
        ..TRAINED
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let inputs = Inputs::open(context, SimClrViews::default_policy())?;
        let (queue, images) = (params.queue as usize, inputs.data.rows_to_train_on(false).len());
        if queue >= images {
            context.note(&format!(
                "the queue holds {queue} keys and there are {images} training images: each is told from its own earlier keys too; \
                 lower `queue`"
            ));
        }
        pretrain(&params.common, &inputs, context, |init, encoder, _| {
            Ok(Box::new(MomentumContrast::new(init, encoder, &params)))
        })
    }
}

struct MomentumContrast {
    projector: Mlp,
    momentum_encoder: MomentumEncoder,
    /// `[queue, dim]`, the newest first.
    queue: Tensor<2>,
    /// At the first step, and after the last.
    ema: [f64; 2],
    temperature: f64,
    temperature_end: Option<f64>,
}

impl MomentumContrast {
    /// The queue is full of random keys at first, as in the authors' code.
    fn new(init: &mut Init, encoder: &Encoder, params: &Params) -> Self {
        let projector = params.projector.build(init, encoder.features(), Norms::None);
        Self {
            momentum_encoder: MomentumEncoder::of(encoder, &projector),
            projector,
            queue: init.normal([params.queue as usize, params.projector.out()]).inner(),
            ema: [params.ema, params.ema_end.unwrap_or(params.ema)],
            temperature: params.temperature,
            temperature_end: params.temperature_end,
        }
    }
}

impl Objective for MomentumContrast {
    fn wants(&self) -> Wants {
        Wants::views(2)
    }

    fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        vec![("projector", &self.projector)]
    }

    fn losses(&mut self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Term> {
        let [query_view, key_view] = batch.into_views();
        let q = self.projector.forward(encoder.pooled(query_view, Mode::Train), Mode::Train); // [batch, dim]
        let k = self.momentum_encoder.project(key_view); // [batch, dim], no gradient
        let queue = self.queue.clone(); // [queue, dim]
        self.queue = enqueue(queue.clone(), k.clone());
        let temperature = at.between(self.temperature, self.temperature_end);
        Term::alone(info_nce(q, Tensor::from_inner(k), Tensor::from_inner(queue), temperature))
    }

    fn after_step(&mut self, step: usize, steps: usize) {
        let [start, end] = self.ema;
        self.momentum_encoder.follow(step, steps, start, end);
    }

    fn buffers(&self) -> Vec<(String, tch::Tensor)> {
        let queue = ("queue".to_owned(), ops::raw(&self.queue));
        self.momentum_encoder.buffers().into_iter().chain([queue]).collect()
    }
}

/// The queue `[queue, dim]` with `keys` `[batch, dim]` before its own; as many of the oldest leave it.
fn enqueue(queue: Tensor<2>, keys: Tensor<2>) -> Tensor<2> {
    let [length, dim] = queue.dims();
    Tensor::cat(vec![keys, queue], 0).slice([0..length, 0..dim])
}

/// InfoNCE (eq. 1): for each query, the cross entropy of finding its key among that and the queue's by cosine similarity
/// over `temperature`; mean over the batch.
///
/// `q` and `k` are `[batch, dim]`, row i of each from the same image, `queue` is `[queue, dim]`; none need be normalised.
/// Keys are given without gradients.
pub fn info_nce(q: Tensor<2>, k: Tensor<2>, queue: Tensor<2>, temperature: f64) -> Tensor<1> {
    let device = q.device().inner();
    let [q, k, queue] = [q, k, queue].map(l2_normalise);
    let positive = (q.clone() * k).sum_dim(1); // [batch, 1]
    let negative = q.matmul(queue.transpose()); // [batch, queue]
    let logits = Tensor::cat(vec![positive, negative], 1).div_scalar(temperature); // [batch, 1 + queue]
    let first = Tensor::<1, Int>::zeros([logits.dims()[0]], &device);
    cross_entropy(logits, first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::encoder::EncoderConfig;

    #[test]
    fn the_oldest_keys_leave_the_queue_first() {
        let device = crate::nn::device("cpu").unwrap();
        let keys = |values: &[f32]| Tensor::<1>::from_floats(values, &device).unsqueeze_dim::<2>(1);
        let values = |queue: &Tensor<2>| queue.clone().into_data().iter::<f32>().collect::<Vec<_>>();
        let queue = enqueue(keys(&[3.0, 2.0, 1.0]), keys(&[5.0, 4.0]));
        assert_eq!(values(&queue), [5.0, 4.0, 3.0]);
        let more_than_it_holds = enqueue(queue, keys(&[9.0, 8.0, 7.0, 6.0]));
        assert_eq!(values(&more_than_it_holds), [9.0, 8.0, 7.0]);
    }

    /// At the third of four steps from .9 to .5 the momentum encoder keeps .7 of itself; the other network has become twice itself.
    #[test]
    fn the_momentum_goes_to_its_end() {
        let mut init = Init::new(0, &crate::nn::device("cpu").unwrap().autodiff());
        let encoder = EncoderConfig { width: 4, ..EncoderConfig::default() }.build(&mut init, [3, 16, 16]);
        let projector = Projector { projector_hidden: 8, projector_out: 4 };
        let params = Params { ema: 0.9, ema_end: Some(0.5), queue: 8, projector, ..Params::default() };
        let mut objective = MomentumContrast::new(&mut init, &encoder, &params);
        let trained = encoder.entries().into_iter().filter(|entry| entry.trained);
        trained.for_each(|mut entry| tch::no_grad(|| drop(entry.tensor.g_mul_scalar_(2.0))));
        let first_weight = |objective: &MomentumContrast| objective.buffers()[0].1.flatten(0, -1).double_value(&[0]);
        let before = first_weight(&objective);
        objective.after_step(2, 4);
        let moved = first_weight(&objective) / before - 1.0;
        assert!((moved - 0.3).abs() < 1e-5, "{moved}");
    }
}
