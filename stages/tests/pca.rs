//! Principal components at tiny size, by what they are: features that vary independently, and nothing left that varies more.

mod tiny;

use pretext_protocol::Measurement;
use pretext_stages::artifact::EncoderArtifact;
use pretext_stages::augment::Normaliser;
use pretext_stages::data::{Dataset, Split, npy};
use pretext_stages::nn;
use pretext_stages::nn::state;
use serde_json::{Value, json};
use tiny::place::Place;

const KEPT: usize = 8;
const VALUES: usize = 3 * 16 * 16;

/// Of the tiny data set.
fn place() -> Place {
    let place = Place::of_epochs(1);
    tiny::write_dataset(&place.at("data"));
    place
}

/// The stage, the features of its encoder, and what it measured.
fn features(place: &Place, name: &str, change: Value) -> (Vec<Vec<f64>>, Vec<Measurement>) {
    let measured = place.run("pretrain/pca", name, change, &[]).unwrap();
    let folder = format!("{name}-features");
    place.run("features", &folder, json!({}), &[("encoder", &place.encoder(name))]).unwrap();
    let (shape, values) = npy::read::<f32>(&place.at(&folder).join("out/features/features.npy")).unwrap();
    let rows = values.chunks(shape[1]).map(|row| row.iter().map(|&value| f64::from(value)).collect());
    (rows.take(160).collect(), measured)
}

fn measured(all: &[Measurement], name: &str) -> f64 {
    all.iter().find(|measurement| measurement.name == name).unwrap().value
}

/// `[value]` of each training image, normalised and without the mean of all.
fn centred(place: &Place) -> Vec<Vec<f64>> {
    let data = Dataset::open(&place.at("data")).unwrap();
    let normaliser = Normaliser::new(&data.manifest.mean, &data.manifest.sd);
    let pixels = |row: usize| {
        let mut values = vec![0.0; VALUES];
        normaliser.bytes(&data.image(row), &mut values);
        // Channel by channel, as the network flattens them.
        (0..VALUES).map(|place| f64::from(values[place % 256 * 3 + place / 256])).collect::<Vec<_>>()
    };
    let images: Vec<Vec<f64>> = data.rows(Split::Train).map(pixels).collect();
    let mean = |place: usize| images.iter().map(|image| image[place]).sum::<f64>() / images.len() as f64;
    let mean: Vec<f64> = (0..VALUES).map(mean).collect();
    images.iter().map(|image| image.iter().zip(&mean).map(|(value, mean)| value - mean).collect()).collect()
}

