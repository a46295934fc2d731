//! A linear probe of colour histograms.

use super::*;
use crate::features::logistic::{Path, Problem};
use crate::features::{SplitFeatures, Standardiser};
use crate::random::{Purpose, Rng};

/// Of each colour.
const LEVELS: usize = 4;
const BINS: usize = LEVELS * LEVELS * LEVELS;
/// Windows of each scene that are trained on, of those that show no object.
const WITHOUT: usize = 40;
/// A window shows an object where their overlap is at least the first, and none where it is less than the second.
const SHOWS: [f64; 2] = [0.5, 0.3];
const L2: f64 = 1e-3;

/// Of each window the roots of its pixels' shares in colours.
fn histograms(image: &[u8], windows: &[Window]) -> Vec<f32> {
    let level = |value: u8| usize::from(value) * LEVELS / 256;
    let bins: Vec<usize> =
        image.chunks_exact(3).map(|pixel| pixel.iter().fold(0, |bin, &value| bin * LEVELS + level(value))).collect();
    let of_window = |&[left, top, right, bottom]: &Window| {
        let mut counts = [0f32; BINS];
        (top..bottom)
            .for_each(|y| bins[y * SCENE + left..y * SCENE + right].iter().for_each(|&bin| counts[bin] += 1.0));
        counts.map(|count| (count / ((right - left) * (bottom - top)) as f32).sqrt())
    };
    windows.iter().flat_map(of_window).collect()
}

/// Windows of the training scenes, labelled with their class, or behind the last where they show no object.
fn labelled(data: &Dataset) -> SplitFeatures {
    let (mut all, mut rng) = (SplitFeatures::default(), Rng::new(0, Purpose::Split, &[]));
    for row in data.rows(Split::Train) {
        let regions: Vec<(Window, i32)> = data
            .regions(row)
            .unwrap()
            .iter()
            .map(|region| (region.edges.map(|edge| edge as usize), region.class))
            .collect();
        let (mut showing, mut without) = (vec![], vec![]);
        for window in windows() {
            let best = regions.iter().map(|&(edges, class)| (overlap(edges, window), class));
            match best.max_by(|a, b| a.0.total_cmp(&b.0)) {
                Some((share, class)) if share >= SHOWS[0] => showing.push((window, class)),
                Some((share, _)) if share >= SHOWS[1] => {}
                _ => without.push((window, data.manifest.classes.len() as i32)),
            }
        }
        rng.shuffle(&mut without);
        let (windows, labels): (Vec<Window>, Vec<i32>) =
            showing.into_iter().chain(without.into_iter().take(WITHOUT)).unzip();
        all.values.extend(histograms(&data.image(row), &windows));
        all.labels.extend(labels);
    }
    all
}

/// Of each image of the test split what a probe finds that has learned from another data set's training scenes.
fn found_so(train: &Dataset, test: &Dataset) -> f64 {
    let (classes, device) = (train.manifest.classes.len(), crate::nn::device("cpu").unwrap());
    let learned = labelled(train);
    let standardiser = Standardiser::each_of(&learned, BINS);
    let problem = Problem::new(standardiser.apply(&learned, &device), &learned.labels, classes + 1);
    let weights = Path::new(&problem).fit(L2, || true).unwrap().weights;
    let windows = windows();
    ap_50(test, Split::Test, |image| {
        let seen = SplitFeatures { values: histograms(image, &windows), labels: vec![0; windows.len()], ids: vec![] };
        let scores = problem.scores(&weights, &standardiser.apply(&seen, &device));
        let probability =
            |scores: &[f64], class: usize| scores[class].exp() / scores.iter().map(|score| score.exp()).sum::<f64>();
        let of_class = |class: usize| {
            let scored = windows.iter().zip(scores.chunks_exact(classes + 1));
            surest(scored.map(|(&window, scores)| (window, probability(scores, class))).collect())
                .into_iter()
                .map(move |window| super::found(class, window))
        };
        (0..classes).flat_map(of_class).collect()
    })
}

/// AP50 of the test split that a detector reaches from scratch with 100 scenes (results/detection).
const FROM_SCRATCH: f64 = 0.264;

/// Scenes to be judged by show other drawings than those that are learned from.
#[test]
fn colours_find_less_than_half_of_what_a_detector_finds() {
    let few = |params: &mut Params| (params.train, params.test, params.classes) = (200, 100, CLASSES.to_vec());
    let [learned, judged] = [0..5, 5..DRAWINGS].map(|some| made(real(some).path(), few).unwrap());
    let ap_50 = found_so(&learned.0, &judged.0);
    assert!((0.01..FROM_SCRATCH / 2.0).contains(&ap_50), "{ap_50}");
}
