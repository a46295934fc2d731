//! NIfTI-1 volumes beside volumes of labels as a data set of slices.

mod labels;
mod orientation;
mod pairs;
mod read;

pub use read::Volume;

use super::dataset::{Labels, Split};
use super::groups::Groups;
use super::pictures::Fit;
use super::slices::Axis;
use super::split::{Draw, hold_out_groups};
use super::summary::Summary;
use super::writer::{Counts, DatasetWriter, Format, Sample};
use crate::context::Context;
use crate::stage::{About, DATASET, Stage};
use anyhow::{Context as _, Result, ensure};
use labels::Names;
use pairs::{Loaded, Pair, pairs, refuse};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub struct Nifti;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// the folder, relative to the recipe's file; what is in it counts, and where it lies does not
    #[schemars(extend("x-path" = true))]
    path: PathBuf,
    /// along which slices are taken: `axial` from below to above, `coronal` from back to front, `sagittal` from left to right
    axis: Axis,
    /// width and height of the data set's images
    #[schemars(range(min = 8, max = 1024), extend("x-unit" = "pixels"))]
    size: u32,
    /// how a slice of another shape becomes a square, and its mask with it: `crop` takes the largest one in its middle, `pad` adds black,
    /// of which a mask knows nothing, `stretch` changes its shape
    fit: Fit,
    /// a regular expression with one pair of parentheses: what it captures of an image's path, from the folder on, names whom it shows
    /// (`(sub-\d+)`), and no such group is in two splits; where it is null, each volume is one
    group: Option<String>,
    /// share of what the test split leaves that is the validation split, as near as whole volumes allow
    #[schemars(range(min = 0.0, max = 0.9), extend("x-unit" = "fraction"))]
    validation: f64,
    /// share of all slices that is the test split
    #[schemars(range(min = 0.0, max = 0.9), extend("x-unit" = "fraction"))]
    test: f64,
    /// of the draw of the splits
    #[schemars(range(min = 0))]
    seed: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            axis: Axis::Axial,
            size: 64,
            fit: Fit::Pad,
            group: None,
            validation: 0.1,
            test: 0.2,
            seed: 0,
        }
    }
}

impl Stage for Nifti {
    type Params = Params;
    const ABOUT: About = About {
        name: "data/nifti",
        // 2: all corners of labels lie where their image's do.
        version: 2,
        summary: "Volumes of NIfTI-1 (.nii, .nii.gz) with volumes of labels, as grey slices with masks",
        docs: "Of images/a.nii.gz the labels are labels/a.nii.gz; of each voxel of the image they say a whole number, 0 where there is \
               nothing. labels.txt beside the folders names them, `ID name` a line; where there is none, classes are all the numbers \
               that are found, called by them. Volumes are turned to right, anterior, superior by the header's sform or else its qform \
               (flips and exchanged axes; an oblique one is taken along the nearest axes, and the summary says so), and scaled by its \
               slope and intercept. Intensities from the percentile .5 to that of 99.5 of a volume's own values that are not 0 become 0 \
               to 255. In a slice the person's left is left, and front or top is above; voxels that are longer than wide become square \
               pixels first. Slices of one grey value everywhere are left out and counted. Splits are drawn, and no volume is in two.",
        gives: &[DATASET],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let (pairs, others) = pairs(&params.path)?;
        let images: Vec<&Path> = pairs.iter().map(|pair| pair.inside(&params.path)).collect();
        let groups = params.group.as_ref().map(|pattern| Groups::find(pattern, &params.path, &images)).transpose()?;
        let groups = groups.map_or_else(|| (0..pairs.len() as u32).collect(), |groups| groups.of);
        let (mut found, mut faults) = (vec![], vec![]);
        let mut meter = context.meter("look", pairs.len() as u64, "volumes");
        for (number, pair) in pairs.iter().enumerate() {
            context.check_stop()?;
            match Found::of(pair, params.axis) {
                Ok(volume) => found.push(volume),
                Err(error) => faults.push((pair.inside(&params.path).to_owned(), format!("{error:#}"))),
            }
            meter.at(number as u64 + 1, &[]);
        }
        refuse(&params.path, &faults)?;
        let names = Names::read(&params.path.join("labels.txt"))?.map_or_else(|| of_values(&found), Ok)?;
        let slices: Vec<Slice> = found
            .iter()
            .enumerate()
            .flat_map(|(volume, found)| found.seen.iter().map(move |&slice| (volume, slice)))
            .collect();
        ensure!(!slices.is_empty(), "{}: there is nothing to see in any slice", params.path.display());
        let splits = splits(&slices, &groups, &params)?;
        for (name, share, (_, slices)) in
            [("validation", params.validation, &splits[1]), ("test", params.test, &splits[2])]
        {
            ensure!(
                share == 0.0 || !slices.is_empty(),
                "{name} is {share}, and of {} none is left for it: add some, or write `{name}: 0`, if nothing is to be judged by it",
                wholes(&groups, &params)
            );
        }
        let folder = context.output("dataset")?;
        let counts = write(&pairs, &groups, &names, &splits, &params, &folder, context)?;
        let mut summary = summary(&found, &groups, &names, &params);
        summary.remarks.extend((others > 0).then(|| format!("files that are no .nii or .nii.gz, left out: {others}")));
        let source = |&(volume, slice): &Slice| format!("{}, slice {slice}", images[volume].display());
        summary.sources = splits.iter().flat_map(|(_, slices)| slices).map(source).collect();
        summary.publish(&counts, &folder, context)
    }
}

