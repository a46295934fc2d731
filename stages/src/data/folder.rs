//! A folder of one's own photographs as a data set.

mod captions;
mod decoded;
mod layout;
mod report;
mod spelling;
mod tree;

use super::dataset::{Labels, Preparation, Split};
use super::drawn::Asked;
use super::faults;
use super::groups::Groups;
use super::pictures::Fit;
use super::twice;
use super::writer::{DatasetWriter, Format, Sample};
use crate::context::Context;
use crate::stage::{About, DATASET, Stage};
use anyhow::{Context as _, Result};
use decoded::Decoded;
use layout::Splits;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
pub(super) use spelling::split_of;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use tree::Tree;

/// A folder of pictures, of one sub-folder for each class or without labels.
pub struct Folder;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// the folder, relative to the recipe's file; what is in it counts, and where it lies does not
    #[schemars(extend("x-path" = true))]
    path: PathBuf,
    /// width and height of the data set's images
    #[schemars(range(min = 8, max = 1024), extend("x-unit" = "pixels"))]
    size: u32,
    /// how a picture of another shape becomes a square: `crop` takes the largest one in its middle, `pad` adds black, `stretch` changes
    /// its shape
    fit: Fit,
    /// whether pictures stay in their files' format and are decoded whenever they are used: views that begin with a random crop then cut
    /// it from the whole picture. `auto`: where the images would take more than 2 GiB
    encoded: Keep,
    /// what the folders at the top are: `classes`, `folders` of splits, or, by `auto`, what their names say
    splits: Splits,
    /// a regular expression with one pair of parentheses: what it captures of a picture's path, from the folder on, names whom or what the
    /// picture shows (`(patient\d+)`, or `^[^/]+/([^/]+)/` for folders within those of classes), and no such group is in two splits. Drawn
    /// splits then have no share of each class, and as nearly the size as groups allow
    group: Option<String>,
    /// a CSV file in the folder, of which the column `file_name` is a picture's path from the folder on and the column `text` its caption
    /// (`metadata.csv`, as Hugging Face's ImageFolder has it); every picture has one
    captions: Option<PathBuf>,
    /// images to train on, of each class in proportion and at least one; all that are left where it is null
    #[schemars(range(min = 1), extend("x-unit" = "images"))]
    train: Option<u32>,
    /// images held out to choose settings on, of each class in proportion; where it is null, all of their own folder, or a
    /// tenth of what the test split leaves
    #[schemars(range(min = 1), extend("x-unit" = "images"))]
    validation: Option<u32>,
    /// images of what `train` leaves, whose classes are withheld, for methods that need none, beside those that have none; null: all of
    /// them. They may be of groups that are trained on
    #[schemars(range(min = 0), extend("x-unit" = "images"))]
    unlabelled: Option<u32>,
    /// share of each class that is the test split, where that has no folder of its own; with 0 there is none, and the data set
    /// is one to train on only
    #[schemars(range(min = 0.0, max = 0.9), extend("x-unit" = "fraction"))]
    test: f64,
    /// of the draw of the splits
    #[schemars(range(min = 0))]
    seed: u64,
    /// turn and mirror pictures as the camera noted in their EXIF data (of a TIFF, in its own)
    exif: bool,
    /// leave out pictures that are damaged or of a format that is not read, and links to what is not there, in place of ending
    /// with their names
    skip_damaged: bool,
}

/// Whether pictures stay encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Keep {
    Auto,
    Yes,
    No,
}

/// Images that take more stay encoded where nothing else is asked for.
const MOST_DECODED: u64 = 2 << 30;

impl Params {
    fn preparation(&self, pictures: usize) -> Preparation {
        let bytes = pictures as u64 * u64::from(self.size) * u64::from(self.size) * 3;
        let encoded = self.encoded == Keep::Yes || self.encoded == Keep::Auto && bytes > MOST_DECODED;
        Preparation { fit: self.fit, turns: self.exif, encoded }
    }
}

impl Default for Params {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            size: 64,
            fit: Fit::Crop,
            encoded: Keep::Auto,
            splits: Splits::Auto,
            group: None,
            captions: None,
            train: None,
            validation: None,
            unlabelled: Some(0),
            test: 0.2,
            seed: 0,
            exif: true,
            skip_damaged: false,
        }
    }
}

