use crate::case::{Case, device, entries};
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use libtest_mimic::Failed;
use pretext_stages::features::{nearest, scores};
use pretext_stages::methods;
use pretext_stages::nn::loss;
use pretext_stages::train::schedule::Schedule;
use pretext_stages::train::{Exclude, Optimiser, OptimiserConfig, OptimiserKind};

const LOSS: f64 = 1e-5;
const GRADIENTS: f64 = 1e-4;
const STATES: f64 = 1e-5;

pub fn nt_xent(case: &Case) -> Result<(), Failed> {
    let device = device().autodiff();
    let [a, b] = ["in.a", "in.b"].map(|name| case.tensor::<2>(name, &device).require_grad());
    let loss = methods::nt_xent(a.clone(), b.clone(), case.param("temperature"));
    case.expect("out.loss", &entries(loss.clone().inner()), LOSS)?;
    let grads = loss.backward();
    case.expect("grad.a", &entries(a.grad(&grads).expect("a gradient of a")), GRADIENTS)?;
    case.expect("grad.b", &entries(b.grad(&grads).expect("a gradient of b")), GRADIENTS)
}

/// Keys carry no gradient.
pub fn info_nce(case: &Case) -> Result<(), Failed> {
    let device = device().autodiff();
    let [q, k, queue] = ["in.q", "in.k", "in.queue"].map(|name| case.tensor::<2>(name, &device));
    let q = q.require_grad();
    let loss = methods::info_nce(q.clone(), k, queue, case.param("temperature"));
    case.expect("out.loss", &entries(loss.clone().inner()), LOSS)?;
    case.expect("grad.q", &entries(q.grad(&loss.backward()).expect("a gradient of q")), GRADIENTS)
}

/// One direction; the target carries no gradient.
pub fn byol(case: &Case) -> Result<(), Failed> {
    let device = device().autodiff();
    let [prediction, target] = ["in.p", "in.t"].map(|name| case.tensor::<2>(name, &device));
    let prediction = prediction.require_grad();
    let loss = methods::regression(prediction.clone(), target);
    case.expect("out.loss", &entries(loss.clone().inner()), LOSS)?;
    case.expect("grad.p", &entries(prediction.grad(&loss.backward()).expect("a gradient of p")), GRADIENTS)
}

/// The sum of both terms.
pub fn vae(case: &Case) -> Result<(), Failed> {
    let device = device().autodiff();
    let (logits, target) = (case.tensor::<4>("in.logits", &device).require_grad(), case.tensor("in.target", &device));
    let [mean, log_variance] = ["in.mu", "in.logvar"].map(|name| case.tensor::<2>(name, &device).require_grad());
    let reconstruction = loss::bernoulli(logits.clone(), target);
    let loss = reconstruction + loss::kl_divergence(mean.clone(), log_variance.clone());
    case.expect("out.loss", &entries(loss.clone().inner()), LOSS)?;
    let grads = loss.backward();
    case.expect("grad.logits", &entries(logits.grad(&grads).expect("a gradient of the logits")), GRADIENTS)?;
    case.expect("grad.mu", &entries(mean.grad(&grads).expect("a gradient of the mean")), GRADIENTS)?;
    case.expect("grad.logvar", &entries(log_variance.grad(&grads).expect("a gradient of the variance")), GRADIENTS)
}

pub fn mae(case: &Case) -> Result<(), Failed> {
    let device = device().autodiff();
    let (images, masked) = (case.tensor::<4>("in.img", &device), case.tensor::<2>("in.mask", &device));
    let restored = case.tensor::<3>("in.pred", &device).require_grad();
    let loss = methods::masked_patch_error(restored.clone(), images, masked, case.param("patch") as usize);
    case.expect("out.loss", &entries(loss.clone().inner()), LOSS)?;
    case.expect("grad.pred", &entries(restored.grad(&loss.backward()).expect("a gradient of pred")), GRADIENTS)
}

#[derive(Module, Debug)]
struct Weights {
    w: Param<Tensor<2>>,
    b: Param<Tensor<1>>,
}

