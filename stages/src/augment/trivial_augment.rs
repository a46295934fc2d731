use super::{Operation, Policy, standard};
use crate::context::Context;
use crate::stage::{About, OutputAbout, Stage, rising};
use anyhow::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Padded crop, flip, TrivialAugment and random erasing, for supervised training.
pub struct TrivialAugmentViews;

/// What supervised policies have in common: a padded crop, a flip, operations of colour and shape, and random erasing.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    standard: standard::Params,
    /// probability of noise in place of a rectangle (Zhong et al. 2017, arXiv:1708.04896, who have 0.5)
    #[schemars(range(min = 0, max = 1))]
    erase: f64,
    /// smallest and largest share of the image's area that is erased
    #[schemars(length(equal = 2), inner(range(min = 0.01, max = 0.9)))]
    erase_scale: [f64; 2],
}

impl Default for Params {
    fn default() -> Self {
        Self { standard: standard::Params::default(), erase: 0.0, erase_scale: [0.02, 0.4] }
    }
}

impl Params {
    /// An error where what they ask for is impossible.
    pub fn check(&self) -> Result<()> {
        rising("erase_scale", self.erase_scale)
    }

    /// With `operation` between flip and erasing.
    pub fn policy(&self, operation: Operation) -> Policy {
        let mut operations = self.standard.operations();
        operations.push(operation);
        operations.push(Operation::RandomErasing {
            p: self.erase as f32,
            scale: self.erase_scale.map(|s| s as f32),
            ratio: [0.3, 1.0 / 0.3],
        });
        Policy::Operations(operations)
    }
}

impl Stage for TrivialAugmentViews {
    type Params = Params;
    const ABOUT: About = About {
        name: "augment/trivialaugment",
        summary: "Padded crop, flip, and one random operation (TrivialAugment: Müller & Hutter 2021, arXiv:2103.10158)",
        docs: "The wide space of operations, as torchvision's TrivialAugmentWide. Random erasing follows where `erase` is \
               above 0. A picture of what the policy does lies beside the result as views.png.",
        gives: &[OutputAbout { name: "views", type_: "views", doc: "the policy" }],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        params.check()?;
        params.policy(Operation::TrivialAugment).publish(context)
    }
}

#[cfg(test)]
impl TrivialAugmentViews {
    pub fn default_policy() -> Policy {
        Params::default().policy(Operation::TrivialAugment)
    }
}
