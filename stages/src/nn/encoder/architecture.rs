use super::EncoderConfig;
use crate::nn::Init;
use crate::nn::layers::{Mode, global_average_pool};
use anyhow::Result;
use burn::tensor::{Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All that is known of an architecture stands in its own file, and is asked for by this.
pub trait Architecture {
    /// An error where a recipe's words build none.
    fn check(_: &EncoderConfig) -> Result<()>
    where
        Self: Sized,
    {
        Ok(())
    }

    /// What is probably a mistake about images of this height and width.
    fn warning(_: &EncoderConfig, _: [usize; 2]) -> Option<String>
    where
        Self: Sized,
    {
        None
    }

    /// With first weights. `input`: channels, height and width of the images.
    fn build(config: &EncoderConfig, init: &mut Init, input: [usize; 3]) -> Self
    where
        Self: Sized;

    /// As an error calls it: `a ResNet`.
    fn name(&self) -> &'static str;

    /// An error where it cannot take images of this height and width.
    fn takes(&self, _: [usize; 2]) -> Result<()> {
        Ok(())
    }

    /// Length of a feature vector.
    fn features(&self) -> usize;

    /// The layer, from 0 at the images, that a tensor belongs to by the parts of its name.
    fn layer_of(&self, name: &[&str]) -> usize;

    /// Whether a tensor is a scale or a shift behind a layer, by the parts of its name.
    fn is_of_a_norm(&self, name: &[&str]) -> bool {
        matches!(name.iter().rev().nth(1), Some(&("bn" | "norm" | "norm1" | "norm2")))
    }

    /// What a library calls a tensor, by the parts of our name; `None` where it has no such network.
    fn name_in(&self, _: Library, _: &[&str]) -> Option<String> {
        None
    }

    /// The shape that a library's tensor has, where ours has `own` of as many numbers.
    fn shape_in(&self, _: Library, _: &[&str], own: &[i64]) -> Vec<i64> {
        own.to_vec()
    }

    /// `[batch, channels, h, w]` (channels-last) to `[batch, features]` in float32. It computes in the precision of `x`.
    fn pooled(&self, x: Tensor<4>, mode: Mode) -> Tensor<2>;

    /// Where it is linear layers on the pixels: the widths of the input and of each layer's output.
    fn linear_layers(&self) -> Option<Vec<usize>> {
        None
    }

    /// Feature maps, the finest first, where it has any.
    fn maps(&self, _: Tensor<4>, _: Mode) -> Option<Vec<Map>> {
        None
    }

    /// Whether its maps are made by nothing but convolutions with their norms, sums, and what leaves 0 as it is, so that it may be shown a
    /// part of an image.
    fn can_be_sparse(&self) -> bool {
        false
    }

    /// Where it works on patches: pixels of a patch's side.
    fn patch(&self) -> Option<usize> {
        None
    }

    /// Where it works on patches: those that `keep` names (`[batch, kept]`, by their numbers row by row), or all.
    fn tokens(&self, _: Tensor<4>, _keep: Option<Tensor<2, Int>>, _: Mode) -> Option<Tokens> {
        None
    }
}

/// What an encoder says of each place of an image.
#[derive(Debug, Clone)]
pub struct Map {
    /// Pixels from one place to the next.
    pub stride: usize,
    /// `[batch, channels, h / stride, w / stride]`
    pub x: Tensor<4>,
}

impl Map {
    /// The mean of the last map, of which the earlier ones are forgotten on the way.
    pub fn pooled(maps: impl Iterator<Item = Self>) -> Tensor<2> {
        global_average_pool(maps.last().expect("a network has layers").x)
    }
}

/// What a transformer says of an image and of its patches, in float32.
#[derive(Debug, Clone)]
pub struct Tokens {
    /// `[batch, features]`
    pub class: Tensor<2>,
    /// `[batch, patches, features]`, in the order that was asked for.
    pub patches: Tensor<3>,
    /// Rows and columns of all patches of an image.
    pub grid: [usize; 2],
}

/// Whose names weights have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Library {
    #[serde(rename = "torchvision")]
    Torchvision,
    #[serde(rename = "timm")]
    Timm,
    /// The Python package `efficientnet-lite-pytorch`.
    #[serde(rename = "efficientnet-lite-pytorch")]
    EfficientNetLite,
    /// Our own, as an encoder's `weights.safetensors` has them.
    #[serde(rename = "pretext")]
    Pretext,
}

impl Library {
    pub const ALL: [Self; 4] = [Self::Torchvision, Self::Timm, Self::EfficientNetLite, Self::Pretext];

    pub fn name(self) -> &'static str {
        match self {
            Self::Torchvision => "torchvision",
            Self::Timm => "timm",
            Self::EfficientNetLite => "efficientnet-lite-pytorch",
            Self::Pretext => "pretext",
        }
    }
}
