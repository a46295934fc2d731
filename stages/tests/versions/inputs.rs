//! Inputs that no kind has made: else a change of one kind would show in the fingerprints of those that come after it.

use crate::tiny;
use pretext_protocol::StageKind;
use pretext_stages::artifact::{CLASSIFIER, EncoderArtifact};
use pretext_stages::data::{Dataset, Split, npy};
use pretext_stages::features::{FeatureSet, SplitFeatures};
use pretext_stages::nn::encoder::EncoderConfig;
use pretext_stages::nn::state::{self, Part};
use pretext_stages::nn::{self, Bottleneck, Init, Mlp, Norms};
use serde_json::json;
use std::path::{Path, PathBuf};

/// A folder with one artifact of each type, named by the type.
pub struct Inputs {
    root: PathBuf,
}

impl Inputs {
    pub fn write(root: &Path) -> Self {
        tiny::write_dataset(&root.join("dataset"));
        tiny::write_places(&root.join("places"));
        tiny::write_anomalies(&root.join("anomalies"));
        let data = Dataset::open(&root.join("dataset")).unwrap();
        write_encoder(&data, &root.join("encoder"));
        write_features(&data, &root.join("features"));
        for (set, bytes, classes, images) in [
            ("cifar10", 3072, 10, 60_000),
            ("cifar100", 3072, 100, 60_000),
            ("mnist", 784, 10, 70_000),
            ("fashion-mnist", 784, 10, 70_000),
            ("solar-cells", 90_000, 8, 2_624),
            ("textiles", 62_500, 3, 2_000),
            ("emoji-twitter", 16_384, 162, 1_897),
            ("head-mri-human", 217 * 181 * 3, 1, 181),
        ] {
            write_stand_in(&root.join("cache").join(set), images, bytes, classes);
        }
        write_photographs(&root.join("photographs"));
        write_arrays(&root.join("arrays"));
        write_medmnist(&root.join("medmnist"));
        write_annotated(&Dataset::open(&root.join("places")).unwrap(), &root.join("annotated"));
        write_product(&Dataset::open(&root.join("dataset")).unwrap(), &root.join("product"));
        Self { root: root.to_owned() }
    }

    /// Port and artifact, for every port that must be connected. Without views a kind uses its own.
    pub fn of(&self, kind: &StageKind) -> Vec<(String, PathBuf)> {
        let ports = kind.needs.iter().filter(|port| port.required && port.used);
        ports
            .map(|port| {
                let artifact = self.root.join(match (&port.type_[..], &kind.name[..]) {
                    ("dataset", name) if tiny::OF_PLACES.contains(&name) => "places",
                    ("dataset", tiny::OF_ANOMALIES) => "anomalies",
                    (type_, _) => type_,
                });
                assert!(artifact.is_dir(), "{} needs a tiny {}: make one in {}", kind.name, port.type_, file!());
                (port.name.clone(), artifact)
            })
            .collect()
    }

    /// What a kind reads that takes a folder of one's own.
    pub fn path(&self, kind: &str) -> PathBuf {
        // An absolute one takes the place of all.
        self.root.join(match kind {
            "data/nifti" => concat!(env!("CARGO_MANIFEST_DIR"), "/src/data/nifti/fixture/heads"),
            "data/medmnist" => "medmnist",
            "data/arrays" => "arrays",
            "data/coco" | "data/voc" | "data/masks" => "annotated",
            "data/mvtec" => "product",
            _ => "photographs",
        })
    }

    /// Of the encoder.
    pub fn weights(&self) -> PathBuf {
        self.root.join("encoder/weights.safetensors")
    }

    /// Where downloads would be.
    pub fn cache(&self) -> PathBuf {
        self.root.join("cache")
    }
}