/// What a first look at a volume finds.
struct Found {
    /// Slices in which there is something to see.
    seen: Vec<usize>,
    unseen: usize,
    values: BTreeSet<i64>,
    remark: Option<&'static str>,
}

impl Found {
    fn of(pair: &Pair, axis: Axis) -> Result<Self> {
        let Loaded { image, labels, slices, remark } = pair.load(axis)?;
        let shows = |&number: &usize| {
            let slice = slices.slice(&image, number);
            slice.iter().any(|&value| value != slice[0])
        };
        let seen: Vec<usize> = (0..slices.count()).filter(shows).collect();
        let values = labels.into_iter().filter(|&value| value != 0).collect();
        Ok(Self { unseen: slices.count() - seen.len(), seen, values, remark })
    }
}

/// Classes that are called by their values.
fn of_values(found: &[Found]) -> Result<Names> {
    let values: BTreeSet<i64> = found.iter().flat_map(|found| &found.values).copied().collect();
    Names::of(values.into_iter().map(|value| (value, value.to_string())).collect())
}

/// A volume's number, and a slice's in it.
type Slice = (usize, usize);

/// `5 whole volumes`, or groups of them.
fn wholes(groups: &[u32], params: &Params) -> String {
    let number = groups.iter().collect::<BTreeSet<_>>().len();
    format!("{number} whole {}", if params.group.is_some() { "groups" } else { "volumes" })
}

/// Of each split its slices; of each that is asked for one group of volumes at least, as long as there are some.
fn splits(slices: &[Slice], groups: &[u32], params: &Params) -> Result<[(Split, Vec<Slice>); 3]> {
    let volumes =
        |places: &[usize]| -> Vec<i64> { places.iter().map(|&place| groups[slices[place].0].into()).collect() };
    let all: Vec<usize> = (0..slices.len()).collect();
    let drawn = |of: &[usize], share: f64| -> Result<[Vec<usize>; 2]> {
        let (drawn, rest) = hold_out_groups(&volumes(of), Draw::Share(share), params.seed)?;
        Ok([drawn, rest].map(|places| places.into_iter().map(|place| of[place]).collect()))
    };
    let [test, left] = drawn(&all, params.test)?;
    let [validation, train] = drawn(&left, params.validation)?;
    let splits = [(Split::Train, train), (Split::Validation, validation), (Split::Test, test)];
    Ok(splits.map(|(split, places)| (split, places.into_iter().map(|place| slices[place]).collect())))
}

fn write(
    pairs: &[Pair],
    groups: &[u32],
    names: &Names,
    splits: &[(Split, Vec<Slice>)],
    params: &Params,
    folder: &Path,
    context: &Context,
) -> Result<Counts> {
    let (side, fit) = (params.size, params.fit);
    let rows = splits.iter().map(|(_, slices)| slices.len()).sum();
    let format = Format {
        name: "nifti".into(),
        height: side as usize,
        width: side as usize,
        channels: 1,
        classes: names.classes.clone(),
        labels: Labels::Places,
        pictures: None,
    };
    let mut writer = DatasetWriter::create(folder, format, rows)?;
    let mut meter = context.meter("slices", rows as u64, "images");
    let mut done = 0;
    for (split, of_split) in splits {
        // Slices of one volume follow each other.
        for of_volume in of_split.chunk_by(|(volume, _), (next, _)| volume == next) {
            context.check_stop()?;
            let volume = of_volume[0].0;
            let Loaded { image, labels, slices, .. } = pairs[volume].load(params.axis)?;
            let classes = names.places(&labels).with_context(|| pairs[volume].labels.display().to_string())?;
            for &(_, number) in of_volume {
                let image = slices.image(slices.slice(&image, number), fit, side)?;
                let mask = slices.mask(slices.slice(&classes, number), fit, side)?;
                let group = Some(groups[volume]);
                writer.add(Sample { group, mask: Some(&mask), ..Sample::new(*split, &image, -1) })?;
            }
            done += of_volume.len();
            meter.at(done as u64, &[]);
        }
    }
    writer.finish()
}

fn summary(found: &[Found], groups: &[u32], names: &Names, params: &Params) -> Summary {
    let unseen: usize = found.iter().map(|found| found.unseen).sum();
    let mut remarks = vec![match params.group {
        None => format!("{} volumes, each in one split", found.len()),
        Some(_) => format!("{} volumes, {}, each in one split", found.len(), wholes(groups, params)),
    }];
    remarks.extend((unseen > 0).then(|| format!("slices without anything to see, left out: {unseen}")));
    let told: BTreeSet<&str> = found.iter().filter_map(|found| found.remark).collect();
    remarks.extend(told.into_iter().map(|remark| {
        let count = found.iter().filter(|found| found.remark == Some(remark)).count();
        format!("volumes that {remark}: {count}")
    }));
    let (size, classes) = (params.size, names.classes.len());
    Summary {
        title: format!(
            "slices of {size} x {size} pixels with masks of {classes} class{}",
            if classes == 1 { "" } else { "es" }
        ),
        remarks,
        ..Summary::default()
    }
}

#[cfg(test)]
mod tests;
