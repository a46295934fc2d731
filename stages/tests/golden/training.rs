use crate::case::{Case, device, entries};
use libtest_mimic::Failed;
use pretext_stages::methods;
use pretext_stages::nn::ops::{self, AdamW, Sgd};
use pretext_stages::tasks::vote;
use pretext_stages::train::schedule::{cosine, warmup_cosine};

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

/// Follows the parameters w and b through the case's gradients; `step` is given parameters, gradients and the number of
/// the step.
fn follow(case: &Case, mut step: impl FnMut(&[tch::Tensor], &[tch::Tensor], usize)) -> Result<(), Failed> {
    let tensor = |name: &str| {
        let shape: Vec<i64> = case.shape(name).iter().map(|&n| n as i64).collect();
        tch::Tensor::from_slice(&case.floats(name)).reshape(shape)
    };
    let params = [tensor("in.w"), tensor("in.b")];
    let grads = [tensor("in.gw"), tensor("in.gb")];
    let (mut w, mut b) = (vec![], vec![]);
    for number in 0..case.shape("in.gw")[0] {
        step(&params, &grads.each_ref().map(|g| g.get(number as i64)), number);
        for (trace, param) in [(&mut w, &params[0]), (&mut b, &params[1])] {
            let values: Vec<f32> = (&param.flatten(0, -1)).try_into().expect("floats");
            trace.extend(values.into_iter().map(f64::from));
        }
    }
    case.expect("out.w", &w, STATES)?;
    case.expect("out.b", &b, STATES)
}

fn zeros_like(params: &[tch::Tensor]) -> Vec<tch::Tensor> {
    params.iter().map(tch::Tensor::zeros_like).collect()
}

pub fn sgd(case: &Case) -> Result<(), Failed> {
    let nesterov = case.name.ends_with("nesterov");
    let (lr, momentum, weight_decay) = (case.param("lr"), case.param("momentum"), case.param("weight_decay"));
    let mut buffers = None;
    follow(case, |params, grads, number| {
        let buffers = buffers.get_or_insert_with(|| zeros_like(params));
        ops::fused_sgd(params, grads, buffers, Sgd { lr, momentum, weight_decay, nesterov }, number == 0);
    })
}

pub fn adamw(case: &Case) -> Result<(), Failed> {
    let betas = case.json("betas");
    let step = AdamW {
        lr: case.param("lr"),
        betas: (betas[0].as_f64().expect("beta 1"), betas[1].as_f64().expect("beta 2")),
        weight_decay: case.param("weight_decay"),
        eps: case.json("eps").as_f64().unwrap_or(1e-8),
    };
    let mut moments = None;
    follow(case, |params, grads, number| {
        let (first, second) = moments.get_or_insert_with(|| (zeros_like(params), zeros_like(params)));
        let steps: Vec<tch::Tensor> = params.iter().map(|_| tch::Tensor::from((number + 1) as f32)).collect();
        ops::fused_adamw(params, grads, [first, second], &steps, step);
    })
}

pub fn schedule(case: &Case) -> Result<(), Failed> {
    let (total, warmup) = (case.param("total") as usize, case.param("warmup") as usize);
    let lr: Vec<f64> =
        (0..total).map(|s| warmup_cosine(s, total, warmup, case.param("base"), case.param("end"))).collect();
    let ema: Vec<f64> = (0..total).map(|s| cosine(s, total, case.param("ema_start"), case.param("ema_end"))).collect();
    case.expect("out.lr", &lr, STATES)?;
    case.expect("out.ema", &ema, STATES)
}

/// The expected ranking must be one of our scores' rankings: classes without a vote are equal.
pub fn knn(case: &Case) -> Result<(), Failed> {
    let device = device();
    let classes = case.param("classes") as usize;
    let (bank, queries) = (case.tensor::<2>("in.bank", &device), case.tensor::<2>("in.query", &device));
    let scores = vote(bank, &case.integers("in.labels"), queries, classes, case.param("k") as usize, case.param("T"));
    for (query, ranking) in case.integers("out.ranking").chunks_exact(classes).enumerate() {
        let ranked: Vec<f64> = ranking.iter().map(|&class| scores[query][class as usize]).collect();
        if !ranked.is_sorted_by(|a, b| a >= b) {
            return Err(format!("query {query}: scores {:?} are not ranked {ranking:?}", scores[query]).into());
        }
    }
    Ok(())
}