/// Networks whose every weight is a function of its name and place: an encoder, and what draws images of its features and tells classes
/// apart by them.
fn write_encoder(data: &Dataset, folder: &Path) {
    let config = EncoderConfig { width: 8, ..EncoderConfig::default() };
    let init = &mut Init::new(0, &nn::device("cpu").unwrap());
    let encoder = config.build(init, data.manifest.input());
    let bottleneck = Bottleneck::new(init, &encoder, data.manifest.input(), 0, 2);
    let classifier = Mlp::new(init, &[encoder.features(), data.manifest.classes.len()], Norms::None);
    let classifying: (&str, &dyn Part) = (CLASSIFIER, &classifier);
    let heads: Vec<_> = bottleneck.heads().into_iter().chain([classifying]).collect();
    let configs = bottleneck.configs().into_iter().chain([(CLASSIFIER, classifier.config())]).collect();
    fill_with_waves(&encoder);
    heads.iter().for_each(|(_, head)| fill_with_waves(*head));
    std::fs::create_dir_all(folder).unwrap();
    let artifact = EncoderArtifact::new(Some(&config), &data.manifest).with_heads(configs, &data.manifest);
    artifact.save(Some(&encoder), &heads, folder).unwrap();
}

fn fill_with_waves(part: &dyn Part) {
    let wave = |entry: state::Entry| {
        let phase = entry.name.bytes().map(f64::from).sum::<f64>();
        let waves: Vec<f32> = (0..entry.tensor.numel()).map(|i| (phase + 1.7 * i as f64).sin() as f32).collect();
        // Running statistics and scales are positive.
        let values = tch::Tensor::from_slice(&waves).reshape(entry.tensor.size());
        let values = if entry.tensor.dim() > 1 { values * 0.3 } else { values * 0.5 + 1.0 };
        (entry.name, values)
    };
    state::restore(part, &part.entries().into_iter().map(wave).collect()).unwrap();
}

/// The mean colour of each quarter of an image.
fn write_features(data: &Dataset, folder: &Path) {
    let (size, half) = (tiny::SIZE as usize, tiny::SIZE as usize / 2);
    let split = |split: Split| {
        let mut values = vec![];
        for image in data.rows(split).map(|row| data.image(row)) {
            for (top, left, channel) in [(0, 0), (0, half), (half, 0), (half, half)]
                .into_iter()
                .flat_map(|(top, left)| (0..3).map(move |channel| (top, left, channel)))
            {
                let places = (top..top + half).flat_map(|y| (left..left + half).map(move |x| (y * size + x) * 3));
                let sum: u32 = places.map(|place| u32::from(image[place + channel])).sum();
                values.push(sum as f32 / (255 * half * half) as f32);
            }
        }
        SplitFeatures {
            values,
            labels: data.labels(split).to_vec(),
            ids: data.rows(split).map(|row| row as u32).collect(),
        }
    };
    std::fs::create_dir_all(folder).unwrap();
    let splits = Split::LABELLED.into_iter().map(|name| (name, split(name))).collect();
    FeatureSet { features: 12, classes: data.manifest.classes.len(), splits }.save(folder).unwrap();
}

/// Pieces of the samples as PNG files, which lose nothing.
fn write_photographs(folder: &Path) {
    const SIDE: u32 = 24;
    for (number, (pixels, class)) in tiny::pieces(SIDE).into_iter().enumerate() {
        let class = folder.join(format!("class-{class}"));
        std::fs::create_dir_all(&class).unwrap();
        let picture = image::RgbImage::from_raw(SIDE, SIDE, pixels).unwrap();
        picture.save(class.join(format!("{number:03}.png"))).unwrap();
    }
}

/// Pieces of the samples as arrays without splits, in groups of three.
fn write_arrays(folder: &Path) {
    const SIDE: u32 = 16;
    let pieces = tiny::pieces(SIDE);
    std::fs::create_dir_all(folder).unwrap();
    let file = |name: &str| folder.join(format!("{name}.npy"));
    let (count, side) = (pieces.len(), SIDE as usize);
    let pixels: Vec<u8> = pieces.iter().flat_map(|(pixels, _)| pixels).copied().collect();
    npy::write(file("images"), &[count, side, side, 3], &pixels).unwrap();
    npy::write(file("labels"), &[count], &pieces.iter().map(|(_, class)| *class).collect::<Vec<i32>>()).unwrap();
    npy::write(file("groups"), &[count], &(0..count as u32).map(|image| image / 3).collect::<Vec<_>>()).unwrap();
}

