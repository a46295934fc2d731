//! Whole networks beside those of torchvision, timm and efficientnet-lite-pytorch: names, features and gradients, made by
//! `encoders/generate.py`.

use burn::tensor::{Tensor, TensorData};
use pretext_stages::nn::encoder::{Encoder, EncoderConfig, EncoderKind, Library, Positions, StemKind};
use pretext_stages::nn::layers::Mode;
use pretext_stages::nn::state::{self, Part};
use pretext_stages::nn::{self, Init, ops};
use std::collections::BTreeMap;

const EXPECTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/encoders/expected.safetensors");
/// Float32 through up to 50 layers, of the largest feature.
const FEATURES: f64 = 1e-4;
/// Of a gradient's length. PyTorch's own, in float32, are off by up to 2.3e-3 from those of float64, which the file has.
const GRADIENTS: f64 = 5e-3;

/// What the file says of a tensor.
struct Expected {
    offset: f64,
    scale: f64,
    product: f64,
    length: f64,
}

fn sines(count: usize, step: f64, phase: f64) -> Vec<f32> {
    (0..count).map(|j| (step * j as f64 + phase).sin() as f32).collect()
}

fn phase(name: &str) -> f64 {
    (name.bytes().enumerate().map(|(i, byte)| (i + 1) * usize::from(byte)).sum::<usize>() % 1000) as f64
}

fn values(tensor: &tch::Tensor) -> Vec<f64> {
    Vec::<f64>::try_from(&tensor.detach().to_kind(tch::Kind::Double).contiguous().flatten(0, -1)).unwrap()
}

/// Fills a network as the file's was and compares names, features and gradients.
fn compare(name: &str, config: EncoderConfig, input: [usize; 3], called: impl Fn(&Encoder, &str) -> String) {
    let file = state::load(EXPECTED.as_ref()).unwrap();
    let of_network =
        file.iter().filter_map(|(key, said)| Some((key.strip_prefix(name)?.strip_prefix('/')?, values(said))));
    let expected: BTreeMap<&str, Expected> = of_network
        .map(|(key, said)| (key, Expected { offset: said[0], scale: said[1], product: said[2], length: said[3] }))
        .collect();

    let device = nn::device("cpu").unwrap().autodiff();
    let encoder = config.build(&mut Init::new(0, &device), input);
    let entries = encoder.entries();
    let mut names: Vec<String> = entries.iter().map(|entry| called(&encoder, &entry.name)).collect();
    for (entry, name) in entries.iter().zip(&names) {
        let Expected { offset, scale, .. } =
            expected.get(name.as_str()).unwrap_or_else(|| panic!("there is no {name}"));
        let count = entry.tensor.numel();
        let filled: Vec<f32> =
            (0..count).map(|j| (offset + scale * (0.37 * j as f64 + phase(name)).sin()) as f32).collect();
        let filled = tch::Tensor::from_slice(&filled).reshape(entry.tensor.size());
        tch::no_grad(|| entry.tensor.shallow_clone().copy_(&filled));
    }

    let [channels, height, width] = input;
    let pixels = sines(2 * channels * height * width, 0.0173, 0.0);
    let image = Tensor::<4>::from_data(TensorData::new(pixels, [2, channels, height, width]), &device);
    let features = encoder.pooled(ops::channels_last(image), Mode::Eval);
    let (got, wanted) = (values(&ops::raw(&features)), values(&file[name]));
    assert_eq!(got.len(), wanted.len());
    let largest = wanted.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
    let worst = got.iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    println!("{name}: features are off by {:e}", worst / largest);
    assert!(worst <= FEATURES * largest, "{name}: features are off by {worst:e}, of {largest} at most");

    let weights: Vec<f32> = (0..got.len()).map(|i| -1.0 + 2.0 * i as f32 / (got.len() - 1) as f32).collect();
    let weights = Tensor::<2>::from_data(TensorData::new(weights, features.dims()), &device.clone().inner());
    let mut gradients = (features * Tensor::from_inner(weights)).sum().backward();
    let trained = entries.iter().zip(&names).filter(|(entry, _)| entry.trained);
    let (mut worst, mut compared) = (0.0f64, 0);
    for ((_, name), gradient) in trained.zip(encoder.take_gradients(&mut gradients)) {
        let gradient = values(&gradient.unwrap_or_else(|| panic!("{name} has no gradient")));
        let Expected { product, length, .. } = expected[name.as_str()];
        let got = gradient.iter().enumerate().map(|(j, x)| x * (j as f64).sin()).sum::<f64>();
        let got_length = gradient.iter().map(|x| x * x).sum::<f64>().sqrt();
        let off = (got - product).abs().max((got_length - length).abs());
        worst = worst.max(off / length);
        assert!(off <= GRADIENTS * length, "{name}: product {got}, length {got_length}, expected {product}, {length}");
        compared += 1;
    }
    println!("{name}: {compared} gradients are off by {worst:e}");
    names.sort_unstable();
    assert_eq!(names, expected.keys().copied().collect::<Vec<_>>());
}

fn of(library: Library) -> impl Fn(&Encoder, &str) -> String {
    move |encoder, name| encoder.name_in(library, name).unwrap()
}

fn resnet(kind: EncoderKind) -> EncoderConfig {
    EncoderConfig { stem: StemKind::Imagenet, ..EncoderConfig::of(kind) }
}

#[test]
fn resnet18_is_torchvisions() {
    compare("resnet18", resnet(EncoderKind::Resnet18), [3, 64, 64], of(Library::Torchvision));
}

#[test]
fn resnet50_is_torchvisions() {
    compare("resnet50", resnet(EncoderKind::Resnet50), [3, 64, 64], of(Library::Torchvision));
}

#[test]
fn mobilenet_v2_is_torchvisions() {
    compare("mobilenet_v2", EncoderConfig::of(EncoderKind::MobileNetV2), [3, 64, 64], of(Library::Torchvision));
}

#[test]
fn convnext_tiny_is_torchvisions() {
    compare("convnext_tiny", EncoderConfig::of(EncoderKind::ConvNextTiny), [3, 64, 64], of(Library::Torchvision));
}

/// At 56 pixels, which are halved to 7.
#[test]
fn efficientnet_lite0_is_the_python_packages() {
    let config = EncoderConfig::of(EncoderKind::EfficientNetLite0);
    compare("efficientnet_lite0", config, [3, 56, 56], of(Library::EfficientNetLite));
}

#[test]
fn vit_tiny_with_learned_positions_is_timms() {
    let config = EncoderConfig { patch: 16, positions: Positions::Learned, ..EncoderConfig::of(EncoderKind::VitTiny) };
    compare("vit_tiny", config, [3, 64, 64], of(Library::Timm));
}

/// `Mlp.mlp.layers.1.linear.weight` is `3.weight` of a flattening, linear layers and what is between them.
#[test]
fn mlp_is_pytorchs() {
    compare("mlp", EncoderConfig::of(EncoderKind::Mlp), [1, 28, 28], |_, name| {
        let parts: Vec<&str> = name.split('.').collect();
        format!("{}.{}", 1 + 2 * parts[3].parse::<usize>().unwrap(), parts[5])
    });
}
