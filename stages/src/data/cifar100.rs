use super::fetched::{Fetched, Splits, add_planes};
use super::sources::Source;
use crate::context::Context;
use crate::stage::{About, DATASET, Stage};
use anyhow::{Context as _, Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::Path;

/// CIFAR-100 (Krizhevsky 2009): 60,000 photographs of 32x32 pixels, 100 classes in 20 groups.
pub struct Cifar100;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    splits: Splits<50_000, 5_000>,
    /// fine: the 100 classes; coarse: the 20 groups that they are in
    labels: Labels,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Labels {
    Fine,
    Coarse,
}

impl Default for Params {
    fn default() -> Self {
        Self { splits: Splits::default(), labels: Labels::Fine }
    }
}

const SIZE: usize = 32;
const PLANE: usize = SIZE * SIZE;

pub(super) const CIFAR100: Fetched = Fetched {
    name: "CIFAR-100",
    cache: "cifar100",
    size: [SIZE, SIZE, 3],
    labels: 100,
    images: [50_000, 10_000, 0],
    sources: &[Source::Address("https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz")],
    download: 169_000_000,
    // Its official address does not answer where this was written.
    digest: None,
    decode,
    by_hand: "cifar-100-binary.tar.gz from its official page",
};

/// Each group with its classes.
const GROUPS: [(&str, [&str; 5]); 20] = [
    ("aquatic mammals", ["beaver", "dolphin", "otter", "seal", "whale"]),
    ("fish", ["aquarium_fish", "flatfish", "ray", "shark", "trout"]),
    ("flowers", ["orchid", "poppy", "rose", "sunflower", "tulip"]),
    ("food containers", ["bottle", "bowl", "can", "cup", "plate"]),
    ("fruit and vegetables", ["apple", "mushroom", "orange", "pear", "sweet_pepper"]),
    ("household electrical devices", ["clock", "keyboard", "lamp", "telephone", "television"]),
    ("household furniture", ["bed", "chair", "couch", "table", "wardrobe"]),
    ("insects", ["bee", "beetle", "butterfly", "caterpillar", "cockroach"]),
    ("large carnivores", ["bear", "leopard", "lion", "tiger", "wolf"]),
    ("large man-made outdoor things", ["bridge", "castle", "house", "road", "skyscraper"]),
    ("large natural outdoor scenes", ["cloud", "forest", "mountain", "plain", "sea"]),
    ("large omnivores and herbivores", ["camel", "cattle", "chimpanzee", "elephant", "kangaroo"]),
    ("medium-sized mammals", ["fox", "porcupine", "possum", "raccoon", "skunk"]),
    ("non-insect invertebrates", ["crab", "lobster", "snail", "spider", "worm"]),
    ("people", ["baby", "boy", "girl", "man", "woman"]),
    ("reptiles", ["crocodile", "dinosaur", "lizard", "snake", "turtle"]),
    ("small mammals", ["hamster", "mouse", "rabbit", "shrew", "squirrel"]),
    ("trees", ["maple_tree", "oak_tree", "palm_tree", "pine_tree", "willow_tree"]),
    ("vehicles 1", ["bicycle", "bus", "motorcycle", "pickup_truck", "train"]),
    ("vehicles 2", ["lawn_mower", "rocket", "streetcar", "tank", "tractor"]),
];

/// The classes in the order of their numbers: that of the alphabet.
fn fine() -> Vec<&'static str> {
    let mut classes: Vec<&str> = GROUPS.iter().flat_map(|(_, classes)| *classes).collect();
    classes.sort_unstable();
    classes
}

fn group_of(class: &str) -> i32 {
    GROUPS.iter().position(|(_, classes)| classes.contains(&class)).expect("every class is in a group") as i32
}

impl Stage for Cifar100 {
    type Params = Params;
    const ABOUT: About = About {
        name: "data/cifar100",
        summary: "CIFAR-100: 60,000 photographs of 32x32 pixels in 100 classes (Krizhevsky 2009)",
        docs: "Fetched once from its official address and kept in the store's cache. What was fetched is checked by each image's \
               group, and what is kept by its length and labels: no digest of it is known here, and `summary.txt` shows the one that was \
               found, so that two machines can compare. Validation is drawn from the official training split.",
        gives: &[DATASET],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let (kept, fine) = (CIFAR100.open(context)?, fine());
        match params.labels {
            Labels::Fine => CIFAR100.publish(&kept, &fine, i32::from, &params.splits, context),
            Labels::Coarse => {
                let groups: Vec<&str> = GROUPS.iter().map(|(name, _)| *name).collect();
                let group = |label: u8| group_of(fine[usize::from(label)]);
                CIFAR100.publish(&kept, &groups, group, &params.splits, context)
            }
        }
    }
}

/// Records of the group, the class and 32x32 red, then green, then blue values.
fn decode(folder: &Path, to: &mut dyn Write) -> Result<()> {
    let (mut labels, mut images, fine) = (vec![], vec![], fine());
    for name in ["train.bin", "test.bin"] {
        let file = folder.join("cifar-100-binary").join(name);
        let bytes = std::fs::read(&file).with_context(|| format!("cannot read {name}"))?;
        for (number, record) in bytes.chunks(2 + 3 * PLANE).enumerate() {
            ensure!(record.len() == 2 + 3 * PLANE, "{name} ends within image {number}");
            let class = fine.get(usize::from(record[1]));
            ensure!(
                class.is_some_and(|class| group_of(class) == i32::from(record[0])),
                "image {number} of {name} is of class {} and group {}, which do not belong together",
                record[1],
                record[0]
            );
            labels.push(record[1]);
            add_planes(&record[2..], &mut images);
        }
    }
    to.write_all(&labels)?;
    Ok(to.write_all(&images)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(group: u8, class: u8, red: u8) -> Vec<u8> {
        let mut record = vec![group, class];
        record.extend([red, 2, 3].into_iter().flat_map(|value| [value; PLANE]));
        record
    }

    #[test]
    fn records_are_read_and_groups_belong_to_their_classes() {
        let classes = fine();
        assert_eq!((classes.len(), classes[0], classes[1], classes[99]), (100, "apple", "aquarium_fish", "worm"));
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("cifar-100-binary");
        std::fs::create_dir_all(&folder).unwrap();
        // An apple is a fruit, group 4; a worm is of group 13.
        std::fs::write(folder.join("train.bin"), [record(4, 0, 7), record(13, 99, 8)].concat()).unwrap();
        std::fs::write(folder.join("test.bin"), record(1, 1, 9)).unwrap();
        let mut decoded = vec![];
        decode(place.path(), &mut decoded).unwrap();
        assert_eq!(decoded.len(), 3 + 3 * 3 * PLANE);
        assert_eq!(decoded[..9], [0, 99, 1, 7, 2, 3, 7, 2, 3]);
        assert_eq!(decoded[3 + 2 * 3 * PLANE..][..3], [9, 2, 3]);
        std::fs::write(folder.join("test.bin"), record(2, 1, 9)).unwrap();
        let error = decode(place.path(), &mut vec![]).unwrap_err().to_string();
        assert_eq!(error, "image 0 of test.bin is of class 1 and group 2, which do not belong together");
    }
}
