use super::*;
use crate::random::{Purpose, Rng};
use burn::tensor::TensorData;

const CLASSES: usize = 3;
const LEVELS_OF_64: [(usize, [usize; 2]); 3] = [(4, [16, 16]), (8, [8, 8]), (16, [4, 4])];
const PLACES: usize = 256 + 64 + 16;

/// The three losses of one image after the other, place by place, in float64: a sum of what equation 2 and its references say.
fn literal(classes: &[f64], distances: &[f64], centreness: &[f64], scenes: &[Vec<Region>]) -> [f64; 3] {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    let (mut sums, mut positives) = ([0.0; 3], 0);
    for (image, regions) in scenes.iter().enumerate() {
        let answers = assign(&places(&LEVELS_OF_64, 4.0), regions);
        for (place, answer) in answers.iter().enumerate() {
            let row = image * PLACES + place;
            for class in 0..CLASSES {
                let p = sigmoid(classes[row * CLASSES + class]);
                let is_one = answer.is_some_and(|answer| answer.class == class as i32);
                sums[0] -= if is_one { 0.25 * (1.0 - p).powi(2) * p.ln() } else { 0.75 * p.powi(2) * (1.0 - p).ln() };
            }
            let Some(answer) = answer else { continue };
            positives += 1;
            let [l, t, r, b]: [f64; 4] = std::array::from_fn(|edge| distances[row * 4 + edge]);
            let [tl, tt, tr, tb] = answer.distances.map(f64::from);
            // Both boxes hold the place, so that they overlap.
            let both = (l.min(tl) + r.min(tr)) * (t.min(tt) + b.min(tb));
            let either = (l + r) * (t + b) + (tl + tr) * (tt + tb) - both;
            let around = (l.max(tl) + r.max(tr)) * (t.max(tt) + b.max(tb));
            sums[1] += 1.0 - both / either + (around - either) / around;
            let (p, c) = (sigmoid(centreness[row]), f64::from(answer.centreness()));
            sums[2] -= c * p.ln() + (1.0 - c) * (1.0 - p).ln();
        }
    }
    sums.map(|sum| sum / f64::from(positives.max(1)))
}

/// Numbers for a head's three outputs of two images, distances positive.
fn outputs(seed: u64) -> [Vec<f64>; 3] {
    let mut rng = Rng::new(seed, Purpose::Noise, &[]);
    let mut normal = |count: usize| -> Vec<f64> { (0..count).map(|_| f64::from(rng.normal())).collect() };
    let (classes, distances, centreness) = (normal(2 * PLACES * CLASSES), normal(2 * PLACES * 4), normal(2 * PLACES));
    [classes, distances.into_iter().map(|x| 10.0 * x.exp()).collect(), centreness]
}

fn said([classes, distances, centreness]: &[Vec<f64>; 3], device: &Device) -> Said {
    let floats = |values: &[f64]| values.iter().map(|&x| x as f32).collect::<Vec<f32>>();
    let cube = |values: &[f64], of: usize| {
        Tensor::<3>::from_data(TensorData::new(floats(values), [2, PLACES, of]), device).require_grad()
    };
    Said {
        classes: cube(classes, CLASSES),
        distances: cube(distances, 4),
        centreness: Tensor::<2>::from_data(TensorData::new(floats(centreness), [2, PLACES]), device).require_grad(),
    }
}

fn scenes() -> Vec<Vec<Region>> {
    let region = |class: i32, edges: [f32; 4]| Region { class, edges };
    vec![
        vec![region(0, [4.0, 6.0, 20.0, 20.0]), region(2, [10.0, 8.0, 50.0, 60.0]), region(1, [30.5, 2.0, 62.0, 33.0])],
        vec![region(1, [0.0, 0.0, 64.0, 64.0])],
    ]
}

