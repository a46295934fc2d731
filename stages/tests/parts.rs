//! What an encoder's artifact holds beside the encoder: heads that open again, and the images that it has seen.

mod tiny;

use burn::tensor::Tensor;
use pretext_protocol::Measurement;
use pretext_stages::artifact::EncoderArtifact;
use pretext_stages::catalog;
use pretext_stages::context::Context;
use pretext_stages::data::{Dataset, Split};
use pretext_stages::json;
use pretext_stages::nn::layers::Mode;
use pretext_stages::nn::state::{self, Part};
use pretext_stages::nn::{Head, HeadConfig, device};
use std::path::{Path, PathBuf};

/// What a kind measures in a folder of its own.
fn run(kind: &str, folder: &Path, inputs: &[(&str, &Path)]) -> anyhow::Result<Vec<Measurement>> {
    tch::set_num_threads(tiny::THREADS as i32);
    let entry = catalog::find(kind).unwrap();
    let run = tiny::request(&entry, tiny::small_params(&entry, 1, 32), folder, inputs);
    let measured = tiny::Measured::default();
    (entry.run)(&run.params, &Context::new(&run, &measured, &|| false)?)?;
    Ok(measured.0.into_inner().unwrap())
}

/// The artifact that a kind makes of the data set.
fn encoder_of(kind: &str, data: &Path, root: &Path) -> PathBuf {
    let folder = root.join(kind.replace('/', "-"));
    run(kind, &folder, &[("data", data)]).unwrap();
    folder.join("out/encoder")
}

fn place() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join("data");
    tiny::write_dataset(&data);
    (root, data)
}

#[test]
fn heads_that_are_kept_open_with_their_weights() {
    let (root, data) = place();
    let device = device("cpu").unwrap();
    for (kind, name, of_features) in
        [("pretrain/supervised", "classifier", 4), ("pretrain/autoencoder", "decoder", 3 * 16 * 16)]
    {
        let folder = encoder_of(kind, &data, root.path());
        let artifact: EncoderArtifact = json::read(&folder.join("encoder.json")).unwrap();
        assert!(artifact.size == [16; 2] && artifact.heads.keys().eq([name]));
        let head = artifact.open_head(name, &folder, &device).unwrap().unwrap();
        let features = Tensor::<2>::ones([2, 64], &device);
        let (part, outputs): (&dyn Part, usize) = match &head {
            Head::Mlp(head) => (head, head.forward(features, Mode::Eval).dims()[1]),
            Head::Decoder(head) => (&**head, head.forward(features, Mode::Eval).dims()[1..].iter().product()),
            other => panic!("{kind} keeps no {other:?}"),
        };
        assert_eq!(outputs, of_features, "{kind}");
        let kept = state::load(&folder.join(format!("{name}.safetensors"))).unwrap();
        assert!(!kept.is_empty() && state::named(part).iter().all(|(name, tensor)| kept[name] == *tensor));
        assert!(artifact.open_head("projector", &folder, &device).unwrap().is_none());
    }
    let supervised: EncoderArtifact =
        json::read(&root.path().join("pretrain-supervised/out/encoder/encoder.json")).unwrap();
    assert_eq!(supervised.classes, ["astronaut", "cat", "coffee", "rocket"]);
    assert!(matches!(&supervised.heads["classifier"], HeadConfig::Mlp { widths, .. } if widths[..] == [64, 4]));
}

/// Of a data set whose test split shares images with what is trained on.
#[test]
fn an_encoder_knows_which_images_it_has_seen() {
    let (root, data) = place();
    let mut pieces = tiny::pieces(tiny::SIZE);
    // The first seven test images are training images once more.
    for image in 0..7 {
        pieces[188 + image] = pieces[image].clone();
    }
    let other = root.path().join("other");
    tiny::write_dataset_of(&other, pieces);
    let other = Dataset::open(&other).unwrap();
    let seen = |kind: &str| {
        let frozen = EncoderArtifact::open(&encoder_of(kind, &data, root.path()), &device("cpu").unwrap()).unwrap();
        [Split::Train, Split::Validation, Split::Test].map(|split| frozen.artifact.seen_of(&other, split).unwrap())
    };
    assert_eq!(seen("pretrain/random"), [0; 3]);
    assert_eq!(seen("pretrain/rotation"), [160, 0, 7]);
}

#[test]
fn what_needs_no_classes_is_trained_on_unlabelled_images_too() {
    let (root, data) = place();
    tiny::make_unlabelled(&data, 40);
    let images = |kind: &str| {
        let folder = encoder_of(kind, &data, root.path());
        EncoderArtifact::open(&folder, &device("cpu").unwrap()).unwrap().artifact.seen.unwrap().len()
    };
    // Of 120 images with classes three batches of 32.
    assert_eq!(images("pretrain/supervised"), 96);
    assert_eq!(images("pretrain/simclr"), 160);
}

/// What is declared is measured, as no number where nobody knows.
#[test]
fn features_say_how_many_images_were_seen_or_that_nobody_knows() {
    let (root, data) = place();
    let seen = |encoder: &Path, name: &str| {
        let measured = run("features", &root.path().join(name), &[("data", &data), ("encoder", encoder)]).unwrap();
        let of_split = |split: &str| measured.iter().find(|m| m.name == "seen" && m.split == split).unwrap().value;
        ["validation", "test"].map(of_split)
    };
    let encoder = encoder_of("pretrain/random", &data, root.path());
    assert_eq!(seen(&encoder, "known"), [0.0; 2]);
    std::fs::remove_file(encoder.join("seen.npy")).unwrap();
    assert!(seen(&encoder, "unknown").iter().all(|images| images.is_nan()));
}

/// Its own training images count too: the classifier has seen them.
#[test]
fn fine_tuning_says_how_many_images_it_has_seen_itself() {
    let (root, data) = place();
    let mut pieces = tiny::pieces(tiny::SIZE);
    for image in 0..7 {
        pieces[188 + image] = pieces[image].clone();
    }
    let shared = root.path().join("shared");
    tiny::write_dataset_of(&shared, pieces);
    let encoder = encoder_of("pretrain/random", &data, root.path());
    let inputs = [("data", shared.as_path()), ("encoder", encoder.as_path())];
    let measured = run("eval/finetune", &root.path().join("finetune"), &inputs).unwrap();
    // One of the seven is among those that fill no batch in its steps.
    assert_eq!(measured.iter().find(|m| m.name == "seen" && m.split == "test").unwrap().value, 6.0);
}

#[test]
fn an_encoder_of_colours_refuses_grey_images() {
    let (root, data) = place();
    let grey = root.path().join("grey");
    tiny::write_grey(&data, &grey);
    let encoder = encoder_of("pretrain/pixels", &data, root.path());
    let refusal = |kind: &str, encoder: &Path| {
        run(kind, &root.path().join("refused"), &[("data", &grey), ("encoder", encoder)]).unwrap_err().to_string()
    };
    let error = "the encoder takes images of 3 channels, and the data set's have 1";
    assert_eq!(refusal("features", &encoder), error);
    assert_eq!(refusal("eval/finetune", &encoder_of("pretrain/random", &data, root.path())), error);
    // Grey images have encoders of their own.
    for kind in ["pretrain/simclr", "pretrain/autoencoder"] {
        let own = encoder_of(kind, &grey, &root.path().join("own"));
        let place = root.path().join(kind.replace('/', "-of-grey-"));
        run("features", &place, &[("data", &grey), ("encoder", &own)]).unwrap();
    }
}
