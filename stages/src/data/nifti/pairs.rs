//! Files of volumes beside files of their labels.

use super::super::faults;
use super::super::slices::{Axis, Slices};
use super::Volume;
use anyhow::{Context as _, Result, bail, ensure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const IMAGES: &str = "images";
const LABELS: &str = "labels";
const ENDINGS: [&str; 2] = [".nii", ".nii.gz"];

/// The paths of a volume and of its labels.
pub struct Pair {
    pub image: PathBuf,
    pub labels: PathBuf,
}

/// By name; and how many files lie beside them that are no volumes.
pub fn pairs(root: &Path) -> Result<(Vec<Pair>, usize)> {
    let (images, of_images) = volumes(&root.join(IMAGES))?;
    let (mut labels, of_labels) = volumes(&root.join(LABELS))?;
    ensure!(!images.is_empty(), "{}: there is no .nii or .nii.gz file", root.join(IMAGES).display());
    let (mut pairs, mut faults) = (vec![], vec![]);
    for (name, image) in images {
        match labels.remove(&name) {
            Some(labels) => pairs.push(Pair { image, labels }),
            None => faults.push((image, format!("there are no labels, expected {LABELS}/{name}.nii or {name}.nii.gz"))),
        }
    }
    faults.extend(labels.into_values().map(|alone| (alone, format!("there is no image of these labels in {IMAGES}"))));
    refuse(root, &faults)?;
    Ok((pairs, of_images + of_labels))
}

/// Files that cannot be used, all with their reasons.
pub fn refuse(root: &Path, faults: &[(PathBuf, String)]) -> Result<()> {
    let faults: Vec<(&Path, &str)> = faults.iter().map(|(path, fault)| (path.as_path(), fault.as_str())).collect();
    let listed = faults::listed(&faults);
    ensure!(faults.is_empty(), "{} files beneath {} cannot be used:{listed}", faults.len(), root.display());
    Ok(())
}

/// The files of volumes in a folder by their names without ending; and how many others there are.
fn volumes(folder: &Path) -> Result<(BTreeMap<String, PathBuf>, usize)> {
    let entries = folder.read_dir().with_context(|| {
        format!(
            "cannot read {}: expected folders `{IMAGES}` and `{LABELS}` with .nii or .nii.gz files",
            folder.display()
        )
    })?;
    let (mut volumes, mut others) = (BTreeMap::new(), 0);
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some(name) = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending)) else {
            others += 1;
            continue;
        };
        if let Some(other) = volumes.insert(name.to_owned(), path.clone()) {
            bail!("{} and {} have one name: remove one of them", other.display(), path.display());
        }
    }
    Ok((volumes, others))
}

/// A volume and its labels, which lie alike.
pub struct Loaded {
    pub image: Vec<u8>,
    pub labels: Vec<i64>,
    pub slices: Slices,
    pub remark: Option<&'static str>,
}

impl Pair {
    /// The image's path from the root on.
    pub fn inside(&self, root: &Path) -> &Path {
        self.image.strip_prefix(root).unwrap_or(&self.image)
    }

    pub fn load(&self, axis: Axis) -> Result<Loaded> {
        let image = Volume::read(&self.image)?;
        let labels = Volume::read(&self.labels)?;
        let of_labels = || self.labels.display();
        ensure!(
            image.shape == labels.shape,
            "{} has {:?} voxels (right, anterior, superior), and its image {:?}",
            of_labels(),
            labels.shape,
            image.shape
        );
        let is_other = |axis: usize| (image.spacing[axis] / labels.spacing[axis] - 1.0).abs() > 0.01;
        ensure!(
            !(0..3).any(is_other),
            "{} has voxels of {:?} mm by its header, and its image of {:?}",
            of_labels(),
            labels.spacing,
            image.spacing
        );
        // Of a turn one corner alone would say nothing.
        for (own, other) in labels.corners.iter().zip(&image.corners) {
            let off = (0..3).map(|axis| (own[axis] - other[axis]).abs() / image.spacing[axis]);
            ensure!(
                off.fold(0.0, f32::max) <= 0.5,
                "{} has a corner at {own:?} mm by its header, and its image at {other:?}: expected the same place, or its classes are not \
                 where they are said to be",
                of_labels()
            );
        }
        let whole = |&value: &f32| {
            ensure!(
                value.fract() == 0.0 && (0.0..16_777_216.0).contains(&value),
                "{} holds {value}, expected whole numbers from 0 on",
                of_labels()
            );
            Ok(value as i64)
        };
        let slices = Slices { axis, shape: image.shape, spacing: image.spacing };
        let bytes = image.bytes().with_context(|| format!("{} cannot be used", self.image.display()))?;
        let of_labels_remark = labels.remark;
        let labels = labels.values.iter().map(whole).collect::<Result<_>>()?;
        Ok(Loaded { image: bytes, remark: image.remark.or(of_labels_remark), labels, slices })
    }
}