fn product(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The mean of products of two features.
fn covariance(features: &[Vec<f64>], [a, b]: [usize; 2]) -> f64 {
    features.iter().map(|row| row[a] * row[b]).sum::<f64>() / features.len() as f64
}

#[test]
fn features_are_the_places_along_the_directions_of_the_largest_variances() {
    let place = place();
    let (found, said) = features(&place, "pca", json!({ "components": KEPT }));
    let weights = state::load(&place.encoder("pca").join("weights.safetensors")).unwrap();
    let weight = weights.values().find(|tensor| tensor.dim() == 2).unwrap();
    let directions: Vec<Vec<f64>> = state::floats(weight)
        .chunks(VALUES)
        .map(|direction| direction.iter().map(|&value| f64::from(value)).collect())
        .collect();
    assert_eq!(directions.len(), KEPT);
    let mut images = centred(&place);
    let whole: f64 = images.iter().map(|image| product(image, image)).sum::<f64>() / 160.0;
    for (image, found) in images.iter_mut().zip(&found) {
        for (direction, found) in directions.iter().zip(found) {
            let place = product(image, direction);
            assert!((place - found).abs() < 1e-3, "{place} and {found}");
            image.iter_mut().zip(direction).for_each(|(value, part)| *value -= place * part);
        }
    }
    for (a, direction) in directions.iter().enumerate() {
        for (b, other) in directions.iter().enumerate() {
            assert!((product(direction, other) - f64::from(u8::from(a == b))).abs() < 1e-4, "{a} and {b}");
            assert!(a == b || covariance(&found, [a, b]).abs() < 1e-3 * whole, "{a} and {b}");
        }
        let largest = direction.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap();
        assert!(largest > 0.0 && found.iter().map(|row| row[a]).sum::<f64>().abs() < 0.1);
    }
    let variances: Vec<f64> = (0..KEPT).map(|number| covariance(&found, [number; 2])).collect();
    assert!(variances.windows(2).all(|pair| pair[0] > pair[1]), "{variances:?}");
    let left: f64 = images.iter().map(|image| product(image, image)).sum::<f64>() / 160.0;
    let explained = measured(&said, "explained");
    assert!((explained - (1.0 - left / whole)).abs() < 1e-4, "{explained} and {left} of {whole}");
    assert_eq!(measured(&said, "images_seen"), 160.0);
    // By power iteration: along which direction what is left varies most.
    let mut direction = vec![1.0; VALUES];
    for _ in 0..200 {
        let mut next = vec![0.0; VALUES];
        for image in &images {
            let along = product(image, &direction);
            next.iter_mut().zip(image).for_each(|(value, part)| *value += along * part / 160.0);
        }
        let length = product(&next, &next).sqrt();
        direction = next.into_iter().map(|value| value / length).collect();
    }
    let most = images.iter().map(|image| product(image, &direction).powi(2)).sum::<f64>() / 160.0;
    assert!(most <= variances[KEPT - 1] * (1.0 + 1e-6), "{most} and {variances:?}");
    let picture = image::open(place.at("pca/side/components.png")).unwrap();
    assert_eq!([picture.width(), picture.height()], [8 * 66 + 2, 66 + 2]);
    let encoder = EncoderArtifact::open(&place.encoder("pca"), &nn::device("cpu").unwrap()).unwrap();
    assert_eq!(encoder.artifact.seen_of(&Dataset::open(&place.at("data")).unwrap(), Split::Train), Some(160));
}

#[test]
fn whitened_features_vary_alike() {
    let place = place();
    let (plain, _) = features(&place, "plain", json!({ "components": KEPT }));
    let (found, _) = features(&place, "white", json!({ "components": KEPT, "whiten": true }));
    for number in 0..KEPT {
        let sd = covariance(&plain, [number; 2]).sqrt();
        assert!((covariance(&found, [number; 2]) - 1.0).abs() < 1e-3);
        assert!(plain.iter().zip(&found).all(|(plain, white)| (plain[number] / sd - white[number]).abs() < 1e-3));
    }
}

#[test]
fn more_components_than_there_are_directions_are_refused() {
    let place = Place::of_epochs(1);
    // Of ten pictures, which lie around their mean.
    let pictures: Vec<_> = tiny::pieces(tiny::SIZE).into_iter().step_by(20).take(10).collect();
    tiny::write_dataset_of(&place.at("data"), (0..217).map(|number| pictures[number % 10].clone()).collect());
    let refused =
        |count: usize| place.run("pretrain/pca", "no", json!({ "components": count }), &[]).unwrap_err().to_string();
    assert_eq!(refused(769), "components is 769, and an image has 768 values: write a number up to that");
    let few = "components is 10, and the 160 training images vary in 9 directions: write a number up to that";
    assert_eq!(refused(10), few);
    assert!(place.run("pretrain/pca", "most", json!({ "components": 9 }), &[]).is_ok());
}

/// Grey images, of which some have no labels: by the picture, and by what the encoder has seen.
#[test]
fn images_without_labels_count_and_grey_ones_have_grey_directions() {
    let place = Place::of_epochs(1);
    tiny::write_dataset(&place.at("coloured"));
    tiny::write_grey(&place.at("coloured"), &place.at("data"));
    tiny::make_unlabelled(&place.at("data"), 30);
    let measured = place.run("pretrain/pca", "grey", json!({ "components": 2 }), &[]).unwrap();
    assert_eq!(self::measured(&measured, "images_seen"), 160.0);
    let picture = image::open(place.at("grey/side/components.png")).unwrap().into_rgb8();
    assert_eq!([picture.width(), picture.height()], [2 * 66 + 2, 66 + 2]);
    assert!(picture.pixels().all(|pixel| pixel.0[0] == pixel.0[1] && pixel.0[1] == pixel.0[2]));
    // The largest number of a direction is positive and white.
    assert!(picture.pixels().any(|pixel| pixel.0[0] == 255) && picture.pixels().any(|pixel| pixel.0[0] < 128));
}
