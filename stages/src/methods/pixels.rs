use super::shared::pretrain::{Common, IMAGES_SEEN, NEEDS_WITHOUT_VIEWS, TRAINED};
use crate::artifact::EncoderArtifact;
use crate::context::Context;
use crate::data::Dataset;
use crate::stage::{About, Stage};
use anyhow::Result;

/// The identity, as a control: what raw pixels give under the same evaluations.
pub struct Pixels;

impl Stage for Pixels {
    type Params = Common;
    const ABOUT: About = About {
        name: "pretrain/pixels",
        // 2: the artifact says what the encoder has seen.
        // 3: says that it has seen none.
        version: 3,
        summary: "Raw pixels in place of an encoder: a control",
        docs: "Every pixel is normalised by the mean and standard deviation of its channel, nothing else.",
        needs: NEEDS_WITHOUT_VIEWS,
        unused: &["encoder", "epochs", "steps", "images", "batch", "optimiser", "precision", "online_knn", "seed"],
        ..TRAINED
    };

    fn run(_: Common, context: &Context) -> Result<()> {
        let data = Dataset::open(context.input("data")?)?;
        context.measure(IMAGES_SEEN.name, "", 0.0);
        EncoderArtifact::new(None, &data.manifest).save(None, &[], &context.output("encoder")?)
    }
}
