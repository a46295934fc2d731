//! Normalised images as values from 0 (black) to 1 (white), and back.

use crate::data::Manifest;
use burn::tensor::{Device, Tensor, TensorData};

/// What a data set's images are normalised with.
#[derive(Debug, Clone)]
pub struct PixelValues {
    /// `[1, channels, 1, 1]`
    mean: Tensor<4>,
    sd: Tensor<4>,
}

impl PixelValues {
    pub fn of(data: &Manifest, device: &Device) -> Self {
        Self::new(&data.mean, &data.sd, device)
    }

    /// Mean and standard deviation of each channel.
    pub fn new(mean: &[f32], sd: &[f32], device: &Device) -> Self {
        let of_channels =
            |values: &[f32]| Tensor::from_data(TensorData::new(values.to_vec(), [1, values.len(), 1, 1]), device);
        Self { mean: of_channels(mean), sd: of_channels(sd) }
    }

    /// `[batch, channels, height, width]`, normalised, to values from 0 to 1.
    pub fn of_normalised(&self, images: Tensor<4>) -> Tensor<4> {
        let [mean, sd] = self.like(&images);
        (images * sd + mean).clamp(0.0, 1.0)
    }

    /// Values from 0 to 1 as a network sees them.
    pub fn of_values(&self, values: Tensor<4>) -> Tensor<4> {
        let [mean, _] = self.like(&values);
        (values.clone() - mean) * self.step(1.0, &values)
    }

    /// Normalised images without their colours: the luma of ITU-R 601 in all three channels.
    pub fn grey(&self, images: Tensor<4>) -> Tensor<4> {
        let (shape, colours) = (images.dims(), self.of_normalised(images));
        let of = |channel: usize, share: f64| colours.clone().narrow(1, channel, 1).mul_scalar(share);
        self.of_values((of(0, 0.299) + of(1, 0.587) + of(2, 0.114)).expand(shape))
    }

    /// What a difference of `by`, in units of black to white, is to each channel of `images`: `[1, channels, 1, 1]`. A channel that never
    /// changes stays as it is.
    pub fn step(&self, by: f64, images: &Tensor<4>) -> Tensor<4> {
        let [_, sd] = self.like(images);
        let constant = sd.clone().equal_scalar(0.0);
        sd.recip().mul_scalar(by).mask_fill(constant, 0.0)
    }

    /// What a value, from 0 to 1, is to each channel of `images`: `[1, channels, 1, 1]`.
    pub fn normalised(&self, value: f64, images: &Tensor<4>) -> Tensor<4> {
        let [mean, _] = self.like(images);
        mean.neg().add_scalar(value) * self.step(1.0, images)
    }

    /// In the number format of some images.
    fn like(&self, images: &Tensor<4>) -> [Tensor<4>; 2] {
        [&self.mean, &self.sd].map(|values| values.clone().cast(images.dtype()))
    }
}
