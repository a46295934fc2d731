//! Tiles of an image, for puzzles, and what keeps their neighbours' edges, or a lens, from giving the answer away.

use super::streams;
use crate::nn::encoder::Encoder;
use crate::nn::loss::cross_entropy;
use crate::nn::{PixelValues, ops};
use crate::random::{Purpose, Rng};
use crate::train::{At, Term};
use anyhow::{Context as _, Result, ensure};
use burn::tensor::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tiles along a side of an image.
pub const GRID: usize = 3;

/// How they are cut and coloured.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Tiles {
    /// share of a cell's side (a third of the image's, without a border of `colour_shift`) that its tile leaves free: the tile lies at a
    /// random place of its cell, so that neighbours are this far apart on average, and twice as far at most
    #[schemars(range(min = 0.0, max = 0.8))]
    gap: f64,
    /// how far a tile's colours are moved against each other, each by up to so many pixels either way: a lens bends colours differently, and
    /// more so farther from the middle
    #[schemars(range(min = 0, max = 16), extend("x-unit" = "pixels"))]
    colour_shift: u32,
    /// share of the images whose tiles are grey
    #[schemars(range(min = 0.0, max = 1.0))]
    grey: f64,
    /// share of the images of whose tiles only one colour is left, drawn for each; the others become noise
    #[schemars(range(min = 0.0, max = 1.0))]
    dropped_colours: f64,
    /// whether each tile has its own mean taken away and is divided by its own standard deviation
    normalised_tiles: bool,
}

impl Default for Tiles {
    fn default() -> Self {
        Self { gap: 0.2, colour_shift: 1, grey: 0.3, dropped_colours: 0.0, normalised_tiles: true }
    }
}

impl Tiles {
    /// Height and width of a tile of an image.
    pub fn size(&self, image: [usize; 2]) -> [usize; 2] {
        image.map(|side| self.cell(side) - self.free(side))
    }

    /// A third of what is left where colours may be shifted either way at the border as well: were shifts cut off there instead, how far
    /// colours lie apart would tell where a tile lies.
    fn cell(&self, side: usize) -> usize {
        side.saturating_sub(2 * self.colour_shift as usize) / GRID
    }

    /// By how much a tile is less than its cell.
    fn free(&self, side: usize) -> usize {
        (self.cell(side) as f64 * self.gap).round() as usize
    }

    /// An error where images are too small, for the encoder too.
    pub fn check(&self, image: [usize; 2], encoder: &Encoder) -> Result<()> {
        let [height, width] = image;
        let [tall, wide] = self.size(image);
        ensure!(
            tall.min(wide) >= 2,
            "tiles of these images, {height} x {width} pixels, have {tall} x {wide}: lower `gap` or `colour_shift`, or use larger images"
        );
        let of_tiles =
            || format!("tiles have {tall} x {wide} pixels, a third of the image less `gap` and `colour_shift`");
        encoder.takes([tall, wide]).with_context(of_tiles)
    }

    /// Those of each image that `chosen` names by their numbers, row by row: images `[batch, channels, height, width]` to
    /// `[batch tiles, channels, h, w]`, an image's one after the other in the order of `chosen`.
    pub fn cut(
        &self,
        images: Tensor<4>,
        ids: &[u32],
        at: &At,
        chosen: &[Vec<usize>],
        values: &PixelValues,
    ) -> Tensor<4> {
        let [batch, channels, height, width] = images.dims();
        let size = self.size([height, width]);
        let [tall, wide] = size;
        let (count, device) = (chosen[0].len(), images.device());
        let mut streams: Vec<Rng> = ids.iter().map(|&id| streams::of_image(at, Purpose::View, id)).collect();
        let mut places = Vec::with_capacity(batch * channels * count * tall * wide);
        for (rng, chosen) in streams.iter_mut().zip(chosen) {
            self.places([channels, height, width], chosen, rng, &mut places);
        }
        let places = ops::integers(&places, &device.clone().inner());
        let pixels = images.reshape([batch, channels, height * width]);
        let tiles = pixels.gather(2, places.reshape([batch, channels, count * tall * wide]));
        let tiles = tiles.reshape([batch, channels, count, tall, wide]).permute([0, 2, 1, 3, 4]);
        let tiles = tiles.reshape([batch * count, channels, tall, wide]);
        let tiles = self.coloured(tiles, ids, at, &mut streams, values);
        ops::channels_last(if self.normalised_tiles { normalised(tiles) } else { tiles })
    }

