//! Several objectives on one encoder: the loss is the sum of theirs, each with a weight. Each has views of its own of the same images, made
//! as its method makes them.

use super::shared::pretrain::{Common, Inputs, NEEDS_WITHOUT_VIEWS, Partner, TRAINED, TRAINING, pretrain};
use super::{rotation, simclr, vae};
use crate::augment::{Batch, Policy, Wants};
use crate::context::Context;
use crate::nn::encoder::Encoder;
use crate::nn::state::Part;
use crate::stage::{About, Deviations, Stage};
use crate::train::{At, Objective, Term};
use anyhow::{Result, ensure};
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct Fusion;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    /// as pretrain/simclr
    simclr: Weighted<simclr::Own>,
    /// as pretrain/rotation
    rotation: Weighted<rotation::Own>,
    /// as pretrain/vae
    vae: Weighted<vae::Own>,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            common: Common::default(),
            simclr: Weighted { weight: 1.0, ..Weighted::default() },
            rotation: Weighted::default(),
            vae: Weighted { weight: 1.0, ..Weighted::default() },
        }
    }
}

/// A partner's own parameters, and how much it counts.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
struct Weighted<O> {
    /// of its loss; 0: it takes no part
    #[serde(default)]
    #[schemars(range(min = 0.0))]
    weight: f64,
    #[serde(flatten)]
    own: O,
}

impl Stage for Fusion {
    type Params = Params;
    const ABOUT: About = About {
        name: "pretrain/fusion",
        // 2: the decoder's last layer begins by its inputs.
        version: 2,
        summary: "Several objectives on one encoder, their losses added with weights",
        docs: "Each partner that has a weight gets views of its own of every image, made as its method makes them when no views are \
               connected, and counts the images that pass through the network for it: at equal `images` a pair has as many as each alone. \
               curve.csv has their terms before they are weighted. The encoder alone is kept, and its pooled features are evaluated.",
        deviations: &[
            Deviations {
                of: "from the paper",
                list: &["of the partners: see their own kinds; of their sum there is no paper"],
            },
            TRAINING,
        ],
        needs: NEEDS_WITHOUT_VIEWS,
        ..TRAINED
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let all: [(&'static str, f64, &dyn Partner); 3] = [
            ("simclr", params.simclr.weight, &params.simclr.own),
            ("rotation", params.rotation.weight, &params.rotation.own),
            ("vae", params.vae.weight, &params.vae.own),
        ];
        let partners: Vec<_> = all.into_iter().filter(|&(_, weight, _)| weight > 0.0).collect();
        let given: Vec<&str> = partners.iter().map(|&(name, ..)| name).collect();
        ensure!(
            partners.len() >= 2,
            "a fusion has two partners or more, and {} a weight here: write `rotation: {{ weight: 1 }}`, or leave the others at 1",
            given.first().map_or("none has".to_owned(), |name| format!("{name} alone has"))
        );
        let policies: Vec<(Policy, usize)> = partners.iter().map(|(.., own)| (own.policy(), own.views())).collect();
        let inputs = Inputs { policy: Policy::side_by_side(&policies), ..Inputs::open(context, Policy::identity())? };
        partners.iter().try_for_each(|(.., own)| own.check(&params.common, &inputs.data.manifest))?;
        pretrain(&params.common, &inputs, context, |init, encoder, data| {
            let member = |&(name, weight, own): &(&'static str, f64, &dyn Partner)| {
                Ok(Member { name, weight, objective: own.objective(init, encoder, data)? })
            };
            Ok(Box::new(Fused { members: partners.iter().map(member).collect::<Result<_>>()? }))
        })
    }
}

struct Fused {
    members: Vec<Member>,
}

struct Member {
    name: &'static str,
    weight: f64,
    objective: Box<dyn Objective>,
}

impl Objective for Fused {
    fn wants(&self) -> Wants {
        Wants::views(self.members.iter().map(|member| member.objective.wants().views).sum())
    }

    fn seen(&self) -> usize {
        self.members.iter().map(|member| member.objective.seen()).sum()
    }

    fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        self.members.iter().flat_map(|member| member.objective.heads()).collect()
    }

    fn buffers(&self) -> Vec<(String, tch::Tensor)> {
        let all =
            self.members.iter().flat_map(|member| member.objective.buffers().into_iter().map(|of| (member.name, of)));
        all.map(|(member, (name, tensor))| (format!("{member}.{name}"), tensor)).collect()
    }

    fn rests(&self, network: &str, at: &At) -> bool {
        self.members.iter().any(|member| member.objective.rests(network, at))
    }

