use crate::artifact::SEGMENTER;
use crate::augment::{Batch, Target, Wants};
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::loss::cross_entropy_of_pixels;
use crate::nn::state::Part;
use crate::nn::{HeadConfig, Init, Segmenter, SegmenterConfig};
use crate::train::{At, Objective, Term};

/// Cross entropy of each pixel's class over the encoder's maps.
pub struct Segmentation {
    pub segmenter: Segmenter,
    config: SegmenterConfig,
    /// Of the encoder.
    mode: Mode<'static>,
}

impl Segmentation {
    pub fn new(init: &mut Init, config: SegmenterConfig, mode: Mode<'static>) -> Self {
        Self { segmenter: config.build(init), config, mode }
    }
}

impl Objective for Segmentation {
    fn wants(&self) -> Wants {
        Wants { views: 1, target: Target::Mask }
    }

    fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        vec![(SEGMENTER, &self.segmenter)]
    }

    fn heads_to_keep(&self) -> Vec<(&'static str, HeadConfig)> {
        vec![(SEGMENTER, HeadConfig::Segmenter(self.config.clone()))]
    }

    fn losses(&mut self, encoder: &Encoder, batch: Batch, _: &At) -> Vec<Term> {
        let targets = batch.targets.clone();
        let [images] = batch.into_views();
        let [_, _, height, width] = images.dims();
        let maps = encoder.maps(images, self.mode).expect("it was built for the encoder's maps");
        let logits = self.segmenter.forward(maps, [height, width], Mode::Train); // [batch, classes, height, width]
        Term::alone(cross_entropy_of_pixels(logits, targets.masks()))
    }
}
