use super::dataset::{Manifest, Split, write_json};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

/// Writes the artifact.
pub struct DatasetWriter<'a> {
    folder: PathBuf,
    /// Its `images`, `mean` and `sd` are filled in here.
    manifest: Manifest,
    /// Image number to its pixels and label.
    source: &'a dyn Fn(usize) -> (&'a [u8], i32),
    counts: Counts,
}

/// How many images there are of each class.
#[derive(Debug, Clone, PartialEq)]
pub struct Counts {
    /// Their names.
    pub classes: Vec<String>,
    /// Of each split that there is, in the order of the classes.
    pub images: BTreeMap<Split, Vec<usize>>,
}

impl Counts {
    pub fn total(&self, split: Split) -> usize {
        self.images.get(&split).map_or(0, |counts| counts.iter().sum())
    }

    /// The classes of which a split has no image.
    pub fn missing(&self, split: Split) -> Vec<&str> {
        let counts = self.images.get(&split).into_iter().flatten();
        self.classes.iter().zip(counts).filter(|&(_, &count)| count == 0).map(|(class, _)| class.as_str()).collect()
    }

    /// That every class can be learned, and that there is nothing else to be judged by.
    fn check(&self) -> Result<()> {
        const NAMED: usize = 5;
        for split in self.images.keys() {
            ensure!(self.total(*split) > 0, "there is no image in the {} split", split.name());
        }
        ensure!(self.total(Split::Train) > 0, "there is no train split");
        let missing = self.missing(Split::Train);
        ensure!(
            missing.is_empty(),
            "{} of {} classes have no image to train on ({}{}): raise `train`, or leave the classes out",
            missing.len(),
            self.classes.len(),
            missing[..missing.len().min(NAMED)].join(", "),
            if missing.len() > NAMED { ", ..." } else { "" }
        );
        Ok(())
    }
}

