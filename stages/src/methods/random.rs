use super::shared::pretrain::{Common, IMAGES_SEEN, NEEDS_WITHOUT_VIEWS, TRAINED};
use crate::artifact::EncoderArtifact;
use crate::context::Context;
use crate::data::Dataset;
use crate::nn::Init;
use crate::stage::{About, Stage};
use anyhow::Result;

/// An encoder as it was initialised: the lower control of every comparison.
pub struct Random;

impl Stage for Random {
    type Params = Common;
    const ABOUT: About = About {
        name: "pretrain/random",
        // 2: the artifact says what the encoder has seen.
        // 3: says that it has seen none.
        version: 3,
        summary: "An encoder that was never trained: the lower control",
        docs: "The same first weights that the other methods start from at the same seed. Batch norm keeps its initial \
               statistics: mean 0, variance 1.",
        needs: NEEDS_WITHOUT_VIEWS,
        unused: &["epochs", "steps", "images", "batch", "optimiser", "precision", "online_knn"],
        ..TRAINED
    };

    fn run(common: Common, context: &Context) -> Result<()> {
        let data = Dataset::open(context.input("data")?)?;
        common.encoder.check()?;
        let encoder = common.encoder.build(&mut Init::new(common.seed, &context.device), data.manifest.input());
        encoder.takes([data.manifest.height, data.manifest.width])?;
        context.measure(IMAGES_SEEN.name, "", 0.0);
        EncoderArtifact::new(Some(&common.encoder), &data.manifest).save(
            Some(&encoder),
            &[],
            &context.output("encoder")?,
        )
    }
}
