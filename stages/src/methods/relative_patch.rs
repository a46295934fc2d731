//! Relative position (Doersch, Gupta & Efros 2015, arXiv:1505.05192): on which of eight sides of the middle tile does another lie? The loss
//! is the cross entropy over the eight, mean over the images.

use super::draws;
use super::pretrain::{Common, ENCODERS, Inputs, TRAINED, TRAINING, pretrain};
use super::shown::predicted;
use super::tiles::{GRID, Tiles, arranged, loss_of_answers};
use crate::augment::{Batch, StandardViews, Wants};
use crate::context::Context;
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::state::Part;
use crate::nn::{Mlp, Norms, PixelValues};
use crate::random::Purpose;
use crate::stage::{About, Deviations, Stage};
use crate::train::{At, Objective, Term};
use anyhow::Result;
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct RelativePatch;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    #[serde(flatten)]
    tiles: Tiles,
    /// length of the classifier's hidden layer
    #[schemars(range(min = 1, max = 8192))]
    hidden: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { common: Common::default(), tiles: Tiles::default(), hidden: 512 }
    }
}

impl Stage for RelativePatch {
    type Params = Params;
    const ABOUT: About = About {
        name: "pretrain/relative_patch",
        // 2: tiles are normalised, and some grey, where nothing is said; flips alone, where no views are connected. 3: colours are shifted as
        // much at the border as elsewhere.
        // 4: and no tile lies elsewhere in its cell for it.
        version: 4,
        summary: "Relative position: where does this tile lie beside that? (Doersch et al. 2015, arXiv:1505.05192)",
        docs: "The middle tile of nine and a random one of the others pass through the encoder, and the features of both go to a classifier \
               of the eight sides. The two tiles count as one image that passed through the network. Without views: \
               flips; a border of black would tell where a tile lies (`padding: 0` of augment/standard). drawn.png shows images, the \
               middle cell with the other one where it lies, and with it where it is predicted.",
        deviations: &[
            Deviations::from_paper(&[
                "tiles are of a grid of nine, where the paper cuts pairs anywhere; their gap is a fifth of a cell, where the paper's is \
                 half a tile",
                "the classifier has one hidden layer with batch norm, where the paper's has two",
                "tiles are normalised each by itself, and those of 30 % of the images grey, where the paper takes two of three colours away \
                 from every tile, which leaves less than an untrained network has when it is then shown all three (`dropped_colours: 1`, \
                 `grey: 0`, `normalised_tiles: false`); Kolesnikov et al. 2019 (arXiv:1901.09005) prepare tiles so for this task and \
                 for jigsaw puzzles, and make two thirds grey",
                "tiles are not scaled down and up again",
            ]),
            TRAINING,
            ENCODERS,
        ],
        ..TRAINED
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let inputs = Inputs::open(context, StandardViews::flips())?;
        pretrain(&params.common, &inputs, context, |init, encoder, data| {
            params.tiles.check(inputs.size_of_view(), encoder)?;
            let widths = [2 * encoder.features(), params.hidden as usize, SIDES];
            Ok(Box::new(Position {
                classifier: Mlp::new(init, &widths, Norms::Hidden),
                tiles: params.tiles,
                values: PixelValues::new(&data.mean, &data.sd, &init.device),
            }))
        })
    }
}

const SIDES: usize = GRID * GRID - 1;
const MIDDLE: usize = GRID * GRID / 2;

struct Position {
    classifier: Mlp,
    tiles: Tiles,
    values: PixelValues,
}

impl Objective for Position {
    fn wants(&self) -> Wants {
        Wants::views(1)
    }

    fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        vec![("classifier", &self.classifier)]
    }

    fn losses(&mut self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Term> {
        let (logits, sides) = self.predict(encoder, batch, at, Mode::Train);
        loss_of_answers(logits, &sides)
    }

    /// The image, the middle cell with the other one where it lies, and with that where it is predicted.
    fn shown(&self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Tensor<4>> {
        let images = batch.views[0].clone();
        let (logits, sides) = self.predict(encoder, batch, at, Mode::Eval);
        let pairs = |places: &[usize]| -> Vec<[Option<usize>; GRID * GRID]> {
            let pair = |(&side, &place): (&usize, &usize)| {
                let mut cells = [None; GRID * GRID];
                (cells[MIDDLE], cells[tile_of(place)]) = (Some(MIDDLE), Some(tile_of(side)));
                cells
            };
            sides.iter().zip(places).map(pair).collect()
        };
        let columns = [pairs(&sides), pairs(&predicted(logits))].map(|pairs| arranged(images.clone(), &pairs));
        [images].into_iter().chain(columns).collect()
    }
}

impl Position {
    /// The logits of all sides, `[batch, 8]`, and those that are true.
    fn predict(&self, encoder: &Encoder, batch: Batch, at: &At, mode: Mode) -> (Tensor<2>, Vec<usize>) {
        let ids = batch.ids.clone();
        let [images] = batch.into_views();
        let side = |&id: &u32| draws::of_image(at, Purpose::Mask, id).below(SIDES);
        let sides: Vec<usize> = ids.iter().map(side).collect();
        let pairs: Vec<Vec<usize>> = sides.iter().map(|&side| vec![MIDDLE, tile_of(side)]).collect();
        let tiles = self.tiles.cut(images, &ids, at, &pairs, &self.values); // [2 batch, channels, h, w]
        let features = encoder.pooled(tiles, mode); // [2 batch, features]
        let joined = features.reshape([ids.len(), 2 * encoder.features()]);
        (self.classifier.forward(joined, mode), sides)
    }
}

/// Of a grid's tiles that on a side of the middle one, row by row.
fn tile_of(side: usize) -> usize {
    if side < MIDDLE { side } else { side + 1 }
}

#[cfg(test)]
mod tests {
    use super::super::tiles::literal;
    use super::*;

    #[test]
    fn the_answer_is_the_side_of_the_second_tile() {
        let init = &mut literal::init();
        let encoder = literal::encoder(init);
        let classifier = Mlp::new(init, &[2 * encoder.features(), 8, SIDES], Norms::Hidden);
        let values = PixelValues::new(&[0.0; 3], &[1.0; 3], &init.device);
        let mut position = Position { classifier: classifier.clone(), tiles: literal::plain(), values };
        let answers = literal::IDS.map(|id| draws::of_image(&literal::AT, Purpose::Mask, id).below(SIDES));
        assert!(answers.iter().any(|answer| *answer != answers[0]));
        // Around the middle, row by row.
        let pairs = answers.map(|answer| vec![4, [0, 1, 2, 3, 5, 6, 7, 8][answer]]);
        let [found, expected] = literal::losses(&mut position, &encoder, &classifier, &pairs, &answers);
        assert!((found - expected).abs() < 1e-5 * expected, "{found} and {expected}");
    }

    #[test]
    fn sides_are_all_tiles_but_the_middle_one() {
        let tiles: Vec<usize> = (0..SIDES).map(tile_of).collect();
        assert_eq!(tiles, [0, 1, 2, 3, 5, 6, 7, 8]);
    }
}
