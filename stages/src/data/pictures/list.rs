use super::is_read;
use anyhow::{Context, Result, bail};
use image::ImageFormat;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Endings of the files that are read.
pub const ENDINGS: [&str; 14] =
    ["jpg", "jpeg", "jfif", "jpe", "png", "bmp", "gif", "tif", "tiff", "webp", "ppm", "pgm", "pnm", "pbm"];

/// Of a link.
pub const NOWHERE: &str = "a link to what is not there";

/// Endings of pictures that are not.
const UNREAD: &[&str] = &[
    // Of phones, browsers and programs that draw.
    "heic", "heif", "hif", "avif", "jxl", "jp2", "j2k", "j2c", "jpf", "jpx", "jpm", "jxr", "svg", "svgz", "psd", "psb",
    "xcf", "ai", "eps", "ico", "icns", "cur", "tga", "pcx", "dds", "exr", "hdr", "qoi", "pam", "pfm", "dib", "wmf",
    "emf", // Of cameras.
    "cr2", "cr3", "crw", "nef", "nrw", "arw", "srf", "sr2", "dng", "orf", "rw2", "raf", "pef", "srw", "x3f", "3fr",
    // Of hospitals, microscopes and telescopes.
    "dcm", "dicom", "nii", "nii.gz", "mha", "nrrd", "czi", "lif", "nd2", "svs", "ndpi", "fits", "fit",
];

/// The files beneath a folder at any depth, from the folder on, each list in the order of its paths.
#[derive(Debug, Default, PartialEq)]
pub struct Listing {
    /// Named as pictures that are read, or without an ending and one by what is in it.
    pub pictures: Vec<PathBuf>,
    /// Named as pictures of other formats.
    pub unread: Vec<PathBuf>,
    /// Links to what is not there and may have been pictures, or a folder of them.
    pub dangling: Vec<PathBuf>,
    /// Named as something else.
    pub others: Vec<PathBuf>,
    /// Folders in which there is nothing.
    pub empty: Vec<PathBuf>,
}

impl Listing {
    /// Pictures in the order of their paths, those that cannot be read with the reason.
    pub fn all(&self) -> Vec<(PathBuf, Option<String>)> {
        let not_read = |path: &PathBuf| format!("no .{} files are read: convert it to JPEG or PNG", ending(path));
        let read = self.pictures.iter().map(|path| (path.clone(), None));
        let unread = self.unread.iter().map(|path| (path.clone(), Some(not_read(path))));
        let nowhere = |path: &PathBuf| (path.clone(), Some(NOWHERE.to_owned()));
        let mut all: Vec<(PathBuf, Option<String>)> =
            read.chain(unread).chain(self.dangling.iter().map(nowhere)).collect();
        all.sort();
        all
    }
}

/// Looks at every file beneath `root`. Links are followed, as by torchvision's `ImageFolder`; names that begin with a dot are
/// passed over.
pub fn list(root: &Path) -> Result<Listing> {
    let mut found = Listing::default();
    walk(root, Path::new(""), &mut vec![], &mut found)?;
    let Listing { pictures, unread, dangling, others, empty } = &mut found;
    [pictures, unread, dangling, others, empty].into_iter().for_each(|list| list.sort());
    Ok(found)
}

/// `above`: the folders that this one lies in, without links.
fn walk(root: &Path, inside: &Path, above: &mut Vec<PathBuf>, found: &mut Listing) -> Result<()> {
    let folder = root.join(inside);
    if folder.is_file() {
        bail!("{} is a file: a folder of pictures is expected", folder.display());
    }
    let cannot_read = || format!("cannot read the folder {}", folder.display());
    let real = folder.canonicalize().with_context(cannot_read)?;
    if above.contains(&real) {
        bail!("{} is a link to a folder that it lies in: remove it", folder.display());
    }
    above.push(real);
    let mut is_empty = true;
    for entry in folder.read_dir().with_context(cannot_read)? {
        let entry = entry.with_context(cannot_read)?;
        let (name, kind) = (entry.file_name(), entry.file_type().with_context(cannot_read)?);
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        is_empty = false;
        let (path, inside) = (folder.join(&name), inside.join(&name));
        if kind.is_dir() || kind.is_symlink() && path.is_dir() {
            walk(root, &inside, above, found)?;
            continue;
        }
        let ending = ending(&inside);
        let is_read = ENDINGS.contains(&ending.as_str());
        let list = if kind.is_symlink() && !path.exists() && (is_read || ending.is_empty()) {
            &mut found.dangling
        } else if is_read || ending.is_empty() && begins_as_picture(&path) {
            &mut found.pictures
        } else if UNREAD.contains(&ending.as_str()) {
            &mut found.unread
        } else {
            &mut found.others
        };
        list.push(inside);
    }
    if is_empty {
        found.empty.push(inside.to_owned());
    }
    above.pop();
    Ok(())
}

/// Few bytes are no proof, and a text may begin as a PBM file does.
fn begins_as_picture(path: &Path) -> bool {
    let mut start = vec![];
    let read = File::open(path).and_then(|file| file.take(16).read_to_end(&mut start));
    let format = read.ok().and_then(|_| image::guess_format(&start).ok());
    format.is_some_and(|format| is_read(format) && format != ImageFormat::Pnm)
}

/// What a file's name ends in, in small letters and without the point; of a compressed file the last two: `nii.gz`.
pub fn ending(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let Some((stem, last)) = name.rsplit_once('.') else { return String::new() };
    match stem.rsplit_once('.') {
        Some((_, inner)) if last == "gz" => format!("{inner}.gz"),
        _ => last.to_owned(),
    }
}

/// What to say of files that are no pictures, if there are any.
pub fn passed_over<'a>(others: impl IntoIterator<Item = &'a Path>) -> Option<String> {
    let kinds = Some(by_ending(others)).filter(|kinds| !kinds.is_empty())?;
    Some(format!("passed over, since they are no pictures: {kinds}"))
}

/// How many files there are of each ending: "3 .txt, 1 without an ending".
pub fn by_ending<'a>(files: impl IntoIterator<Item = &'a Path>) -> String {
    const NAMED: usize = 5;
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    files.into_iter().for_each(|file| *counts.entry(ending(file)).or_default() += 1);
    let mut counts: Vec<(String, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let named = counts.iter().take(NAMED).map(|(ending, count)| match ending.as_str() {
        "" => format!("{count} without an ending"),
        ending => format!("{count} .{ending}"),
    });
    let mut named: Vec<String> = named.collect();
    let more: usize = counts.iter().skip(NAMED).map(|(_, count)| count).sum();
    named.extend((more > 0).then(|| format!("{more} of other endings")));
    named.join(", ")
}
