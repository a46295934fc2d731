use crate::case::{Case, device, entries};
use libtest_mimic::Failed;
use pretext_stages::metrics::detection::{Detections, Found, Scene, Truth};
use pretext_stages::nn::box_loss;
use pretext_stages::tasks;

const LOSS: f64 = 1e-5;
const GRADIENTS: f64 = 1e-4;
const METRICS: f64 = 1e-6;

pub fn focal(case: &Case) -> Result<(), Failed> {
    let device = device().autodiff();
    let [x, y] = ["in.x", "in.y"].map(|name| case.tensor::<2>(name, &device));
    let x = x.require_grad();
    let loss = box_loss::focal(x.clone(), y, case.param("alpha"), case.param("gamma"));
    case.expect("out.loss", &entries(loss.clone().inner()), LOSS)?;
    case.expect("grad.x", &entries(x.grad(&loss.backward()).expect("a gradient of x")), GRADIENTS)
}

pub fn giou(case: &Case) -> Result<(), Failed> {
    let device = device().autodiff();
    let [found, truth] = ["in.p", "in.t"].map(|name| case.tensor::<2>(name, &device));
    let found = found.require_grad();
    let loss = box_loss::giou(found.clone(), truth).mean();
    case.expect("out.loss", &entries(loss.clone().inner()), LOSS)?;
    case.expect("grad.p", &entries(found.grad(&loss.backward()).expect("a gradient of p")), GRADIENTS)
}

/// Of one class.
pub fn nms(case: &Case) -> Result<(), Failed> {
    let (boxes, scores) = (case.floats("in.boxes"), case.floats("in.scores"));
    let kept = tasks::nms(boxes.as_chunks().0, &scores, &vec![0; scores.len()], case.param("iou") as f32);
    let (kept, expected) = (kept.iter().map(|&place| place as i32).collect::<Vec<_>>(), case.integers("out.keep"));
    if kept == expected { Ok(()) } else { Err(format!("kept {kept:?}, expected {expected:?}").into()) }
}

/// Rows are image, class, left, top, width, height, score; images and classes count from 1.
pub fn figures(case: &Case) -> Result<(), Failed> {
    let rows = |name: &str| -> Vec<[f64; 7]> { case.values(name).as_chunks().0.to_vec() };
    let [truths, found] = ["in.truth", "in.detections"].map(rows);
    let most = |column: usize| truths.iter().chain(&found).fold(0.0f64, |most, row| most.max(row[column])) as usize;
    let mut scenes = vec![Scene::default(); most(0)];
    let edges = |[_, _, left, top, width, height, _]: [f64; 7]| [left, top, left + width, top + height];
    let (image, class) = (|row: [f64; 7]| row[0] as usize - 1, |row: [f64; 7]| row[1] as usize - 1);
    for row in truths.iter().copied() {
        scenes[image(row)].truths.push(Truth { class: class(row), edges: edges(row) });
    }
    for row in found.iter().copied() {
        scenes[image(row)].found.push(Found { class: class(row), edges: edges(row), score: row[6] });
    }
    case.expect("out.stats", &Detections::new(&scenes, most(1)).figures().in_order(), METRICS)
}
