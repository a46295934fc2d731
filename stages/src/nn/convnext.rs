//! ConvNeXt (Liu et al. 2022, arXiv:2201.03545) in its tiny size: stages of 3, 3, 9 and 3 blocks of 96 to 768 channels, with layer
//! scale. In what it differs is said in [`super::encoder::DEVIATIONS`].

use super::Init;
use super::encoder::{Architecture, EncoderConfig, IMAGENET_FROM, Library, Map};
use super::layers::{Conv2d, LayerNorm, Linear, Mode, global_average_pool};
use anyhow::{Result, ensure};
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::activation::gelu;

const BLOCKS: [usize; 4] = [3, 3, 9, 3];
/// Of the last stage; each of the layers that make maps smaller leaves out what is less than its stride.
const STRIDE: usize = 32;
/// The hidden layer of a block is this many times as wide as the block.
const RATIO: usize = 4;
/// What a block's output is multiplied by at first.
const FIRST_SCALE: f32 = 1e-6;

#[derive(Module, Debug)]
struct Block {
    /// 7x7, each channel by itself.
    conv: Conv2d,
    norm: LayerNorm,
    fc1: Linear,
    fc2: Linear,
    /// `[channels]`
    scale: Param<Tensor<1>>,
}

impl Block {
    fn new(init: &mut Init, width: usize) -> Self {
        Self {
            conv: Conv2d::convnext(init, [width, 1, 7, 7], width, 1, 3),
            norm: LayerNorm::new(init, width),
            fc1: Linear::convnext(init, width, RATIO * width),
            fc2: Linear::convnext(init, RATIO * width, width),
            scale: Param::from_tensor(Tensor::ones([width], &init.device) * FIRST_SCALE),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = self.norm.forward(channels_at_the_end(self.conv.forward(x.clone())));
        let y = self.fc2.forward(gelu(self.fc1.forward(y)));
        let scale = self.scale.val().cast(y.dtype()).unsqueeze::<4>();
        x + (y * scale).permute([0, 3, 1, 2])
    }
}

/// What stands before a stage, and the stage.
#[derive(Module, Debug)]
struct Stage {
    /// Of the stem behind the convolution, of the others before it.
    norm: LayerNorm,
    /// Without overlap.
    conv: Conv2d,
    blocks: Vec<Block>,
}

impl Stage {
    fn new(init: &mut Init, channels: [usize; 2], size: usize, blocks: usize, is_first: bool) -> Self {
        let [inputs, outputs] = channels;
        Self {
            norm: LayerNorm::new(init, if is_first { outputs } else { inputs }),
            conv: Conv2d::convnext(init, [outputs, inputs, size, size], inputs, size, 0),
            blocks: (0..blocks).map(|_| Block::new(init, outputs)).collect(),
        }
    }

    fn forward(&self, x: Tensor<4>, is_first: bool) -> Tensor<4> {
        let norm = |x| self.norm.forward(channels_at_the_end(x)).permute([0, 3, 1, 2]);
        let x = if is_first { norm(self.conv.forward(x)) } else { self.conv.forward(norm(x)) };
        self.blocks.iter().fold(x, |x, block| block.forward(x))
    }
}

/// `[batch, channels, h, w]` to `[batch, h, w, channels]`, which is how it lies in memory.
fn channels_at_the_end(x: Tensor<4>) -> Tensor<4> {
    x.permute([0, 2, 3, 1])
}

#[derive(Module, Debug)]
pub struct ConvNext {
    stages: Vec<Stage>,
    /// Behind the pooling.
    norm: LayerNorm,
    features: usize,
}

impl ConvNext {
    fn maps_of(&self, x: Tensor<4>) -> impl Iterator<Item = Map> {
        self.stages.iter().enumerate().scan(x, |x, (number, stage)| {
            *x = stage.forward(x.clone(), number == 0);
            Some(Map { stride: 4 << number, x: x.clone() })
        })
    }
}

impl Architecture for ConvNext {
    fn check(config: &EncoderConfig) -> Result<()> {
        config.draws_its_own("convnext_tiny")
    }

    fn warning(_: &EncoderConfig, [height, width]: [usize; 2]) -> Option<String> {
        (height.min(width) < IMAGENET_FROM).then(|| {
            format!(
                "convnext_tiny has a stride of {STRIDE} and the images have {height} x {width} pixels: little of them is left; use larger images, \
                 or a kind for small ones (conv4, resnet18)"
            )
        })
    }

