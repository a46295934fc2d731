use super::Encoder;
use crate::nn::{ConvInit, Init};
use anyhow::{Result, ensure};
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
    #[serde(rename = "vit_tiny")]
    VitTiny,
    Mlp,
    #[serde(rename = "convnext_tiny")]
    ConvNextTiny,
    #[serde(rename = "mobilenet_v2")]
    MobileNetV2,
    #[serde(rename = "efficientnet_lite0")]
    EfficientNetLite0,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StemKind {
    Small,
    Imagenet,
}

/// How a transformer knows where a patch lies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Positions {
    #[default]
    Fixed,
    Learned,
}

/// The network that is trained and then evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct EncoderConfig {
    /// conv4: four convolutions, fast on a processor; resnet20: the narrow CIFAR ResNet; resnet18, resnet34, resnet50;
    /// vit_tiny: Vision Transformer, 12 blocks of 3 heads; mlp: linear layers on the pixels (`hidden`), for images of one size;
    /// convnext_tiny; mobilenet_v2; efficientnet_lite0. The last three are for images of 64 pixels and more
    pub kind: EncoderKind,
    /// channels of the first stage; 0: the kind's own (conv4 32, resnet20 16, the other ResNets 64, convnext_tiny 96). Of vit_tiny the
    /// width of its tokens, a multiple of 12 (192). mlp, mobilenet_v2 and efficientnet_lite0 have none to choose
    #[schemars(range(min = 0, max = 1024), extend("x-unit" = "channels"))]
    pub width: u32,
    /// of a ResNet. small: 3x3 without pooling, for images up to about 64 pixels; imagenet: 7x7 of stride 2 and pooling
    pub stem: StemKind,
    /// of vit_tiny: the side of a patch, of which the image's side is a multiple
    #[serde(skip_serializing_if = "is_default_patch")]
    #[schemars(range(min = 1, max = 64), extend("x-unit" = "pixels", "default" = DEFAULT_PATCH))]
    pub patch: u32,
    /// of vit_tiny: how many blocks; 0: 12
    #[serde(skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 48), extend("x-unit" = "blocks", "default" = 0))]
    pub depth: u32,
    /// of vit_tiny. fixed: sines and cosines of row and column, for images of any size; learned: numbers that are trained, for images of
    /// one size, as timm's have them
    #[serde(skip_serializing_if = "is_fixed")]
    #[schemars(extend("default" = "fixed"))]
    pub positions: Positions,
    /// of mlp: outputs of each layer, the last of which are the features; ReLU between them (those of Xie et al. 2016, arXiv:1511.06335)
    #[serde(skip_serializing_if = "is_default_hidden")]
    #[schemars(inner(range(min = 1, max = 65536)), length(min = 1), extend("x-unit" = "features", "default" = DEFAULT_HIDDEN))]
    pub hidden: Vec<u32>,
    /// what the first weights of convolutions are drawn from. torchvision: normal, by the fan-out, as its ResNets; pytorch: uniform,
    /// by the fan-in, as PyTorch's layers by themselves. An untrained encoder is judged by up to five points differently.
    /// vit_tiny and convnext_tiny start as their papers say, mlp as PyTorch's linear layers
    #[serde(skip_serializing_if = "is_default_init")]
    #[schemars(extend("default" = "torchvision"))]
    pub init: ConvInit,
}

/// In what the encoders differ from their papers.
pub const DEVIATIONS: &[&str] = &[
    "ResNets have, unless `encoder.stem` says otherwise, a stem of one 3x3 convolution without pooling, as contrastive papers \
         use on CIFAR (Chen et al. 2020, arXiv:2002.05709, B.9)",
    "resnet50's bottlenecks stride in their 3x3 convolution, as torchvision's",
    "resnet20 projects its shortcuts (option B) where the paper fills up with zeros (A)",
    "vit_tiny has, unless `encoder.positions` says otherwise, fixed positions, sines and cosines of row and column, as in MoCo v3 \
         (Chen et al. 2021, arXiv:2104.02057, section 4.3) and MAE, so that one network takes images of any size; no dropout; and \
         uniform first weights (Glorot & Bengio 2010), biases at 0, queries, keys and values each by their own size, as in the code of \
         the first; MAE's draws these three as one matrix, and leaves the patches' layer its own bias",
    "convnext_tiny has no stochastic depth, mobilenet_v2 and efficientnet_lite0 have neither that nor dropout",
    "mlp is trained from PyTorch's first weights, layers all at once, where Xie et al. begin with autoencoders one after the other",
    "conv4 is of no paper",
];

const DEFAULT_PATCH: u32 = 4;
const DEFAULT_HIDDEN: [u32; 4] = [500, 500, 2000, 10];

/// What is so by default is left out, so that the encoders of those who say nothing of it are the same files as before it was there.
fn is_default_patch(patch: &u32) -> bool {
    *patch == DEFAULT_PATCH
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_fixed(positions: &Positions) -> bool {
    *positions == Positions::Fixed
}

fn is_default_hidden(hidden: &[u32]) -> bool {
    hidden == DEFAULT_HIDDEN
}

fn is_default_init(init: &ConvInit) -> bool {
    *init == ConvInit::default()
}

impl Default for EncoderConfig {
    fn default() -> Self {
        Self {
            kind: EncoderKind::Conv4,
            width: 0,
            stem: StemKind::Small,
            patch: DEFAULT_PATCH,
            depth: 0,
            positions: Positions::default(),
            hidden: DEFAULT_HIDDEN.to_vec(),
            init: ConvInit::default(),
        }
    }
}

/// Networks for ImageNet make one place of 32 x 32 pixels or, by their stem alone, of 4 x 4: below this many pixels that costs an
/// encoder much of what it could see (lightly#1419).
pub const IMAGENET_FROM: usize = 64;

impl EncoderConfig {
    pub fn of(kind: EncoderKind) -> Self {
        Self { kind, ..Self::default() }
    }

    /// What is probably a mistake about this encoder on images of this height and width.
    pub fn warning(&self, size: [usize; 2]) -> Option<String> {
        (self.kind.blueprint().warning)(self, size)
    }

    /// An error where it cannot be built.
    pub fn check(&self) -> Result<()> {
        (self.kind.blueprint().check)(self)
    }

    /// With first weights, for images of so many channels, rows and columns. One that takes images of any size looks at the channels only.
    pub fn build(&self, init: &mut Init, input: [usize; 3]) -> Encoder {
        init.with(self.init, |init| (self.kind.blueprint().build)(self, init, input))
    }

    /// `width`, or else the kind's own.
    pub fn width_or(&self, own: usize) -> usize {
        if self.width == 0 { own } else { self.width as usize }
    }

    /// For a kind whose first weights are not those of other convolutional networks.
    pub fn draws_its_own(&self, kind: &str) -> Result<()> {
        ensure!(
            self.init == ConvInit::default(),
            "encoder.init says what convolutions are drawn from, and {kind} is drawn as its paper says: leave `init` out"
        );
        Ok(())
    }
}
