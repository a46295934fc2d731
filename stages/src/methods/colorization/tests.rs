use super::*;
use crate::augment::Targets;
use crate::data::{DatasetWriter, Format, Labels, Sample, Split};
use crate::nn::Init;
use crate::nn::encoder::EncoderConfig;

const AT: At = At { seed: 3, step: 0, steps: 1, epoch: 0, epochs: 1, turn: 0 };

fn device() -> Device {
    crate::nn::device("cpu").unwrap()
}

fn numbers<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.into_data().iter::<f64>().collect()
}

/// A colour as probabilities of the squares with such `middles`, `[2, squares]`: Gaussian of deviation 5.
fn soft(middles: &[f64], [a, b]: [f64; 2]) -> Vec<f64> {
    let (along_a, along_b) = middles.split_at(middles.len() / 2);
    let distances = along_a.iter().zip(along_b).map(|(x, y)| (a - x).powi(2) + (b - y).powi(2));
    let near: Vec<f64> = distances.map(|distance| (-distance / 50.0).exp()).collect();
    near.iter().map(|each| each / near.iter().sum::<f64>()).collect()
}

/// Catches logits and true colours in different orders of places, weights of the wrong squares, and an encoder that sees colours.
#[test]
fn the_loss_is_the_weighted_cross_entropy_of_each_places_own_colour() {
    let device = device().autodiff();
    let init = &mut Init::new(0, &device);
    let encoder = EncoderConfig { width: 4, ..EncoderConfig::default() }.build(init, [3, 16, 24]);
    let colours = Colours::new(&device);
    let squares = colours.count();
    let weights: Vec<f32> = (0..squares).map(|square| 1.0 + 0.5 * (square as f32).sin()).collect();
    let [mean, sd] = [[0.5f32, 0.4, 0.3], [0.2, 0.25, 0.1]];
    let mut prediction = ColourPrediction {
        classifier: Conv2d::new(init, encoder.features(), squares, 1, 1),
        weights: Tensor::from_data(TensorData::new(weights.clone(), [squares]), &device),
        colours,
        values: PixelValues::new(&mean, &sd, &device),
    };
    let tensor =
        |values: Vec<f32>| ops::channels_last(Tensor::<4>::from_data(TensorData::new(values, [4, 3, 16, 24]), &device));
    // The last map has two rows and three columns, of 8 x 8 pixels, of which each has a colour of its own.
    let value = |at: usize| {
        let (image, channel, part) = (at / 1152, at / 384 % 3, at % 384 / 192 * 3 + at % 24 / 8);
        0.5 + 0.35 * (((image * 6 + part) * 3 + channel) as f32 * 1.7).sin() + 0.1 * (0.37 * at as f32).sin()
    };
    let values: Vec<f32> = (0..4 * 1152).map(value).collect();
    let normalised = |at: usize, value: f32| (value - mean[at / 384 % 3]) / sd[at / 384 % 3];
    let images = tensor(values.iter().enumerate().map(|(at, &value)| normalised(at, value)).collect());
    let batch = Batch { ids: vec![4, 0, 7, 31], views: vec![images], targets: Targets::None };
    let found = prediction.losses(&encoder, batch, &AT).remove(0).value.into_scalar::<f32>();

    let grey = |at: usize| {
        let colour = |channel: usize| values[at / 1152 * 1152 + channel * 384 + at % 384];
        normalised(at, 0.299 * colour(0) + 0.587 * colour(1) + 0.114 * colour(2))
    };
    let maps = encoder.maps(tensor((0..values.len()).map(grey).collect()), Mode::Train).unwrap();
    let logits = numbers(prediction.classifier.forward(maps.into_iter().last().unwrap().x)); // [4, squares, 2, 3]
    let planes = numbers(planes(tensor(values.clone()))); // [4, 2, 16, 24]
    let middles = numbers(prediction.colours.middles.clone());
    let of_place = |place: usize| {
        let (image, row, column) = (place / 6, place % 6 / 3, place % 3);
        let mean = |plane: usize| {
            let corner = ((image * 2 + plane) * 16 + row * 8) * 24 + column * 8;
            (0..64).map(|pixel| planes[corner + pixel / 8 * 24 + pixel % 8]).sum::<f64>() / 64.0
        };
        let truth = soft(&middles, [mean(0), mean(1)]);
        let logits: Vec<f64> = (0..squares).map(|square| logits[(image * squares + square) * 6 + place % 6]).collect();
        let all = logits.iter().map(|logit| logit.exp()).sum::<f64>().ln();
        let entropy = truth.iter().zip(&logits).map(|(share, logit)| share * (all - logit)).sum::<f64>();
        let nearest = (0..squares).max_by(|&one, &other| truth[one].total_cmp(&truth[other])).unwrap();
        entropy * f64::from(weights[nearest])
    };
    let expected = (0..24).map(of_place).sum::<f64>() / 24.0;
    assert!((f64::from(found) - expected).abs() < 1e-5 * expected, "{found} and {expected}");
}

