//! What is exported is loaded by torchvision and timm themselves, which then make the same features. Without a
//! Python that has them (`python/mod.rs`) a test says so and is ignored.

mod python;

use burn::module::Module;
use burn::tensor::{Tensor, TensorData};
use libtest_mimic::{Arguments, Failed, Trial};
use pretext_stages::foreign::export;
use pretext_stages::nn::encoder::{EncoderConfig, EncoderKind, Library, Positions, StemKind};
use pretext_stages::nn::layers::Mode;
use pretext_stages::nn::{self, Init, ops};
use std::path::Path;
use std::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/exported/load.py");
const SIZE: usize = 64;

/// Whether the library's model, with an untrained encoder's weights, makes the encoder's features.
fn compare(python: &Path, config: &EncoderConfig, library: Library, model: &str) -> Result<(), Failed> {
    let device = nn::device("cpu").unwrap();
    let encoder = config.build(&mut Init::new(3, &device), [3, SIZE, SIZE]).valid();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = folder.path().join("model.safetensors");
    export(&encoder, library, [&[0.5; 3], &[0.25; 3]], &file).unwrap();

    let size = SIZE.to_string();
    let answer = Command::new(python).args([SCRIPT, library.name(), model, &size]).arg(&file).output()?;
    assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    let answer = String::from_utf8(answer.stdout)?;
    let last = answer.lines().last().unwrap_or_default();
    let expected: Vec<f64> = last.split_whitespace().map(|number| number.parse().unwrap()).collect();

    let pixels: Vec<f32> = (0..3 * SIZE * SIZE).map(|j| (0.0173 * j as f64).sin() as f32).collect();
    let image = Tensor::<4>::from_data(TensorData::new(pixels, [1, 3, SIZE, SIZE]), &device);
    let features: Vec<f32> = encoder.pooled(ops::channels_last(image), Mode::Eval).into_data().try_to_vec().unwrap();
    assert_eq!(features.len(), expected.len(), "{model}");
    let largest = expected.iter().fold(0.0f64, |largest, x| largest.max(x.abs()));
    let off = features.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max);
    println!("{model} of {}: off by {:e} of the largest feature", library.name(), off / largest);
    assert!(off <= 1e-4 * largest, "off by {off:e} of {largest}");
    Ok(())
}

/// Encoders, and the names that libraries have for them.
fn models() -> Vec<(Library, &'static str, EncoderConfig)> {
    use Library::{Timm, Torchvision};
    let of = EncoderConfig::of;
    let resnet = |kind| EncoderConfig { stem: StemKind::Imagenet, ..of(kind) };
    let vit = EncoderConfig { patch: 16, positions: Positions::Learned, ..of(EncoderKind::VitTiny) };
    vec![
        (Torchvision, "resnet18", resnet(EncoderKind::Resnet18)),
        (Timm, "resnet18", resnet(EncoderKind::Resnet18)),
        (Torchvision, "resnet50", resnet(EncoderKind::Resnet50)),
        (Timm, "resnet50", resnet(EncoderKind::Resnet50)),
        (Torchvision, "convnext_tiny", of(EncoderKind::ConvNextTiny)),
        (Timm, "convnext_tiny", of(EncoderKind::ConvNextTiny)),
        (Torchvision, "mobilenet_v2", of(EncoderKind::MobileNetV2)),
        (Timm, "mobilenetv2_100", of(EncoderKind::MobileNetV2)),
        (Timm, "tf_efficientnet_lite0", of(EncoderKind::EfficientNetLite0)),
        (Timm, "vit_tiny_patch16_224", vit),
    ]
}

fn main() {
    let python = |library: Library| python::with(&format!("torch, safetensors.torch, {}", library.name()));
    let pythons = [Library::Torchvision, Library::Timm].map(|library| (library, python(library)));
    let trials = models().into_iter().map(|(library, model, config)| {
        let python = pythons.iter().find(|(of, _)| *of == library).and_then(|(_, python)| python.clone());
        let is_missing = python.is_none();
        let check = move || compare(&python.ok_or("no python")?, &config, library, model);
        Trial::test(format!("{}_loads_{model}", library.name()), check).with_ignored_flag(is_missing)
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
