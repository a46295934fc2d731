use super::*;
use crate::features::SplitFeatures;

/// Two heaps side by side, far from zero in comparison with their distance, so that squares in float32 would not tell them
/// apart; then as large as float32 gets.
#[test]
fn heaps_far_from_zero_and_large_ones_are_told_apart() {
    let device = crate::nn::device("cpu").unwrap();
    for (far, scale) in [(1000.0f32, 0.05f32), (0.0, 1e25)] {
        let values =
            (0..40).flat_map(|i| [far + scale * (i % 2) as f32, far + scale * 0.01 * (i / 2) as f32]).collect();
        let train = SplitFeatures { values, labels: (0..40).map(|i| i % 2).collect(), ids: vec![] };
        let set = FeatureSet { features: 2, classes: 2, splits: [(Split::Train, train.clone())].into() };
        let x = Standardiser::together(&set).unwrap().apply(&train, &device);
        let found = kmeans(&x, 2, 3, 0, |_| true).unwrap();
        let table = Contingency::new(&assign(&x, &found.centres).0, &train.labels, 2, 2);
        assert_eq!(table.accuracy(&table.matching()), 1.0, "{far} {scale}");
    }
}

#[test]
fn vectors_that_are_all_the_same_are_one_cluster() {
    let train = SplitFeatures { values: vec![3.5; 60], labels: vec![0; 20], ids: vec![] };
    let set = FeatureSet { features: 3, classes: 2, splits: [(Split::Train, train.clone())].into() };
    let x = Standardiser::together(&set).unwrap().apply(&train, &crate::nn::device("cpu").unwrap());
    let found = kmeans(&x, 4, 2, 0, |_| true).unwrap();
    assert_eq!((found.inertia, assign(&x, &found.centres).0), (0.0, vec![0; 20]));
}

/// In the features' own units, of vectors that are told apart in others.
#[test]
fn inertia_is_the_sum_of_squared_distances_of_the_features_as_they_are() {
    let device = crate::nn::device("cpu").unwrap();
    let train = SplitFeatures { values: vec![1000.0, 1002.0, 5000.0, 5006.0], labels: vec![0, 0, 1, 1], ids: vec![] };
    let set = FeatureSet { features: 1, classes: 2, splits: [(Split::Train, train.clone())].into() };
    let standardiser = Standardiser::together(&set).unwrap();
    let x = standardiser.apply(&train, &device);
    let centres = averages(&x, &[0, 0, 1, 1], 2).0;
    let found = standardiser.unit().powi(2) * distances(&x, &centres, &[0, 0, 1, 1]).iter().sum::<f64>();
    assert!((found - 20.0).abs() < 1e-2, "1 + 1 + 9 + 9, and not {found}");
}

/// Which images are compared follows from the seed and the split alone, and few are compared all.
#[test]
fn the_silhouette_of_many_is_that_of_some() {
    let device = crate::nn::device("cpu").unwrap();
    let values: Vec<f32> = (0..2 * COMPARED + 2).map(|i| (1.7 * i as f64).sin() as f32 + (i % 2) as f32).collect();
    let x = |n: usize| Tensor::<2>::from_data(burn::tensor::TensorData::new(values[..n].to_vec(), [n, 1]), &device);
    let clusters: Vec<u32> = (0..values.len() as u32).map(|i| i % 2).collect();
    let of = |n: usize, split, seed| silhouette_of_some(&x(n), &clusters[..n], split, seed);
    assert_eq!(of(COMPARED, Split::Test, 0), silhouette(&values[..COMPARED], 1, &clusters[..COMPARED]));
    let all = silhouette(&values, 1, &clusters);
    let some = of(values.len(), Split::Test, 0);
    assert!(some != all && (some - all).abs() < 0.03, "{some} of some and {all} of all");
    assert_eq!(some, of(values.len(), Split::Test, 0));
    assert_ne!(some, of(values.len(), Split::Test, 1));
    assert_ne!(some, of(values.len(), Split::Train, 0));
}
