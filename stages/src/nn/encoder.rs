//! What maps an image to a feature vector, and how a recipe names it.

use super::Init;
use super::convnet::ConvNet;
use super::layers::{Mode, global_average_pool};
use super::resnet::{ResNet, ResNetSpec, Stem};
use burn::module::Module;
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EncoderKind {
    Conv4,
    Resnet20,
    Resnet18,
    Resnet34,
    Resnet50,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StemKind {
    Small,
    Imagenet,
}

/// The network that is trained and then judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EncoderConfig {
    /// conv4: four convolutions, fast on a processor; resnet20: the narrow CIFAR ResNet; resnet18, resnet34, resnet50
    pub kind: EncoderKind,
    /// channels of the first stage; 0: the kind's own (conv4 32, resnet20 16, the others 64)
    #[schemars(range(min = 0, max = 1024), extend("x-unit" = "channels"))]
    pub width: u32,
    /// small: 3x3 without pooling, for images up to about 64 pixels; imagenet: 7x7 of stride 2 and pooling
    pub stem: StemKind,
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self { kind: EncoderKind::Conv4, width: 0, stem: StemKind::Small }
    }
}

/// Below this many pixels ImageNet's stem (stride 4) costs an encoder much of what it could see (lightly#1419).
const IMAGENET_STEM_FROM: usize = 64;

impl EncoderConfig {
    /// What is probably a mistake about this encoder on images of this size.
    pub fn warning(&self, image_size: usize) -> Option<String> {
        let unsuited = self.stem == StemKind::Imagenet && image_size < IMAGENET_STEM_FROM;
        unsuited.then(|| format!(
            "encoder.stem is imagenet and the images have {image_size} pixels: its stride of 4 leaves little of them; \
             write `stem: small`"
        ))
    }

    fn resnet(&self, width: usize, blocks: &[usize], bottleneck: bool) -> ResNetSpec {
        let width = if self.width == 0 { width } else { self.width as usize };
        let stem = if self.stem == StemKind::Small { Stem::Small } else { Stem::ImageNet };
        ResNetSpec { width, blocks: blocks.to_vec(), bottleneck, stem }
    }

    pub fn build(&self, init: &mut Init) -> Encoder {
        let resnet = match self.kind {
            EncoderKind::Conv4 => {
                let width = if self.width == 0 { 32 } else { self.width as usize };
                return Encoder::Conv(ConvNet::new(init, width));
            }
            EncoderKind::Resnet20 => self.resnet(16, &[3, 3, 3], false),
            EncoderKind::Resnet18 => self.resnet(64, &[2, 2, 2, 2], false),
            EncoderKind::Resnet34 => self.resnet(64, &[3, 4, 6, 3], false),
            EncoderKind::Resnet50 => self.resnet(64, &[3, 4, 6, 3], true),
        };
        Encoder::ResNet(ResNet::new(init, &resnet))
    }
}

#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of them, and boxing it would hide its parameters' names")]
pub enum Encoder {
    Conv(ConvNet),
    ResNet(ResNet),
}

impl Encoder {
    /// Length of a feature vector.
    pub fn features(&self) -> usize {
        match self {
            Self::Conv(net) => net.features(),
            Self::ResNet(net) => net.features(),
        }
    }

    /// `[batch, 3, h, w]` (channels-last) to the features of its places, averaged: `[batch, features]`.
    pub fn forward(&self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        global_average_pool(match self {
            Self::Conv(net) => net.feature_map(x, mode),
            Self::ResNet(net) => net.feature_map(x, mode),
        })
    }
}
