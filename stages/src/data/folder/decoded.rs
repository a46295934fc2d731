//! Pictures as squares of one size, in a file that is not part of the artifact; or, where they stay encoded, only what they come to.

use super::super::pictures::{self, Fit};
use super::super::writer::{Pixels, Summed};
use crate::context::Context;
use anyhow::{Context as _, Result};
use memmap2::{Mmap, MmapMut};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};

/// So many files are decoded between two looks at the clock, and no more than have room in so many bytes, unless there are more threads.
const BLOCK: usize = 256;
const BLOCK_BYTES: usize = 64 << 20;

/// How many squares of so many bytes are made at once.
fn block(bytes: usize, threads: usize) -> usize {
    (BLOCK_BYTES / bytes).clamp(threads, BLOCK.max(threads))
}

/// What decoding has found of each file, by its number.
pub struct Decoded {
    squares: Option<Squares>,
    size: u32,
    fit: Fit,
    found: BTreeMap<usize, Found>,
    /// The numbers of files whose pictures were turned.
    pub turned: BTreeSet<usize>,
}

/// What decoding has found of a file.
#[derive(Debug, Clone, Copy)]
enum Found {
    /// Where its square lies.
    Square(usize),
    /// Height and width of the picture, and what its square came to, which is not kept.
    File([u32; 2], Summed),
}

/// They lie one behind the other, `[size, size, 3]` each, and reach the file through the page cache, so that they take no memory of
/// ours.
struct Squares {
    path: PathBuf,
    file: File,
    /// Squares that the file has room for.
    room: usize,
}

impl Decoded {
    /// `squares`: the file for them, where they are to be kept.
    pub fn create(squares: Option<PathBuf>, size: u32, fit: Fit) -> Result<Self> {
        let create = |path: PathBuf| -> Result<Squares> {
            let file = File::options().read(true).write(true).create_new(true).open(&path);
            Ok(Squares { file: file.with_context(|| format!("cannot create {}", path.display()))?, path, room: 0 })
        };
        Ok(Self {
            squares: squares.map(create).transpose()?,
            size,
            fit,
            found: BTreeMap::new(),
            turned: BTreeSet::new(),
        })
    }

    pub fn has(&self, number: usize) -> bool {
        self.found.contains_key(&number)
    }

    fn bytes(&self) -> usize {
        self.size as usize * self.size as usize * 3
    }

    /// Decodes files, which have numbers, and returns why some cannot be.
    pub fn add(&mut self, files: &[(usize, PathBuf)], turns: bool, context: &Context) -> Result<Vec<(usize, String)>> {
        let (bytes, first) = (self.bytes(), self.squares.as_ref().map_or(0, |squares| squares.room));
        let mut pixels = self.squares.as_mut().map(|squares| squares.grow(files.len(), bytes)).transpose()?;
        let block = block(bytes, rayon::current_num_threads()).min(files.len().max(1));
        let mut scratch = vec![0; if pixels.is_some() { 0 } else { block * bytes }];
        let mut meter = context.meter("decode", files.len() as u64, "images");
        let (mut faults, mut done) = (vec![], 0);
        for files in files.chunks(block) {
            context.check_stop()?;
            let to = match &mut pixels {
                Some(pixels) => &mut pixels[(first + done) * bytes..(first + done + files.len()) * bytes],
                None => &mut scratch[..files.len() * bytes],
            };
            let is_kept = self.squares.is_some();
            let squares =
                to.par_chunks_mut(bytes).zip(files).map(|(to, (_, file))| self.square(file, turns, to, is_kept));
            for ((number, _), square) in files.iter().zip(squares.collect::<Vec<_>>()) {
                match square {
                    Ok((of_file, is_turned)) => {
                        self.found.insert(*number, of_file.unwrap_or(Found::Square(first + done)));
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

    /// Writes a picture as a square `[size, size, 3]`, and says what there is of it where the square is not kept, and whether it was turned.
    fn square(&self, file: &Path, turns: bool, to: &mut [u8], is_kept: bool) -> Result<(Option<Found>, bool)> {
        let picture = pictures::read(file, turns)?;
        let (size, is_turned) = ([picture.height as u32, picture.width as u32], picture.is_turned);
        to.copy_from_slice(&self.fit.apply(picture, [self.size; 2])?);
        Ok(((!is_kept).then(|| Found::File(size, Summed::of(to, 3))), is_turned))
    }

    /// Removes the file of the squares; its content is there until the map is dropped.
    pub fn finish(self) -> Result<Pictures> {
        let bytes = self.bytes();
        let map = |Squares { path, file, .. }: Squares| -> Result<Mmap> {
            // Safety: the file was written by this stage, which has ended doing so.
            let pixels = unsafe { Mmap::map(&file) }?;
            std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            Ok(pixels)
        };
        Ok(Pictures { squares: self.squares.map(map).transpose()?, bytes, found: self.found })
    }
}

impl Squares {
    /// Makes room for more of so many bytes each, and shows all.
    fn grow(&mut self, more: usize, bytes: usize) -> Result<MmapMut> {
        self.room += more;
        let length = (self.room * bytes) as u64;
        self.file.set_len(length).with_context(|| format!("cannot write {}", self.path.display()))?;
        // Safety: the file was made here, and nobody else knows it.
        Ok(unsafe { MmapMut::map_mut(&self.file) }?)
    }
}

pub struct Pictures {
    squares: Option<Mmap>,
    bytes: usize,
    found: BTreeMap<usize, Found>,
}

impl Pictures {
    /// Of a file by its number, whose content is used where there is no square.
    pub fn pixels<'a>(&'a self, number: usize, file: &'a [u8]) -> Pixels<'a> {
        match (&self.squares, self.found[&number]) {
            (Some(squares), Found::Square(place)) => {
                Pixels::Image(&squares[place * self.bytes..(place + 1) * self.bytes])
            }
            (None, Found::File(size, summed)) => Pixels::File(file, size, summed),
            _ => unreachable!("a picture is found as a square where squares are kept"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_squares_are_made_few_at_once() {
        let square = |size: usize| size * size * 3;
        assert_eq!(block(square(64), 2), BLOCK);
        let few = block(square(1024), 2);
        assert!(few == 21 && few * square(1024) <= BLOCK_BYTES);
        assert_eq!([block(square(1024), 64), block(square(8), 512)], [64, 512], "each thread has one to make");
    }
}
