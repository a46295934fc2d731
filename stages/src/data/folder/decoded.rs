//! Pictures as squares of one size, in a file that is not part of the artifact.

use super::super::pictures;
use crate::context::Context;
use anyhow::{Context as _, Result};
use memmap2::{Mmap, MmapMut};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

/// So many files are decoded between two looks at the clock.
const BLOCK: usize = 256;

/// The squares lie one behind the other, `[size, size, 3]` each, and reach the file through the page cache, so that they take
/// no memory of ours.
pub struct Decoded {
    path: PathBuf,
    file: File,
    size: u32,
    /// Squares that the file has room for.
    room: usize,
    /// Where those of the files lie, by the files' numbers.
    places: BTreeMap<usize, usize>,
    /// The numbers of files whose pictures were turned.
    pub turned: BTreeSet<usize>,
}

impl Decoded {
    pub fn create(path: PathBuf, size: u32) -> Result<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = file.with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self { path, file, size, room: 0, places: BTreeMap::new(), turned: BTreeSet::new() })
    }

    pub fn has(&self, number: usize) -> bool {
        self.places.contains_key(&number)
    }

    fn bytes(&self) -> usize {
        self.size as usize * self.size as usize * 3
    }

    /// Decodes files, which have numbers, and returns why some cannot be.
    pub fn add(&mut self, files: &[(usize, PathBuf)], turns: bool, context: &Context) -> Result<Vec<(usize, String)>> {
        let (bytes, first) = (self.bytes(), self.room);
        self.room += files.len();
        let length = (self.room * bytes) as u64;
        self.file.set_len(length).with_context(|| format!("cannot write {}", self.path.display()))?;
        // Safety: the file was made here, and nobody else knows it.
        let mut pixels = unsafe { MmapMut::map_mut(&self.file) }?;
        let mut meter = context.meter("decode", files.len() as u64, "images");
        let (mut faults, mut done) = (vec![], 0);
        for (pixels, files) in pixels[first * bytes..].chunks_mut(BLOCK * bytes).zip(files.chunks(BLOCK)) {
            context.check_stop()?;
            let squares =
                pixels.par_chunks_mut(bytes).zip(files).map(|(to, (_, file))| square(file, self.size, turns, to));
            for ((number, _), square) in files.iter().zip(squares.collect::<Vec<_>>()) {
                match square {
                    Ok(is_turned) => {
                        self.places.insert(*number, first + done);
                        is_turned.then(|| self.turned.insert(*number));
                    }
                    Err(error) => faults.push((*number, format!("{error:#}"))),
                }
                done += 1;
            }
            meter.at(done as u64, &[]);
        }
        Ok(faults)
    }

    /// Removes the file; its content is there until the map is dropped.
    pub fn into_squares(self) -> Result<Squares> {
        // Safety: the file was written by this stage, which has ended doing so.
        let pixels = unsafe { Mmap::map(&self.file) }?;
        std::fs::remove_file(&self.path).with_context(|| format!("cannot remove {}", self.path.display()))?;
        Ok(Squares { pixels, bytes: self.bytes(), places: self.places })
    }
}

pub struct Squares {
    pixels: Mmap,
    bytes: usize,
    places: BTreeMap<usize, usize>,
}

impl Squares {
    /// Of a file by its number.
    pub fn of(&self, number: usize) -> &[u8] {
        let place = self.places[&number];
        &self.pixels[place * self.bytes..(place + 1) * self.bytes]
    }
}

/// Writes the largest central square of a picture, `[size, size, 3]`, and says whether the picture was turned.
fn square(file: &Path, size: u32, turns: bool, to: &mut [u8]) -> Result<bool> {
    let picture = pictures::read(file, turns)?;
    let is_turned = picture.is_turned;
    to.copy_from_slice(&pictures::central(picture, [size, size])?);
    Ok(is_turned)
}
