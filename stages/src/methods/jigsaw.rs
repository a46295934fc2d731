//! Jigsaw puzzles (Noroozi & Favaro 2016, arXiv:1603.09246): tell by which permutation an image's nine tiles were shuffled. The loss is the
//! cross entropy over a set of permutations that differ as much as they can, mean over the images.

use super::shared::pretrain::{Common, ENCODERS, Inputs, TRAINED, TRAINING, pretrain};
use super::shared::shown;
use super::shared::streams;
use super::shared::tiles::{GRID, Tiles, arranged, loss_of_answers};
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

pub struct Jigsaw;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    /// how many of the 362,880 orders of nine tiles are told apart
    #[schemars(range(min = 2, max = 2000))]
    permutations: u32,
    #[serde(flatten)]
    tiles: Tiles,
    /// length of the classifier's hidden layer
    #[schemars(range(min = 1, max = 8192))]
    hidden: u32,
}

impl Default for Params {
    fn default() -> Self {
        Self { common: Common::default(), permutations: 100, tiles: Tiles::default(), hidden: 512 }
    }
}

impl Stage for Jigsaw {
    type Params = Params;
    const ABOUT: About = About {
        name: "pretrain/jigsaw",
        // 2: flips alone, where no views are connected. 3: colours are shifted as much at the border as elsewhere.
        // 4: and no tile lies elsewhere in its cell for it.
        version: 4,
        summary: "Jigsaw: how were the nine tiles shuffled? (Noroozi & Favaro 2016, arXiv:1603.09246)",
        docs: "Each tile passes through the encoder by itself; the features of all nine, in their shuffled order, go to a classifier of the \
               permutations. The nine tiles count as one image that passed through the network. Without views: flips; a border of \
               black would tell where a tile lies (`padding: 0` of augment/standard). drawn.png shows images, their shuffled cells, and \
               these as they are put back by what is predicted.",
        deviations: &[
            Deviations::from_paper(&[
                "permutations are chosen so that the least Hamming distance to the earlier ones is the largest (of several the first), \
                 beginning with the order as it is, where the paper's algorithm 1 begins with a random one and takes averages",
                "100 permutations, where the paper has 1,000",
                "the classifier has one hidden layer with batch norm, where the paper's has a layer for each tile and another",
                "colours are moved by one pixel, where the paper's images of 255 pixels have two",
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
            let (pieces, permutations) = (GRID * GRID, params.permutations as usize);
            let widths = [pieces * encoder.features(), params.hidden as usize, permutations];
            Ok(Box::new(Puzzle {
                classifier: Mlp::new(init, &widths, Norms::Hidden),
                permutations: far_apart(pieces, permutations),
                tiles: params.tiles,
                values: PixelValues::new(&data.mean, &data.sd, &init.device),
            }))
        })
    }
}

struct Puzzle {
    classifier: Mlp,
    permutations: Vec<Vec<usize>>,
    tiles: Tiles,
    values: PixelValues,
}

impl Objective for Puzzle {
    fn wants(&self) -> Wants {
        Wants::views(1)
    }

    fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        vec![("classifier", &self.classifier)]
    }

