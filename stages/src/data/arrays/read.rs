//! Arrays from a `.npz` file or from a folder of `.npy` files.

use super::super::dataset::Split;
use anyhow::{Context as _, Result, bail, ensure};
use memmap2::Mmap;
use npyz::{DType, NpyFile, NpyHeader, Order, TypeChar};
use std::fs::File;
use std::io::{Cursor, Read};
use std::ops::Deref;
use std::path::Path;
use zip::ZipArchive;

/// Images that belong together.
#[derive(Debug)]
pub struct Part {
    /// Where they say themselves in which they are.
    pub split: Option<Split>,
    /// Height, width, channels.
    pub shape: [usize; 3],
    /// The array's file, in which images lie one behind the other from `start` on.
    file: Bytes,
    start: usize,
    pub labels: Vec<i64>,
    pub groups: Option<Vec<i64>>,
}

/// An array's file: where it lies, or unpacked.
#[derive(Debug)]
enum Bytes {
    Mapped(Mmap),
    Unpacked(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(map) => map,
            Self::Unpacked(bytes) => bytes,
        }
    }
}

impl Part {
    pub fn image(&self, number: usize) -> &[u8] {
        let size = self.shape.iter().product::<usize>();
        &self.file[self.start..][number * size..(number + 1) * size]
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
    let Some(file) = arrays.bytes(&format!("{prefix}images"))? else { return Ok(None) };
    let (count, shape, start) = images(&file).with_context(|| format!("array `{prefix}images`"))?;
    let numbers = |arrays: &mut Arrays, what: &str| {
        let Some(bytes) = arrays.bytes(&format!("{prefix}{what}"))? else { return Ok(None) };
        integers(&bytes, count).map(Some).with_context(|| format!("array `{prefix}{what}`"))
    };
    let labels = numbers(arrays, "labels")?.with_context(|| {
        format!("there is no `{prefix}labels` beside `{prefix}images`: where nothing is known, np.zeros({count}, int)")
    })?;
    let groups = numbers(arrays, "groups")?;
    Ok(Some(Part { split, shape, file, start, labels, groups }))
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
    fn bytes(&mut self, name: &str) -> Result<Option<Bytes>> {
        let file = format!("{name}.npy");
        match self {
            Self::Folder(folder) => {
                let path = folder.join(file);
                path.exists().then(|| map(&path).with_context(|| format!("cannot read {}", path.display()))).transpose()
            }
            Self::Zip(archive) => {
                if archive.index_for_name(&file).is_none() {
                    return Ok(None);
                }
                let mut bytes = vec![];
                archive.by_name(&file)?.read_to_end(&mut bytes).with_context(|| format!("cannot unpack `{name}`"))?;
                Ok(Some(Bytes::Unpacked(bytes)))
            }
        }
    }
}

fn map(path: &Path) -> Result<Bytes> {
    // Safety: whoever makes the file shorter while the stage reads it ends the worker, and nothing of it is kept.
    Ok(Bytes::Mapped(unsafe { Mmap::map(&File::open(path)?) }?))
}

/// How many there are, their shape, and where they begin in the file.
fn images(file: &[u8]) -> Result<(usize, [usize; 3], usize)> {
    let mut bytes = Cursor::new(file);
    let header = NpyHeader::from_reader(&mut bytes).context(DAMAGED)?;
    in_rows(header.order())?;
    let shape: Vec<usize> = header.shape().iter().map(|&n| n as usize).collect();
    let kind = header.dtype().descr();
    let (count, shape) = match shape[..] {
        [count, height, width] => (count, [height, width, 1]),
        [count, height, width, channels @ (1 | 3)] => (count, [height, width, channels]),
        _ => bail!("it is {kind} {shape:?}, expected u8 [images, height, width] or [images, height, width, 1 or 3]"),
    };
    ensure!(
        kind.contains("u1"),
        "it is {kind}, expected u8 from 0 to 255: for values from 0 to 1, (255 * images).round().astype(np.uint8)"
    );
    ensure!(!shape.contains(&0), "its images have {} x {} pixels, expected one at least", shape[1], shape[0]);
    let (start, bytes) = (bytes.position() as usize, count * shape.iter().product::<usize>());
    ensure!(
        file.len() >= start + bytes,
        "{DAMAGED}: it ends after {} of {bytes} bytes",
        file.len().saturating_sub(start)
    );
    Ok((count, shape, start))
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
    let array = NpyFile::new(bytes).context(DAMAGED)?;
    in_rows(array.order())?;
    Ok(array)
}

const DAMAGED: &str = "it is damaged";

fn in_rows(order: Order) -> Result<()> {
    ensure!(order == Order::C, "it lies column by column: save np.ascontiguousarray of it");
    Ok(())
}