/// Catches frequent colours that weigh more, a `rebalancing` that does the opposite, and colours of images that are not trained on.
#[test]
fn colours_weigh_by_how_often_images_to_train_on_have_them() {
    let [red, green, blue]: [[u8; 3]; 3] = [[200, 40, 40], [40, 200, 60], [40, 60, 200]];
    let folder = tempfile::tempdir().unwrap();
    let format = Format {
        name: "halves".into(),
        height: 8,
        width: 4,
        channels: 3,
        classes: vec!["any".into()],
        labels: Labels::Images,
        pictures: None,
    };
    let mut writer = DatasetWriter::create(folder.path(), format, 4).unwrap();
    for (split, above, below, class) in [
        (Split::Train, red, red, 0),
        (Split::Train, red, red, 0),
        (Split::Test, green, green, 0),
        (Split::Unlabelled, red, blue, -1),
    ] {
        let image: Vec<u8> = [above; 16].into_iter().chain([below; 16]).flatten().collect();
        writer.add(Sample::new(split, &image, class)).unwrap();
    }
    writer.finish().unwrap();
    let colours = Colours::new(&device());
    let found = numbers(colours.weights(&Dataset::open(folder.path()).unwrap(), 0.25));

    // Five halves are red, and one is blue.
    let values = [red, blue].concat().into_iter().map(|byte| f32::from(byte) / 255.0).collect::<Vec<_>>();
    let places = numbers(planes(ops::floats(&values, &device()).reshape([2, 3, 1, 1])));
    let middles = numbers(colours.middles.clone());
    let [red, blue] = [[places[0], places[1]], [places[2], places[3]]].map(|colour| soft(&middles, colour));
    let shares: Vec<f64> = red.iter().zip(blue).map(|(red, blue)| (5.0 * red + blue) / 6.0).collect();
    let raw: Vec<f64> = shares.iter().map(|share| 1.0 / (0.75 * share + 0.25 / shares.len() as f64)).collect();
    let mean: f64 = raw.iter().zip(&shares).map(|(weight, share)| weight * share).sum();
    assert_eq!(found.len(), raw.len());
    // What float32 makes of squares of distances.
    assert!(found.iter().zip(&raw).all(|(found, raw)| (found - raw / mean).abs() < 1e-4 * raw / mean), "{found:?}");
}

/// Of squares with 1/2, 3/8 and 1/8 of the pixels, by hand: over the mean of the shares and 1/3 these are 12/5, 48/17 and 48/11, of which
/// the mean over the pixels is 2.804...
#[test]
fn rare_colours_weigh_more_and_all_pixels_one_in_the_mean() {
    let shares = [0.5, 0.375, 0.125];
    let found: Vec<f64> = weights(ops::floats(&shares, &device()), 0.5).into_data().iter::<f64>().collect();
    let raw = [12.0 / 5.0, 48.0 / 17.0, 48.0 / 11.0];
    let mean: f64 = raw.iter().zip(shares).map(|(weight, share)| weight * f64::from(share)).sum();
    assert!(found.iter().zip(raw).all(|(found, raw)| (found - raw / mean).abs() < 1e-5), "{found:?}");
    let alike: Vec<f64> = weights(ops::floats(&shares, &device()), 1.0).into_data().iter::<f64>().collect();
    assert!(alike.iter().all(|weight| (weight - 1.0).abs() < 1e-6), "{alike:?}");
}

#[test]
fn a_colour_is_its_square_and_a_little_of_the_neighbours() {
    let colours = Colours::new(&device());
    let one = colours.soft(ops::floats(&[20.0, -10.0], &device()).reshape([1, 2]));
    let shares: Vec<f64> = one.into_data().iter::<f64>().collect();
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-5);
    let mut sorted = shares.clone();
    sorted.sort_by(|a, b| b.total_cmp(a));
    // A neighbour at distance 10 has exp(-2) of the square's own, the diagonal ones exp(-4), and at 20 exp(-8).
    let ratio = |place: usize| sorted[place] / sorted[0];
    assert!((ratio(1) - (-2.0f64).exp()).abs() < 1e-4 && (ratio(4) - (-2.0f64).exp()).abs() < 1e-4);
    assert!((ratio(5) - (-4.0f64).exp()).abs() < 1e-4 && ratio(9) < 1e-3);
}