    fn losses(&mut self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Term> {
        let (logits, drawn) = self.predict(encoder, batch, at, Mode::Train);
        loss_of_answers(logits, &drawn)
    }

    /// The image, its cells as they were shuffled, and as they are put back by what is predicted.
    fn shown(&self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Tensor<4>> {
        let images = batch.views[0].clone();
        let (logits, drawn) = self.predict(encoder, batch, at, Mode::Eval);
        let placed = |(places, cells): (&Vec<usize>, &Vec<usize>)| {
            let mut at = [None; GRID * GRID];
            places.iter().zip(cells).for_each(|(&place, &cell)| at[place] = Some(cell));
            at
        };
        let of = |numbers: &[usize]| -> Vec<Vec<usize>> {
            numbers.iter().map(|&number| self.permutations[number].clone()).collect()
        };
        let (in_order, shuffled) = (vec![(0..GRID * GRID).collect(); drawn.len()], of(&drawn));
        let columns = [in_order, of(&shown::predicted(logits))]
            .map(|places| arranged(images.clone(), &places.iter().zip(&shuffled).map(placed).collect::<Vec<_>>()));
        [images].into_iter().chain(columns).collect()
    }
}

impl Puzzle {
    /// The logits of all permutations, `[batch, permutations]`, and the numbers of those that are true.
    fn predict(&self, encoder: &Encoder, batch: Batch, at: &At, mode: Mode) -> (Tensor<2>, Vec<usize>) {
        let ids = batch.ids.clone();
        let [images] = batch.into_views();
        let draw = |&id: &u32| streams::of_image(at, Purpose::Mask, id).below(self.permutations.len());
        let drawn: Vec<usize> = ids.iter().map(draw).collect();
        let orders: Vec<Vec<usize>> = drawn.iter().map(|&drawn| self.permutations[drawn].clone()).collect();
        let tiles = self.tiles.cut(images, &ids, at, &orders, &self.values); // [9 batch, channels, h, w]
        let features = encoder.pooled(tiles, mode); // [9 batch, features]
        let joined = features.reshape([ids.len(), GRID * GRID * encoder.features()]);
        (self.classifier.forward(joined, mode), drawn)
    }
}

/// `count` permutations of `pieces`, or all where there are fewer, the first of which changes nothing: each is that of the largest least
/// Hamming distance to those before it, of several the first in the order of the alphabet.
fn far_apart(pieces: usize, count: usize) -> Vec<Vec<usize>> {
    let all = permutations(pieces);
    let distance = |a: &[u8], b: &[u8]| a.iter().zip(b).filter(|(a, b)| a != b).count() as u8;
    let mut least = vec![u8::MAX; all.len()];
    let (mut chosen, mut next) = (vec![], 0);
    while chosen.len() < count.min(all.len()) {
        chosen.push(next);
        for (least, permutation) in least.iter_mut().zip(&all) {
            *least = (*least).min(distance(permutation, &all[next]));
        }
        let farthest = least.iter().copied().max().unwrap_or_default();
        next = least.iter().position(|&least| least == farthest).unwrap_or_default();
    }
    chosen.into_iter().map(|place| all[place].iter().map(|&piece| usize::from(piece)).collect()).collect()
}

/// All of so many pieces, in the order of the alphabet.
fn permutations(pieces: usize) -> Vec<Vec<u8>> {
    let mut permutation: Vec<u8> = (0..pieces as u8).collect();
    let mut all = vec![permutation.clone()];
    // Knuth, The Art of Computer Programming 4A, section 7.2.1.2, algorithm L.
    while let Some(turn) = (1..pieces).rev().find(|&place| permutation[place - 1] < permutation[place]) {
        let larger = (turn..pieces).rev().find(|&place| permutation[place] > permutation[turn - 1]);
        permutation.swap(turn - 1, larger.expect("the next piece is larger"));
        permutation[turn..].reverse();
        all.push(permutation.clone());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::super::shared::tiles::literal;
    use super::*;
    use crate::augment::Targets;
    use std::collections::BTreeSet;

    #[test]
    fn the_answer_is_the_order_in_which_tiles_come() {
        let init = &mut literal::init();
        let encoder = literal::encoder(init);
        let classifier = Mlp::new(init, &[9 * encoder.features(), 8, 20], Norms::Hidden);
        let permutations = far_apart(9, 20);
        let values = PixelValues::new(&[0.0; 3], &[1.0; 3], &init.device);
        let mut puzzle = Puzzle {
            classifier: classifier.clone(),
            permutations: permutations.clone(),
            tiles: literal::plain(),
            values,
        };
        let answers = literal::IDS.map(|id| streams::of_image(&literal::AT, Purpose::Mask, id).below(20));
        assert!(answers.iter().any(|answer| *answer != answers[0]));
        let orders = answers.map(|answer| permutations[answer].clone());
        let [found, expected] =
            literal::losses(&mut puzzle, &encoder, &classifier, &orders, &[(0..9).collect()], &answers);
        assert!((found - expected).abs() < 1e-5 * expected, "{found} and {expected}");
    }

    /// Of a puzzle of one permutation, which is always predicted, the image is put back whole.
    #[test]
    fn what_is_put_back_as_it_was_shuffled_is_the_image() {
        let init = &mut literal::init();
        let encoder = literal::encoder(init);
        let values = PixelValues::new(&[0.0; 3], &[1.0; 3], &init.device);
        let images = crate::augment::channels_last((0..2 * 675).map(|v| v as f32).collect(), 15, 15, &init.device);
        let classifier = Mlp::new(init, &[9 * encoder.features(), 8, 1], Norms::Hidden);
        let permutations = vec![vec![8, 0, 1, 2, 3, 4, 5, 6, 7]];
        let puzzle = Puzzle { classifier, permutations, tiles: literal::plain(), values };
        let batch = Batch { ids: vec![4, 7], views: vec![images], targets: Targets::None };
        let shown = puzzle.shown(&encoder, batch, &literal::AT);
        let [image, as_shuffled, put_back] = &shown[..] else { panic!("there are three columns") };
        put_back.clone().into_data().assert_eq(&image.clone().into_data(), true);
        assert_ne!(as_shuffled.clone().into_data(), image.clone().into_data());
    }

    #[test]
    fn there_are_all_permutations_once_each() {
        assert_eq!(permutations(3), [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]);
        let all: BTreeSet<Vec<u8>> = permutations(6).into_iter().collect();
        assert_eq!(all.len(), 720);
    }

    #[test]
    fn permutations_are_as_far_apart_as_they_can_be() {
        // Of four pieces, the four of a Latin square differ everywhere.
        let four = far_apart(4, 4);
        assert_eq!(four, [[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]]);
        assert_eq!(far_apart(3, 100).len(), 6);
        let hundred = far_apart(9, 30);
        let apart = |a: &[usize], b: &[usize]| a.iter().zip(b).filter(|(a, b)| a != b).count();
        let pairs = (0..30).flat_map(|a| (0..a).map(move |b| (a, b)));
        let least = pairs.map(|(a, b)| apart(&hundred[a], &hundred[b])).min();
        // The first nine differ everywhere, all others at seven places at least.
        assert!(least >= Some(7), "{least:?}");
    }
}