impl<'a> DatasetWriter<'a> {
    pub fn new(folder: PathBuf, manifest: Manifest, source: &'a dyn Fn(usize) -> (&'a [u8], i32)) -> Self {
        let counts = Counts { classes: manifest.classes.clone(), images: BTreeMap::new() };
        Self { folder, manifest, source, counts }
    }

    pub fn split(&mut self, split: Split, images: &[usize]) -> Result<()> {
        let file = |kind: &str| -> Result<BufWriter<File>> {
            let path = self.folder.join(format!("{}.{kind}", split.name()));
            Ok(BufWriter::new(File::create(&path).with_context(|| format!("cannot create {}", path.display()))?))
        };
        let (mut pixels, mut labels) = (file("images")?, file("labels")?);
        let mut counts = vec![0; self.manifest.classes.len()];
        for &image in images {
            let (bytes, label) = (self.source)(image);
            pixels.write_all(bytes)?;
            labels.write_all(&label.to_le_bytes())?;
            counts[label as usize] += 1;
        }
        pixels.flush()?;
        labels.flush()?;
        self.manifest.images.insert(split, images.len());
        self.counts.images.insert(split, counts);
        if split == Split::Train {
            (self.manifest.mean, self.manifest.sd) = self.channel_moments(images);
        }
        Ok(())
    }

    /// In whole numbers to the end, so that the deviation of a channel that never changes is 0 and not nearly so.
    fn channel_moments(&self, images: &[usize]) -> (Vec<f32>, Vec<f32>) {
        let channels = self.manifest.channels;
        let (mut sums, mut squares) = (vec![0u64; channels], vec![0u64; channels]);
        for &image in images {
            for pixel in (self.source)(image).0.chunks_exact(channels) {
                for (channel, &value) in pixel.iter().enumerate() {
                    sums[channel] += u64::from(value);
                    squares[channel] += u64::from(value) * u64::from(value);
                }
            }
        }
        let n = (images.len() * self.manifest.height * self.manifest.width) as u64;
        let mean = sums.iter().map(|&sum| (sum as f64 / n as f64 / 255.0) as f32).collect();
        let variance = |sum: u64, squares: u64| {
            let (n, sum, squares) = (u128::from(n), u128::from(sum), u128::from(squares));
            (n * squares - sum * sum) as f64 / (n as f64 * 255.0).powi(2)
        };
        let sd = sums.iter().zip(squares).map(|(&sum, squares)| variance(sum, squares).sqrt() as f32);
        (mean, sd.collect())
    }

    /// Ends with an error where a class has no image to train on, or a split none at all.
    pub fn finish(self) -> Result<Counts> {
        self.counts.check()?;
        write_json(&self.folder.join("manifest.json"), &self.manifest)?;
        Ok(self.counts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::dataset::Dataset;
    use super::*;

    fn grey(classes: usize) -> Manifest {
        Manifest {
            name: "grey".into(),
            height: 8,
            width: 8,
            channels: 3,
            classes: (0..classes).map(|class| class.to_string()).collect(),
            images: BTreeMap::new(),
            mean: vec![],
            sd: vec![],
        }
    }

    /// What workers of a sweep share of a data set is the system's page cache: none has images of its own.
    #[test]
    fn images_are_read_where_they_lie() {
        let folder = tempfile::tempdir().unwrap();
        let pixels: Vec<u8> = (0..=255).cycle().take(40 * 8 * 8 * 3).collect();
        let source = |image: usize| (&pixels[image * 192..(image + 1) * 192], 0);
        let mut writer = DatasetWriter::new(folder.path().to_owned(), grey(1), &source);
        writer.split(Split::Train, &(0..40).collect::<Vec<_>>()).unwrap();
        writer.finish().unwrap();

        let data = Dataset::open(folder.path()).unwrap();
        assert_eq!(data.image(Split::Train, 39), source(39).0);
        let place = data.image(Split::Train, 39).as_ptr() as usize;
        let file = folder.path().join("train.images").display().to_string();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let map = maps.lines().find(|line| line.ends_with(&file)).expect("the file is mapped into memory");
        let (range, rest) = map.split_once(' ').unwrap();
        let (start, end) = range.split_once('-').unwrap();
        let number = |text: &str| usize::from_str_radix(text, 16).unwrap();
        assert!((number(start)..number(end)).contains(&place), "{map}");
        assert!(rest.starts_with("r--s "), "read only and shared with who else has it open: {map}");
    }

    /// Images `[8, 8, 3]` whose label is their number modulo 3.
    fn written(splits: &[(Split, &[usize])]) -> Result<Counts, String> {
        let folder = tempfile::tempdir().unwrap();
        let source = |image: usize| (&[0; 192][..], (image % 3) as i32);
        let mut writer = DatasetWriter::new(folder.path().to_owned(), grey(3), &source);
        splits.iter().for_each(|(split, images)| writer.split(*split, images).unwrap());
        writer.finish().map_err(|error| error.to_string())
    }

    #[test]
    fn what_cannot_be_learned_is_refused() {
        let (train, test) = (Split::Train, Split::Test);
        let counts = written(&[(train, &[0, 1, 2, 3]), (test, &[6, 9])]).unwrap();
        assert_eq!(counts.images, BTreeMap::from([(train, vec![2, 1, 1]), (test, vec![2, 0, 0])]));
        assert_eq!(
            (counts.total(train), counts.total(Split::Validation), counts.missing(test)),
            (4, 0, vec!["1", "2"])
        );
        let error = written(&[(train, &[0, 3]), (test, &[1])]).unwrap_err();
        assert!(error.starts_with("2 of 3 classes have no image to train on (1, 2): "), "{error}");
        assert_eq!(written(&[(train, &[0, 1, 2]), (test, &[])]).unwrap_err(), "there is no image in the test split");
        assert_eq!(written(&[(test, &[0, 1, 2])]).unwrap_err(), "there is no train split");
    }

    #[test]
    fn a_channel_that_never_changes_has_no_deviation() {
        for level in 0..=255u8 {
            let folder = tempfile::tempdir().unwrap();
            let pixels: Vec<u8> = (0..192).map(|place| if place % 3 == 1 { level } else { place as u8 }).collect();
            let source = |_: usize| (pixels.as_slice(), 0);
            let mut writer = DatasetWriter::new(folder.path().to_owned(), grey(1), &source);
            writer.split(Split::Train, &[0; 7]).unwrap();
            assert_eq!(writer.manifest.sd[1], 0.0, "all are {level}");
            assert!((writer.manifest.mean[1] - f32::from(level) / 255.0).abs() < 1e-7 && writer.manifest.sd[0] > 0.1);
        }
    }
}
