//! Supervised training with all labels: the upper control. Cross entropy of a linear classifier on the encoder's
//! features; crop and flip (He et al. 2016, arXiv:1512.03385, section 4.2).

use super::shared::pretrain::{Common, ENCODERS, Inputs, TRAINED, TRAINING, pretrain};
use crate::augment::StandardViews;
use crate::context::Context;
use crate::stage::{About, Deviations, Stage};
use crate::train::Classification;
use anyhow::{Result, ensure};

pub struct Supervised;

impl Stage for Supervised {
    type Params = Common;
    const ABOUT: About = About {
        name: "pretrain/supervised",
        // 2: linear layers' gradients are read in their own order. 3: their products are oneDNN's, rounded otherwise. 4: the
        // last step moves weights too.
        // 5: batch norm in bfloat16 is libtorch's.
        // 6: the artifact says what the encoder has seen. 7: and no more than that.
        version: 7,
        summary: "Supervised training with all labels: the upper control (He et al. 2016, arXiv:1512.03385)",
        docs: "Cross entropy of a linear classifier. Without views: padded crop and flip, as augment/standard.",
        deviations: &[
            Deviations::from_paper(&[
                "a cosine schedule in place of steps",
                "every channel is normalised, where the paper subtracts the mean of each pixel",
            ]),
            TRAINING,
            ENCODERS,
        ],
        ..TRAINED
    };

    fn run(common: Common, context: &Context) -> Result<()> {
        let inputs = Inputs::open(context, StandardViews::default_policy())?;
        inputs.data.manifest.check_image_classes("supervised training")?;
        ensure!(
            inputs.data.manifest.classes.len() > 1,
            "the images have no labels (all are of one class), and supervised training tells classes apart: use a data set with a \
             folder for each class, or a method that needs no labels"
        );
        pretrain(&common, &inputs, context, |init, encoder, data| {
            Ok(Box::new(Classification::new(init, encoder.features(), data.classes.len())))
        })
    }
}
