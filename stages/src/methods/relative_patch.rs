//! Relative position (Doersch, Gupta & Efros 2015, arXiv:1505.05192): on which of eight sides of the middle tile does another lie? The loss
//! is the cross entropy over the eight sides, mean over the eight pairs of all images.

use super::shared::pretrain::{Common, ENCODERS, Inputs, TRAINED, TRAINING, pretrain};
use super::shared::tiles::{GRID, Tiles, arranged, loss_of_answers};
use crate::augment::{Batch, StandardViews, Wants};
use crate::context::Context;
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::state::Part;
use crate::nn::{Mlp, Norms, PixelValues};
use crate::stage::{About, Deviations, Stage};
use crate::train::{At, Objective, Term};
use anyhow::Result;
use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;
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
        // 4: and no tile lies elsewhere in its cell for it. 5: all eight pairs of an image, where one was drawn.
        version: 5,
        summary: "Relative position: where does this tile lie beside that? (Doersch et al. 2015, arXiv:1505.05192)",
        docs: "Nine tiles pass through the encoder, and the features of the middle one beside those of each of the others go to a classifier \
               of the eight sides. The nine tiles count as one image that passed through the network. Without views: \
               flips. With augment/standard write `padding: 0`, since a border of black would tell where a tile lies. drawn.png shows images, \
               and beside each its cells put where they are predicted to lie around the middle one; where several are, the surest is shown.",
        deviations: &[
            Deviations::from_paper(&[
                "grids are of nine tiles, of which the middle one is compared with the others, where the paper's have more and every \
                 tile is compared with all its neighbours; tiles are a quarter of a tile apart on average and may touch, where the \
                 paper's are half a tile apart and never less than a third",
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
        let sides: Vec<usize> = batch.ids.iter().flat_map(|_| 0..SIDES).collect();
        loss_of_answers(self.predict(encoder, batch, at, Mode::Train), &sides)
    }

    /// The image, and its cells around the middle one where they are predicted.
    fn shown(&self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Tensor<4>> {
        let images = batch.views[0].clone();
        let logits = self.predict(encoder, batch, at, Mode::Eval);
        let (surest, predicted) = log_softmax(logits, 1).max_dim_with_indices(1);
        let surest: Vec<f32> = surest.into_data().iter::<f32>().collect();
        let predicted: Vec<usize> = predicted.into_data().iter::<i64>().map(|side| side as usize).collect();
        let of_images = surest.chunks(SIDES).zip(predicted.chunks(SIDES));
        let cells: Vec<_> = of_images.map(|(surest, predicted)| placed(surest, predicted)).collect();
        vec![images.clone(), arranged(images, &cells)]
    }
}

impl Position {
    /// The logits of all sides, `[batch 8, 8]`: of each image its pairs in the order of the sides that are true.
    fn predict(&self, encoder: &Encoder, batch: Batch, at: &At, mode: Mode) -> Tensor<2> {
        let ids = batch.ids.clone();
        let [images] = batch.into_views();
        let grids = vec![(0..=SIDES).collect(); ids.len()];
        let tiles = self.tiles.cut(images, &ids, at, &grids, &self.values); // [9 batch, channels, h, w]
        let width = encoder.features();
        let features = encoder.pooled(tiles, mode).reshape([ids.len(), GRID * GRID, width]);
        let middle = features.clone().narrow(1, MIDDLE, 1).expand([ids.len(), SIDES, width]);
        let (before, after) = (features.clone().narrow(1, 0, MIDDLE), features.narrow(1, MIDDLE + 1, SIDES - MIDDLE));
        let pairs = Tensor::cat(vec![middle, Tensor::cat(vec![before, after], 1)], 2); // [batch, 8, 2 features]
        self.classifier.forward(pairs.reshape([ids.len() * SIDES, 2 * width]), mode)
    }
}

/// An image's cells around the middle one where they are predicted, of several at one place that of which this is surest.
fn placed(surest: &[f32], predicted: &[usize]) -> [Option<usize>; GRID * GRID] {
    let mut cells = [None; GRID * GRID];
    cells[MIDDLE] = Some(MIDDLE);
    let mut sides: Vec<usize> = (0..SIDES).collect();
    sides.sort_by(|&a, &b| surest[a].total_cmp(&surest[b]));
    sides.iter().for_each(|&side| cells[tile_of(predicted[side])] = Some(tile_of(side)));
    cells
}

/// Of a grid's tiles that on a side of the middle one, row by row.
fn tile_of(side: usize) -> usize {
    if side < MIDDLE { side } else { side + 1 }
}

#[cfg(test)]
mod tests {
    use super::super::shared::tiles::literal;
    use super::*;

    #[test]
    fn the_answer_of_a_pair_is_the_side_of_its_second_tile() {
        let init = &mut literal::init();
        let encoder = literal::encoder(init);
        let classifier = Mlp::new(init, &[2 * encoder.features(), 8, SIDES], Norms::Hidden);
        let values = PixelValues::new(&[0.0; 3], &[1.0; 3], &init.device);
        let mut position = Position { classifier: classifier.clone(), tiles: literal::plain(), values };
        // The middle one, and around it row by row.
        let grids = vec![(0..9).collect(); literal::IDS.len()];
        let pairs = [0, 1, 2, 3, 5, 6, 7, 8].map(|tile| vec![4, tile]);
        let answers = literal::IDS.map(|_| [0, 1, 2, 3, 4, 5, 6, 7]).concat();
        let [found, expected] = literal::losses(&mut position, &encoder, &classifier, &grids, &pairs, &answers);
        assert!((found - expected).abs() < 1e-5 * expected, "{found} and {expected}");
    }

    #[test]
    fn of_several_cells_at_one_place_the_surest_is_shown() {
        let surest = [-0.1, -0.5, -0.2, -0.9, -0.3, -0.3, -0.3, -0.3];
        let cells = placed(&surest, &[7, 0, 0, 0, 4, 5, 6, 3]);
        assert_eq!(cells, [Some(2), None, None, Some(8), Some(4), Some(5), Some(6), Some(7), Some(0)]);
    }

    #[test]
    fn sides_are_all_tiles_but_the_middle_one() {
        let tiles: Vec<usize> = (0..SIDES).map(tile_of).collect();
        assert_eq!(tiles, [0, 1, 2, 3, 5, 6, 7, 8]);
    }
}
