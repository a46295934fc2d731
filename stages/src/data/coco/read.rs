//! Which pictures files of annotations tell of, and what.

use super::super::annotated::{Draw, Item, Told};
use super::super::dataset::{Region, Split};
use super::super::folder::split_of;
use super::super::pictures::{self, Listing};
use super::format::{Annotation, File, Image};
use super::shapes::Shape;
use crate::metrics::UNKNOWN;
use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub struct Found {
    pub classes: Vec<String>,
    pub items: Vec<Item>,
    pub crowds: usize,
    /// Objects whose boxes have no height or no width, of which train2017 has two.
    pub flat: usize,
    /// Pictures of which no annotations tell.
    pub untold: usize,
}

pub fn all(root: &Path, masks: bool) -> Result<Found> {
    let Listing { pictures, others, .. } = pictures::list(root)?;
    let mut files = vec![];
    for (path, split) in annotation_files(root, &others)? {
        let file = File::read(&root.join(&path))?;
        files.push(Annotations { path, split, file });
    }
    let classes = classes(&files);
    let by_name = by_name(pictures);
    let (mut items, mut crowds, mut flat) = (vec![], 0, 0);
    for annotations in files {
        crowds += annotations.file.annotations.iter().filter(|annotation| annotation.iscrowd > 0).count();
        flat += annotations.file.annotations.iter().filter(|annotation| annotation.is_flat()).count();
        items.extend(annotations.items(root, &by_name, &classes, masks)?);
    }
    let told: BTreeSet<&PathBuf> =
        items.iter().filter(|item: &&Item| item.fault.is_none()).map(|item| &item.path).collect();
    let untold = by_name.values().flatten().filter(|path| !told.contains(path)).count();
    Ok(Found { classes, items, crowds, flat, untold })
}