    fn build(config: &EncoderConfig, init: &mut Init, [channels, ..]: [usize; 3]) -> Self {
        let width = config.width_or(96);
        let mut inputs = channels;
        let stages = BLOCKS.iter().enumerate().map(|(number, &blocks)| {
            let (outputs, size) = (width << number, if number == 0 { 4 } else { 2 });
            let stage = Stage::new(init, [inputs, outputs], size, blocks, number == 0);
            inputs = outputs;
            stage
        });
        let stages = stages.collect();
        let features = width << (BLOCKS.len() - 1);
        Self { stages, norm: LayerNorm::new(init, features), features }
    }

    fn name(&self) -> &'static str {
        "a ConvNeXt"
    }

    fn takes(&self, [height, width]: [usize; 2]) -> Result<()> {
        ensure!(
            height.min(width) >= STRIDE,
            "encoder.kind is convnext_tiny, of which nothing is left of {height} x {width} pixels: it takes images, views and tiles of {STRIDE} \
             x {STRIDE} and more; use larger ones, or a kind for small images (conv4, resnet18)"
        );
        Ok(())
    }

    fn features(&self) -> usize {
        self.features
    }

    /// Its stages, the last with the norm behind it.
    fn layer_of(&self, name: &[&str]) -> usize {
        match name {
            ["stages", stage, ..] => stage.parse().expect("stages are numbered"),
            _ => self.stages.len() - 1,
        }
    }

    fn name_in(&self, library: Library, name: &[&str]) -> Option<String> {
        match library {
            Library::Torchvision => Some(in_torchvision(name)),
            Library::Timm => Some(in_timm(name)),
            Library::EfficientNetLite | Library::Pretext => None,
        }
    }

    fn shape_in(&self, library: Library, name: &[&str], own: &[i64]) -> Vec<i64> {
        match (library, name) {
            (Library::Torchvision, [.., "scale"]) => vec![own[0], 1, 1],
            _ => own.to_vec(),
        }
    }

    fn pooled(&self, x: Tensor<4>, _: Mode) -> Tensor<2> {
        let last = self.maps_of(x).last().expect("there are stages").x;
        self.norm.forward(global_average_pool(last))
    }

    fn maps(&self, x: Tensor<4>, _: Mode) -> Option<Vec<Map>> {
        let mut maps: Vec<Map> = self.maps_of(x).collect();
        if let Some(last) = maps.last_mut() {
            // Behind the last layer stands a norm, of the channels of each place.
            last.x = self.norm.forward(last.x.clone().permute([0, 2, 3, 1])).permute([0, 3, 1, 2]);
        }
        Some(maps)
    }
}

/// Stem, stages and what halves between them are one list there, and so are the layers of a block.
fn in_torchvision(name: &[&str]) -> String {
    let place = |stage: &str| 2 * stage.parse::<usize>().expect("stages are numbered");
    match name {
        ["stages", stage, "blocks", block, rest @ ..] => {
            let layer = match rest {
                ["scale"] => "layer_scale".to_owned(),
                [layer, leaf] => {
                    let number = match *layer {
                        "conv" => 0,
                        "norm" => 2,
                        "fc1" => 3,
                        _ => 5,
                    };
                    format!("block.{number}.{leaf}")
                }
                _ => rest.join("."),
            };
            format!("features.{}.{block}.{layer}", place(stage) + 1)
        }
        ["stages", stage, layer, leaf] => {
            // Of the stem the convolution is first, then the norm.
            let number = usize::from((*layer == "norm") == (*stage == "0"));
            format!("features.{}.{number}.{leaf}", place(stage))
        }
        _ => format!("classifier.0.{}", name[name.len() - 1]),
    }
}

fn in_timm(name: &[&str]) -> String {
    match name {
        ["stages", stage, "blocks", block, rest @ ..] => {
            let layer = match rest {
                ["scale"] => "gamma".to_owned(),
                ["conv", leaf] => format!("conv_dw.{leaf}"),
                [layer @ ("fc1" | "fc2"), leaf] => format!("mlp.{layer}.{leaf}"),
                _ => rest.join("."),
            };
            format!("stages.{stage}.blocks.{block}.{layer}")
        }
        ["stages", "0", layer, leaf] => format!("stem.{}.{leaf}", usize::from(*layer == "norm")),
        ["stages", stage, layer, leaf] => format!("stages.{stage}.downsample.{}.{leaf}", usize::from(*layer == "conv")),
        _ => format!("head.{}", name.join(".")),
    }
}
