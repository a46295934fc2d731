//! PASCAL VOC's annotations as a data set.

mod read;
mod xml;

use super::annotated::{Annotated, Common};
use super::dataset::Labels;
use crate::context::Context;
use crate::stage::{About, DATASET, Stage};
use anyhow::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct Voc;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    /// whether masks are read from SegmentationClass; pictures without one are left out
    masks: bool,
    /// whether objects count that are marked as difficult; where masks are read, which show them, they do
    difficult: bool,
    /// what the files call the left edge of a picture: 1, as PASCAL VOC does, which counts pixels from 1 and names the last one of a box
    /// too; or 0, as tools do that measure edges
    #[schemars(range(min = 0, max = 1))]
    first_pixel: u8,
}

impl Default for Params {
    fn default() -> Self {
        Self { common: Common::default(), masks: false, difficult: false, first_pixel: 1 }
    }
}

impl Params {
    fn counts(&self, is_difficult: bool) -> bool {
        self.difficult || self.masks || !is_difficult
    }
}

impl Stage for Voc {
    type Params = Params;
    const ABOUT: About = About {
        name: "data/voc",
        // 2: the summary counts images beside what they show. 3: difficult objects count where there are masks, which number their classes too.
        // 4: the summary says which splits are drawn.
        // 5: images that are in two splits are told.
        version: 5,
        summary: "Pictures with boxes in PASCAL VOC's format, an .xml file a picture, and masks (Everingham et al. 2015)",
        docs: "The folder is one of a year, as VOCdevkit/VOC2012: Annotations, JPEGImages, ImageSets and, with `masks`, SegmentationClass. \
               Pictures beside their .xml files, in one folder or in one a split, are read too. Splits are those of ImageSets/Main \
               (train.txt, val.txt, test.txt; trainval.txt where there is no train.txt), with `masks` of ImageSets/Segmentation; without \
               lists a folder that is named like a split is one, and splits that are not there are drawn from train.\n\n\
               Classes are the names that objects have, in the order of the alphabet, by which PASCAL VOC's masks number them: masks that contradict their boxes are refused. Objects \
               marked as difficult are left out and counted, unless `difficult` says otherwise; what is found there counts as invented, \
               where VOC's own figures ignore it. Masks are palette pictures, or grey. What else is said of pictures is as in \
               data/folder; they are taken as they lie in their files.",
        gives: &[DATASET],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let read::Found { classes, items, remarks } = read::all(&params)?;
        Annotated { name: "voc", classes, labels: Labels::Places, items, masks_are_apart: true, remarks }
            .publish(&params.common, context)
    }
}

#[cfg(test)]
mod tests;
