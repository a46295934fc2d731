//! Arrays in numpy's format, one to a file: `np.load(file, mmap_mode="r")` opens them, and `torch.from_numpy` what that gives.

use anyhow::{Context, Result, ensure};
use memmap2::Mmap;
use npyz::{AutoSerialize, Deserialize, NpyFile, NpyHeader, Order, WriteOptions, WriterBuilder};
use std::fs::File;
use std::io::{BufReader, BufWriter, Cursor, Write};
use std::path::{Path, PathBuf};

/// An array that is written from its first value to its last, as bytes in the order of little-endian machines.
pub struct NpyWriter {
    path: PathBuf,
    file: BufWriter<File>,
    /// Bytes that are still to come.
    left: usize,
}

impl NpyWriter {
    /// `shape`: the first number counts the rows, all of which have to be written.
    pub fn create<T: AutoSerialize>(path: PathBuf, shape: &[usize]) -> Result<Self> {
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        let as_u64: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
        let header = WriteOptions::new_header_only().dtype(T::default_dtype()).shape(&as_u64);
        let file = header.writer(BufWriter::with_capacity(1 << 20, file)).write_header_only()?;
        Ok(Self { path, file, left: shape.iter().product::<usize>() * size_of::<T>() })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        ensure!(
            bytes.len() <= self.left,
            "{} was to be {} bytes shorter",
            self.path.display(),
            bytes.len() - self.left
        );
        self.left -= bytes.len();
        self.file.write_all(bytes).with_context(|| format!("cannot write {}", self.path.display()))
    }

    pub fn finish(mut self) -> Result<()> {
        ensure!(self.left == 0, "{} was to be {} bytes longer", self.path.display(), self.left);
        self.file.flush().with_context(|| format!("cannot write {}", self.path.display()))
    }
}

/// Writes a small array in one go.
pub fn write<T: AutoSerialize>(path: PathBuf, shape: &[usize], values: &[T]) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let file = File::create(&path).with_context(failed)?;
    let shape: Vec<u64> = shape.iter().map(|&n| n as u64).collect();
    let options = WriteOptions::new().default_dtype().shape(&shape).writer(BufWriter::new(file));
    let mut writer = options.begin_nd().with_context(failed)?;
    values.iter().try_for_each(|value| writer.push(value)).with_context(failed)?;
    writer.finish().with_context(failed)
}

/// NAME.npy, and NAME.ids.npy, u32 `[n]`: of which row of a data set each of its entries is.
pub fn write_with_ids<T: AutoSerialize>(
    folder: &Path,
    name: &str,
    shape: &[usize],
    values: &[T],
    ids: &[u32],
) -> Result<()> {
    write(folder.join(format!("{name}.npy")), shape, values)?;
    write(folder.join(format!("{name}.ids.npy")), &[ids.len()], ids)
}

/// Reads an array into memory: its shape and its values.
pub fn read<T: Deserialize>(path: &Path) -> Result<(Vec<usize>, Vec<T>)> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let failed = || format!("{} does not hold what is expected", path.display());
    let array = NpyFile::new(BufReader::new(file)).with_context(failed)?;
    let shape = array.shape().iter().map(|&n| n as usize).collect();
    Ok((shape, array.into_vec().with_context(failed)?))
}

/// An array that stays where it is.
#[derive(Debug)]
pub struct Mapped {
    map: Mmap,
    start: usize,
}

impl Mapped {
    /// Of numbers of a type in a shape.
    pub fn open<T: AutoSerialize>(path: &Path, shape: &[usize]) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        // Safety: artifacts are never written to after they are published.
        let map = unsafe { Mmap::map(&file) }.with_context(|| format!("cannot map {}", path.display()))?;
        let mut bytes = Cursor::new(&map[..]);
        let header = NpyHeader::from_reader(&mut bytes);
        let header = header.with_context(|| format!("{} does not hold what is expected", path.display()))?;
        let found: Vec<usize> = header.shape().iter().map(|&n| n as usize).collect();
        let kinds = [header.dtype(), T::default_dtype()].map(|kind| kind.descr());
        ensure!(
            found == shape && kinds[0] == kinds[1] && header.order() == Order::C,
            "{} is {} {found:?}, expected {} {shape:?}",
            path.display(),
            kinds[0],
            kinds[1]
        );
        let (start, expected) = (bytes.position() as usize, shape.iter().product::<usize>() * size_of::<T>());
        let length = map.len() - start;
        ensure!(length == expected, "{} has {length} bytes behind its header, expected {expected}", path.display());
        Ok(Self { map, start })
    }

    pub fn bytes(&self) -> &[u8] {
        &self.map[self.start..]
    }
}
