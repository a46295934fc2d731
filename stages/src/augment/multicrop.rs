use super::Policy;
use super::contrastive::{self, Distortions, View};
use crate::context::Context;
use crate::stage::{About, OutputAbout, Stage, rising};
use anyhow::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Multi-crop (Caron et al. 2020, arXiv:2006.09882, section 3.3): few views of large crops, then many of small ones.
pub struct MultiCropViews;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// views of large crops, which come first
    #[schemars(range(min = 1, max = 16))]
    global_views: u32,
    /// side of a view of a large crop; 0 keeps the image's size
    #[schemars(range(min = 0, max = 1024), extend("x-unit" = "pixels"))]
    global_size: u32,
    /// smallest and largest share of the image's area that a large crop keeps
    #[schemars(length(equal = 2), inner(range(min = 0.01, max = 1)))]
    global_scale: [f64; 2],
    /// views of small crops
    #[schemars(range(min = 0, max = 32))]
    local_views: u32,
    /// side of a view of a small crop; the paper has 96 beside 224
    #[schemars(range(min = 4, max = 1024), extend("x-unit" = "pixels"))]
    local_size: u32,
    /// smallest and largest share of the image's area that a small crop keeps; DINO has 0.05 to 0.4
    #[schemars(length(equal = 2), inner(range(min = 0.01, max = 1)))]
    local_scale: [f64; 2],
    #[serde(flatten)]
    distortions: Distortions,
    /// strength s of the jitter: brightness, contrast, saturation within 0.8 s of 1, hue within 0.2 s of 0
    #[schemars(range(min = 0, max = 2))]
    jitter_strength: f64,
    /// probability of a blur (sigma .1 to 2, a tenth of the view wide, at least 3 pixels)
    #[schemars(range(min = 0, max = 1))]
    blur: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            global_views: 2,
            global_size: 0,
            global_scale: [0.14, 1.0],
            local_views: 6,
            local_size: 16,
            local_scale: [0.05, 0.14],
            distortions: Distortions::default(),
            jitter_strength: 1.0,
            blur: 0.5,
        }
    }
}

impl Params {
    fn policy(&self) -> Policy {
        let view = |scale, size| View {
            scale,
            size,
            distortions: self.distortions,
            strengths: contrastive::strengths(self.jitter_strength),
            blur: self.blur,
            solarize: 0.0,
        };
        let global = (0..self.global_views).map(|_| view(self.global_scale, self.global_size));
        let local = (0..self.local_views).map(|_| view(self.local_scale, self.local_size));
        contrastive::policy(global.chain(local))
    }
}

impl Stage for MultiCropViews {
    type Params = Params;
    const ABOUT: About = About {
        name: "augment/multicrop",
        summary: "Multi-crop: a few large crops and many small ones (Caron et al. 2020, arXiv:2006.09882, sec. 3.3)",
        docs: "Defaults are SwAV's but for the sizes, which are for images of 32 pixels. A method that uses two views takes \
               the first two; none takes more yet, so that no small crop is used. A picture of what the policy does lies \
               beside the result as views.png.",
        gives: &[OutputAbout { name: "views", type_: "views", doc: "the policy" }],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        rising("global_scale", params.global_scale)?;
        rising("local_scale", params.local_scale)?;
        params.policy().publish(context)
    }
}

#[cfg(test)]
impl MultiCropViews {
    pub fn default_policy() -> Policy {
        Params::default().policy()
    }
}
