use super::Policy;
use super::contrastive::{self, Distortions, View};
use crate::context::Context;
use crate::stage::{About, OutputAbout, Stage, rising};
use anyhow::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// BYOL's views (Grill et al. 2020, arXiv:2006.07733, appendix B, table 6), which differ between the two views of an image.
pub struct ByolViews;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// smallest and largest share of the image's area that a crop keeps
    #[schemars(length(equal = 2), inner(range(min = 0.01, max = 1)))]
    crop_scale: [f64; 2],
    #[serde(flatten)]
    distortions: Distortions,
    /// probability of a blur (sigma .1 to 2, a tenth of the image wide, at least 3 pixels) of the first and of the second
    /// view; published results on CIFAR-10 have none
    #[schemars(length(equal = 2), inner(range(min = 0, max = 1)))]
    blur: [f64; 2],
    /// probability of solarisation of the first and of the second view
    #[schemars(length(equal = 2), inner(range(min = 0, max = 1)))]
    solarize: [f64; 2],
}

impl Default for Params {
    fn default() -> Self {
        Self { crop_scale: [0.08, 1.0], distortions: Distortions::default(), blur: [1.0, 0.1], solarize: [0.0, 0.2] }
    }
}

impl Params {
    fn policy(&self) -> Policy {
        contrastive::policy([0, 1].map(|view| View {
            scale: self.crop_scale,
            size: 0,
            distortions: self.distortions,
            strengths: [0.4, 0.4, 0.2, 0.1],
            blur: self.blur[view],
            solarize: self.solarize[view],
        }))
    }
}

impl Stage for ByolViews {
    type Params = Params;
    const ABOUT: About = About {
        name: "augment/byol",
        summary: "BYOL's two unequal views: SimCLR's, milder, and solarised (Grill et al. 2020, arXiv:2006.07733, app. B)",
        docs: "Defaults are the paper's (table 6), for 224 pixels: jitter of brightness and contrast within 0.4 of 1, of saturation \
               within 0.2 of 1, of hue within 0.1 of 0; at 32 pixels `blur: [0, 0]` is usual. A method that uses \
               one view takes the first. A picture of what the policy does lies beside the result as views.png.",
        gives: &[OutputAbout { name: "views", type_: "views", doc: "the policy" }],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        rising("crop_scale", params.crop_scale)?;
        params.policy().publish(context)
    }
}
