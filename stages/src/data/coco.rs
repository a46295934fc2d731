//! COCO's annotations as a data set.

mod format;
mod read;
mod shapes;

use super::annotated::{Annotated, Common};
use super::dataset::Labels;
use crate::context::Context;
use crate::stage::{About, DATASET, Stage};
use anyhow::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct Coco;

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    /// whether masks are made of the annotations' polygons and runs
    masks: bool,
}

impl Stage for Coco {
    type Params = Params;
    const ABOUT: About = About {
        name: "data/coco",
        // 2: the summary counts images beside what they show. 3: objects whose boxes have no area are left out. 4: the summary says what
        // is not used and which splits are drawn.
        // 5: images that are in two splits are told.
        version: 5,
        summary: "Pictures with boxes and masks in COCO's format: a .json file a split (Lin et al. 2014, arXiv:1405.0312)",
        docs: "Files of annotations lie anywhere beneath the folder, and so do the pictures, which are found by their names: COCO's own \
               layout (annotations/instances_train2017.json beside train2017) and one of a folder a split with a .json file in it are both \
               read. A file is of the split that its name or its folder's says; of several of one split that which is called \
               `instances`. A single one may be of no split. Splits that are not there are drawn from train.\n\n\
               Classes are the categories that any annotation is of, in the order of their numbers. Regions of crowds (`iscrowd`) are no \
               objects: they are left out and counted, and masks know nothing of them; what is found there counts as invented, \
               where COCO's own figures ignore it. Objects whose boxes have no height or no width are left out and counted too. A mask is made \
               of polygons (a pixel is inside where its middle is) and runs, plain or packed; where objects of different classes overlap it knows nothing either. Boxes are those \
               of the annotations, and may reach outside of their pictures by half a pixel. Pictures are taken as they lie in their files, \
               however a camera was held; what else is said of them is as in data/folder.",
        gives: &[DATASET],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let read::Found { classes, items, crowds, flat, untold } = read::all(&params.common.path, params.masks)?;
        let counts = [("regions of crowds", crowds), ("objects whose boxes have no area", flat)];
        let counts = counts.into_iter().filter(|(_, count)| *count > 0);
        let mut remarks: Vec<String> = counts.map(|(what, count)| format!("{what} left out: {count}")).collect();
        remarks.extend(
            (untold > 0).then(|| format!("pictures of which no annotations tell, and which are not used: {untold}")),
        );
        Annotated { name: "coco", classes, labels: Labels::Places, items, masks_are_apart: false, remarks }
            .publish(&params.common, context)
    }
}

#[cfg(test)]
mod tests;
