use super::ops;
use burn::tensor::{Device, Tensor, TensorData};
use image::{Rgb, RgbImage};

/// Normalised images as values from 0 (black) to 1 (white), and back: what a data set's images are normalised with.
#[derive(Debug, Clone)]
pub struct PixelValues {
    /// `[1, channels, 1, 1]`
    mean: Tensor<4>,
    sd: Tensor<4>,
}

impl PixelValues {
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

    /// Normalised images for people, with three colours.
    pub fn pictures(&self, images: Tensor<4>) -> Vec<RgbImage> {
        let [_, channels, height, width] = images.dims();
        let values = self.of_normalised(ops::float32(images)).permute([0, 2, 3, 1]);
        let bytes: Vec<u8> = values.into_data().iter::<f32>().map(|value| (value * 255.0).round() as u8).collect();
        let image = |bytes: &[u8]| {
            RgbImage::from_fn(width as u32, height as u32, |x, y| {
                let pixel = &bytes[(y as usize * width + x as usize) * channels..][..channels];
                Rgb(std::array::from_fn(|colour| pixel[colour % channels]))
            })
        };
        bytes.chunks_exact(channels * height * width).map(image).collect()
    }

    /// In the number format of some images.
    fn like(&self, images: &Tensor<4>) -> [Tensor<4>; 2] {
        [&self.mean, &self.sd].map(|values| values.clone().cast(images.dtype()))
    }
}
