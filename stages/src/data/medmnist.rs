//! MedMNIST v2: medical images of one size, by the name of their set.

mod sets;

use super::arrays::{self, Part, Place};
use super::dataset::Split;
use crate::context::Context;
use crate::stage::{About, DATASET, Stage};
use anyhow::{Context as _, Result, bail, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sets::{Published, SETS, SIDES};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

pub struct MedMnist;

/// Those whose images are flat and of one class each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
enum Set {
    #[serde(rename = "pathmnist")]
    Path,
    #[serde(rename = "dermamnist")]
    Derma,
    #[serde(rename = "octmnist")]
    Oct,
    #[serde(rename = "pneumoniamnist")]
    Pneumonia,
    #[serde(rename = "retinamnist")]
    Retina,
    #[serde(rename = "breastmnist")]
    Breast,
    #[serde(rename = "bloodmnist")]
    Blood,
    #[serde(rename = "tissuemnist")]
    Tissue,
    #[serde(rename = "organamnist")]
    Organa,
    #[serde(rename = "organcmnist")]
    Organc,
    #[serde(rename = "organsmnist")]
    Organs,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// which of its sets the file holds
    set: Set,
    /// the `.npz` file, relative to the recipe's file; what is in it counts, and where it lies does not
    #[schemars(extend("x-path" = true))]
    path: PathBuf,
}

impl Default for Params {
    fn default() -> Self {
        Self { set: Set::Path, path: PathBuf::new() }
    }
}

impl Stage for MedMnist {
    type Params = Params;
    const ABOUT: About = About {
        name: "data/medmnist",
        summary: "MedMNIST v2's sets of flat images of one class each, from a .npz file of theirs (Yang et al. 2023)",
        docs: "Splits and classes are the official ones: train, val and test of the file, whose images keep their size (28, 64, 128 or \
               224 pixels) and channels. The file is fetched by hand (from Zenodo, record 10519652; `python3 -m medmnist download` fetches all); its \
               MD5 is compared with what the Python package medmnist publishes, and where it is another one the summary says so. \
               ChestMNIST has several labels an image, and the sets in three dimensions are no images: neither is read. What \
               MedMNIST reports beside accuracy, the mean AUC of each class against the others, no evaluation here measures yet. Licence: CC BY 4.0, of DermaMNIST CC \
               BY-NC 4.0.",
        gives: &[DATASET],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let about = SETS.iter().find(|about| about.set == params.set).expect("all sets are in the list");
        let parts = arrays::parts(&params.path)?;
        let splits = about.splits(&parts).with_context(|| format!("{} cannot be used", params.path.display()))?;
        let name = serde_json::to_value(params.set)?.as_str().expect("a set has a name").to_owned();
        let remarks = about.warning(&params.path, parts[0].shape, &name)?.into_iter().collect();
        let classes = about.classes.iter().map(|&class| class.to_owned()).collect();
        arrays::publish(&name, classes, &parts, &splits, remarks, context)
    }
}

impl Published {
    /// The official ones.
    fn splits(&self, parts: &[Part]) -> Result<BTreeMap<Split, Vec<Place>>> {
        let mut splits = BTreeMap::new();
        for (number, part) in parts.iter().enumerate() {
            let split = part
                .split
                .context("it holds `images` without splits, expected `train_images`, `val_images`, `test_images`")?;
            ensure!(
                part.shape[2] == self.channels,
                "its images have {} channels, and those of the set {}: is `set` another one?",
                part.shape[2],
                self.channels
            );
            let most = self.classes.len() as i64 - 1;
            if let Some(label) = part.labels.iter().find(|label| !(0..=most).contains(*label)) {
                bail!(
                    "its {} labels hold {label}, and those of the set go from 0 to {most}: is `set` another one?",
                    split.name()
                );
            }
            splits.insert(split, (0..part.labels.len()).map(|image| (number, image)).collect());
        }
        let missing = Split::LABELLED.into_iter().find(|split| !splits.contains_key(split));
        ensure!(missing.is_none(), "it holds no {} images", missing.map_or("", Split::name));
        Ok(splits)
    }

    /// Where the file is not the published one.
    fn warning(&self, path: &Path, [height, width, _]: [usize; 3], name: &str) -> Result<Option<String>> {
        let published = SIDES.iter().position(|&side| [height, width] == [side; 2]).map(|place| self.digests[place]);
        let Some(published) = published else {
            return Ok(Some(format!(
                "WARNING: MedMNIST v2 publishes no {name} of {width} x {height} pixels: these are others' images"
            )));
        };
        if path.is_dir() {
            return Ok(Some(
                "WARNING: a folder of arrays, of which it cannot be told whether they are MedMNIST's".to_owned(),
            ));
        }
        let mut digest = md5::Context::new();
        let copied = File::open(path).and_then(|mut file| std::io::copy(&mut file, &mut digest));
        copied.with_context(|| format!("cannot read {}", path.display()))?;
        let digest = format!("{:x}", digest.finalize());
        let warning = || {
            format!(
                "WARNING: the file's MD5 is {digest}, and that of MedMNIST v2's {name} {published}: it is another file"
            )
        };
        Ok((digest != published).then(warning))
    }
}

#[cfg(test)]
mod tests;