/// Values, and the slopes of the sum along a few of the outputs.
#[test]
fn losses_are_those_of_the_literal_reference() {
    let device = crate::nn::device("cpu").unwrap().autodiff();
    let (mut numbers, scenes) = (outputs(1), scenes());
    let of = |numbers: &[Vec<f64>; 3]| literal(&numbers[0], &numbers[1], &numbers[2], &scenes);
    let given = said(&numbers, &device);
    let terms = losses(given.clone(), &places(&LEVELS_OF_64, 4.0), &scenes, CLASSES);
    for (term, expected) in terms.iter().zip(of(&numbers)) {
        let found = f64::from(term.value.clone().into_scalar::<f32>());
        assert!((found - expected).abs() < 1e-5 * expected.abs(), "{}: {found} in place of {expected}", term.name);
    }
    let grads = Term::sum(&terms).backward();
    let slopes = [
        given.classes.grad(&grads).unwrap().into_data().iter::<f64>().collect::<Vec<_>>(),
        given.distances.grad(&grads).unwrap().into_data().iter::<f64>().collect(),
        given.centreness.grad(&grads).unwrap().into_data().iter::<f64>().collect(),
    ];
    for (output, slopes) in slopes.iter().enumerate() {
        let largest = slopes.iter().fold(0.0f64, |most, slope| most.max(slope.abs()));
        assert!(largest > 0.0);
        // The steepest, and every so many others.
        let steep = slopes.iter().position(|slope| slope.abs() == largest).unwrap();
        for place in (0..slopes.len()).step_by(97).chain([steep]) {
            let before = numbers[output][place];
            let mut at = |by: f64| {
                numbers[output][place] = before + by;
                of(&numbers).iter().sum::<f64>()
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            numbers[output][place] = before;
            assert!(
                (slopes[place] - slope).abs() < 1e-4 * largest,
                "{output}, {place}: {} in place of {slope}",
                slopes[place]
            );
        }
    }
}

/// A batch of crops may show no object: the boxes then cost nothing, and all that is trained still has a gradient.
#[test]
fn where_no_object_is_only_classes_cost() {
    let device = crate::nn::device("cpu").unwrap().autodiff();
    let numbers = outputs(2);
    let given = said(&numbers, &device);
    let nothing = vec![vec![], vec![]];
    let terms = losses(given.clone(), &places(&LEVELS_OF_64, 4.0), &nothing, CLASSES);
    let values: Vec<f64> = terms.iter().map(|term| f64::from(term.value.clone().into_scalar::<f32>())).collect();
    let expected = literal(&numbers[0], &numbers[1], &numbers[2], &nothing);
    assert!((values[0] - expected[0]).abs() < 1e-5 * expected[0], "{values:?}, {expected:?}");
    assert_eq!(values[1..], [0.0, 0.0]);
    let grads = Term::sum(&terms).backward();
    let of_boxes = given.distances.grad(&grads).unwrap().abs().max().into_scalar::<f32>();
    assert_eq!(of_boxes, 0.0);
    assert_eq!(given.centreness.grad(&grads).unwrap().abs().max().into_scalar::<f32>(), 0.0);
}

/// In bfloat16 as in float32 every tensor of the pyramid and the head has a gradient, and losses are float32.
#[test]
fn everything_is_trained_in_either_precision() {
    use crate::nn::encoder::{EncoderConfig, EncoderKind, StemKind};
    let device = crate::nn::device("cpu").unwrap().autodiff();
    let init = &mut Init::new(0, &device);
    let config = EncoderConfig { width: 8, stem: StemKind::Imagenet, ..EncoderConfig::of(EncoderKind::Resnet20) };
    let encoder = config.build(init, [3, 64, 64]);
    let mut objective = Detection::new(init, &[8, 16, 32], 16, CLASSES, 4.0, Mode::Train);
    let at = At { seed: 0, step: 0, steps: 1, epoch: 0, epochs: 1, turn: 0 };
    let mut sums = vec![];
    for half in [false, true] {
        let mut rng = Rng::new(0, Purpose::Noise, &[]);
        let mut staging = ops::Staging::new([2, 64, 64, 3], &device);
        staging.values().iter_mut().for_each(|value| *value = rng.normal());
        let images: Tensor<4> = staging.into_tensor();
        let images = if half { ops::bfloat16(images) } else { images };
        let batch = Batch { ids: vec![0, 1], views: vec![images], targets: Targets::Regions(scenes()) };
        let terms = objective.losses(&encoder, batch, &at);
        let sum = Term::sum(&terms);
        sums.push(sum.clone().into_scalar::<f32>());
        let mut grads = sum.backward();
        for (name, part) in objective.heads().into_iter().chain([("encoder", &encoder as &dyn Part)]) {
            let trained: Vec<String> =
                part.entries().into_iter().filter(|entry| entry.trained).map(|entry| entry.name).collect();
            for (entry, grad) in trained.iter().zip(part.take_gradients(&mut grads)) {
                let grad = grad.unwrap_or_else(|| panic!("{name}.{entry} has no gradient"));
                assert!(bool::try_from(grad.isfinite().all()).unwrap(), "{name}.{entry}");
            }
        }
    }
    assert!((sums[0] - sums[1]).abs() < 0.05 * sums[0] && sums[0] != sums[1], "{sums:?}");
}
