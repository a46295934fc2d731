//! Makes the artifact, row by row.

use super::dataset::{Labels, Manifest, Preparation, Region, Split};
use super::npy::{self, NpyWriter};
use crate::json;
use anyhow::{Context, Result, bail, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// What all samples have in common.
#[derive(Debug, Clone)]
pub struct Format {
    pub name: String,
    pub height: usize,
    pub width: usize,
    /// 1: grey, 3: red, green, blue.
    pub channels: usize,
    pub classes: Vec<String>,
    pub labels: Labels,
    /// How pictures in files became images, where they were some.
    pub pictures: Option<Preparation>,
}

/// What the writer needs to know of an image's pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summed {
    digest: u64,
    /// Pixels.
    count: u64,
    /// Of each channel: the sum of its values and of their squares.
    sums: [u64; MOST_CHANNELS],
    squares: [u64; MOST_CHANNELS],
}

const MOST_CHANNELS: usize = 4;

impl Summed {
    /// Of an image `[height, width, channels]`.
    pub fn of(image: &[u8], channels: usize) -> Self {
        let (mut sums, mut squares) = ([0; MOST_CHANNELS], [0; MOST_CHANNELS]);
        for pixel in image.chunks_exact(channels) {
            for (channel, &value) in pixel.iter().enumerate() {
                sums[channel] += u64::from(value);
                squares[channel] += u64::from(value) * u64::from(value);
            }
        }
        Self { digest: digest(image), count: (image.len() / channels) as u64, sums, squares }
    }
}

/// An image in one of the forms in which a data set holds it.
#[derive(Debug, Clone, Copy)]
pub enum Pixels<'a> {
    /// `[height, width, channels]`
    Image(&'a [u8]),
    /// The picture's file, its height and width, and what it came to as an image.
    File(&'a [u8], [u32; 2], Summed),
}

/// A row.
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    pub split: Split,
    pub pixels: Pixels<'a>,
    /// Its place among the classes; -1 where nobody knows.
    pub class: i32,
    /// Whom or what it shows, where that is known of all.
    pub group: Option<u32>,
    /// `[height, width]`: what each pixel shows, 255 where nobody knows; of all samples or of none.
    pub mask: Option<&'a [u8]>,
    /// What is where, of all samples or of none.
    pub regions: Option<&'a [Region]>,
}

impl<'a> Sample<'a> {
    /// Of which nothing else is known.
    pub fn new(split: Split, image: &'a [u8], class: i32) -> Self {
        Self { split, pixels: Pixels::Image(image), class, group: None, mask: None, regions: None }
    }
}

/// Writes as many samples as were announced, in the order of their splits, each in one go.
pub struct DatasetWriter {
    folder: PathBuf,
    format: Format,
    images: Images,
    classes: Vec<i32>,
    splits: Vec<u8>,
    digests: Vec<u64>,
    groups: Vec<u32>,
    masks: Option<NpyWriter>,
    regions: Vec<Region>,
    /// Where those of each sample begin, and the end.
    offsets: Vec<u64>,
    rows: usize,
    /// Of each split and class, where classes are those of masks: images that show it.
    shown: BTreeMap<Split, Vec<usize>>,
    moments: Moments,
}

/// How many images there are of each class; where classes are those of boxes, how many boxes; of masks, how many images that show some.
#[derive(Debug, Clone, PartialEq)]
pub struct Counts {
    /// Their names.
    pub classes: Vec<String>,
    /// Of each split that there is, in the order of the classes.
    pub images: BTreeMap<Split, Vec<usize>>,
    /// Of each such split: those whose class nobody knows.
    pub unknown: BTreeMap<Split, usize>,
}

impl Counts {
    pub fn total(&self, split: Split) -> usize {
        let known = self.images.get(&split).map_or(0, |counts| counts.iter().sum());
        known + self.unknown.get(&split).copied().unwrap_or_default()
    }

    /// The classes of which a split has no image.
    pub fn missing(&self, split: Split) -> Vec<&str> {
        let counts = self.images.get(&split).into_iter().flatten();
        self.classes.iter().zip(counts).filter(|&(_, &count)| count == 0).map(|(class, _)| class.as_str()).collect()
    }