    /// Where the pixels of an image's tiles come from, `[channels, tiles, h, w]`.
    fn places(&self, [channels, height, width]: [usize; 3], chosen: &[usize], rng: &mut Rng, to: &mut Vec<i32>) {
        let [tall, wide] = self.size([height, width]);
        let shift = self.colour_shift as usize;
        let along = |side: usize, number: usize, rng: &mut Rng| {
            shift + number * self.cell(side) + rng.below(self.free(side) + 1)
        };
        let corner = |number: &usize| [along(height, number / GRID, rng), along(width, number % GRID, rng)];
        let corners: Vec<[usize; 2]> = chosen.iter().map(corner).collect();
        for _ in 0..channels {
            for corner in &corners {
                let [top, left] = corner.map(|place| place + rng.below(2 * shift + 1) - shift);
                let rows = (top..top + tall).flat_map(|y| (left..left + wide).map(move |x| (y * width + x) as i32));
                to.extend(rows);
            }
        }
    }

    /// Without the colours that are taken away. `tiles`: `[batch tiles, channels, h, w]`
    fn coloured(&self, tiles: Tensor<4>, ids: &[u32], at: &At, streams: &mut [Rng], values: &PixelValues) -> Tensor<4> {
        let [all, channels, tall, wide] = tiles.dims();
        let (batch, count) = (ids.len(), all / ids.len());
        if channels != 3 || self.grey == 0.0 && self.dropped_colours == 0.0 {
            return tiles;
        }
        let (mut grey, mut lost) = (vec![0.0; all], vec![0.0; all * channels]);
        for (image, rng) in streams.iter_mut().enumerate() {
            let (is_grey, drops) = (rng.chance(self.grey as f32), rng.chance(self.dropped_colours as f32));
            for tile in image * count..(image + 1) * count {
                let left = rng.below(channels);
                if is_grey {
                    grey[tile] = 1.0;
                } else if drops {
                    (0..channels).filter(|&c| c != left).for_each(|c| lost[tile * channels + c] = 1.0);
                }
            }
        }
        let device = tiles.device().inner();
        let mask = |values: &[f32], shape: [usize; 4]| {
            ops::floats(values, &device).reshape(shape).equal_scalar(1.0).expand([all, channels, tall, wide])
        };
        let tiles = match self.grey > 0.0 {
            true => {
                let without = values.grey(tiles.clone());
                tiles.mask_where(mask(&grey, [all, 1, 1, 1]), without)
            }
            false => tiles,
        };
        if self.dropped_colours == 0.0 {
            return tiles;
        }
        let fill = |rng: &mut Rng, part: &mut [f32]| part.fill_with(|| 0.01 * rng.normal());
        let shape = [count * channels, tall, wide];
        let noise = streams::of_each(at, Purpose::Noise, ids, shape, &tiles.device(), fill).cast(tiles.dtype());
        tiles.mask_where(mask(&lost, [all, channels, 1, 1]), noise.reshape([batch * count, channels, tall, wide]))
    }
}

/// The loss of a puzzle: the cross entropy of the true answers, mean over the images. `logits`: `[batch, answers]`
pub fn loss_of_answers(logits: Tensor<2>, answers: &[usize]) -> Vec<Term> {
    let truth: Vec<i32> = answers.iter().map(|&answer| answer as i32).collect();
    let truth = ops::integers(&truth, &logits.device().inner());
    Term::alone(cross_entropy(logits, truth))
}

