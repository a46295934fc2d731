//! Arrays from a `.npz` file or from a folder of `.npy` files.

use super::super::dataset::Split;
use anyhow::{Context as _, Result, bail, ensure};
use npyz::{DType, NpyFile, Order, TypeChar};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use zip::ZipArchive;

/// Images that belong together.
#[derive(Debug)]
pub struct Part {
    /// Where they say themselves in which they are.
    pub split: Option<Split>,
    /// Height, width, channels.
    pub shape: [usize; 3],
    /// One behind the other.
    pub pixels: Vec<u8>,
    pub labels: Vec<i64>,
    pub groups: Option<Vec<i64>>,
}

impl Part {
    pub fn image(&self, number: usize) -> &[u8] {
        let size = self.shape.iter().product::<usize>();
        &self.pixels[number * size..(number + 1) * size]
    }
}

/// MedMNIST's names, or no splits.
const PREFIXES: [(&str, Option<Split>); 4] =
    [("", None), ("train_", Some(Split::Train)), ("val_", Some(Split::Validation)), ("test_", Some(Split::Test))];

pub fn parts(path: &Path) -> Result<Vec<Part>> {
    let named = || format!("{} cannot be used", path.display());
    let mut arrays = Arrays::open(path).with_context(named)?;
    let parts = PREFIXES.iter().filter_map(|&(prefix, split)| part(&mut arrays, prefix, split).transpose());
    let parts = parts.collect::<Result<Vec<Part>>>().with_context(named)?;
    check(&parts).with_context(named)?;
    Ok(parts)
}

fn check(parts: &[Part]) -> Result<()> {
    let Some(first) = parts.first() else {
        bail!("it holds neither `images` and `labels` nor `train_images` and `train_labels`: name the arrays so");
    };
    let has_splits = first.split.is_some();
    ensure!(has_splits || parts.len() == 1, "it holds `images` and `train_images`: leave one of them out");
    ensure!(!has_splits || first.split == Some(Split::Train), "it holds no `train_images`");
    for part in parts {
        ensure!(part.shape == first.shape, "its images have the shapes {:?} and {:?}", first.shape, part.shape);
        let agree = part.groups.is_some() == first.groups.is_some();
        ensure!(agree, "some of its splits have `groups` and some have not: all or none");
    }
    Ok(())
}

fn part(arrays: &mut Arrays, prefix: &str, split: Option<Split>) -> Result<Option<Part>> {
    let Some(bytes) = arrays.bytes(&format!("{prefix}images"))? else { return Ok(None) };
    let (count, shape, pixels) = images(&bytes).with_context(|| format!("array `{prefix}images`"))?;
    let numbers = |arrays: &mut Arrays, what: &str| {
        let Some(bytes) = arrays.bytes(&format!("{prefix}{what}"))? else { return Ok(None) };
        integers(&bytes, count).map(Some).with_context(|| format!("array `{prefix}{what}`"))
    };
    let labels = numbers(arrays, "labels")?.with_context(|| {
        format!("there is no `{prefix}labels` beside `{prefix}images`: where nothing is known, np.zeros({count}, int)")
    })?;
    let groups = numbers(arrays, "groups")?;
    Ok(Some(Part { split, shape, pixels, labels, groups }))
}

enum Arrays {
    Folder(std::path::PathBuf),
    Zip(ZipArchive<File>),
}

impl Arrays {
    fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        let archive = ZipArchive::new(File::open(path).context("it cannot be opened")?);
        Ok(Self::Zip(archive.context("it is neither a folder of .npy files nor an .npz file")?))
    }

    /// The file of an array, if there is one.
    fn bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let file = format!("{name}.npy");
        match self {
            Self::Folder(folder) => {
                let path = folder.join(file);
                path.exists()
                    .then(|| std::fs::read(&path).with_context(|| format!("cannot read {}", path.display())))
                    .transpose()
            }
            Self::Zip(archive) => {
                if archive.index_for_name(&file).is_none() {
                    return Ok(None);
                }
                let mut bytes = vec![];
                archive.by_name(&file)?.read_to_end(&mut bytes).with_context(|| format!("cannot unpack `{name}`"))?;
                Ok(Some(bytes))
            }
        }
    }
}

/// How many there are, their shape, and all values.
fn images(bytes: &[u8]) -> Result<(usize, [usize; 3], Vec<u8>)> {
    let array = array(bytes)?;
    let shape: Vec<usize> = array.shape().iter().map(|&n| n as usize).collect();
    let kind = array.dtype().descr();
    let (count, shape) = match shape[..] {
        [count, height, width] => (count, [height, width, 1]),
        [count, height, width, channels @ (1 | 3)] => (count, [height, width, channels]),
        _ => bail!("it is {kind} {shape:?}, expected u8 [images, height, width] or [images, height, width, 1 or 3]"),
    };
    ensure!(
        kind.contains("u1"),
        "it is {kind}, expected u8 from 0 to 255: for values from 0 to 1, (255 * images).round().astype(np.uint8)"
    );
    Ok((count, shape, array.into_vec()?))
}

/// A number for each of as many images.
fn integers(bytes: &[u8], count: usize) -> Result<Vec<i64>> {
    let array = array(bytes)?;
    let shape = array.shape().to_vec();
    let fits = shape.first() == Some(&(count as u64)) && (shape.len() == 1 || shape[1..] == [1]);
    ensure!(fits, "it has the shape {shape:?}, expected [{count}] or [{count}, 1], a number for each image");
    let kind = array.dtype();
    let DType::Plain(scalar) = &kind else { bail!("it is {}, expected whole numbers", kind.descr()) };
    Ok(match (scalar.type_char(), scalar.size_field()) {
        (TypeChar::Uint, 1) => widened(array.into_vec::<u8>()?),
        (TypeChar::Uint, 2) => widened(array.into_vec::<u16>()?),
        (TypeChar::Uint, 4) => widened(array.into_vec::<u32>()?),
        (TypeChar::Uint, 8) => array.into_vec::<u64>()?.into_iter().map(i64::try_from).collect::<Result<_, _>>()?,
        (TypeChar::Int, 1) => widened(array.into_vec::<i8>()?),
        (TypeChar::Int, 2) => widened(array.into_vec::<i16>()?),
        (TypeChar::Int, 4) => widened(array.into_vec::<i32>()?),
        (TypeChar::Int, 8) => array.into_vec::<i64>()?,
        _ => bail!("it is {}, expected whole numbers: .astype(np.int64)", kind.descr()),
    })
}

fn widened<T: Into<i64>>(values: Vec<T>) -> Vec<i64> {
    values.into_iter().map(T::into).collect()
}

fn array(bytes: &[u8]) -> Result<NpyFile<&[u8]>> {
    let array = NpyFile::new(bytes).context("it is damaged")?;
    ensure!(array.order() == Order::C, "it lies column by column: save np.ascontiguousarray of it");
    Ok(array)
}