    fn after_step(&mut self, step: usize, steps: usize) {
        self.members.iter_mut().for_each(|member| member.objective.after_step(step, steps));
    }

    /// Of each partner: the images, and what it makes of them.
    fn shown(&self, encoder: &Encoder, mut batch: Batch, at: &At) -> Vec<Tensor<4>> {
        let mut columns = vec![];
        for Member { objective, .. } in &self.members {
            let own = own(&mut batch, &**objective);
            columns.extend(objective.shown(encoder, own, at));
        }
        columns
    }

    fn losses(&mut self, encoder: &Encoder, mut batch: Batch, at: &At) -> Vec<Term> {
        let mut terms = vec![];
        for Member { name, weight, objective } in &mut self.members {
            let own = own(&mut batch, &**objective);
            let named = |term: Term| match term.name {
                // The loss of a partner that has one term is called by the partner.
                "loss" => Term { name, weight: *weight * term.weight, ..term },
                _ => Term { weight: *weight * term.weight, ..term },
            };
            terms.extend(objective.losses(encoder, own, at).into_iter().map(named));
        }
        terms
    }
}

/// A batch with a partner's views, which are the next of `batch`'s.
fn own(batch: &mut Batch, objective: &dyn Objective) -> Batch {
    let rest = batch.views.split_off(objective.wants().views);
    Batch { views: std::mem::replace(&mut batch.views, rest), ..batch.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::{Targets, channels_last};
    use crate::data::{Labels, Manifest};
    use crate::nn::Init;
    use crate::nn::encoder::EncoderConfig;
    use std::collections::BTreeMap;

    const AT: At = At { seed: 3, step: 2, steps: 9, epoch: 0, epochs: 1, turn: 0 };
    const WEIGHTS: [f64; 3] = [0.5, 2.0, 3.0];

    /// An encoder and its partners, the same at every call.
    fn built() -> (Encoder, Vec<Member>) {
        let init = &mut Init::new(0, &crate::nn::device("cpu").unwrap().autodiff());
        let data = Manifest {
            name: "waves".into(),
            height: 16,
            width: 16,
            channels: 3,
            classes: vec![],
            labels: Labels::Images,
            pictures: None,
            images: BTreeMap::new(),
            mean: vec![0.5; 3],
            sd: vec![0.2; 3],
        };
        let encoder = EncoderConfig { width: 4, ..EncoderConfig::default() }.build(init, data.input());
        let simclr = simclr::Own::default().objective(init, &encoder, &data).unwrap();
        let rotation = rotation::Own::default().objective(init, &encoder, &data).unwrap();
        let vae = vae::Own::default().objective(init, &encoder, &data).unwrap();
        let objectives = [("simclr", simclr), ("rotation", rotation), ("vae", vae)].into_iter().zip(WEIGHTS);
        let members = objectives.map(|((name, objective), weight)| Member { name, weight, objective }).collect();
        (encoder, members)
    }

    /// Catches a weight that is dropped, a term that is missing, and views that another partner should have.
    #[test]
    fn the_terms_are_those_of_the_partners_alone_times_their_weights() {
        let device = crate::nn::device("cpu").unwrap().autodiff();
        let view = |phase: usize| {
            let values = (0..4 * 768).map(|place| (phase as f32 + 0.37 * place as f32).sin()).collect();
            channels_last(values, 16, 16, &device)
        };
        let views: Vec<Tensor<4>> = (0..4).map(view).collect();
        let batch =
            |views: &[Tensor<4>]| Batch { ids: vec![4, 0, 7, 31], views: views.to_vec(), targets: Targets::None };
        let value = |term: &Term| term.weight * f64::from(term.value.clone().into_scalar::<f32>());

        let (encoder, members) = built();
        let found = Fused { members }.losses(&encoder, batch(&views), &AT);
        let (encoder, mut alone) = built();
        let mut expected = vec![];
        for ((partner, weight), own) in alone.iter_mut().zip(WEIGHTS).zip([0..2, 2..3, 3..4]) {
            let terms = partner.objective.losses(&encoder, batch(&views[own]), &AT);
            expected.extend(terms.iter().map(|term| weight * value(term)));
        }
        let names: Vec<&str> = found.iter().map(|term| term.name).collect();
        assert_eq!(names, ["simclr", "rotation", "reconstruction", "kl"]);
        let found: Vec<f64> = found.iter().map(value).collect();
        let is_near = |(found, expected): (&f64, &f64)| (found - expected).abs() < 1e-5 * expected;
        assert_eq!(found.len(), expected.len());
        assert!(found.iter().zip(&expected).all(is_near), "{found:?} and {expected:?}");
    }
}
