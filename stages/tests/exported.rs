//! What is exported is loaded by torchvision and timm themselves, which then make the same features. Where no Python has them
//! (`.python`, or `PRETEXT_PYTHON`), nothing is compared, and the test says so.

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use pretext_stages::foreign::export;
use pretext_stages::nn::encoder::{EncoderConfig, EncoderKind, Library, Positions, StemKind};
use pretext_stages::nn::layers::Mode;
use pretext_stages::nn::{self, Init, ops};
use std::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/exported/load.py");
const SIZE: usize = 64;

/// Whether the library's model, with an untrained encoder's weights, makes the encoder's features.
fn compare(config: EncoderConfig, library: Library, model: &str) {
    let device = nn::device("cpu").unwrap();
    let encoder = config.build(&mut Init::new(3, &device), [3, SIZE, SIZE]).valid();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = folder.path().join("model.safetensors");
    export(&encoder, library, &file).unwrap();

    let python = std::env::var("PRETEXT_PYTHON")
        .unwrap_or_else(|_| concat!(env!("CARGO_MANIFEST_DIR"), "/../.python/bin/python").to_owned());
    let size = SIZE.to_string();
    let Ok(answer) = Command::new(&python).args([SCRIPT, library.name(), model, &size]).arg(&file).output() else {
        eprintln!("{model} was not loaded: there is no {python}");
        return;
    };
    assert!(answer.status.success(), "{model}: {}", String::from_utf8_lossy(&answer.stderr));
    let answer = String::from_utf8(answer.stdout).unwrap();
    if answer.lines().any(|line| line.starts_with("skip")) {
        eprintln!("{model} was not loaded: {answer}");
        return;
    }
    let last = answer.lines().last().unwrap_or_default();
    let expected: Vec<f64> = last.split_whitespace().map(|number| number.parse().unwrap()).collect();

    let pixels: Vec<f32> = (0..3 * SIZE * SIZE).map(|j| (0.0173 * j as f64).sin() as f32).collect();
    let image = Tensor::<4>::from_data(TensorData::new(pixels, [1, 3, SIZE, SIZE]), &device);
    let features: Vec<f32> = encoder.pooled(ops::channels_last(image), Mode::Eval).into_data().try_to_vec().unwrap();
    assert_eq!(features.len(), expected.len(), "{model}");
    let largest = expected.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
    let off = features.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
    println!("{model} of {}: off by {:e} of the largest feature", library.name(), off / largest);
    assert!(off <= 1e-4 * largest, "{model}: off by {off:e} of {largest}");
}

#[test]
fn resnets_are_loaded_by_torchvision_and_timm() {
    for kind in [EncoderKind::Resnet18, EncoderKind::Resnet50] {
        let config = || EncoderConfig { stem: StemKind::Imagenet, ..EncoderConfig::of(kind) };
        let name = if kind == EncoderKind::Resnet18 { "resnet18" } else { "resnet50" };
        compare(config(), Library::Torchvision, name);
        compare(config(), Library::Timm, name);
    }
}

#[test]
fn convnext_tiny_is_loaded_by_torchvision_and_timm() {
    compare(EncoderConfig::of(EncoderKind::ConvNextTiny), Library::Torchvision, "convnext_tiny");
    compare(EncoderConfig::of(EncoderKind::ConvNextTiny), Library::Timm, "convnext_tiny");
}

#[test]
fn mobilenets_are_loaded_by_torchvision_and_timm() {
    compare(EncoderConfig::of(EncoderKind::MobileNetV2), Library::Torchvision, "mobilenet_v2");
    compare(EncoderConfig::of(EncoderKind::MobileNetV2), Library::Timm, "mobilenetv2_100");
    compare(EncoderConfig::of(EncoderKind::EfficientNetLite0), Library::Timm, "tf_efficientnet_lite0");
}

#[test]
fn vit_tiny_is_loaded_by_timm() {
    let config = EncoderConfig { patch: 16, positions: Positions::Learned, ..EncoderConfig::of(EncoderKind::VitTiny) };
    compare(config, Library::Timm, "vit_tiny_patch16_224");
}
