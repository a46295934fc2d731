//! The files of a data set that hold its images.

use super::Pixels;
use crate::data::npy::{self, NpyWriter};
use crate::data::ragged::RaggedWriter;
use anyhow::Result;
use std::path::Path;

/// Where images are written.
pub enum Images {
    Pixels(NpyWriter),
    Files { files: RaggedWriter, sizes: Vec<u32> },
}

impl Images {
    pub fn create_files(folder: &Path) -> Result<Self> {
        Ok(Self::Files { files: RaggedWriter::create(folder, "image")?, sizes: vec![] })
    }

    pub fn write(&mut self, pixels: Pixels<'_>) -> Result<()> {
        match (self, pixels) {
            (Self::Pixels(images), Pixels::Image(image)) => images.write(image),
            (Self::Files { files, sizes }, Pixels::File(bytes, size, _)) => {
                sizes.extend(size);
                files.write(bytes)
            }
            _ => panic!("all samples come in the form that the format says"),
        }
    }

    pub fn finish(self, folder: &Path) -> Result<()> {
        match self {
            Self::Pixels(images) => images.finish(),
            Self::Files { files, sizes } => {
                files.finish()?;
                npy::write(folder.join("image.size.npy"), &[sizes.len() / 2, 2], &sizes)
            }
        }
    }
}