    /// That every class can be learned, and that there is nothing else to be judged by; of anomalies, that nothing but what is normal is.
    fn check(&self, labels: Labels) -> Result<()> {
        const NAMED: usize = 5;
        ensure!(self.total(Split::Train) > 0, "there is no train split");
        if let Some((split, images)) = self.unknown.iter().find(|(split, _)| **split != Split::Unlabelled) {
            bail!(
                "of {images} images of the {} split nobody knows the class: put them into the unlabelled one",
                split.name()
            );
        }
        let missing = self.missing(Split::Train);
        if labels == Labels::Anomalies {
            return self.check_normal(&missing);
        }
        ensure!(
            missing.is_empty(),
            "{} of {} classes have no image to train on ({}{}): add some to the train split, or leave the classes out",
            missing.len(),
            self.classes.len(),
            missing[..missing.len().min(NAMED)].join(", "),
            if missing.len() > NAMED { ", ..." } else { "" }
        );
        Ok(())
    }

    /// `missing`: the classes of which there is no image to train on.
    fn check_normal(&self, missing: &[&str]) -> Result<()> {
        let (normal, others) = self.classes.split_first().context("there is no class")?;
        let trained = others.iter().find(|class| !missing.contains(&class.as_str()));
        ensure!(
            trained.is_none(),
            "there are training images of the class {}, and only {normal} ones are trained on where anomalies are looked for",
            trained.map_or("", String::as_str)
        );
        Ok(())
    }
}

impl DatasetWriter {
    /// For `rows` samples.
    pub fn create(folder: &Path, format: Format, rows: usize) -> Result<Self> {
        let shape = [rows, format.height, format.width, format.channels];
        Ok(Self {
            folder: folder.to_owned(),
            images: match format.pictures.filter(|pictures| pictures.encoded) {
                None => Images::Pixels(NpyWriter::create::<u8>(folder.join("image.npy"), &shape)?),
                Some(_) => Images::create_files(folder)?,
            },
            classes: Vec::with_capacity(rows),
            splits: Vec::with_capacity(rows),
            digests: Vec::with_capacity(rows),
            groups: vec![],
            masks: None,
            regions: vec![],
            offsets: vec![0],
            rows,
            shown: BTreeMap::new(),
            moments: Moments::new(format.channels),
            format,
        })
    }

    pub fn add(&mut self, sample: Sample<'_>) -> Result<()> {
        let Sample { split, pixels, class, group, mask, regions } = sample;
        assert!(
            self.splits.last().is_none_or(|&last| last <= split as u8),
            "samples come in the order of their splits"
        );
        assert_eq!(self.groups.len(), group.map_or(0, |_| self.splits.len()), "all have a group or none");
        let summed = match pixels {
            Pixels::Image(image) => Summed::of(image, self.format.channels),
            Pixels::File(.., summed) => summed,
        };
        self.images.write(pixels)?;
        self.classes.push(class);
        self.splits.push(split as u8);
        self.digests.push(summed.digest);
        self.groups.extend(group);
        if let Some(mask) = mask {
            self.masks()?.write(mask)?;
            if self.format.labels == Labels::Places {
                let classes = self.format.classes.len();
                let shown = self.shown.entry(split).or_insert_with(|| vec![0; classes]);
                let values: BTreeSet<u8> = mask.iter().copied().collect();
                shown.iter_mut().zip(1..).for_each(|(images, value)| *images += usize::from(values.contains(&value)));
            }
        }
        if let Some(regions) = regions {
            self.regions.extend(regions);
            self.offsets.push(self.regions.len() as u64);
        }
        if split == Split::Train {
            self.moments.add(summed);
        }
        Ok(())
    }

    fn masks(&mut self) -> Result<&mut NpyWriter> {
        if self.masks.is_none() {
            let shape = [self.rows, self.format.height, self.format.width];
            self.masks = Some(NpyWriter::create::<u8>(self.folder.join("mask.npy"), &shape)?);
        }
        Ok(self.masks.as_mut().expect("it was made"))
    }