impl Stage for Folder {
    type Params = Params;
    const ABOUT: About = About {
        name: "data/folder",
        // 2: other draws, pictures turned as EXIF says, a summary. 3: trainval is a split. 4: columns. 5: it says how pictures became
        // images. 6: an unlabelled split; images that are in two splits are told.
        version: 6,
        summary: "A folder of one's own pictures, a sub-folder for each class",
        docs: "The layout of torchvision's ImageFolder: the folders at the top are the classes, and whatever lies beneath \
               one is of its class. Where they are named like splits (train, training; val, valid, validation, dev; test, \
               testing, eval; in any case, also train_images or test1), those are the splits and the classes lie within; what \
               has no folder is drawn from train: the same share of every class, by the seed. Of each class at least one \
               image is trained on. What lies in a folder `unlabelled` (or unlabeled), beside the splits or beside the classes, is \
               trained on by what needs no classes. Images beside each other without a folder have no labels: an encoder can be trained on \
               them, and evaluations refuse them.\n\n\
               JPEG, PNG, BMP, GIF, TIFF, WebP, PPM, PGM and PBM are read, and one that ends early is damaged. Pictures of \
               other formats end the stage, other files are passed over. Of each image the largest central square is taken, or \
               what `fit` says, and made smaller or larger (bilinear, antialiased); of an animation the first frame, of several pages the \
               first; 16 bits become 8, and alpha is dropped. Links are followed. Files and folders whose names begin with a \
               dot are passed over.\n\n\
               `summary.txt` says what the folder was taken for: classes and splits, what was left out and why, and which \
               images are in two splits, pixel for pixel, which nothing is done about.",
        gives: &[DATASET],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let mut tree = Tree::read(&params.path, params.splits)?;
        faults::refuse(&tree.root, tree.files.len(), &tree.faulty(), params.skip_damaged)?;
        let groups =
            params.group.as_ref().map(|pattern| Groups::find(pattern, &tree.root, &tree.paths())).transpose()?;
        let texts = params.captions.as_ref().map(|file| captions::captions(&tree, file)).transpose()?;
        tree.others.retain(|path| Some(path) != params.captions.as_ref());
        let folder = context.output("dataset")?;
        let pictures = params.preparation(tree.files.len());
        let squares = (!pictures.encoded).then(|| folder.join("decoded"));
        let mut decoded = Decoded::create(squares, params.size, params.fit)?;
        // Again without those that turn out to be damaged, so that the splits are as if they were not there.
        let images = loop {
            let images = chosen(&tree, groups.as_ref(), &params)?;
            let new = images.values().flatten().filter(|number| !decoded.has(**number));
            let new: Vec<(usize, PathBuf)> = new.map(|&number| (number, tree.place(number))).collect();
            let faults = decoded.add(&new, params.exif, context)?;
            if faults.is_empty() {
                break images;
            }
            faults.into_iter().for_each(|(number, fault)| tree.files[number].fault = Some(fault));
            faults::refuse(&tree.root, tree.files.len(), &tree.faulty(), params.skip_damaged)?;
            tree.check()?;
        };
        tree.faulty().iter().for_each(|(path, fault)| eprintln!("left out: {}: {fault}", path.display()));
        let mut summary = report::summary(&tree, &images, groups.as_ref(), &decoded, &params);
        let found = decoded.finish()?;
        let rows = images.values().map(Vec::len).sum();
        let mut writer = DatasetWriter::create(&folder, format(&tree, params.size as usize, pictures), rows)?;
        for (&split, numbers) in &images {
            for &number in numbers {
                context.check_stop()?;
                let file = if pictures.encoded { read(&tree.place(number))? } else { vec![] };
                let pixels = found.pixels(number, &file);
                let label = if split == Split::Unlabelled { -1 } else { tree.files[number].label };
                let group = groups.as_ref().map(|groups| groups.of[number]);
                let text = texts.as_ref().map(|texts| texts[&number].as_str());
                writer.add(Sample { pixels, group, text, ..Sample::new(split, &[], label) })?;
            }
        }
        twice::report(&tree.paths(), &images, writer.digests(), &mut summary);
        summary.publish(&writer.finish()?, &folder, context)
    }
}

fn read(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// The files of each split by their numbers.
fn chosen(tree: &Tree, groups: Option<&Groups>, params: &Params) -> Result<BTreeMap<Split, Vec<usize>>> {
    let own = Split::ALL.into_iter().filter(|&split| split == Split::Train || tree.has(split));
    let own = own.map(|split| (split, tree.of(split))).collect();
    let &Params { train, validation, unlabelled, test, seed, .. } = params;
    let asked = Asked { train, validation, unlabelled, test, seed };
    let of = groups.map(|groups| groups.of.as_slice());
    let images = asked.chosen(own, |number| tree.files[number].label, tree.classes.len(), of)?;
    groups.map_or(Ok(()), |groups| groups.check(&tree.root, &tree.paths(), &images))?;
    Ok(images)
}

fn format(tree: &Tree, size: usize, pictures: Preparation) -> Format {
    // Not the folder's name: the same files under another name are the same data set.
    Format {
        name: "folder".into(),
        height: size,
        width: size,
        channels: 3,
        classes: tree.classes.clone(),
        labels: Labels::Images,
        pictures: Some(pictures),
    }
}

#[cfg(test)]
mod tests;