/// Pieces of the samples as MedMNIST's first set has its images, a split each of the same ones.
fn write_medmnist(folder: &Path) {
    const SIDE: u32 = 28;
    let pieces = tiny::pieces(SIDE);
    std::fs::create_dir_all(folder).unwrap();
    let (count, side) = (pieces.len(), SIDE as usize);
    let pixels: Vec<u8> = pieces.iter().flat_map(|(pixels, _)| pixels).copied().collect();
    let labels: Vec<u8> = (0..count).map(|image| (image % 9) as u8).collect();
    for split in ["train", "val", "test"] {
        npy::write(folder.join(format!("{split}_images.npy")), &[count, side, side, 3], &pixels).unwrap();
        npy::write(folder.join(format!("{split}_labels.npy")), &[count, 1], &labels).unwrap();
    }
}

/// Pictures of which a file in COCO's format tells, one in PASCAL VOC's beside each, and masks of values.
fn write_annotated(data: &Dataset, folder: &Path) {
    let (classes, side) = (&data.manifest.classes, tiny::SIZE);
    let (mut images, mut objects) = (vec![], vec![]);
    ["images", "masks"].iter().for_each(|of| std::fs::create_dir_all(folder.join(of)).unwrap());
    for row in Split::LABELLED.into_iter().flat_map(|split| data.rows(split)) {
        let picture = image::RgbImage::from_raw(side, side, data.image(row).into_owned()).unwrap();
        picture.save(folder.join(format!("images/{row:03}.png"))).unwrap();
        let mask = image::GrayImage::from_raw(side, side, data.mask(row).unwrap().to_vec()).unwrap();
        mask.save(folder.join(format!("masks/{row:03}.png"))).unwrap();
        let mut xml = String::new();
        for region in data.regions(row).unwrap() {
            let (class, [left, top, right, bottom]) = (region.class as usize, region.edges);
            objects.push(json!({
                "id": objects.len(), "image_id": row, "category_id": class, "bbox": [left, top, right - left, bottom - top]
            }));
            xml += &format!(
                "<object><name>{}</name><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{right}</xmax><ymax>{bottom}</ymax></bndbox></object>",
                classes[class],
                left + 1.0,
                top + 1.0
            );
        }
        std::fs::write(folder.join(format!("images/{row:03}.xml")), format!("<annotation>{xml}</annotation>")).unwrap();
        images.push(json!({ "id": row, "file_name": format!("images/{row:03}.png"), "height": side, "width": side }));
    }
    let named = classes.iter().enumerate();
    let categories: Vec<_> = named.map(|(id, name)| json!({ "id": id, "name": name })).collect();
    let all = json!({ "images": images, "annotations": objects, "categories": categories });
    std::fs::write(folder.join("all.json"), all.to_string()).unwrap();
}

/// A category in MVTec AD's format: what is in train is good, of test every second picture is cut, and its mask white.
fn write_product(data: &Dataset, folder: &Path) {
    let side = tiny::SIZE;
    let save = |picture: image::DynamicImage, path: String| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        picture.save(path).unwrap();
    };
    for (split, row) in [Split::Train, Split::Test].into_iter().flat_map(|of| data.rows(of).map(move |row| (of, row))) {
        let picture = image::RgbImage::from_raw(side, side, data.image(row).into_owned()).unwrap();
        let is_cut = split == Split::Test && row % 2 == 1;
        save(picture.into(), format!("{}/{}/{row:03}.png", split.name(), if is_cut { "cut" } else { "good" }));
        if is_cut {
            let white = image::GrayImage::from_pixel(side, side, image::Luma([255]));
            save(white.into(), format!("ground_truth/cut/{row:03}_mask.png"));
        }
    }
}

/// What a kind looks for in the cache before it fetches anything: labels and then as many images, here pieces of the samples again and
/// again, whose bytes are repeated or cut short. How an archive is decoded is not guarded by this; a digest in the kind does that.
fn write_stand_in(folder: &Path, images: usize, image_bytes: usize, classes: usize) {
    let pieces = tiny::pieces(32);
    let name = folder.file_name().unwrap().to_str().unwrap();
    std::fs::create_dir_all(folder).unwrap();
    let mut content: Vec<u8> = (0..images).map(|number| (number % classes) as u8).collect();
    pieces.iter().cycle().take(images).for_each(|(pixels, _)| content.extend(pixels.iter().cycle().take(image_bytes)));
    std::fs::write(folder.join(format!("{name}.bin")), &content).unwrap();
    let digest = blake3::Hasher::new().update_rayon(&content).finalize().to_hex();
    std::fs::write(folder.join(format!("{name}.stand-in")), digest.as_str()).unwrap();
}