    /// Ends with an error where a class has no image to train on, an image without a class is to be evaluated with, or a group is in two
    /// splits.
    pub fn finish(self) -> Result<Counts> {
        let counts = self.counts();
        counts.check(self.format.labels)?;
        let images = self.splits.iter().fold(BTreeMap::new(), |mut images, &split| {
            *images.entry(Split::ALL[usize::from(split)]).or_default() += 1;
            images
        });
        self.images.finish(&self.folder)?;
        let rows = [self.splits.len()];
        let file = |column: &str| self.folder.join(format!("{column}.npy"));
        npy::write(file("class"), &rows, &self.classes)?;
        npy::write(file("split"), &rows, &self.splits)?;
        npy::write(file("digest"), &rows, &self.digests)?;
        if !self.groups.is_empty() {
            check_groups(&self.groups, &self.splits)?;
            npy::write(file("group"), &rows, &self.groups)?;
        }
        if let Some(masks) = self.masks {
            masks.finish()?;
        }
        if self.offsets.len() > 1 {
            let boxes = self.regions.len();
            npy::write(
                file("boxes"),
                &[boxes, 4],
                self.regions.iter().flat_map(|region| region.edges).collect::<Vec<_>>().as_slice(),
            )?;
            npy::write(
                file("boxes.class"),
                &[boxes],
                &self.regions.iter().map(|region| region.class).collect::<Vec<_>>(),
            )?;
            npy::write(file("boxes.offsets"), &[self.rows + 1], &self.offsets)?;
        }
        let Format { name, height, width, channels, classes, labels, pictures } = self.format;
        let (mean, sd) = self.moments.mean_and_sd();
        let manifest = Manifest { name, height, width, channels, classes, labels, pictures, images, mean, sd };
        json::write(&self.folder.join("manifest.json"), &manifest)?;
        Ok(counts)
    }

    fn counts(&self) -> Counts {
        let classes = self.format.classes.clone();
        let (mut images, mut unknown) = (BTreeMap::new(), BTreeMap::new());
        for (row, (&split, &class)) in self.splits.iter().zip(&self.classes).enumerate() {
            let split = Split::ALL[usize::from(split)];
            let of_split: &mut Vec<usize> = images.entry(split).or_insert_with(|| vec![0; classes.len()]);
            match (self.format.labels, usize::try_from(class)) {
                (Labels::Places, _) => {
                    self.regions_of(row).iter().for_each(|region| of_split[region.class as usize] += 1);
                }
                (_, Ok(class)) => of_split[class] += 1,
                (_, Err(_)) => *unknown.entry(split).or_default() += 1,
            }
        }
        // Boxes say more than that an image shows some.
        let images = if self.regions.is_empty() && !self.shown.is_empty() { self.shown.clone() } else { images };
        Counts { classes, images, unknown }
    }

    fn regions_of(&self, row: usize) -> &[Region] {
        match self.offsets[..] {
            [_] => &[],
            _ => &self.regions[self.offsets[row] as usize..self.offsets[row + 1] as usize],
        }
    }
}

/// Where images are written.
enum Images {
    Pixels(NpyWriter),
    Files { path: PathBuf, file: BufWriter<File>, offsets: Vec<u64>, sizes: Vec<u32> },
}

