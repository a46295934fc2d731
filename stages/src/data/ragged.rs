//! A column of which each row has as many bytes as it likes: `NAME.bytes`, one row behind the other, and `NAME.offsets.npy`, u64 `[n + 1]`:
//! where each begins, and the end.

use super::dataset::column;
use super::npy;
use anyhow::{Context, Result, ensure};
use memmap2::Mmap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub struct Ragged {
    bytes: Mmap,
    offsets: Vec<u64>,
}

impl Ragged {
    pub fn open(folder: &Path, name: &str, rows: usize) -> Result<Self> {
        let path = folder.join(format!("{name}.bytes"));
        let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        // Safety: artifacts are never written to after they are published.
        let bytes = unsafe { Mmap::map(&file) }.with_context(|| format!("cannot map {}", path.display()))?;
        let offsets: Vec<u64> = column(folder, &format!("{name}.offsets"), rows + 1)?;
        let fits = offsets.is_sorted() && offsets.last() == Some(&(bytes.len() as u64));
        ensure!(fits, "{} does not fit {name}.offsets.npy", path.display());
        Ok(Self { bytes, offsets })
    }

    pub fn row(&self, row: usize) -> &[u8] {
        &self.bytes[self.offsets[row] as usize..self.offsets[row + 1] as usize]
    }

    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }
}

pub struct RaggedWriter {
    folder: PathBuf,
    name: &'static str,
    file: BufWriter<File>,
    offsets: Vec<u64>,
}

impl RaggedWriter {
    pub fn create(folder: &Path, name: &'static str) -> Result<Self> {
        let path = folder.join(format!("{name}.bytes"));
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let file = BufWriter::with_capacity(1 << 20, file);
        Ok(Self { folder: folder.to_owned(), name, file, offsets: vec![0] })
    }

    pub fn write(&mut self, row: &[u8]) -> Result<()> {
        self.offsets.push(self.offsets.last().expect("it begins with 0") + row.len() as u64);
        self.file.write_all(row).with_context(|| self.cannot_write())
    }

    pub fn rows(&self) -> usize {
        self.offsets.len() - 1
    }

    pub fn finish(mut self) -> Result<()> {
        self.file.flush().with_context(|| self.cannot_write())?;
        let offsets = self.folder.join(format!("{}.offsets.npy", self.name));
        npy::write(offsets, &[self.offsets.len()], &self.offsets)
    }

    fn cannot_write(&self) -> String {
        format!("cannot write {}", self.folder.join(format!("{}.bytes", self.name)).display())
    }
}
