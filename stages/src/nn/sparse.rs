//! Convolutional networks on a part of an image (Tian et al. 2023, arXiv:2301.03580, section 3.1): where nothing is shown every map is 0,
//! as if a sparse convolution had left the place out, and a batch norm's statistics are of the places that are shown.

use super::ops::{RowNumbers, Staging, put_rows, take_rows};
use burn::tensor::{Device, Tensor};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Which patches of a batch's images are shown.
#[derive(Debug)]
pub struct Seen {
    /// Row by row of every image after the other.
    patches: Vec<bool>,
    /// Rows and columns of patches.
    grid: [usize; 2],
    /// Places of maps that are shown, by the maps' height and width: every layer of a size asks for the same.
    places: RefCell<BTreeMap<[usize; 2], RowNumbers>>,
}

impl Seen {
    /// `patches`: of every image, row by row, whether each of its `rows * columns` is shown.
    pub fn new(patches: Vec<bool>, grid: [usize; 2]) -> Self {
        assert_eq!(patches.len() % (grid[0] * grid[1]), 0, "images have {} x {} patches", grid[0], grid[1]);
        Self { patches, grid, places: RefCell::default() }
    }

    /// Of the places of maps of a height and width, which are multiples of the grid's, those that are shown, row by row.
    fn shown(&self, [height, width]: [usize; 2]) -> impl Iterator<Item = bool> {
        let [rows, columns] = self.grid;
        assert!(height % rows == 0 && width % columns == 0, "{height} x {width} places, {rows} x {columns} patches");
        let images = self.patches.len() / (rows * columns);
        (0..images * height * width).map(move |place| {
            let (image, row, column) = (place / (height * width), place / width % height, place % width);
            self.patches[(image * rows + row * rows / height) * columns + column * columns / width]
        })
    }

    /// `[batch, 1, height, width]`: 1 where it is shown, else 0.
    pub fn mask(&self, size: [usize; 2], device: &Device) -> Tensor<4> {
        let images = self.patches.len() / (self.grid[0] * self.grid[1]);
        let mut staging = Staging::<f32>::new([images, size[0], size[1], 1], device);
        staging
            .values()
            .iter_mut()
            .zip(self.shown(size))
            .for_each(|(value, shown)| *value = f32::from(u8::from(shown)));
        staging.into_tensor()
    }

    /// `[batch, channels, height, width]`, with 0 where nothing is shown.
    pub fn only(&self, x: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = x.dims();
        let mask = self.mask([height, width], &x.device()).cast(x.dtype());
        x * mask
    }

    /// What `make` makes of the places that are shown, `[places, channels]` to the same; 0 elsewhere.
    pub fn of_shown(&self, x: Tensor<4>, make: impl FnOnce(Tensor<2>) -> Tensor<2>) -> Tensor<4> {
        let [batch, channels, height, width] = x.dims();
        let places = self.places([height, width], &x.device());
        let rows = x.permute([0, 2, 3, 1]).reshape([batch * height * width, channels]);
        let made = make(take_rows(rows, &places));
        let all = put_rows(made, &places, batch * height * width);
        all.reshape([batch, height, width, channels]).permute([0, 3, 1, 2])
    }