/// Images for people, `[batch, channels, height, width]`, put together anew of their own cells: of each image that which `cells` names stands at
/// each place, row by row, and the mean colour where it names none, and where no cell is.
pub fn arranged(images: Tensor<4>, cells: &[[Option<usize>; GRID * GRID]]) -> Tensor<4> {
    let [batch, channels, height, width] = images.dims();
    let [tall, wide] = [height, width].map(|side| side / GRID);
    let (size, device) = (height * width, images.device());
    let source = |cells: &[Option<usize>; GRID * GRID], y: usize, x: usize| -> Option<usize> {
        let (row, column) = (y / tall, x / wide);
        let cell = *cells.get(row * GRID + column).filter(|_| row < GRID && column < GRID)?;
        cell.map(|cell| (cell / GRID * tall + y % tall) * width + cell % GRID * wide + x % wide)
    };
    let mut places = Vec::with_capacity(batch * channels * size);
    for cells in cells {
        let of_image: Vec<i32> =
            (0..size).map(|place| source(cells, place / width, place % width).unwrap_or(size) as i32).collect();
        (0..channels).for_each(|_| places.extend(&of_image));
    }
    let places = ops::integers(&places, &device.clone().inner()).reshape([batch, channels, size]);
    let nothing = Tensor::zeros([batch, channels, 1], &device);
    let pixels = Tensor::cat(vec![ops::float32(images).reshape([batch, channels, size]), nothing], 2);
    pixels.gather(2, places).reshape([batch, channels, height, width])
}

/// Each tile with mean 0 and standard deviation 1 over all its values; one without differences stays at 0.
fn normalised(tiles: Tensor<4>) -> Tensor<4> {
    let (kind, [all, channels, tall, wide]) = (tiles.dtype(), tiles.dims());
    let flat = ops::float32(tiles).reshape([all, channels * tall * wide]);
    let centred = flat.clone() - flat.mean_dim(1);
    let sd = centred.clone().square().mean_dim(1).sqrt();
    (centred / sd.clamp_min(1e-3)).reshape([all, channels, tall, wide]).cast(kind)
}

/// What puzzles' losses are compared with: tiles without gaps, shifts and other colours, cut number by number.
#[cfg(test)]
pub mod literal {
    use super::{GRID, Tiles};
    use crate::augment::{Batch, Targets};
    use crate::nn::encoder::{Encoder, EncoderConfig};
    use crate::nn::layers::Mode;
    use crate::nn::{Init, Mlp, ops};
    use crate::train::{At, Objective};
    use burn::tensor::{Tensor, TensorData};

    pub const AT: At = At { seed: 3, step: 2, steps: 9, epoch: 0, epochs: 1, turn: 0 };
    pub const IDS: [u32; 6] = [4, 0, 7, 31, 2, 9];
    const CELL: usize = 5;
    const SIDE: usize = GRID * CELL;

    pub fn init() -> Init {
        Init::new(0, &crate::nn::device("cpu").unwrap().autodiff())
    }

    pub fn encoder(init: &mut Init) -> Encoder {
        EncoderConfig { width: 4, ..EncoderConfig::default() }.build(init, [3, CELL, CELL])
    }

    pub fn plain() -> Tiles {
        Tiles { gap: 0.0, colour_shift: 0, grey: 0.0, dropped_colours: 0.0, normalised_tiles: false }
    }