/// Follows the parameters w and b through the case's gradients, by the optimiser that trains networks.
fn follow(case: &Case, config: &OptimiserConfig) -> Result<(), Failed> {
    let device = device().autodiff();
    let model = Weights {
        w: Param::from_tensor(case.tensor("in.w", &device)),
        b: Param::from_tensor(case.tensor("in.b", &device)),
    };
    let (all_gw, all_gb) = (case.tensor::<3>("in.gw", &device), case.tensor::<2>("in.gb", &device));
    let mut optimiser = Optimiser::new(&model, config);
    let (mut w, mut b) = (vec![], vec![]);
    for step in 0..case.shape("in.gw")[0] {
        let gw = all_gw.clone().narrow(0, step, 1).squeeze_dim::<2>(0);
        let gb = all_gb.clone().narrow(0, step, 1).squeeze_dim::<1>(0);
        let loss = (model.w.val() * gw).sum() + (model.b.val() * gb).sum();
        optimiser.step(&model, loss.backward(), case.param("lr"));
        w.extend(entries(model.w.val().inner()));
        b.extend(entries(model.b.val().inner()));
    }
    case.expect("out.w", &w, STATES)?;
    case.expect("out.b", &b, STATES)
}

pub fn sgd(case: &Case) -> Result<(), Failed> {
    follow(
        case,
        &OptimiserConfig {
            kind: OptimiserKind::Sgd,
            momentum: case.param("momentum"),
            nesterov: case.name.ends_with("nesterov"),
            weight_decay: Some(case.param("weight_decay")),
            ..OptimiserConfig::default()
        },
    )
}

pub fn adamw(case: &Case) -> Result<(), Failed> {
    let beta = |number: usize| case.json("betas")[number].as_f64().expect("two betas");
    follow(
        case,
        &OptimiserConfig {
            kind: OptimiserKind::Adamw,
            exclude: Exclude::Nothing,
            beta1: beta(0),
            beta2: beta(1),
            weight_decay: Some(case.param("weight_decay")),
            ..OptimiserConfig::default()
        },
    )
}

/// Its bias is left out by the kind's default.
pub fn lars(case: &Case) -> Result<(), Failed> {
    follow(
        case,
        &OptimiserConfig {
            kind: OptimiserKind::Lars,
            momentum: case.param("momentum"),
            weight_decay: Some(case.param("weight_decay")),
            trust: case.param("trust"),
            ..OptimiserConfig::default()
        },
    )
}

pub fn schedule(case: &Case) -> Result<(), Failed> {
    let (total, warmup) = (case.param("total") as usize, case.param("warmup") as usize);
    let lr: Vec<f64> = (0..total)
        .map(|s| Schedule::Cosine.after_warmup(s, total, warmup, case.param("base"), case.param("end")))
        .collect();
    let (start, end) = (case.param("ema_start"), case.param("ema_end"));
    let ema: Vec<f64> = (0..total).map(|s| Schedule::Cosine.at(s, total, start, end)).collect();
    case.expect("out.lr", &lr, STATES)?;
    case.expect("out.ema", &ema, STATES)
}

/// Every class's score is above the next one's of the expected ranking. Only classes without a vote are equal, and last.
pub fn knn(case: &Case) -> Result<(), Failed> {
    let device = device();
    let classes = case.param("classes") as usize;
    let (bank, queries) = (case.tensor::<2>("in.bank", &device), case.tensor::<2>("in.query", &device));
    let neighbours = nearest(&bank, &queries, case.param("k") as usize, |_| true).expect("it may go on");
    let labels = case.integers("in.labels");
    let scores: Vec<Vec<f64>> =
        neighbours.iter().map(|found| scores(found, &labels, classes, case.param("T"))).collect();
    for (query, ranking) in case.integers("out.ranking").chunks_exact(classes).enumerate() {
        let ranked: Vec<f64> = ranking.iter().map(|&class| scores[query][class as usize]).collect();
        if ranked[0] <= 0.0 || !ranked.is_sorted_by(|a, b| a > b || (*a, *b) == (0.0, 0.0)) {
            return Err(format!("query {query}: scores {:?} are not ranked {ranking:?}", scores[query]).into());
        }
    }
    Ok(())
}
