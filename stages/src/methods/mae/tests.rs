use super::super::shared::patches::{from_patches, patches};
use super::*;
use crate::augment::Targets;
use crate::nn::state;
use crate::train::{Optimiser, OptimiserConfig, networks};
use burn::tensor::TensorData;
use std::collections::BTreeMap;

/// Made by `generate.py` beside it, with PyTorch's own Transformer.
const EXPECTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/mae/expected.safetensors");
const AT: At = At { seed: 3, step: 0, steps: 1, epoch: 0, epochs: 1, turn: 0 };

fn device() -> Device {
    crate::nn::device("cpu").unwrap().autodiff()
}

fn params(mask_ratio: f64) -> Params {
    Params { mask_ratio, decoder_width: 24, decoder_depth: 1, ..Params::default() }
}

fn vit(init: &mut Init) -> Encoder {
    EncoderConfig { width: 12, depth: 2, ..EncoderConfig::of(EncoderKind::VitTiny) }.build(init, [3, 8, 12])
}

/// For images of 8 x 12 pixels, which have six patches.
fn objective(mask_ratio: f64) -> (Encoder, MaskedReconstruction) {
    let init = &mut Init::new(0, &device());
    let encoder = vit(init);
    let objective = MaskedReconstruction::new(init, &encoder, 3, [8, 12], &params(mask_ratio)).unwrap();
    (encoder, objective)
}

fn wave(count: usize, phase: f32) -> Vec<f32> {
    (0..count).map(|place| (phase + 0.37 * place as f32).sin()).collect()
}

fn images(values: Vec<f32>) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values, [2, 3, 8, 12]), &device())
}

fn values<const D: usize>(x: &Tensor<D>) -> Vec<f32> {
    ops::read(x, <[f32]>::to_vec)
}

#[test]
fn loss_and_gradients_are_those_of_pytorchs_transformers() {
    let expected = state::load(EXPECTED.as_ref()).unwrap();
    let (encoder, objective) = objective(4.0 / 6.0);
    let part = |name: &str, ours: &str| -> BTreeMap<String, tch::Tensor> {
        let of = |(full, tensor): (&String, &tch::Tensor)| {
            Some((full.strip_prefix(name)?.to_owned(), tensor.shallow_clone()))
        };
        expected.iter().filter_map(of).map(|(rest, tensor)| (format!("{ours}{rest}"), tensor)).collect()
    };
    state::restore(&encoder, &part("encoder.", "ViT.")).unwrap();
    state::restore(&objective.decoder, &part("decoder.", "")).unwrap();
    let flat = |tensor: &tch::Tensor| Vec::<f32>::try_from(&tensor.flatten(0, -1)).unwrap();
    let orders: Vec<Vec<usize>> =
        flat(&expected["order"]).chunks(6).map(|order| order.iter().map(|&patch| patch as usize).collect()).collect();
    let mask = Mask::new(&orders, 2, &device().inner());
    let images = images(flat(&expected["image"]));
    let restored = objective.restored(&encoder, images.clone(), &mask, Mode::Train);
    let loss = masked_patch_error(restored, images, Tensor::from_inner(mask.masked), 4);
    assert!((values(&loss)[0] - flat(&expected["loss"])[0]).abs() < 1e-5, "{loss}");
    let networks = networks(&encoder, &objective);
    let mut optimiser = Optimiser::new(&networks, &OptimiserConfig::default());
    optimiser.add(&networks, loss.backward());
    let gradients = optimiser.state().into_iter().filter(|(name, _)| name.starts_with("gradient."));
    let mut compared = 0;
    for (name, found) in gradients {
        let expected = &expected[&name.replace(".ViT", "")];
        let worst = (&found - expected).abs().max().double_value(&[]);
        assert!(worst <= 1e-4 * expected.abs().max().double_value(&[]), "{name} is off by {worst:e}");
        compared += 1;
    }
    assert_eq!(compared, 2 * 12 + 5 + 12 + 7, "of two blocks and one, and of what stands around them");
}

/// Patches are of two rows and two columns: of each, pixel by pixel, its channels.
#[test]
fn patches_go_row_by_row_and_back() {
    // The value says channel, row, column.
    let place = |at: usize| (at / 24 * 100 + at / 6 % 4 * 10 + at % 6) as f32;
    let values_of = (0..48).map(place).collect::<Vec<f32>>();
    let images = Tensor::<4>::from_data(TensorData::new(values_of.clone(), [1, 2, 4, 6]), &device());
    let patches = patches(images, 2);
    assert_eq!(patches.dims(), [1, 6, 8]);
    let fifth = values(&patches.clone().narrow(1, 4, 1));
    assert_eq!(fifth, [22.0, 122.0, 23.0, 123.0, 32.0, 132.0, 33.0, 133.0]);
    assert_eq!(values(&from_patches(patches, [2, 4, 6], 2)), values_of);
}

