//! One head of a human, and one of a macaque, as slices with regions.

mod slabs;
mod subject;

use super::dataset::{Labels, Split};
use super::pictures::Fit;
use super::slices::{Axis, Slices};
use super::summary::Summary;
use super::writer::{DatasetWriter, Format, Sample};
use crate::context::Context;
use crate::stage::{About, DATASET, Stage};
use anyhow::{Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use slabs::{GAP, split_at};
use subject::{Head, LOBES, lobe};

pub(super) use subject::SOURCES;
pub use subject::Subject;

pub struct HeadMri;

/// What the classes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Regions {
    Lobes,
    Brain,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// whose head
    subject: Subject,
    /// what the classes are: `lobes`, seven regions of the human's brain; `brain`, which is told of either
    regions: Regions,
    /// along which slices are taken, all of those that show brain: `axial` from below to above, `coronal` from back to front, `sagittal`
    /// from left to right
    axis: Axis,
    /// width and height of the data set's images
    #[schemars(range(min = 8, max = 256), extend("x-unit" = "pixels"))]
    size: u32,
    /// how a slice becomes a square, and its mask with it: `crop` takes the largest one in its middle, `pad` adds black, of which a mask
    /// knows nothing, `stretch` changes its shape
    fit: Fit,
}

impl Default for Params {
    fn default() -> Self {
        Self { subject: Subject::Human, regions: Regions::Lobes, axis: Axis::Axial, size: 96, fit: Fit::Pad }
    }
}

impl Stage for HeadMri {
    type Params = Params;
    const ABOUT: About = About {
        name: "data/head_mri",
        // 2: along the sagittal axis both halves of the brain are in one split.
        version: 2,
        summary: "MRI of ONE human head as slices with lobes and cerebellum; or of a mean macaque's brain, as a shift",
        docs: "The head is ch2 (Holmes et al. 1998, `Colin 27`: T1, the mean of 27 scans of one man, 1 mm), its regions are those of the \
               AAL atlas (Tzourio-Mazoyer et al. 2002), which was drawn on this very head, joined to frontal, parietal, occipital and \
               temporal lobe, limbic (with insula), subcortical and cerebellum; white matter far from any of them and brain stem are \
               background. The macaque is the mean of 19 animals (INIA19, Rohlfing et al. 2012, 0.5 mm), of which the volume holds \
               nothing but brain; of the human's head `brain` is what is left in ch2bet.\n\n\
               It is one head: an atlas by place alone can say much of a slice from what lies beside it, and whatever a network reaches \
               here says nothing of other people. A control that sees only where a pixel is (eval/segment, `head: coordinates`) belongs \
               into every table. Splits are slabs of slices that take turns, with 10 mm that are in no split between any two: 14 mm to \
               train on, 5 mm to test, 4 mm to choose settings on; of the macaque 24 mm to test and 3 mm of each other. Along the \
               sagittal axis they count from the middle to both sides, since one half of a brain looks like the other (of the macaque with 4 mm to \
               test). There is nothing to \
               draw, and so no seed.\n\n\
               Fetched once from the Debian package mricron-data and kept in the store's cache; the decoded content is checked against \
               a digest. Intensities from the percentile .5 to that of 99.5 of the values that are not 0 become 0 to 255; slices lie as \
               those of data/nifti.",
        gives: &[DATASET],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let Params { subject, regions, axis, size, fit } = params;
        ensure!(
            subject == Subject::Human || regions == Regions::Brain,
            "regions is lobes, and of the macaque only brain is told: write `regions: brain`"
        );
        let head = subject.open(context)?;
        let slices = Slices { axis, shape: head.shape, spacing: [head.spacing; 3] };
        let classes = regions.classes();
        let masks = regions.masks(&head);
        let rows = split_slices(&head, &slices, subject);

        let format = Format {
            name: subject.name().into(),
            height: size as usize,
            width: size as usize,
            channels: 1,
            classes,
            labels: Labels::Places,
            pictures: None,
        };
        let folder = context.output("dataset")?;
        let mut writer = DatasetWriter::create(&folder, format, rows.len())?;
        for &(split, number) in &rows {
            let image = slices.image(slices.slice(&head.image, number), fit, size)?;
            let mask = slices.mask(slices.slice(&masks, number), fit, size)?;
            writer.add(Sample { mask: Some(&mask), ..Sample::new(split, &image, -1) })?;
        }
        let summary = Summary {
            title: format!("{}: slices of one head, {size} x {size} pixels", subject.name()),
            remarks: vec![
                format!("splits are slabs of slices, with {GAP} mm between any two"),
                "it is one head: where a pixel lies says much of what it shows".into(),
            ],
            ..Summary::default()
        };
        summary.publish(&writer.finish()?, &folder, context)
    }
}

impl Regions {
    fn classes(self) -> Vec<String> {
        match self {
            Self::Lobes => LOBES.iter().map(|(name, _)| (*name).to_owned()).collect(),
            Self::Brain => vec!["brain".to_owned()],
        }
    }

    /// Of each voxel the class, from 1 on; 0 where there is none.
    fn masks(self, head: &Head) -> Vec<u8> {
        match self {
            Self::Lobes => head.regions.iter().map(|&region| lobe(region)).collect(),
            Self::Brain => head.brain.iter().map(|&is_brain| u8::from(is_brain > 0)).collect(),
        }
    }
}

/// The slices that are in a split, in the order of the splits. The first slab begins where the brain does, so that they are the same ones
/// whatever the classes are; along the sagittal axis in its middle, since both halves of a brain look alike: what is as far to the left and
/// to the right is in one split.
fn split_slices(head: &Head, slices: &Slices, subject: Subject) -> Vec<(Split, usize)> {
    let shows_brain = |&number: &usize| slices.slice(&head.brain, number).iter().any(|&is_brain| is_brain > 0);
    let seen: Vec<usize> = (0..slices.count()).filter(shows_brain).collect();
    let (Some(&first), Some(&last)) = (seen.first(), seen.last()) else { return vec![] };
    let begin = if slices.axis == Axis::Sagittal { (first + last) as f32 / 2.0 } else { first as f32 };
    let split = |&number: &usize| {
        let along = (number as f32 - begin).abs() * head.spacing;
        Some((split_at(subject, slices.axis, along)?, number))
    };
    let mut rows: Vec<(Split, usize)> = seen.iter().filter_map(split).collect();
    rows.sort_unstable();
    rows
}

#[cfg(test)]
mod tests;
