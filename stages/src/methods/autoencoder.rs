//! Autoencoder (Hinton & Salakhutdinov 2006): a code of the image must suffice to draw it again. The loss
//! is the mean squared error of all values of the normalised image.

use super::shared::decoding::Decoding;
use super::shared::pretrain::{Common, ENCODERS, Inputs, NEEDS_WITHOUT_VIEWS, TRAINED, TRAINING, pretrain};
use crate::augment::{Batch, Policy, Wants};
use crate::context::Context;
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::ops::float32;
use crate::nn::state::Part;
use crate::nn::{Bottleneck, HeadConfig};
use crate::stage::{About, Deviations, Stage};
use crate::train::{At, Objective, Term};
use anyhow::Result;
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct Autoencoder;

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    #[serde(flatten)]
    drawing: Decoding<0>,
}

impl Stage for Autoencoder {
    type Params = Params;
    const ABOUT: About = About {
        name: "pretrain/autoencoder",
        // 2: linear layers' gradients are read in their own order. 3: their products are oneDNN's, rounded otherwise. 4: the
        // last step moves weights too.
        // 5: batch norm in bfloat16 is libtorch's.
        // 6: the artifact says what the encoder has seen. 7: and no more than that.
        // 8: an mlp's decoder is its mirror. 9: a decoder's last layer begins by its inputs.
        version: 9,
        summary: "Autoencoder: draw the image again from its code (Hinton & Salakhutdinov 2006)",
        docs: "Mean squared error of the normalised image; the bottleneck is the pooled feature vector, or a layer of `code` \
               numbers. Trains on the images as they are.",
        deviations: &[
            Deviations::from_paper(&[
                "networks are convolutional, where the paper's are fully connected; the decoder is a linear layer and three times \
                 nearest upsampling and a 3x3 convolution, with batch norm",
                "the bottleneck is, unless `code` says otherwise, the pooled feature vector, the one that is judged afterwards, and no \
                 narrow layer of its own",
                "all layers are trained together from random weights by sgd, where the paper begins with Boltzmann machines one \
                 after the other and goes on by conjugate gradients",
                "squared error of normalised values, where the paper has the cross entropy of values from 0 to 1",
            ]),
            TRAINING,
            ENCODERS,
        ],
        needs: NEEDS_WITHOUT_VIEWS,
        ..TRAINED
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let inputs = Inputs::open(context, Policy::identity())?;
        params.drawing.check(&params.common, &inputs.data.manifest)?;
        pretrain(&params.common, &inputs, context, |init, encoder, data| {
            Ok(Box::new(Reconstruction { bottleneck: params.drawing.build(init, encoder, data) }))
        })
    }
}

struct Reconstruction {
    bottleneck: Bottleneck,
}

impl Objective for Reconstruction {
    fn wants(&self) -> Wants {
        Wants::views(1)
    }

    fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        self.bottleneck.heads()
    }

    fn heads_to_keep(&self) -> Vec<(&'static str, HeadConfig)> {
        self.bottleneck.configs()
    }

    fn losses(&mut self, encoder: &Encoder, batch: Batch, _: &At) -> Vec<Term> {
        let [images] = batch.into_views();
        let drawn = self.bottleneck.redraw(encoder, images.clone(), Mode::Train);
        Term::alone((drawn - float32(images)).square().mean())
    }

    fn shown(&self, encoder: &Encoder, batch: Batch, _: &At) -> Vec<Tensor<4>> {
        let [images] = batch.into_views();
        let drawn = self.bottleneck.redraw(encoder, images.clone(), Mode::Eval);
        vec![images, drawn]
    }
}