/// What is restored does not change with pixels that are masked, and does with others.
#[test]
fn the_encoder_does_not_see_what_is_masked() {
    let (encoder, objective) = objective(0.5);
    let first = images(wave(2 * 3 * 96, 0.0));
    let mask = objective.mask(&first, &[7, 8], &AT);
    let restored = |images| values(&objective.restored(&encoder, images, &mask, Mode::Eval));
    let masked = Tensor::from_inner(mask.masked.clone()).unsqueeze_dim::<3>(2);
    let other = patches(images(wave(2 * 3 * 96, 2.0)), 4);
    let mixed = |of_other: Tensor<3>| {
        let all = patches(first.clone(), 4) * of_other.clone().neg().add_scalar(1.0) + other.clone() * of_other;
        from_patches(all, [3, 8, 12], 4)
    };
    let as_it_is = restored(first.clone());
    assert_eq!(restored(mixed(masked.clone())), as_it_is);
    let with_others_seen = restored(mixed(masked.neg().add_scalar(1.0)));
    assert!(as_it_is.iter().zip(with_others_seen).all(|(a, b)| a.is_finite() && (a - b).abs() > 1e-6));
}

#[test]
fn an_image_has_its_own_mask_in_each_epoch_and_as_many_are_masked_in_all() {
    let (_, objective) = objective(0.7);
    let images = images(wave(2 * 3 * 96, 0.0));
    let masked = |ids: [u32; 2], at: &At| values(&objective.mask(&images, &ids, at).masked);
    let [first, second] = [0, 6].map(|begin| masked([7, 8], &AT)[begin..begin + 6].to_vec());
    assert_eq!(masked([8, 7], &AT), [second, first.clone()].concat());
    assert!((1..20).any(|epoch| masked([7, 8], &At { epoch, ..AT })[..6] != first));
    // .7 of six are 4.2.
    assert!((0..20).all(|image| masked([image, 0], &AT)[..6].iter().sum::<f32>() == 4.0));
}

/// Seen patches as they are, masked ones grey, and then what is restored of them, with the mean that they truly have.
#[test]
fn a_person_is_shown_what_was_seen_and_what_is_restored() {
    let (encoder, objective) = objective(0.5);
    let images = images(wave(2 * 3 * 96, 1.0));
    let batch = Batch { ids: vec![7, 8], views: vec![images.clone()], targets: Targets::None };
    let [whole, seen, restored] = objective.shown(&encoder, batch, &AT).try_into().unwrap();
    assert_eq!(values(&whole), values(&images));
    let mask = objective.mask(&images, &[7, 8], &AT);
    let of_patch = |images: &Tensor<4>, number: usize| {
        let all = values(&patches(images.clone(), 4));
        all[number * 48..(number + 1) * 48].to_vec()
    };
    for (number, masked) in values(&mask.masked).into_iter().enumerate() {
        let [whole, seen, restored] = [&whole, &seen, &restored].map(|images| of_patch(images, number));
        if masked == 0.0 {
            assert!(seen == whole && restored == whole);
        } else {
            assert!(seen.iter().all(|&value| value == 0.0) && restored != whole);
        }
    }
}

#[test]
fn what_cannot_be_masked_is_refused() {
    let init = &mut Init::new(0, &device());
    let refusal = |init: &mut Init, encoder: &Encoder, ratio: f64| {
        MaskedReconstruction::new(init, encoder, 3, [8, 12], &params(ratio)).err().unwrap().to_string()
    };
    let conv4 = EncoderConfig { width: 2, ..EncoderConfig::default() }.build(init, [3, 8, 12]);
    assert_eq!(
        refusal(init, &conv4, 0.75),
        "conv4 does not work on patches: write `encoder: { kind: vit_tiny }`, which does"
    );
    let vit = vit(init);
    for (ratio, seen) in [(0.01, 6), (0.99, 0)] {
        let begin =
            format!("mask_ratio is {ratio}, by which {seen} of 6 patches would be seen (views have 8 x 12 pixels");
        assert!(refusal(init, &vit, ratio).starts_with(&begin), "{}", refusal(init, &vit, ratio));
    }
    assert_eq!(PatchDecoder::check(20).unwrap_err().to_string(), "decoder_width is 20: write a multiple of 12");
}
