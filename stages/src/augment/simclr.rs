use super::Policy;
use super::contrastive::{Distortions, View, strengths};
use crate::context::Context;
use crate::stage::{About, OutputAbout, Stage, rising};
use anyhow::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// SimCLR's views (Chen et al. 2020, arXiv:2002.05709, appendix A).
pub struct SimClrViews;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// smallest and largest share of the image's area that a crop keeps
    #[schemars(length(equal = 2), inner(range(min = 0.01, max = 1)))]
    crop_scale: [f64; 2],
    #[serde(flatten)]
    distortions: Distortions,
    /// strength s of the jitter: brightness, contrast, saturation within 0.8 s of 1, hue within 0.2 s of 0
    #[schemars(range(min = 0, max = 2))]
    jitter_strength: f64,
    /// probability of a blur (sigma .1 to 2, a tenth of the image wide, at least 3 pixels); the paper leaves it out on
    /// CIFAR-10
    #[schemars(range(min = 0, max = 1))]
    blur: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { crop_scale: [0.08, 1.0], distortions: Distortions::default(), jitter_strength: 0.5, blur: 0.0 }
    }
}

impl Params {
    pub fn policy(&self) -> Policy {
        let view = View {
            scale: self.crop_scale,
            size: 0,
            distortions: self.distortions,
            strengths: strengths(self.jitter_strength),
            blur: self.blur,
            solarize: 0.0,
        };
        Policy::Operations(view.operations())
    }
}

impl Stage for SimClrViews {
    type Params = Params;
    const ABOUT: About = About {
        name: "augment/simclr",
        summary: "SimCLR's views: crop, flip, colour jitter, grey, blur (Chen et al. 2020, arXiv:2002.05709, app. A)",
        docs: "Defaults are the paper's for CIFAR-10 (section B.9: jitter strength 0.5, no blur). A picture of what the \
               policy does lies beside the result as views.png.",
        gives: &[OutputAbout { name: "views", type_: "views", doc: "the policy" }],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        rising("crop_scale", params.crop_scale)?;
        params.policy().publish(context)
    }
}

impl SimClrViews {
    /// What `pretrain/simclr` uses when no views are connected.
    pub fn default_policy() -> Policy {
        Params::default().policy()
    }
}
