//! Pictures beside their masks as a data set.

use super::annotated::mask::{self, Reading};
use super::annotated::{Annotated, Common, Found, Item, by_stem};
use super::dataset::Labels;
use super::folder::split_of;
use super::pictures;
use crate::context::Context;
use crate::metrics::UNKNOWN;
use crate::stage::{About, DATASET, Stage};
use anyhow::{Context as _, Result, ensure};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

pub struct Masks;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    /// how a mask says what a pixel shows: by its `values`, 0 the background, 1 and up the classes, 255 unknown; or `binary`, of which
    /// what is light is the only class
    reading: Reading,
    /// the classes' names, in the order of the values from 1 on; where there are none, they are called by their values
    classes: Vec<String>,
}

impl Default for Params {
    fn default() -> Self {
        Self { common: Common::default(), reading: Reading::Values, classes: vec![] }
    }
}

/// Folders of pictures and of their masks.
const IMAGES: &str = "images";
const MASKS: &str = "masks";

impl Stage for Masks {
    type Params = Params;
    const ABOUT: About = About {
        name: "data/masks",
        // 2: the summary counts images beside what they show. 3: it says which splits are drawn.
        // 4: files of 0 and 1 alone are binary masks too. 5: pictures that cannot be read are told, and binary masks that may say something
        // else.
        version: 5,
        summary: "Pictures in folders `images`, and masks of the same names in folders `masks` beside them",
        docs: "Of images/a.jpg the mask is masks/a.png, of images/train/b.png masks/train/b.png, of train/images/c.png train/masks/c.png: a \
               folder that is named like a split (train, val, test) is one, and splits that are not there are drawn from train. A mask is \
               of its picture's size, in a format that loses nothing: grey of 8 bits, or colours of PASCAL VOC's palette, as VOC and many \
               tools write them. What else is said of pictures and of the summary is as in data/folder; pictures are taken as they lie in \
               their files.",
        gives: &[DATASET],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let root = &params.common.path;
        let listing = pictures::list(root)?;
        let (images, masks): (Vec<Found>, Vec<Found>) = listing
            .all()
            .into_iter()
            .filter(|(path, _)| lies_in(path, IMAGES) || lies_in(path, MASKS))
            .partition(|(path, _)| lies_in(path, IMAGES));
        ensure!(
            !images.is_empty(),
            "{}: there is no picture in a folder `{IMAGES}`, beside which its mask would lie in a folder `{MASKS}`",
            root.display()
        );
        let masks = by_stem(masks, |path| Some(path.with_extension("")));
        let readable = masks.values().filter(|(_, fault)| fault.is_none());
        let classes = classes(&params, readable.map(|(path, _)| path))?;
        let wanted: BTreeSet<PathBuf> = images.iter().map(|(path, _)| mask_of(path)).collect();
        let alone = masks.keys().filter(|stem| !wanted.contains(*stem)).count();
        let items = images.into_iter().map(|image| item(image, &masks, &params)).collect();
        let mut remarks: Vec<String> =
            (alone > 0).then(|| format!("masks without a picture: {alone}")).into_iter().collect();
        let others = listing.others.iter().filter(|path| lies_in(path, IMAGES) || lies_in(path, MASKS));
        remarks.extend(pictures::passed_over(others.map(PathBuf::as_path)));
        Annotated { name: "masks", classes, labels: Labels::Places, items, masks_are_apart: false, remarks }
            .publish(&params.common, context)
    }
}

fn lies_in(path: &Path, folder: &str) -> bool {
    path.parent().is_some_and(|parent| parent.iter().any(|part| part == folder))
}

/// The path of a picture's mask without its ending.
fn mask_of(path: &Path) -> PathBuf {
    let part = |part| if part == OsStr::new(IMAGES) { OsStr::new(MASKS) } else { part };
    path.parent().into_iter().flat_map(Path::iter).map(part).chain(path.file_stem()).collect()
}

fn item((path, fault): Found, masks: &BTreeMap<PathBuf, Found>, params: &Params) -> Item {
    let folders = path.parent().into_iter().flat_map(Path::iter).map(|name| name.to_string_lossy());
    let split = folders.filter(|name| name != IMAGES).find_map(|name| Some(split_of(&name)?.0));
    let stem = mask_of(&path);
    let mask = masks.get(&stem);
    let fault_of_mask = || match mask {
        None => Some(format!("there is no mask: expected {}.png", stem.display())),
        Some((file, fault)) => Some(format!("its mask {}: {}", file.display(), fault.as_ref()?)),
    };
    let file = mask.map(|(file, _)| params.common.path.join(file));
    let reading = params.reading;
    Item {
        split,
        said: None,
        told: None,
        fault: fault.or_else(fault_of_mask),
        mask: file.map(|file| Box::new(move |size| mask::read(&file, size, reading)) as _),
        class: -1,
        path,
    }
}

/// Those that are named, or the values that any mask holds.
fn classes<'a>(params: &Params, masks: impl Iterator<Item = &'a PathBuf>) -> Result<Vec<String>> {
    if !params.classes.is_empty() {
        ensure!(
            params.reading == Reading::Values || params.classes.len() == 1,
            "classes has {} names, and a binary mask tells one class: write one",
            params.classes.len()
        );
        return Ok(params.classes.clone());
    }
    if params.reading == Reading::Binary {
        return Ok(vec!["1".to_owned()]);
    }
    let files: Vec<&PathBuf> = masks.collect();
    let root = &params.common.path;
    let read = |file: &&PathBuf| -> Result<BTreeSet<u8>> {
        let values = mask::values(&root.join(file)).with_context(|| root.join(file).display().to_string())?;
        Ok(values.into_iter().collect())
    };
    let of_files: Vec<Result<BTreeSet<u8>>> = files.par_iter().map(read).collect();
    let mut values: BTreeSet<u8> =
        of_files.iter().filter_map(|of_file| of_file.as_ref().ok()).flatten().copied().collect();
    values.remove(&0);
    let has_unknown = values.remove(&UNKNOWN);
    if values.is_empty() {
        // If some can be read, what cannot is named with its picture, later.
        of_files.into_iter().collect::<Result<Vec<_>>>()?;
        ensure!(
            !has_unknown,
            "{}: its masks hold 0 and {UNKNOWN} only, which are the background and what nobody knows: if what is light is the class, write \
             `reading: binary`",
            root.display()
        );
    }
    ensure!(
        values.iter().copied().eq(1..=values.len() as u8),
        "{}: its masks hold {} beside the background: expected 1, 2, 3 and so on without a gap. Number them so, or write `classes`, a name \
         for each value from 1 on",
        root.display(),
        values.iter().map(u8::to_string).collect::<Vec<_>>().join(", ")
    );
    Ok(values.iter().map(u8::to_string).collect())
}

#[cfg(test)]
mod tests;