    fn places(&self, size: [usize; 2], device: &Device) -> RowNumbers {
        let new = || {
            let places = self.shown(size).zip(0..).filter_map(|(shown, place)| shown.then_some(place));
            RowNumbers::new(&places.collect::<Vec<i32>>(), device)
        };
        self.places.borrow_mut().entry(size).or_insert_with(new).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::encoder::{Encoder, EncoderConfig, EncoderKind, Map, StemKind};
    use crate::nn::layers::{BatchNorm, ConvNorm, Mode};
    use crate::nn::state::{self, Part};
    use crate::nn::{Init, ops};
    use burn::tensor::TensorData;

    const SIZE: usize = 64;

    fn device() -> Device {
        crate::nn::device("cpu").unwrap().autodiff()
    }

    fn images(phase: f32) -> Tensor<4> {
        let values = (0..2 * 3 * SIZE * SIZE).map(|place| (phase + 0.0173 * place as f32).sin()).collect();
        ops::channels_last(Tensor::from_data(TensorData::new::<f32, _>(values, [2, 3, SIZE, SIZE]), &device()))
    }

    fn encoder(config: &EncoderConfig) -> Encoder {
        EncoderConfig { width: 12, ..config.clone() }.build(&mut Init::new(0, &device()), [3, SIZE, SIZE])
    }

    fn values(x: &Tensor<4>) -> Vec<f32> {
        ops::read(&ops::float32(x.clone()), <[f32]>::to_vec)
    }

    /// Every third patch of two rows and two columns a patch is not shown.
    fn some() -> Seen {
        Seen::new((0..8).map(|patch| patch % 3 != 0).collect(), [2, 2])
    }

    fn configs() -> Vec<EncoderConfig> {
        let imagenet = EncoderConfig { stem: StemKind::Imagenet, ..EncoderConfig::of(EncoderKind::Resnet18) };
        let kinds =
            [EncoderKind::Conv4, EncoderKind::Resnet20, EncoderKind::MobileNetV2, EncoderKind::EfficientNetLite0];
        kinds.map(EncoderConfig::of).into_iter().chain([imagenet]).collect()
    }

    /// Up to rounding, which a norm of a few values makes large: of the maps of which there are a hundred values a channel.
    #[test]
    fn where_all_is_shown_it_is_the_network_itself() {
        for config in configs() {
            let (sparse, dense) = (encoder(&config), encoder(&config));
            let all = Seen::new(vec![true; 8], [2, 2]);
            let maps = sparse.maps(images(0.0), Mode::Sparse { seen: &all, train: true }).unwrap();
            let maps = maps.into_iter().zip(dense.maps(images(0.0), Mode::Train).unwrap());
            for (found, expected) in maps.filter(|(map, _)| 2 * (SIZE / map.stride).pow(2) > 100) {
                let largest = expected.x.clone().abs().max().into_scalar::<f32>();
                let off = (found.x - expected.x).abs().max().into_scalar::<f32>();
                assert!(off < 1e-4 * largest, "{config:?}: {off} of {largest}");
            }
            if [EncoderKind::Conv4, EncoderKind::Resnet20].contains(&config.kind) {
                for (found, expected) in state::named(&sparse).iter().zip(state::named(&dense)) {
                    let off = (&found.1 - &expected.1).abs().max().double_value(&[]);
                    assert!(off < 1e-5, "{config:?}: {} is {off} off", found.0);
                }
            }
        }
    }

    #[test]
    fn places_are_those_of_their_patches_where_images_are_not_square() {
        // Two rows and three columns of patches, of 2 x 3 places each.
        let seen = Seen::new(vec![true, false, true, false, false, true], [2, 3]);
        let found: Vec<bool> = seen.shown([4, 9]).collect();
        let rows = [[1, 1, 1, 0, 0, 0, 1, 1, 1], [0, 0, 0, 0, 0, 0, 1, 1, 1]].map(|row| row.map(|shown| shown == 1));
        assert_eq!(found, [rows[0], rows[0], rows[1], rows[1]].concat());
    }

    /// Nothing is there, and what would be there is told by nothing else.
    #[test]
    fn what_is_not_shown_is_zero_in_every_map_and_changes_none() {
        for config in configs() {
            let encoder = encoder(&config);
            assert!(encoder.can_be_sparse(), "{config:?}");
            let seen = some();
            let maps = |hidden: f32| -> Vec<Map> {
                let mask = seen.mask([SIZE; 2], &device());
                let other = mask.neg().add_scalar(1.0) * hidden;
                encoder.maps(images(0.0) + other, Mode::Sparse { seen: &seen, train: true }).unwrap()
            };
            let shown = maps(0.0);
            for map in &shown {
                let [_, _, height, width] = map.x.dims();
                let mask = values(&(map.x.clone() * 0.0 + seen.mask([height, width], &device())));
                let found = values(&map.x);
                let is_something = found.iter().zip(&mask).filter(|(_, shown)| **shown > 0.0);
                assert!(found.iter().zip(&mask).all(|(value, shown)| *shown > 0.0 || *value == 0.0), "{config:?}");
                assert!(is_something.filter(|(value, _)| **value != 0.0).count() > 10, "{config:?}");
            }
            let again = maps(3.0);
            assert!(shown.iter().zip(&again).all(|(one, other)| values(&one.x) == values(&other.x)), "{config:?}");
        }
    }

    /// A mean of 0 and a variance of 1 over what is shown, and a convolution that sees zeros elsewhere.
    #[test]
    fn norms_are_of_what_is_shown() {
        let layer = ConvNorm::new(&mut Init::new(0, &device()), 3, 4, 3, 1);
        let seen = some();
        let found = layer.forward(seen.only(images(0.0)), Mode::Sparse { seen: &seen, train: true });
        let mask = seen.shown([SIZE; 2]).collect::<Vec<_>>();
        let found = values(&found);
        for channel in 0..4 {
            let of_channel: Vec<f64> = (0..2 * SIZE * SIZE)
                .filter(|&place| mask[place])
                .map(|place| {
                    let (image, place) = (place / (SIZE * SIZE), place % (SIZE * SIZE));
                    f64::from(found[(image * 4 + channel) * SIZE * SIZE + place])
                })
                .collect();
            let mean = of_channel.iter().sum::<f64>() / of_channel.len() as f64;
            let variance = of_channel.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / of_channel.len() as f64;
            assert!(mean.abs() < 1e-4 && (variance - 1.0).abs() < 1e-2, "{mean}, {variance}");
        }
    }

    /// A tenth of what is found moves the running ones.
    #[test]
    fn running_statistics_are_of_what_is_shown() {
        let (norm, seen) = (BatchNorm::new(&Init::new(0, &device()), 3), some());
        let shown = seen.of_shown(images(0.0), |places| norm.forward(places, Mode::Train));
        let mask = seen.shown([SIZE; 2]).collect::<Vec<_>>();
        let all = state::named(&norm);
        let running = |name: &str| {
            let found = all.iter().find(|(own, _)| own.ends_with(name)).map(|(_, tensor)| tensor).unwrap();
            Vec::<f32>::try_from(found).unwrap()
        };
        let (means, variances, values) = (running("running_mean"), running("running_var"), values(&images(0.0)));
        assert_eq!(shown.dims(), [2, 3, SIZE, SIZE]);
        for channel in 0..3 {
            let at = |place: usize| (place / (SIZE * SIZE) * 3 + channel) * SIZE * SIZE + place % (SIZE * SIZE);
            let own: Vec<f64> =
                (0..2 * SIZE * SIZE).filter(|&place| mask[place]).map(|place| f64::from(values[at(place)])).collect();
            let mean = own.iter().sum::<f64>() / own.len() as f64;
            let variance = own.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (own.len() - 1) as f64;
            let off = [f64::from(means[channel]) - 0.1 * mean, f64::from(variances[channel]) - 0.9 - 0.1 * variance];
            assert!(off.iter().all(|off| off.abs() < 1e-5), "{off:?}");
        }
    }

    #[test]
    fn gradients_reach_every_weight() {
        let encoder = encoder(&EncoderConfig::of(EncoderKind::Resnet20));
        let seen = some();
        let maps =
            encoder.maps(ops::bfloat16(seen.only(images(0.0))), Mode::Sparse { seen: &seen, train: true }).unwrap();
        let mut grads = ops::float32(maps.into_iter().last().unwrap().x).powi_scalar(3).mean().backward();
        let found = encoder.take_gradients(&mut grads);
        assert!(found.iter().flatten().all(|grad| grad.abs().sum(tch::Kind::Double).double_value(&[]) > 0.0));
        assert_eq!(found.iter().flatten().count(), found.len());
    }
}
