use super::{Operation, Policy};
use crate::context::Context;
use crate::stage::{About, OutputAbout, Stage};
use anyhow::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The augmentation of supervised training on small images (He et al. 2016, section 4.2).
pub struct StandardViews;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// black border from which a crop of the image's size is cut
    #[schemars(range(min = 0, max = 64), extend("x-unit" = "pixels"))]
    padding: u32,
    /// probability of a horizontal flip
    #[schemars(range(min = 0, max = 1))]
    flip: f64,
}

impl Default for Params {
    fn default() -> Self {
        Self { padding: 4, flip: 0.5 }
    }
}

impl Params {
    pub fn operations(&self) -> Vec<Operation> {
        vec![
            Operation::RandomCrop { padding: self.padding as usize },
            Operation::HorizontalFlip { p: self.flip as f32 },
        ]
    }

    pub fn policy(&self) -> Policy {
        Policy::Operations(self.operations())
    }
}

impl Stage for StandardViews {
    type Params = Params;
    const ABOUT: About = About {
        name: "augment/standard",
        summary: "Padded crop and flip, as in supervised training on CIFAR-10 (He et al. 2016, arXiv:1512.03385, sec. 4.2)",
        gives: &[OutputAbout { name: "views", type_: "views", doc: "the policy" }],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        params.policy().publish(context)
    }
}

impl StandardViews {
    /// What methods that train on plain images use when no views are connected.
    pub fn default_policy() -> Policy {
        Params::default().policy()
    }

    /// Without a border.
    pub fn flips() -> Policy {
        Policy::Operations(vec![Operation::HorizontalFlip { p: 0.5 }])
    }
}