impl Images {
    fn create_files(folder: &Path) -> Result<Self> {
        let path = folder.join("image.bytes");
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self::Files { path, file: BufWriter::with_capacity(1 << 20, file), offsets: vec![0], sizes: vec![] })
    }

    fn write(&mut self, pixels: Pixels<'_>) -> Result<()> {
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

    fn finish(self, folder: &Path) -> Result<()> {
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

/// The first 8 bytes of its blake3.
fn digest(image: &[u8]) -> u64 {
    let bytes = blake3::hash(image);
    u64::from_le_bytes(*bytes.as_bytes().first_chunk().expect("a digest has 32 bytes"))
}

/// That what a network has learned of someone in training helps it nowhere when it is judged.
fn check_groups(groups: &[u32], splits: &[u8]) -> Result<()> {
    let pairs: BTreeSet<(u32, u8)> = groups.iter().copied().zip(splits.iter().copied()).collect();
    let straddles = pairs.iter().zip(pairs.iter().skip(1)).find(|((group, _), (next, _))| group == next);
    ensure!(straddles.is_none(), "group {} has samples in two splits", straddles.map_or(0, |((group, _), _)| *group));
    Ok(())
}

/// Of each channel, in whole numbers to the end, so that the deviation of a channel that never changes is 0 and not nearly so.
struct Moments {
    values: u64,
    sums: Vec<u64>,
    squares: Vec<u64>,
}

impl Moments {
    fn new(channels: usize) -> Self {
        Self { values: 0, sums: vec![0; channels], squares: vec![0; channels] }
    }

    fn add(&mut self, image: Summed) {
        self.values += image.count;
        self.sums.iter_mut().zip(image.sums).for_each(|(sum, more)| *sum += more);
        self.squares.iter_mut().zip(image.squares).for_each(|(sum, more)| *sum += more);
    }

    /// Of values in [0, 1].
    fn mean_and_sd(&self) -> (Vec<f32>, Vec<f32>) {
        let n = self.values;
        let mean = self.sums.iter().map(|&sum| (sum as f64 / n as f64 / 255.0) as f32).collect();
        let variance = |sum: u64, squares: u64| {
            let (n, sum, squares) = (u128::from(n), u128::from(sum), u128::from(squares));
            (n * squares - sum * sum) as f64 / (n as f64 * 255.0).powi(2)
        };
        let sd = self.sums.iter().zip(&self.squares).map(|(&sum, &squares)| variance(sum, squares).sqrt() as f32);
        (mean, sd.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::super::dataset::Dataset;
    use super::*;

    fn grey(classes: usize) -> Format {
        let classes = (0..classes).map(|class| class.to_string()).collect();
        Format {
            name: "grey".into(),
            height: 8,
            width: 8,
            channels: 3,
            classes,
            labels: Labels::Images,
            pictures: None,
        }
    }

    /// What workers of a sweep share of a data set is the system's page cache: none has images of its own.
    #[test]
    fn images_are_read_where_they_lie() {
        let folder = tempfile::tempdir().unwrap();
        let pixels: Vec<u8> = (0..=255).cycle().take(40 * 8 * 8 * 3).collect();
        let mut writer = DatasetWriter::create(folder.path(), grey(1), 40).unwrap();
        pixels.chunks(192).for_each(|image| writer.add(Sample::new(Split::Train, image, 0)).unwrap());
        writer.finish().unwrap();

        let data = Dataset::open(folder.path()).unwrap();
        assert_eq!(*data.image(39), pixels[39 * 192..]);
        let place = data.image(39).as_ptr() as usize;
        let file = folder.path().join("image.npy").display().to_string();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let map = maps.lines().find(|line| line.ends_with(&file)).expect("the file is mapped into memory");
        let (range, rest) = map.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let number = |text: &str| usize::from_str_radix(text, 16).unwrap();
        assert!((number(start)..number(end)).contains(&place), "{map}");
        assert!(rest.starts_with("r--s "), "read only and shared with who else has it open: {map}");
    }

    /// Images `[8, 8, 3]`, a split's classes beside it.
    fn written(splits: &[(Split, &[i32])]) -> Result<Counts, String> {
        let folder = tempfile::tempdir().unwrap();
        let rows = splits.iter().map(|(_, classes)| classes.len()).sum();
        let mut writer = DatasetWriter::create(folder.path(), grey(3), rows).unwrap();
        for (split, classes) in splits {
            classes.iter().for_each(|&class| writer.add(Sample::new(*split, &[0; 192], class)).unwrap());
        }
        let counts = writer.finish().map_err(|error| error.to_string())?;
        let data = Dataset::open(folder.path()).unwrap();
        for (split, classes) in splits {
            assert_eq!(data.labels(*split), *classes);
            assert!(data.rows(*split).map(|row| data.class(row)).eq(classes.iter().copied()));
        }
        Ok(counts)
    }

    #[test]
    fn what_cannot_be_learned_is_refused() {
        let (train, test, unlabelled) = (Split::Train, Split::Test, Split::Unlabelled);
        let counts = written(&[(train, &[0, 1, 2, 0]), (test, &[0, 0]), (unlabelled, &[-1; 5])]).unwrap();
        let expected = [(train, vec![2, 1, 1]), (test, vec![2, 0, 0]), (unlabelled, vec![0; 3])];
        assert_eq!(counts.images, BTreeMap::from(expected));
        assert_eq!([train, Split::Validation, test, unlabelled].map(|split| counts.total(split)), [4, 0, 2, 5]);
        assert_eq!(counts.missing(test), ["1", "2"]);
        let error = written(&[(train, &[0, 0]), (test, &[1])]).unwrap_err();
        assert!(error.starts_with("2 of 3 classes have no image to train on (1, 2): "), "{error}");
        assert_eq!(written(&[(test, &[0, 1, 2])]).unwrap_err(), "there is no train split");
    }

    #[test]
    fn no_group_is_in_two_splits() {
        let groups = |train: [u32; 3], test: [u32; 2]| {
            let folder = tempfile::tempdir().unwrap();
            let mut writer = DatasetWriter::create(folder.path(), grey(1), 5).unwrap();
            let rows =
                train.map(|group| (Split::Train, group)).into_iter().chain(test.map(|group| (Split::Test, group)));
            for (split, group) in rows {
                writer.add(Sample { group: Some(group), ..Sample::new(split, &[0; 192], 0) }).unwrap();
            }
            writer.finish().map(|_| ()).map_err(|error| error.to_string())
        };
        assert_eq!(groups([5, 1, 5], [2, 2]), Ok(()));
        assert_eq!(groups([5, 1, 5], [2, 1]), Err("group 1 has samples in two splits".to_owned()));
    }

    #[test]
    fn masks_and_boxes_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let boxed = |class: i32| Region { class, edges: [0.5, 1.0, 2.5, 7.0 + class as f32] };
        let regions = [vec![boxed(0), boxed(1)], vec![], vec![boxed(2)]];
        let mut writer = DatasetWriter::create(folder.path(), grey(1), 3).unwrap();
        for (number, regions) in regions.iter().enumerate() {
            let (mask, sample) = (vec![number as u8; 64], Sample::new(Split::Train, &[0; 192], 0));
            writer.add(Sample { mask: Some(&mask), regions: Some(regions), ..sample }).unwrap();
        }
        writer.finish().unwrap();
        let data = Dataset::open(folder.path()).unwrap();
        for (row, regions) in regions.iter().enumerate() {
            assert_eq!(data.regions(row).unwrap(), regions);
            assert_eq!(data.mask(row).unwrap(), [row as u8; 64]);
        }
    }

    /// Boxes are counted where there are some, and else images that show a class; every split may have images without a class.
    #[test]
    fn where_classes_are_of_places_images_have_none() {
        let written = |with_boxes: bool| {
            let folder = tempfile::tempdir().unwrap();
            let format = Format { labels: Labels::Places, ..grey(2) };
            let mut writer = DatasetWriter::create(folder.path(), format, 3).unwrap();
            for (split, shown) in [(Split::Train, vec![0, 1, 1]), (Split::Train, vec![]), (Split::Test, vec![1])] {
                let mut mask = vec![0; 64];
                shown.iter().zip(&mut mask).for_each(|(&class, pixel)| *pixel = class as u8 + 1);
                let regions: Vec<_> =
                    shown.iter().map(|&class| Region { class, edges: [0.0, 0.0, 1.0, 1.0] }).collect();
                let sample = Sample { mask: Some(&mask), ..Sample::new(split, &[0; 192], -1) };
                writer.add(Sample { regions: with_boxes.then_some(&regions), ..sample }).unwrap();
            }
            let counts = writer.finish().unwrap();
            let data = Dataset::open(folder.path()).unwrap();
            assert_eq!((data.len(Split::Train), data.len(Split::Test)), (2, 1));
            let error = data.manifest.check_image_classes("a linear probe").unwrap_err().to_string();
            assert!(error.contains("a linear probe is by the class of an image: use eval/detect"), "{error}");
            counts.images.into_values().collect::<Vec<_>>()
        };
        assert_eq!(written(true), [[1, 2], [0, 1]]);
        assert_eq!(written(false), [[1, 1], [0, 1]]);
    }

    #[test]
    fn of_anomalies_none_is_trained_on() {
        let written = |train: &[i32]| {
            let folder = tempfile::tempdir().unwrap();
            let format = Format { labels: Labels::Anomalies, ..grey(3) };
            let mut writer = DatasetWriter::create(folder.path(), format, train.len() + 2).unwrap();
            train.iter().for_each(|&class| writer.add(Sample::new(Split::Train, &[0; 192], class)).unwrap());
            [0, 2].iter().for_each(|&class| writer.add(Sample::new(Split::Test, &[0; 192], class)).unwrap());
            let counts = writer.finish().map_err(|error| error.to_string())?;
            let manifest = Dataset::open(folder.path()).unwrap().manifest;
            manifest.check_anomalies().unwrap();
            let error = manifest.check_image_classes("a linear probe").unwrap_err().to_string();
            assert!(error.contains("a linear probe needs images of every class: use eval/anomaly"), "{error}");
            Ok(counts.images.into_values().collect::<Vec<_>>())
        };
        assert_eq!(written(&[0, 0]), Ok(vec![vec![2, 0, 0], vec![1, 0, 1]]));
        let refused: Result<_, String> = written(&[0, 1]);
        assert!(refused.unwrap_err().starts_with("there are training images of the class 1, and only 0 ones"));
    }

    #[test]
    fn a_channel_that_never_changes_has_no_deviation() {
        for level in 0..=255u8 {
            let image: Vec<u8> = (0..192).map(|place| if place % 3 == 1 { level } else { place as u8 }).collect();
            let mut moments = Moments::new(3);
            (0..7).for_each(|_| moments.add(Summed::of(&image, 3)));
            let (mean, sd) = moments.mean_and_sd();
            assert_eq!(sd[1], 0.0, "all are {level}");
            assert!((mean[1] - f32::from(level) / 255.0).abs() < 1e-7 && sd[0] > 0.1);
        }
    }
}
