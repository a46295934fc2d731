//! MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381) as torchvision has it, and EfficientNet-Lite0, which is EfficientNet-B0 (Tan & Le
//! 2019, arXiv:1905.11946) without squeeze-and-excitation, with ReLU6, for phones: both are made of inverted residuals.
//! In what they differ is said in [`super::encoder::DEVIATIONS`].

use super::Init;
use super::encoder::{Architecture, EncoderConfig, EncoderKind, IMAGENET_FROM, Library, Map};
use super::layers::{ConvNorm, Mode};
use burn::module::Module;
use burn::tensor::Tensor;

/// Blocks of a stage, channels out, stride of the first block, side of the kernels, and how many times wider blocks are within.
type StageSpec = (usize, usize, usize, usize, usize);

const MOBILENET_V2: [StageSpec; 7] = [
    (1, 16, 1, 3, 1),
    (2, 24, 2, 3, 6),
    (3, 32, 2, 3, 6),
    (4, 64, 2, 3, 6),
    (3, 96, 1, 3, 6),
    (3, 160, 2, 3, 6),
    (1, 320, 1, 3, 6),
];
const EFFICIENTNET_LITE0: [StageSpec; 7] = [
    (1, 16, 1, 3, 1),
    (2, 24, 2, 3, 6),
    (2, 40, 2, 5, 6),
    (3, 80, 2, 3, 6),
    (3, 112, 1, 5, 6),
    (4, 192, 2, 5, 6),
    (1, 320, 1, 3, 6),
];
const STEM: usize = 32;
const FEATURES: usize = 1280;

/// 1x1 to more channels, a convolution of each by itself, 1x1 to few.
#[derive(Module, Debug)]
struct Block {
    expand: Option<ConvNorm>,
    depthwise: ConvNorm,
    project: ConvNorm,
    residual: bool,
}

impl Block {
    fn new(init: &mut Init, inputs: usize, stride: usize, (_, outputs, _, kernel, wider): StageSpec) -> Self {
        let within = wider * inputs;
        Self {
            expand: (wider > 1).then(|| ConvNorm::new(init, inputs, within, 1, 1)),
            depthwise: ConvNorm::depthwise(init, within, kernel, stride),
            project: ConvNorm::new(init, within, outputs, 1, 1),
            residual: stride == 1 && inputs == outputs,
        }
    }

    fn like_tensorflow(self) -> Self {
        Self {
            expand: self.expand.map(ConvNorm::like_tensorflow),
            depthwise: self.depthwise.like_tensorflow(),
            project: self.project.like_tensorflow(),
            residual: self.residual,
        }
    }

    fn forward(&self, x: Tensor<4>, mode: Mode) -> Tensor<4> {
        let wide = match &self.expand {
            Some(expand) => expand.forward_relu6(x.clone(), mode),
            None => x.clone(),
        };
        let y = self.project.forward(self.depthwise.forward_relu6(wide, mode), mode);
        if self.residual { x + y } else { y }
    }
}

#[derive(Module, Debug)]
pub struct MobileNet {
    stem: ConvNorm,
    stages: Vec<Vec<Block>>,
    head: ConvNorm,
    /// Whether it is padded as TensorFlow pads.
    same: bool,
    /// Pixels from one place to the next, behind each stage.
    strides: Vec<usize>,
}

impl MobileNet {
    fn new(init: &mut Init, channels: usize, specs: &[StageSpec]) -> Self {
        let stem = ConvNorm::new(init, channels, STEM, 3, 2);
        let mut inputs = STEM;
        let mut stages = vec![];
        let mut strides: Vec<usize> = vec![];
        for &spec in specs {
            let (blocks, outputs, stride, ..) = spec;
            let block = |block| {
                let built = Block::new(init, inputs, if block == 0 { stride } else { 1 }, spec);
                inputs = outputs;
                built
            };
            stages.push((0..blocks).map(block).collect());
            strides.push(strides.last().unwrap_or(&2) * stride);
        }
        Self { stem, stages, head: ConvNorm::new(init, inputs, FEATURES, 1, 1), same: false, strides }
    }

    fn like_tensorflow(self) -> Self {
        let stage = |blocks: Vec<Block>| blocks.into_iter().map(Block::like_tensorflow).collect();
        Self {
            stem: self.stem.like_tensorflow(),
            stages: self.stages.into_iter().map(stage).collect(),
            head: self.head.like_tensorflow(),
            same: true,
            strides: self.strides,
        }
    }

    /// Behind the last stage of each stride, and at last behind the head.
    fn maps_of(&self, x: Tensor<4>, mode: Mode) -> impl Iterator<Item = Map> {
        let x = self.stem.forward_relu6(x, mode);
        let last = self.stages.len() - 1;
        let maps = self.stages.iter().enumerate().scan(x, move |x, (number, blocks)| {
            *x = blocks.iter().fold(x.clone(), |x, block| block.forward(x, mode));
            let of = if number == last { self.head.forward_relu6(x.clone(), mode) } else { x.clone() };
            Some((number, Map { stride: self.strides[number], x: of }))
        });
        let ends = move |number: usize| self.strides.get(number + 1) != Some(&self.strides[number]);
        maps.filter(move |(number, _)| ends(*number)).map(|(_, map)| map)
    }

