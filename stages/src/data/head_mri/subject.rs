//! The heads that there are, and what of them is kept.

use super::super::fetched::Fetched;
use super::super::nifti::Volume;
use super::super::sources::Source;
use crate::context::Context;
use anyhow::{Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::ops::RangeInclusive;
use std::path::Path;

/// Whose head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    Human,
    Macaque,
}

pub const SOURCES: &[Source] = &[Source::Debian("mricron-data")];
/// Where the package has its volumes.
const TEMPLATES: &str = "usr/share/mricron/templates";

/// Of each voxel: intensity, region, and whether it is brain.
const VALUES: usize = 3;

/// Kept as axial slices from below to above, as images of so many channels.
const EITHER: Fetched = Fetched {
    name: "",
    cache: "",
    size: [0, 0, VALUES],
    labels: 1,
    images: [0, 0, 0],
    sources: SOURCES,
    download: 16_000_000,
    digest: None,
    decode: decode_human,
    by_hand: "the Debian package mricron-data",
};

pub const HUMAN: Fetched = Fetched {
    name: "ch2",
    cache: "head-mri-human",
    size: [217, 181, VALUES],
    images: [181, 0, 0],
    digest: Some("06157f16b6f93dc3d7a854546e5a5ad58680e59052a2d3605cd327ac25f3f86e"),
    ..EITHER
};

pub const MACAQUE: Fetched = Fetched {
    name: "INIA19",
    cache: "head-mri-macaque",
    size: [206, 168, VALUES],
    images: [128, 0, 0],
    digest: Some("fc18ee8b7e8b720a28f29872c8431a5b8078ebe2ed5fd2faf97c647a93701e39"),
    decode: decode_macaque,
    ..EITHER
};

/// Volumes in the order right, anterior, superior.
pub struct Head {
    pub shape: [usize; 3],
    /// Millimetres between two voxels.
    pub spacing: f32,
    pub image: Vec<u8>,
    /// Of AAL's list; 0 where there is none.
    pub regions: Vec<u8>,
    /// 0 where there is something else.
    pub brain: Vec<u8>,
}

impl Subject {
    fn fetched(self) -> &'static Fetched {
        match self {
            Self::Human => &HUMAN,
            Self::Macaque => &MACAQUE,
        }
    }

    /// Millimetres between two voxels.
    const fn spacing(self) -> f32 {
        match self {
            Self::Human => 1.0,
            Self::Macaque => 0.5,
        }
    }

    pub fn name(self) -> &'static str {
        self.fetched().name
    }

    /// Fetches it unless it is there.
    pub fn open(self, context: &Context) -> Result<Head> {
        let Fetched { size: [depth, width, _], images: [height, ..], .. } = *self.fetched();
        let kept = self.fetched().open(context)?;
        let value = |of: usize| -> Vec<u8> {
            (0..height).flat_map(|slice| kept.image(slice).iter().skip(of).step_by(VALUES)).copied().collect()
        };
        Ok(Head {
            shape: [width, depth, height],
            spacing: self.spacing(),
            image: value(0),
            regions: value(1),
            brain: value(2),
        })
    }
}

/// The classes, and the numbers of the AAL atlas that each is joined from, as `aal.nii.txt` lists them (left and right one after the
/// other).
pub const LOBES: [(&str, &[RangeInclusive<u8>]); 7] = [
    // Precentral, Frontal_*, Rolandic_Oper, Supp_Motor_Area, Olfactory, Rectus.
    ("frontal", &[1..=28]),
    // Postcentral, Parietal_*, SupraMarginal, Angular, Precuneus, Paracentral_Lobule.
    ("parietal", &[57..=70]),
    // Calcarine, Cuneus, Lingual, Occipital_*.
    ("occipital", &[43..=54]),
    // Fusiform; Heschl, Temporal_*.
    ("temporal", &[55..=56, 79..=90]),
    // Insula, Cingulum_*, Hippocampus, ParaHippocampal, Amygdala.
    ("limbic", &[29..=42]),
    // Caudate, Putamen, Pallidum, Thalamus.
    ("subcortical", &[71..=78]),
    // Cerebelum_*, Vermis_*.
    ("cerebellum", &[91..=116]),
];

/// The class of a region, from 1 on, or 0 where it is none.
pub fn lobe(region: u8) -> u8 {
    let of = |(_, regions): &(&str, &[RangeInclusive<u8>])| regions.iter().any(|range| range.contains(&region));
    LOBES.iter().position(of).map_or(0, |place| place as u8 + 1)
}

fn decode_human(folder: &Path, to: &mut dyn Write) -> Result<()> {
    let volume = |name: &str| Volume::read(&folder.join(TEMPLATES).join(name));
    let (head, atlas, brain) = (volume("ch2.nii.gz")?, volume("aal.nii.gz")?, volume("ch2bet.nii.gz")?);
    let regions: Vec<u8> = atlas.values.iter().map(|&region| region as u8).collect();
    ensure!(
        head.corners == atlas.corners && head.corners == brain.corners,
        "its volumes begin at {:?}, {:?} and {:?}, expected one place",
        head.corners[0],
        atlas.corners[0],
        brain.corners[0]
    );
    write(Subject::Human, &head, &regions, &brain, to)
}

fn decode_macaque(folder: &Path, to: &mut dyn Write) -> Result<()> {
    let brain = Volume::read(&folder.join(TEMPLATES).join("inia19-t1-brain.nii.gz"))?;
    write(Subject::Macaque, &brain, &vec![0; brain.values.len()], &brain, to)
}

/// `brain`: what is not 0 there is brain.
fn write(subject: Subject, head: &Volume, regions: &[u8], brain: &Volume, to: &mut dyn Write) -> Result<()> {
    let (of, spacing) = (subject.fetched(), subject.spacing());
    ensure!(
        head.spacing.iter().all(|own| (own / spacing - 1.0).abs() < 0.01),
        "its voxels have {:?} mm, expected {spacing}",
        head.spacing
    );
    let expected = [of.size[1], of.size[0], of.images[0]];
    let alike = head.shape == expected && regions.len() == head.values.len() && brain.shape == expected;
    ensure!(alike, "its volumes are not of {expected:?} voxels");
    to.write_all(&vec![0; of.images[0]])?;
    let voxels = head.bytes()?.into_iter().zip(regions).zip(&brain.values);
    let values: Vec<u8> =
        voxels.flat_map(|((image, &region), &brain)| [image, region, u8::from(brain != 0.0)]).collect();
    Ok(to.write_all(&values)?)
}