    /// The loss that a puzzle has, and that which it should have: of image i the tiles `chosen[i]` go through the encoder, and the features
    /// of those that each of `rows` counts among them, side by side, to the classifier. `answers`: of each image those of its rows.
    pub fn losses(
        objective: &mut dyn Objective,
        encoder: &Encoder,
        classifier: &Mlp,
        chosen: &[Vec<usize>],
        rows: &[Vec<usize>],
        answers: &[usize],
    ) -> [f64; 2] {
        let device = init().device;
        let tensor = |values: Vec<f32>, shape: [usize; 4]| {
            ops::channels_last(Tensor::<4>::from_data(TensorData::new(values, shape), &device))
        };
        let size = 3 * SIDE * SIDE;
        let values: Vec<f32> = (0..IDS.len() * size).map(|place| (0.37 * place as f32).sin() * 2.0).collect();
        let images = tensor(values.clone(), [IDS.len(), 3, SIDE, SIDE]);
        let batch = Batch { ids: IDS.to_vec(), views: vec![images], targets: Targets::None };
        let found = objective.losses(encoder, batch, &AT).remove(0).value.into_scalar::<f32>();

        let mut tiles = vec![];
        for (image, chosen) in values.chunks(size).zip(chosen) {
            for &tile in chosen {
                for channel in 0..3 {
                    for y in tile / GRID * CELL..(tile / GRID + 1) * CELL {
                        let row = (channel * SIDE + y) * SIDE + tile % GRID * CELL;
                        tiles.extend_from_slice(&image[row..row + CELL]);
                    }
                }
            }
        }
        let count = chosen[0].len();
        let features = encoder.pooled(tensor(tiles, [IDS.len() * count, 3, CELL, CELL]), Mode::Train);
        let feature = |image: usize, tile: &usize| features.clone().narrow(0, image * count + tile, 1);
        let row =
            |image: usize, row: &Vec<usize>| Tensor::cat(row.iter().map(|tile| feature(image, tile)).collect(), 1);
        let joined = (0..IDS.len()).flat_map(|image| rows.iter().map(move |tiles| row(image, tiles))).collect();
        let joined = Tensor::cat(joined, 0);
        let logits = classifier.forward(joined, Mode::Train);
        let ways = logits.dims()[1];
        let logits: Vec<f64> = logits.into_data().iter::<f64>().collect();
        let of_image = |(logits, &answer): (&[f64], &usize)| {
            logits.iter().map(|logit| logit.exp()).sum::<f64>().ln() - logits[answer]
        };
        let expected = logits.chunks(ways).zip(answers).map(of_image).sum::<f64>() / answers.len() as f64;
        [f64::from(found), expected]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    const AT: At = At { seed: 1, step: 0, steps: 1, epoch: 0, epochs: 1, turn: 0 };
    const SIDE: usize = 30;

    /// With gaps, and in the image's colours.
    fn coloured() -> Tiles {
        Tiles { grey: 0.0, normalised_tiles: false, ..Tiles::default() }
    }

    /// Two images whose values say where they are: `channel * 10,000 + row * 100 + column`, the second's 100,000 more.
    fn cut(tiles: Tiles, chosen: &[Vec<usize>]) -> Vec<Vec<f32>> {
        let device = crate::nn::device("cpu").unwrap();
        let value = |n: usize| {
            let (image, channel, row, column) = (n / 2700, n / 900 % 3, n / 30 % 30, n % 30);
            (image * 100_000 + channel * 10_000 + row * 100 + column) as f32
        };
        let values: Vec<f32> = (0..2 * 3 * SIDE * SIDE).map(value).collect();
        let images = Tensor::<4>::from_data(TensorData::new(values, [2, 3, SIDE, SIDE]), &device);
        let pixels = PixelValues::new(&[0.0; 3], &[1.0; 3], &device);
        let made = tiles.cut(ops::channels_last(images), &[7, 8], &AT, chosen, &pixels);
        let [count, channels, tall, wide] = made.dims();
        assert_eq!([count, channels], [2 * chosen[0].len(), 3]);
        made.into_data().iter::<f32>().collect::<Vec<_>>().chunks(3 * tall * wide).map(<[f32]>::to_vec).collect()
    }

    #[test]
    fn a_tile_lies_in_its_cell_at_a_place_of_its_own() {
        let plain = Tiles { colour_shift: 0, ..coloured() };
        let chosen = [vec![8, 0], vec![4, 4]];
        let tiles = cut(plain, &chosen);
        let mut offsets = vec![];
        for (number, tile) in tiles.iter().enumerate() {
            let (image, cell) = (number / 2, chosen[number / 2][number % 2]);
            assert_eq!(tile.len(), 3 * 8 * 8);
            let corner = tile[0] as usize - image * 100_000;
            let (top, left) = (corner / 100 - cell / 3 * 10, corner % 100 - cell % 3 * 10);
            assert!(top <= 2 && left <= 2, "{top} {left}");
            offsets.push((top, left));
            for (place, &value) in tile.iter().enumerate() {
                let (channel, row, column) = (place / 64, place / 8 % 8, place % 8);
                assert_eq!(value as usize, tile[0] as usize + channel * 10_000 + row * 100 + column);
            }
        }
        assert!(offsets.iter().any(|offset| *offset != offsets[0]));
    }

    #[test]
    fn colours_are_shifted_against_each_other() {
        let tiles = cut(Tiles { colour_shift: 2, ..coloured() }, &[vec![4], vec![4]]);
        let corners: Vec<usize> = tiles[0].chunks(64).map(|channel| channel[0] as usize % 10_000).collect();
        let apart = |a: usize, b: usize| (a / 100).abs_diff(b / 100).max((a % 100).abs_diff(b % 100));
        assert!(corners.iter().any(|&corner| corner != corners[0]));
        assert!(corners.iter().all(|&corner| apart(corner, corners[0]) <= 4), "{corners:?}");
    }

    /// How often two colours lie on each other says nothing of where a tile lies.
    #[test]
    fn colours_are_shifted_as_much_at_the_border_as_elsewhere() {
        let tiles = Tiles { colour_shift: 1, ..coloured() };
        let mut rng = Rng::new(0, Purpose::View, &[]);
        for tile in 0..GRID * GRID {
            let mut counts = [[0; 5]; 2];
            for _ in 0..9000 {
                let mut places = vec![];
                tiles.places([2, 32, 32], &[tile], &mut rng, &mut places);
                let [first, second] = [places[0], places[places.len() / 2]].map(|place| [place / 32, place % 32]);
                (0..2).for_each(|axis| counts[axis][(first[axis] - second[axis] + 2) as usize] += 1);
            }
            // Of nine pairs of shifts 1, 2, 3, 2, 1 are so far apart; 170 are nearly four standard deviations of the most frequent.
            for counts in counts {
                let as_expected =
                    [1000, 2000, 3000, 2000, 1000].iter().zip(counts).all(|(e, c): (&i32, i32)| (e - c).abs() < 170);
                assert!(as_expected, "tile {tile}: {counts:?}");
            }
        }
    }

    #[test]
    fn an_image_is_put_together_anew_of_its_cells() {
        let device = crate::nn::device("cpu").unwrap();
        // Cells of two pixels' width and one's height, and a row and a column beyond them.
        let values: Vec<f32> = (1..=4 * 7).map(|value| value as f32).collect();
        let image = Tensor::<4>::from_data(TensorData::new(values, [1, 1, 4, 7]), &device);
        let mut cells = [None; 9];
        (cells[0], cells[5], cells[8]) = (Some(8), Some(0), Some(8));
        let made: Vec<f32> = arranged(image, &[cells]).into_data().iter::<f32>().collect();
        let mut expected = [0.0; 28];
        (expected[0], expected[1]) = (19.0, 20.0);
        (expected[11], expected[12]) = (1.0, 2.0);
        (expected[18], expected[19]) = (19.0, 20.0);
        assert_eq!(made, expected);
    }

    #[test]
    fn tiles_have_their_own_mean_and_deviation() {
        let device = crate::nn::device("cpu").unwrap();
        let values: Vec<f32> = (0..48).map(|n| if n < 24 { (n as f32).sin() * 3.0 + 7.0 } else { 5.0 }).collect();
        let made = normalised(Tensor::from_data(TensorData::new(values, [2, 3, 2, 4]), &device));
        let made: Vec<f64> = made.into_data().iter::<f64>().collect();
        let mean = made[..24].iter().sum::<f64>() / 24.0;
        let variance = made[..24].iter().map(|v| v * v).sum::<f64>() / 24.0;
        assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 1e-4, "{mean} {variance}");
        assert!(made[24..].iter().all(|&v| v == 0.0));
    }

    #[test]
    fn one_colour_is_left_of_tiles_without_colours() {
        let device = crate::nn::device("cpu").unwrap();
        let images = Tensor::<4>::full([2, 3, SIDE, SIDE], 2.0, &device);
        let pixels = PixelValues::new(&[0.0; 3], &[1.0; 3], &device);
        let tiles = Tiles { dropped_colours: 1.0, colour_shift: 0, ..coloured() };
        let made = tiles.cut(images, &[7, 8], &AT, &[vec![0, 1], vec![2, 3]], &pixels);
        let made: Vec<f32> = made.into_data().iter::<f32>().collect();
        for tile in made.chunks(3 * 64) {
            let left = tile.chunks(64).filter(|channel| channel.iter().all(|&v| v == 2.0)).count();
            let noise = tile.chunks(64).filter(|channel| channel.iter().all(|v| v.abs() < 0.06)).count();
            assert_eq!([left, noise], [1, 2]);
        }
    }
}
