//! Beside scikit-learn, whose fits `stages/tests/logistic/generate.py` has written down.

use super::super::feature_set::{FeatureSet, SplitFeatures};
use super::super::standardiser::Standardiser;
use super::*;
use crate::data::Split;
use crate::metrics::Confusion;
use safetensors::SafeTensors;

const EXPECTED: &[u8] = include_bytes!("../../../tests/logistic/expected.safetensors");
/// Images of each set that are judged; the others are trained on.
const HELD_OUT: usize = 300;
/// The search ends a billionth above the least value.
const LOSS: f64 = 2e-9;

/// Float64 as it was written.
fn doubles_of(expected: &SafeTensors, name: &str) -> Vec<f64> {
    let bytes = expected.tensor(name).unwrap().data().as_chunks::<8>().0;
    bytes.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
}

fn feature_set(expected: &SafeTensors, name: &str) -> FeatureSet {
    let x = expected.tensor(&format!("{name}.x")).unwrap();
    let values: Vec<f32> = x.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    let labels = expected.tensor(&format!("{name}.labels")).unwrap().data().as_chunks::<8>().0;
    let labels: Vec<i32> = labels.iter().map(|bytes| i64::from_le_bytes(*bytes) as i32).collect();
    let [images, features] = *x.shape() else { panic!("features are a matrix") };
    let train = images - HELD_OUT;
    let part = |images: std::ops::Range<usize>| SplitFeatures {
        values: values[images.start * features..images.end * features].to_vec(),
        labels: labels[images].to_vec(),
        ids: vec![],
    };
    let splits = [(Split::Train, part(0..train)), (Split::Test, part(train..images))].into();
    FeatureSet { features, classes: *labels.iter().max().unwrap() as usize + 1, splits }
}

/// Fits `set` for every l2, and says of each what its loss is and its accuracy on the images that were held out.
fn fits(set: &FeatureSet, l2: &[f64]) -> Vec<[f64; 2]> {
    let device = crate::nn::device("cpu").unwrap();
    let standardiser = Standardiser::each(set).unwrap();
    let [train, held_out] = [Split::Train, Split::Test].map(|split| set.split(split).unwrap());
    let problem = Problem::new(standardiser.apply(train, &device), &train.labels, set.classes);
    let x = standardiser.apply(held_out, &device);
    let mut path = Path::new(&problem);
    let fit = |&l2: &f64| {
        let fit = path.fit(l2, || true).unwrap();
        let confusion = Confusion::new(&problem.scores(&fit.weights, &x), &held_out.labels, set.classes);
        [problem.near(&fit.weights.0, l2).value, confusion.accuracy()]
    };
    let mut fitted: Vec<[f64; 2]> = l2.iter().rev().map(fit).collect();
    fitted.reverse();
    fitted
}

#[test]
fn fits_are_those_of_scikit_learn_at_every_l2() {
    let expected = SafeTensors::deserialize(EXPECTED).unwrap();
    let l2 = doubles_of(&expected, "l2");
    let sets: Vec<&str> = expected.names().into_iter().filter_map(|name| name.strip_suffix(".x")).collect();
    assert_eq!(sets.len(), 7);
    for name in sets {
        let of = |figure: &str| doubles_of(&expected, &format!("{name}.{figure}"));
        let least = of("loss").into_iter().zip(of("accuracy"));
        for ((l2, found), (loss, accuracy)) in l2.iter().zip(fits(&feature_set(&expected, name), &l2)).zip(least) {
            println!(
                "{name}, l2 {l2:e}: loss {:+.1e}, accuracy {accuracy:.3} {:+.3}",
                found[0] - loss,
                found[1] - accuracy
            );
            assert!((found[0] - loss).abs() < LOSS, "{name}, l2 {l2}: loss {} in place of {loss}", found[0]);
            assert!((found[1] - accuracy).abs() < 1e-3, "{name}, l2 {l2}: accuracy {} for {accuracy}", found[1]);
        }
    }
}

#[test]
fn a_fit_alone_is_that_at_the_end_of_a_path_and_one_without_a_penalty_ends() {
    let expected = SafeTensors::deserialize(EXPECTED).unwrap();
    let loss = |name: &str, l2: &[f64]| fits(&feature_set(&expected, name), l2)[0][0];
    for name in ["heavy_tails", "more_features_than_images"] {
        assert!((loss(name, &[1e-4]) - loss(name, &[1e-4, 1e-2, 1.0, 1.0])).abs() < LOSS, "{name}");
    }
    // Where classes can be told without an error the least loss is 0, and weights are without end.
    assert!(loss("separable", &[0.0, 1e-6]) < LOSS && loss("separable", &[0.0]) < LOSS);
    assert!(loss("collinear_and_constant", &[0.0]) < loss("collinear_and_constant", &[1e-6]));
}

#[test]
fn a_class_without_images_is_never_told_and_changes_no_other() {
    let expected = SafeTensors::deserialize(EXPECTED).unwrap();
    let mut set = feature_set(&expected, "many_classes");
    let with = fits(&set, &[1e-4]);
    set.classes += 1;
    let without = fits(&set, &[1e-4]);
    assert!((with[0][0] - without[0][0]).abs() < LOSS && with[0][1] == without[0][1], "{with:?} {without:?}");
}