    /// How many blocks there are before a stage.
    fn blocks_before(&self, stage: usize) -> usize {
        self.stages[..stage].iter().map(Vec::len).sum()
    }
}

impl Architecture for MobileNet {
    fn warning(_: &EncoderConfig, [height, width]: [usize; 2]) -> Option<String> {
        (height.min(width) < IMAGENET_FROM).then(|| {
            format!(
                "this encoder has a stride of 32 and the images have {height} x {width} pixels: little of them is left; use larger images, \
                 or a kind for small ones (conv4, resnet18)"
            )
        })
    }

    fn build(config: &EncoderConfig, init: &mut Init, [channels, ..]: [usize; 3]) -> Self {
        match config.kind {
            EncoderKind::EfficientNetLite0 => Self::new(init, channels, &EFFICIENTNET_LITE0).like_tensorflow(),
            _ => Self::new(init, channels, &MOBILENET_V2),
        }
    }

    fn name(&self) -> &'static str {
        if self.same { "an EfficientNet-Lite" } else { "a MobileNet" }
    }

    fn features(&self) -> usize {
        FEATURES
    }

    /// Its stem and its stages, the last with the head.
    fn layer_of(&self, name: &[&str]) -> usize {
        match name {
            ["stem", ..] => 0,
            ["stages", stage, ..] => 1 + stage.parse::<usize>().expect("stages are numbered"),
            _ => self.stages.len(),
        }
    }

    fn name_in(&self, library: Library, name: &[&str]) -> Option<String> {
        let number = |number: &str| number.parse::<usize>().expect("blocks are numbered");
        let of_block = |stage: &str, block: &str| {
            let (stage, block) = (number(stage), number(block));
            (self.blocks_before(stage) + block, self.stages[stage][block].expand.is_some())
        };
        Some(match (library, name) {
            (Library::Torchvision, _) if self.same => return None,
            (Library::EfficientNetLite, _) if !self.same => return None,

            (Library::Torchvision, ["stages", stage, block, layer, kind, leaf]) => {
                let (place, expands) = of_block(stage, block);
                let bn = usize::from(*kind == "bn");
                let before = usize::from(expands);
                let layer = match *layer {
                    "expand" => format!("0.{bn}"),
                    "depthwise" => format!("{before}.{bn}"),
                    _ => (before + 1 + bn).to_string(),
                };
                format!("features.{}.conv.{layer}.{leaf}", place + 1)
            }
            (Library::Torchvision, [part, kind, leaf]) => {
                let place = if *part == "stem" { 0 } else { self.blocks_before(self.stages.len()) + 1 };
                format!("features.{place}.{}.{leaf}", usize::from(*kind == "bn"))
            }

            (Library::Timm, ["stages", stage, block, layer, kind, leaf]) => {
                let (_, expands) = of_block(stage, block);
                let (conv, bn) = match (*layer, expands) {
                    ("expand", _) => ("conv_pw", 1),
                    ("depthwise", true) => ("conv_dw", 2),
                    ("depthwise", false) => ("conv_dw", 1),
                    (_, true) => ("conv_pwl", 3),
                    (_, false) => ("conv_pw", 2),
                };
                let layer = if *kind == "bn" { format!("bn{bn}") } else { conv.to_owned() };
                format!("blocks.{stage}.{block}.{layer}.{leaf}")
            }
            (Library::Timm, [part, kind, leaf]) => match (*part, *kind) {
                ("stem", "bn") => format!("bn1.{leaf}"),
                (_, "bn") => format!("bn2.{leaf}"),
                _ => format!("conv_{part}.{leaf}"),
            },

            (Library::EfficientNetLite, ["stages", stage, block, layer, kind, leaf]) => {
                let (place, _) = of_block(stage, block);
                let (conv, bn) = match *layer {
                    "expand" => ("_expand_conv", "_bn0"),
                    "depthwise" => ("_depthwise_conv", "_bn1"),
                    _ => ("_project_conv", "_bn2"),
                };
                format!("_blocks.{place}.{}.{leaf}", if *kind == "bn" { bn } else { conv })
            }
            (Library::EfficientNetLite, [part, kind, leaf]) => match (*part, *kind) {
                ("stem", "bn") => format!("_bn0.{leaf}"),
                (_, "bn") => format!("_bn1.{leaf}"),
                _ => format!("_conv_{part}.{leaf}"),
            },
            (Library::Pretext, _) => return None,
            _ => name.join("."),
        })
    }

    fn pooled(&self, x: Tensor<4>, mode: Mode) -> Tensor<2> {
        Map::pooled(self.maps_of(x, mode))
    }

    fn can_be_sparse(&self) -> bool {
        true
    }

    fn maps(&self, x: Tensor<4>, mode: Mode) -> Option<Vec<Map>> {
        Some(self.maps_of(x, mode).collect())
    }
}
