//! Which pictures a folder's annotations tell of, and what.

use super::super::annotated::mask::{self, Reading};
use super::super::annotated::{Draw, Item, Told};
use super::super::dataset::{Region, Split};
use super::super::folder::split_of;
use super::super::pictures::{self, Listing};
use super::Params;
use super::xml::{self, Annotation, Object};
use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub struct Found {
    pub classes: Vec<String>,
    pub items: Vec<Item>,
    pub remarks: Vec<String>,
}

const ANNOTATIONS: &str = "Annotations";
const PICTURES: &str = "JPEGImages";
const MASKS: &str = "SegmentationClass";

pub fn all(params: &Params) -> Result<Found> {
    let root = &params.common.path;
    let Listing { pictures, others, .. } = pictures::list(root)?;
    let files: Vec<PathBuf> = others.into_iter().filter(|path| pictures::ending(path) == "xml").collect();
    ensure!(!files.is_empty(), "{}: there is no .xml file of annotations beneath it", root.display());
    let lists = lists(root, if params.masks { "Segmentation" } else { "Main" })?;
    let by_stem: BTreeMap<PathBuf, PathBuf> =
        pictures.into_iter().map(|path| (path.with_extension(""), path)).collect();
    let missing = missing(&lists, &files, params, root)?;
    let mut told = vec![];
    let mut without_mask = 0;
    for file in files {
        let Some(split) = split(&file, &lists) else { continue };
        let mask = masked(&file, &by_stem, root);
        if params.masks && mask.is_none() {
            without_mask += 1;
            continue;
        }
        told.push((xml::read(&root.join(&file)), mask.filter(|_| params.masks), split, file));
    }
    let counts = |object: &&Object| params.counts(object.is_difficult);
    let objects = told.iter().filter_map(|(annotation, ..)| annotation.as_ref().ok()).flat_map(|found| &found.objects);
    let difficult = objects.clone().filter(|object| !counts(object)).count();
    let classes: BTreeSet<&str> = objects.filter(counts).map(|object| object.name.as_str()).collect();
    let classes: Vec<String> = classes.into_iter().map(str::to_owned).collect();
    let items = told.into_iter().map(|(annotation, mask, split, file)| {
        let by = format!("{}: line", file.display());
        let found = annotation
            .and_then(|found| Ok((picture(&file, &found, &by_stem)?, regions(&found, &classes, params)?, found.size)));
        let (path, regions, said, fault) = match found {
            Ok((path, regions, size)) => (path, regions, size, None),
            Err(error) => (file, vec![], None, Some(format!("{error:#}"))),
        };
        Item { path, split, said, told: Some(Told { by, regions }), mask, class: -1, fault }
    });
    let items = items.collect();
    let remarks = [
        (difficult, "objects left out, since they are marked as difficult"),
        (without_mask, "pictures left out, since there is no mask of them"),
        (missing, "pictures left out, which ImageSets lists and no annotation tells of"),
    ];
    let remarks = remarks.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{what}: {count}"));
    Ok(Found { classes, items, remarks: remarks.collect() })
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Which split a list has a picture in, by the picture's name. Empty where there are no lists.
type Lists = BTreeMap<String, Split>;

fn lists(root: &Path, of: &str) -> Result<Lists> {
    let folder = root.join("ImageSets").join(of);
    let train = if folder.join("train.txt").exists() { "train.txt" } else { "trainval.txt" };
    let mut lists = Lists::new();
    for (name, split) in [(train, Split::Train), ("val.txt", Split::Validation), ("test.txt", Split::Test)] {
        let path = folder.join(name);
        if !path.exists() {
            continue;
        }
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        // What follows a name says of a class whether the picture shows it.
        for name in text.lines().filter_map(|line| line.split_whitespace().next()) {
            if let Some(other) = lists.insert(name.to_owned(), split).filter(|&other| other != split) {
                bail!("{}: {name} is in the list of the {} split too", path.display(), other.name());
            }
        }
    }
    Ok(lists)
}

/// `None` where there are lists and none has it; within, `None` where nothing says a split.
fn split(file: &Path, lists: &Lists) -> Option<Option<Split>> {
    if !lists.is_empty() {
        return lists.get(&stem(file)).copied().map(Some);
    }
    let folders = file.parent().into_iter().flat_map(Path::iter).map(|name| name.to_string_lossy());
    Some(folders.filter_map(|name| Some(split_of(&name)?.0)).next())
}

/// How many pictures of the lists have no file of annotations, where they may be left out.
fn missing(lists: &Lists, files: &[PathBuf], params: &Params, root: &Path) -> Result<usize> {
    let told: BTreeSet<String> = files.iter().map(|file| stem(file)).collect();
    let missing: Vec<&String> = lists.keys().filter(|name| !told.contains(*name)).collect();
    ensure!(
        missing.is_empty() || params.common.skip_damaged,
        "{}: of {} pictures that ImageSets lists there is no file in {ANNOTATIONS} ({}): add them, or say `skip_damaged: true` to leave \
         them out",
        root.display(),
        missing.len(),
        missing[0]
    );
    Ok(missing.len())
}

/// The folder beside that of the annotations, in PASCAL VOC's layout.
fn beside(file: &Path, folder: &str) -> Option<PathBuf> {
    let parent = file.parent()?;
    (parent.file_name()? == ANNOTATIONS).then(|| parent.with_file_name(folder))
}

fn picture(file: &Path, annotation: &Annotation, by_stem: &BTreeMap<PathBuf, PathBuf>) -> Result<PathBuf> {
    let folder = beside(file, PICTURES).unwrap_or_else(|| file.parent().map_or(PathBuf::new(), Path::to_owned));
    // Paths of another machine may have its separators.
    let named = annotation
        .file_name
        .as_deref()
        .and_then(|name| name.rsplit(['/', '\\']).next())
        .map(|name| folder.join(name).with_extension(""));
    let same = folder.join(file.file_stem().unwrap_or_default());
    let found = named.iter().chain([&same]).find_map(|stem| by_stem.get(stem));
    found.cloned().with_context(|| format!("there is no picture of it: expected {}.jpg", same.display()))
}

fn masked(file: &Path, by_stem: &BTreeMap<PathBuf, PathBuf>, root: &Path) -> Option<Draw> {
    let mask = by_stem.get(&beside(file, MASKS)?.join(file.file_stem()?))?;
    let mask = root.join(mask);
    Some(Box::new(move |size| mask::read(&mask, size, Reading::Values)))
}

/// With the lines that tell of them.
fn regions(annotation: &Annotation, classes: &[String], params: &Params) -> Result<Vec<(Region, i64)>> {
    let objects = annotation.objects.iter().filter(|object| params.counts(object.is_difficult));
    let first = f32::from(params.first_pixel);
    let region = |object: &Object| {
        let [left, top, right, bottom] = object.edges;
        ensure!(
            left >= first && top >= first,
            "line {}: a box of `{}` begins at {left}, {top}, and the picture at {first}: if edges count from 0, say `first_pixel: 0`",
            object.line,
            object.name
        );
        let class = classes.iter().position(|class| *class == object.name).expect("classes are all names") as i32;
        Ok((Region { class, edges: [left - first, top - first, right, bottom] }, object.line.into()))
    };
    objects.map(region).collect()
}
