//! ResNet (He et al. 2016, arXiv:1512.03385): ResNet-18, -34, -50 and the narrow CIFAR one of section 4.2 (ResNet-20).
//! In what they differ from it is said in [`super::encoder::DEVIATIONS`].

use super::Init;
use super::encoder::{Architecture, EncoderConfig, EncoderKind, IMAGENET_FROM, Library, Map, StemKind};
use super::layers::{ConvNorm, Linear, Mode};
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::MaxPoolOptions;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stem {
    /// 3x3, stride 1, no pooling.
    Small,
    /// 7x7, stride 2, then max-pooling 3x3, stride 2.
    ImageNet,
}

/// What tells one ResNet from another.
#[derive(Debug, Clone, PartialEq)]
pub struct ResNetSpec {
    /// Channels of the first stage; each further stage doubles them.
    pub width: usize,
    /// Blocks in each stage.
    pub blocks: Vec<usize>,
    /// 1x1, 3x3, 1x1 with four times the channels out, in place of two 3x3.
    pub bottleneck: bool,
    pub stem: Stem,
}

#[derive(Module, Debug)]
struct Block {
    convs: Vec<ConvNorm>,
    /// Projects the shortcut where its shape changes.
    downsample: Option<ConvNorm>,
}

impl Block {
    fn new(init: &mut Init, inputs: usize, width: usize, stride: usize, bottleneck: bool) -> Self {
        let outputs = if bottleneck { 4 * width } else { width };
        let convs = if bottleneck {
            vec![
                ConvNorm::new(init, inputs, width, 1, 1),
                ConvNorm::new(init, width, width, 3, stride),
                ConvNorm::new(init, width, outputs, 1, 1),
            ]
        } else {
            vec![ConvNorm::new(init, inputs, width, 3, stride), ConvNorm::new(init, width, outputs, 3, 1)]
        };
        let projects = stride != 1 || inputs != outputs;
        Self { convs, downsample: projects.then(|| ConvNorm::new(init, inputs, outputs, 1, stride)) }
    }

    fn forward(&self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        let shortcut = match &self.downsample {
            Some(projection) => projection.forward(x.clone(), mode),
            None => x.clone(),
        };
        let (last, before) = self.convs.split_last().expect("a block has convolutions");
        let y = before.iter().fold(x, |x, conv| conv.forward_relu(x, mode));
        last.forward_add_relu(y, shortcut, mode)
    }
}

#[derive(Module, Debug)]
pub struct ResNet {
    stem: ConvNorm,
    layers: Vec<Vec<Block>>,
    pool: bool,
    features: usize,
}

impl ResNet {
    pub fn new(init: &mut Init, channels: usize, spec: &ResNetSpec) -> Self {
        let stem = match spec.stem {
            Stem::Small => ConvNorm::new(init, channels, spec.width, 3, 1),
            Stem::ImageNet => ConvNorm::new(init, channels, spec.width, 7, 2),
        };
        let expansion = if spec.bottleneck { 4 } else { 1 };
        let mut inputs = spec.width;
        let layers = spec
            .blocks
            .iter()
            .enumerate()
            .map(|(stage, &count)| {
                let width = spec.width << stage;
                (0..count)
                    .map(|block| {
                        let stride = if block == 0 && stage > 0 { 2 } else { 1 };
                        let built = Block::new(init, inputs, width, stride, spec.bottleneck);
                        inputs = width * expansion;
                        built
                    })
                    .collect()
            })
            .collect();
        Self { stem, layers, pool: spec.stem == Stem::ImageNet, features: inputs }
    }

    fn stages(&self, x: Tensor<4>, mode: Mode) -> impl Iterator<Item = Map> {
        let mut x = self.stem.forward_relu(x, mode);
        if self.pool {
            x = max_pool2d(x, MaxPoolOptions::new([3, 3]).with_stride([2, 2]).with_padding([1, 1]));
            if let Some(seen) = mode.seen() {
                x = seen.only(x);
            }
        }
        let first = if self.pool { 4 } else { 1 };
        self.layers.iter().enumerate().scan(x, move |x, (stage, blocks)| {
            *x = blocks.iter().fold(x.clone(), |x, block| block.forward(x, mode));
            Some(Map { stride: first << stage, x: x.clone() })
        })
    }
}

impl Architecture for ResNet {
    fn warning(config: &EncoderConfig, [height, width]: [usize; 2]) -> Option<String> {
        let unsuited = config.stem == StemKind::Imagenet && height.min(width) < IMAGENET_FROM;
        unsuited.then(|| {
            format!(
                "encoder.stem is imagenet and the images have {height} x {width} pixels: its stride of 4 leaves little of \
                 them; write `stem: small`"
            )
        })
    }

    fn build(config: &EncoderConfig, init: &mut Init, [channels, ..]: [usize; 3]) -> Self {
        let (width, blocks, bottleneck): (_, &[usize], _) = match config.kind {
            EncoderKind::Resnet18 => (64, &[2, 2, 2, 2], false),
            EncoderKind::Resnet34 => (64, &[3, 4, 6, 3], false),
            EncoderKind::Resnet50 => (64, &[3, 4, 6, 3], true),
            _ => (16, &[3, 3, 3], false),
        };
        let stem = if config.stem == StemKind::Small { Stem::Small } else { Stem::ImageNet };
        let width = config.width_or(width);
        Self::new(init, channels, &ResNetSpec { width, blocks: blocks.to_vec(), bottleneck, stem })
    }

    fn name(&self) -> &'static str {
        "a ResNet"
    }

    fn features(&self) -> usize {
        self.features
    }

    /// Its stem and its stages.
    fn layer_of(&self, name: &[&str]) -> usize {
        match name {
            ["layers", stage, ..] => 1 + stage.parse::<usize>().expect("stages are numbered"),
            _ => 0,
        }
    }

    /// timm's are torchvision's: `layers.0.1.convs.0.conv.weight` is `layer1.1.conv1.weight`.
    fn name_in(&self, library: Library, name: &[&str]) -> Option<String> {
        let one_up = |number: &str| number.parse::<usize>().expect("a number") + 1;
        matches!(library, Library::Torchvision | Library::Timm).then(|| match name {
            ["stem", kind, leaf] => format!("{kind}1.{leaf}"),
            ["layers", stage, block, "convs", n, kind, leaf] => {
                format!("layer{}.{block}.{kind}{}.{leaf}", one_up(stage), one_up(n))
            }
            ["layers", stage, block, _, kind, leaf] => {
                format!("layer{}.{block}.downsample.{}.{leaf}", one_up(stage), usize::from(*kind == "bn"))
            }
            _ => name.join("."),
        })
    }

    fn pooled(&self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        Map::pooled(self.stages(x, mode))
    }

    fn can_be_sparse(&self) -> bool {
        true
    }

    fn maps(&self, x: Tensor<4>, mode: Mode) -> Option<Vec<Map>> {
        Some(self.stages(x, mode).collect())
    }
}

/// A ResNet with its classifier, as torchvision has it.
#[derive(Module, Debug)]
pub struct ResNetClassifier {
    pub resnet: ResNet,
    pub fc: Linear,
}

impl ResNetClassifier {
    /// `[batch, channels, h, w]` to logits `[batch, classes]`.
    pub fn forward(&self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        self.fc.forward(self.resnet.pooled(x, mode))
    }
}
