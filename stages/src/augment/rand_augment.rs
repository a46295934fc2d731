use super::space::STRONGEST;
use super::{Operation, Policy, trivial_augment};
use crate::context::Context;
use crate::stage::{About, OutputAbout, Stage};
use anyhow::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Padded crop, flip, RandAugment and random erasing, for supervised training.
pub struct RandAugmentViews;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: trivial_augment::Params,
    /// N: operations, one after the other
    #[schemars(range(min = 0, max = 14))]
    operations: u32,
    /// M: strength of each
    #[schemars(range(min = 0, max = STRONGEST))]
    strength: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { common: trivial_augment::Params::default(), operations: 2, strength: 9 }
    }
}

impl Params {
    fn policy(&self) -> Policy {
        let (number, strength) = (self.operations as usize, self.strength as usize);
        self.common.policy(Operation::RandAugment { number, strength })
    }
}

impl Stage for RandAugmentViews {
    type Params = Params;
    const ABOUT: About = About {
        name: "augment/randaugment",
        summary: "Padded crop, flip, and N random operations of strength M (RandAugment: Cubuk et al. 2019, arXiv:1909.13719)",
        docs: "Operations and 31 strengths as torchvision's RandAugment, of which N = 2 and M = 9 are the defaults. Random \
               erasing follows where `erase` is above 0. A picture of what the policy does lies beside the result as \
               views.png.",
        gives: &[OutputAbout { name: "views", type_: "views", doc: "the policy" }],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        params.common.check()?;
        params.policy().publish(context)
    }
}