/// One of each split, or one alone.
fn annotation_files(root: &Path, others: &[PathBuf]) -> Result<Vec<(PathBuf, Option<Split>)>> {
    let mut of_split: BTreeMap<Option<Split>, Vec<PathBuf>> = BTreeMap::new();
    for path in others.iter().filter(|path| pictures::ending(path) == "json") {
        of_split.entry(split_said(path)).or_default().push(path.clone());
    }
    let root = root.display();
    ensure!(!of_split.is_empty(), "{root}: there is no .json file of annotations beneath it");
    let named = |paths: &[PathBuf]| paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    if let Some(none) = of_split.get(&None).filter(|_| of_split.len() > 1) {
        bail!(
            "{root}: neither the name nor the folder of {} says a split, as those of others do: move it away, or name it after one, as \
             instances_train.json",
            named(none)
        );
    }
    let chosen = of_split.into_iter().map(|(split, mut paths)| {
        if paths.len() > 1 {
            let (instances, rest) = paths.into_iter().partition(|path| stem(path).contains("instances"));
            paths = if Vec::len(&instances) == 1 { instances } else { [instances, rest].concat() };
        }
        match &paths[..] {
            [path] => Ok((path.clone(), split)),
            _ => bail!(
                "{root}: {} are of one split{}: expected one file of a split, or one of them called `instances`",
                named(&paths),
                split.map_or(String::new(), |split| format!(", {}", split.name()))
            ),
        }
    });
    chosen.collect()
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// By its own name, or else by the nearest folder's that says one.
fn split_said(path: &Path) -> Option<Split> {
    let folders = path.ancestors().skip(1).filter_map(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    std::iter::once(stem(path)).chain(folders).find_map(|name| Some(split_of(&name)?.0))
}

/// Paths of pictures by their last name.
fn by_name(pictures: Vec<PathBuf>) -> BTreeMap<OsString, Vec<PathBuf>> {
    let mut named: BTreeMap<OsString, Vec<PathBuf>> = BTreeMap::new();
    for path in pictures {
        named.entry(path.file_name().unwrap_or_default().to_owned()).or_default().push(path);
    }
    named
}

/// The names of the categories that any object is of.
fn classes(files: &[Annotations]) -> Vec<String> {
    let mut used: BTreeSet<(i64, &str)> = BTreeSet::new();
    for Annotations { file, .. } in files {
        let objects = file.annotations.iter().filter(|annotation| annotation.iscrowd == 0);
        let of: BTreeSet<i64> = objects.map(|annotation| annotation.category_id).collect();
        used.extend(file.categories.iter().filter(|c| of.contains(&c.id)).map(|c| (c.id, c.name.as_str())));
    }
    let mut names: Vec<String> = vec![];
    for (_, name) in used {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// A file of annotations.
struct Annotations {
    /// From the root on.
    path: PathBuf,
    split: Option<Split>,
    file: File,
}

impl Annotations {
    fn items(
        self,
        root: &Path,
        by_name: &BTreeMap<OsString, Vec<PathBuf>>,
        classes: &[String],
        masks: bool,
    ) -> Result<Vec<Item>> {
        let place = root.join(&self.path);
        let category =
            |c: &super::format::Category| Some((c.id, classes.iter().position(|class| *class == c.name)? as i32));
        let of_categories: BTreeMap<i64, i32> = self.file.categories.iter().filter_map(category).collect();
        let mut of_image: BTreeMap<i64, Vec<&Annotation>> =
            self.file.images.iter().map(|image| (image.id, vec![])).collect();
        for annotation in &self.file.annotations {
            let of = of_image.get_mut(&annotation.image_id).with_context(|| {
                format!(
                    "{}: annotation {} is of image {}, which is not among its images",
                    place.display(),
                    annotation.id,
                    annotation.image_id
                )
            })?;
            of.push(annotation);
        }
        let items = self.file.images.iter().map(|image| {
            let objects = || {
                objects_of(&of_image[&image.id], &of_categories, masks).with_context(|| self.path.display().to_string())
            };
            let found = self.picture(image, by_name).and_then(|path| Ok((path, objects()?)));
            let (path, (regions, shapes), fault) = match found {
                Ok((path, objects)) => (path, objects, None),
                Err(error) => (PathBuf::from(&image.file_name), Objects::default(), Some(format!("{error:#}"))),
            };
            Item {
                path,
                split: self.split,
                said: Some([image.height, image.width]),
                told: Some(Told { by: format!("{}: annotation", self.path.display()), regions }),
                mask: masks.then(|| drawn(shapes)),
                class: -1,
                fault,
            }
        });
        Ok(items.collect())
    }

    /// Where a picture lies, from the root on: of several of its name the one beside the annotations, or else the one of their split.
    fn picture(&self, image: &Image, by_name: &BTreeMap<OsString, Vec<PathBuf>>) -> Result<PathBuf> {
        let name = Path::new(&image.file_name);
        let called = by_name.get(name.file_name().unwrap_or_default()).map_or(&[][..], Vec::as_slice);
        let called: Vec<&PathBuf> = called.iter().filter(|path| path.ends_with(name)).collect();
        let beside = |path: &&&PathBuf| path.parent() == self.path.parent();
        let of_split = |path: &&&PathBuf| {
            let folders = path.ancestors().skip(1).filter_map(Path::file_name).map(|name| name.to_string_lossy());
            self.split.is_some() && folders.filter_map(|name| Some(split_of(&name)?.0)).next() == self.split
        };
        let found: Vec<&&PathBuf> = match &called[..] {
            [_] => called.iter().collect(),
            _ => match called.iter().filter(beside).collect::<Vec<_>>() {
                beside if !beside.is_empty() => beside,
                _ => called.iter().filter(of_split).collect(),
            },
        };
        match (&found[..], &called[..]) {
            ([path], _) => Ok(path.to_path_buf()),
            (_, []) => bail!("there is no such picture, of which {} tells", self.path.display()),
            _ => bail!(
                "{} tells of it, and there are {}: move all but one away",
                self.path.display(),
                called.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
            ),
        }
    }
}

/// Boxes with their annotations' numbers, and what is covered by which value of a mask, of an image's annotations.
type Objects = (Vec<(Region, i64)>, Vec<(u8, Shape)>);

fn objects_of(annotations: &[&Annotation], classes: &BTreeMap<i64, i32>, masks: bool) -> Result<Objects> {
    let (mut regions, mut shapes) = (vec![], vec![]);
    for annotation in annotations.iter().filter(|annotation| !annotation.is_flat()) {
        let value = if annotation.iscrowd > 0 {
            UNKNOWN
        } else {
            let class = *classes.get(&annotation.category_id).with_context(|| {
                format!(
                    "annotation {} is of category {}, which is none of the file's",
                    annotation.id, annotation.category_id
                )
            })?;
            regions.push((Region { class, edges: annotation.edges() }, annotation.id));
            (class + 1) as u8
        };
        if masks {
            shapes.push((value, annotation.shape()?));
        }
    }
    Ok((regions, shapes))
}

/// A mask of shapes, of which nothing is known where two say different things.
fn drawn(shapes: Vec<(u8, Shape)>) -> Draw {
    Box::new(move |size: [u32; 2]| {
        let mut mask = vec![0; (size[0] * size[1]) as usize];
        for (value, shape) in &shapes {
            let covered = shape.covers(size)?;
            for (pixel, _) in mask.iter_mut().zip(covered).filter(|(_, is_in)| *is_in) {
                *pixel = if *pixel == 0 || *pixel == *value { *value } else { UNKNOWN };
            }
        }
        Ok(mask)
    })
}
