use super::pretrain::Common;
use crate::data::Manifest;
use crate::nn::encoder::{Encoder, EncoderKind};
use crate::nn::{Bottleneck, Decoder, Init};
use anyhow::Result;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of what draws images from what an encoder makes of them. `CODE`: a method's default length.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct Decoding<const CODE: u32> {
    /// length of the code, that the image is drawn from: a linear layer on the encoder's last map (of mlp, on its features), and then what
    /// kNN, probe and clustering are given; fine-tuning goes on from the encoder alone (of vit_tiny from its class token, of which no loss is
    /// made then). 0: the pooled features are the code
    #[serde(default = "constant::<CODE>")]
    #[schemars(range(min = 0, max = 8192))]
    pub code: u32,
    /// channels of the decoder's last map; the earlier ones have 2, 4 and 8 times as many. The decoder of an mlp is its mirror, in which a code
    /// of its own stands in the place of the features
    #[serde(default = "constant::<16>")]
    #[schemars(range(min = 1, max = 512), extend("x-unit" = "channels"))]
    pub decoder_width: u32,
}

fn constant<const N: u32>() -> u32 {
    N
}

impl<const CODE: u32> Default for Decoding<CODE> {
    fn default() -> Self {
        Self { code: CODE, decoder_width: 16 }
    }
}

impl<const CODE: u32> Decoding<CODE> {
    /// An error where there is no decoder for a data set's images.
    pub fn check(&self, common: &Common, data: &Manifest) -> Result<()> {
        let features = common.encoder.hidden.last().copied().unwrap_or(0);
        match common.encoder.kind {
            EncoderKind::Mlp if self.code > features => {
                eprintln!(
                    "warning: code is {}, made by one layer of the mlp's {features} features: it says no more than {features} numbers would; lower \
                     `code`, or raise the last of `encoder.hidden`",
                    self.code
                );
                Ok(())
            }
            EncoderKind::Mlp => Ok(()),
            _ => Decoder::check([data.height, data.width]),
        }
    }

    pub fn build(&self, init: &mut Init, encoder: &Encoder, data: &Manifest) -> Bottleneck {
        Bottleneck::new(init, encoder, data.input(), self.code as usize, self.decoder_width as usize)
    }
}
