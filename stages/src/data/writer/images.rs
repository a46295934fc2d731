//! The files of a data set that hold its images.

use super::Pixels;
use crate::data::npy::{self, NpyWriter};
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Where images are written.
pub enum Images {
    Pixels(NpyWriter),
    Files { path: PathBuf, file: BufWriter<File>, offsets: Vec<u64>, sizes: Vec<u32> },
}

impl Images {
    pub fn create_files(folder: &Path) -> Result<Self> {
        let path = folder.join("image.bytes");
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self::Files { path, file: BufWriter::with_capacity(1 << 20, file), offsets: vec![0], sizes: vec![] })
    }

    pub fn write(&mut self, pixels: Pixels<'_>) -> Result<()> {
        match (self, pixels) {
            (Self::Pixels(images), Pixels::Image(image)) => images.write(image),
            (Self::Files { path, file, offsets, sizes }, Pixels::File(bytes, size, _)) => {
                offsets.push(offsets.last().expect("it begins with 0") + bytes.len() as u64);
                sizes.extend(size);
                file.write_all(bytes).with_context(|| format!("cannot write {}", path.display()))
            }
            _ => panic!("all samples come in the form that the format says"),
        }
    }

    pub fn finish(self, folder: &Path) -> Result<()> {
        match self {
            Self::Pixels(images) => images.finish(),
            Self::Files { path, mut file, offsets, sizes } => {
                file.flush().with_context(|| format!("cannot write {}", path.display()))?;
                npy::write(folder.join("image.offsets.npy"), &[offsets.len()], &offsets)?;
                npy::write(folder.join("image.size.npy"), &[sizes.len() / 2, 2], &sizes)
            }
        }
    }
}
