//! Folders as MVTec AD has them as a data set of what is normal and what is not.

use super::annotated::mask::{self, Reading};
use super::annotated::{Annotated, Common, Found, Item, by_stem};
use super::dataset::{Labels, Split};
use super::pictures;
use crate::context::Context;
use crate::stage::{About, DATASET, Stage};
use anyhow::{Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub struct Mvtec;

/// The folder of what is normal, in each split, and the one of the masks.
const GOOD: &str = "good";
const TRUTH: &str = "ground_truth";
/// So many masks without a picture are named.
const NAMED: usize = 3;
/// What a mask's name has more than its picture's.
const ENDING: &str = "_mask";

impl Stage for Mvtec {
    type Params = Common;
    const ABOUT: About = About {
        name: "data/mvtec",
        // 2: masks of 0 and 1; a pixel is wrong where any of what it covers is. 3: pictures that cannot be read are told, and masks that may
        // say something else.
        version: 3,
        summary: "Pictures of a product as MVTec AD has them: train/good, test/good and test/DEFECT, masks in ground_truth/DEFECT",
        docs: "A folder of one category (Bergmann et al. 2021, The MVTec Anomaly Detection Dataset). Of test/DEFECT/000.png the mask is \
               ground_truth/DEFECT/000_mask.png, light where something is wrong (or 1 where all else is 0); a \
               pixel of the image is wrong where any of what it covers is. What is in a folder `good` is normal everywhere. Where \
               there is no folder ground_truth there are no masks, and pixels are not judged. validation/good is the validation split, \
               or else it is drawn of train/good. Classes are good and the defects; anomalous is what is not good. The rest is as in \
               data/folder; pictures are taken as they lie in their files, in colours.",
        unused: &["test"],
        gives: &[DATASET],
        ..About::NONE
    };

    fn run(params: Common, context: &Context) -> Result<()> {
        let root = &params.path;
        let listing = pictures::list(root)?;
        let (truth, pictures): (Vec<Found>, Vec<Found>) =
            listing.all().into_iter().partition(|(path, _)| path.starts_with(TRUTH));
        let masks = by_stem(truth, pictured);
        let other = listing.others.iter().find(|path| path.starts_with(TRUTH));
        ensure!(
            !masks.is_empty() || other.is_none(),
            "{}: no mask is read in {TRUTH}, where {} lies: expected pictures, as {TRUTH}/DEFECT/000{ENDING}.png",
            root.display(),
            other.map_or("".into(), |path| path.display().to_string())
        );
        let placed: Result<Vec<(Split, String, Found)>> =
            pictures.into_iter().map(|found| place(&found.0).map(|(split, class)| (split, class, found))).collect();
        let placed = placed?;
        let has = |wanted: Split| placed.iter().any(|(split, ..)| *split == wanted);
        ensure!(has(Split::Train), "{}: there is no picture in train/{GOOD} to train on", root.display());
        ensure!(
            has(Split::Test),
            "{}: there is no picture in test, in folders test/{GOOD} and test/DEFECT",
            root.display()
        );
        let defects: BTreeSet<&str> =
            placed.iter().map(|(_, class, _)| class.as_str()).filter(|class| *class != GOOD).collect();
        ensure!(!defects.is_empty(), "{}: there is no folder test/DEFECT, so that all is {GOOD}", root.display());
        let classes: Vec<String> = [GOOD].into_iter().chain(defects).map(str::to_owned).collect();
        let has_picture = |stem: &Path| placed.iter().any(|(.., (path, _))| path.with_extension("") == stem);
        let alone = masks.iter().filter(|(stem, _)| !has_picture(stem));
        let alone: Vec<String> = alone.map(|(_, (mask, _))| mask.display().to_string()).collect();
        let named = alone.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if alone.len() > NAMED { ", ..." } else { "" };
        let remark = || format!("masks without a picture: {} ({named}{more})", alone.len());
        let remarks = (!alone.is_empty()).then(remark).into_iter().collect();
        let items = placed.into_iter().map(|(split, class, found)| {
            let number = classes.iter().position(|other| *other == class).expect("it is among them");
            item(root, split, number, found, &masks)
        });
        let items = items.collect();
        Annotated { name: "mvtec", classes, labels: Labels::Anomalies, items, masks_are_apart: false, remarks }
            .publish(&params, context)
    }
}

/// The picture of a mask, without its ending: of ground_truth/cut/000_mask.png test/cut/000.
fn pictured(mask: &Path) -> Option<PathBuf> {
    let stem = mask.file_stem()?.to_str()?;
    let inside = mask.parent()?.strip_prefix(TRUTH).ok()?;
    Some(Path::new("test").join(inside).join(stem.strip_suffix(ENDING).unwrap_or(stem)))
}

/// The split and the class that a picture's folders say.
fn place(path: &Path) -> Result<(Split, String)> {
    let folders: Vec<&str> = path.parent().into_iter().flat_map(Path::iter).filter_map(|name| name.to_str()).collect();
    match folders[..] {
        ["train", GOOD] => Ok((Split::Train, GOOD.to_owned())),
        ["validation", GOOD] => Ok((Split::Validation, GOOD.to_owned())),
        ["test", class] => Ok((Split::Test, class.to_owned())),
        _ => bail!(
            "{}: expected pictures in train/{GOOD}, validation/{GOOD}, test/{GOOD} and test/DEFECT, and their masks in {TRUTH}/DEFECT: name \
             the folder of one category, and take other pictures out of it",
            path.display()
        ),
    }
}

fn item(root: &Path, split: Split, class: usize, (path, fault): Found, masks: &BTreeMap<PathBuf, Found>) -> Item {
    let stem = path.with_extension("");
    let mask = masks.get(&stem).filter(|_| class > 0);
    let expected = || format!("{TRUTH}{}{ENDING}.png", stem.display().to_string().trim_start_matches("test"));
    let fault_of_mask = || match mask {
        None if class > 0 && !masks.is_empty() => Some(format!("there is no mask: expected {}", expected())),
        None => None,
        Some((file, fault)) => Some(format!("its mask {}: {}", file.display(), fault.as_ref()?)),
    };
    let file = mask.map(|(file, _)| root.join(file));
    Item {
        path,
        split: Some(split),
        said: None,
        told: None,
        fault: fault.or_else(fault_of_mask),
        mask: (!masks.is_empty()).then(|| match file {
            Some(file) => Box::new(move |size| {
                let mask = mask::read(&file, size, Reading::Binary)?;
                ensure!(mask.contains(&1), "its mask {} shows nothing: all of it is dark", file.display());
                Ok(mask)
            }) as _,
            None => Box::new(|[height, width]: [u32; 2]| Ok(vec![0u8; (height * width) as usize])) as _,
        }),
        class: class as i32,
    }
}

#[cfg(test)]
mod tests;
