use crate::artifact::EncoderArtifact;
use crate::context::Context;
use crate::foreign;
use crate::nn::encoder::Library;
use crate::stage::{About, ENCODER, OutputAbout, PortAbout, Stage};
use anyhow::{Context as _, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An encoder's weights for others to load.
pub struct Export;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// whose names the tensors have
    names: Library,
}

impl Default for Params {
    fn default() -> Self {
        Self { names: Library::Pretext }
    }
}

/// In the output's folder.
const FILE: &str = "model.safetensors";

impl Stage for Export {
    type Params = Params;
    const ABOUT: About = About {
        name: "export",
        // 2: what images are normalised by stands in the file.
        version: 2,
        summary: "An encoder's weights as torchvision and timm load them",
        docs: "Writes model.safetensors; `pretext path` says where it lies. In Python: `from safetensors.torch import load_file`, then \
               `model.load_state_dict(load_file(\"model.safetensors\"), strict=False)`, which misses nothing but the classifier and the \
               counters of batch norms. torchvision: resnet18, resnet34, resnet50 with `encoder.stem: imagenet` (else give its `conv1` the \
               other size and `maxpool` an `Identity`), convnext_tiny, mobilenet_v2. timm: those, vit_tiny with `encoder.positions: learned` \
               (vit_tiny_patch16_224 with its `img_size` and `patch_size`), efficientnet_lite0 as tf_efficientnet_lite0. Images are \
               normalised by `mean` and `sd`, which stand in the file's metadata.",
        needs: &[PortAbout { doc: "whose weights", ..ENCODER }],
        gives: &[OutputAbout { name: "weights", type_: "weights", doc: "model.safetensors" }],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let frozen = EncoderArtifact::open(context.input("encoder")?, &context.device)?;
        let encoder = frozen.encoder().context("raw pixels have no weights: connect the encoder of another method")?;
        let normal = [frozen.artifact.mean.as_slice(), &frozen.artifact.sd];
        foreign::export(encoder, params.names, normal, &context.output("weights")?.join(FILE))
    }
}
