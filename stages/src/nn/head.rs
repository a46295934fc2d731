//! Networks behind an encoder that outlive its training.

use super::layers::Mode;
use super::state::Part;
use super::{Decoder, Detector, Fpn, Init, Mlp, Norms, PatchDecoder, Prototypes, Segmenter, SegmenterConfig};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// How a head is built, so that it can be again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HeadConfig {
    /// From features to numbers: `widths` of the input and of each layer's output.
    Mlp { widths: Vec<usize>, norms: Norms },
    /// From features to images.
    Decoder { features: usize, channels: usize, size: usize, width: usize },
    /// From a transformer's tokens to the `values` of each patch.
    PatchDecoder { features: usize, values: usize, width: usize, depth: usize },
    /// From maps to a class for each pixel.
    Segmenter(SegmenterConfig),
    /// From maps of `channels`, the finest first, to as many of `width`.
    Fpn { channels: Vec<usize>, width: usize },
    /// From those to what is where.
    Detector { width: usize, levels: usize, classes: usize },
    /// From features to how near each of the centres is.
    Prototypes { clusters: usize, features: usize },
}

#[derive(Debug)]
pub enum Head {
    Mlp(Mlp),
    Decoder(Box<Decoder>),
    PatchDecoder(Box<PatchDecoder>),
    Segmenter(Box<Segmenter>),
    Fpn(Box<Fpn>),
    Detector(Box<Detector>),
    Prototypes(Prototypes),
}

impl HeadConfig {
    /// How many features it takes and how many numbers it makes of them; `None` where it takes or makes something else.
    pub fn of_features(&self) -> Option<[usize; 2]> {
        match self {
            Self::Mlp { widths, .. } => Some([widths[0], *widths.last()?]),
            &Self::Prototypes { clusters, features } => Some([features, clusters]),
            _ => None,
        }
    }

    /// With first weights.
    pub fn build(&self, init: &mut Init) -> Head {
        match self {
            Self::Mlp { widths, norms } => Head::Mlp(Mlp::new(init, widths, *norms)),
            &Self::Decoder { features, channels, size, width } => {
                Head::Decoder(Box::new(Decoder::new(init, features, [channels, size], width)))
            }
            &Self::PatchDecoder { features, values, width, depth } => {
                Head::PatchDecoder(Box::new(PatchDecoder::new(init, features, values, width, depth)))
            }
            Self::Segmenter(config) => Head::Segmenter(Box::new(config.build(init))),
            Self::Fpn { channels, width } => Head::Fpn(Box::new(Fpn::new(init, channels, *width))),
            &Self::Detector { width, levels, classes } => {
                Head::Detector(Box::new(Detector::new(init, width, levels, classes)))
            }
            &Self::Prototypes { clusters, features } => {
                Head::Prototypes(Prototypes::at(Tensor::zeros([clusters, features], &init.device)))
            }
        }
    }
}

impl Head {
    /// `[batch, features]` to `[batch, numbers]`.
    ///
    /// # Panics
    /// Where [`HeadConfig::of_features`] is `None`.
    pub fn of_features(&self, x: Tensor<2>, mode: Mode) -> Tensor<2> {
        match self {
            Self::Mlp(head) => head.forward(x, mode),
            Self::Prototypes(head) => head.forward(x),
            other => panic!("{other:?} makes no numbers of features"),
        }
    }

    pub fn part(&self) -> &dyn Part {
        match self {
            Self::Mlp(head) => head,
            Self::Decoder(head) => &**head,
            Self::PatchDecoder(head) => &**head,
            Self::Segmenter(head) => &**head,
            Self::Fpn(head) => &**head,
            Self::Detector(head) => &**head,
            Self::Prototypes(head) => head,
        }
    }
}
