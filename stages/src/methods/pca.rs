//! Principal components (Pearson 1901; Hotelling 1933): of all codes that are linear in the pixels those from which a linear decoder draws
//! the images again with the least squared error (Baldi & Hornik 1989), found in one step and without a network.

use super::shared::pretrain::{Common, FAMILY, IMAGES_SEEN, NEEDS_WITHOUT_VIEWS};
use crate::artifact::EncoderArtifact;
use crate::context::Context;
use crate::data::{Dataset, Manifest, draw_grid};
use crate::features::{batch, encode_each};
use crate::nn::encoder::{Encoder, EncoderConfig, EncoderKind};
use crate::nn::{Init, ops, state};
use crate::stage::{About, MeasureAbout, Stage};
use anyhow::{Result, ensure};
use burn::tensor::{DType, FloatDType, Tensor, TensorData};
use image::{Rgb, RgbImage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct Pca;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    /// how many directions are kept, those along which images vary most
    #[schemars(range(min = 1, max = 4096))]
    components: u32,
    /// whether features are divided by their standard deviation over the training images, so that a direction along which images vary
    /// little counts as much as others in what compares images
    whiten: bool,
}

impl Default for Params {
    fn default() -> Self {
        Self { common: Common::default(), components: 256, whiten: false }
    }
}

/// Values of an image at most: the covariance of more takes gigabytes.
const MOST: usize = 4096;
/// Components in the picture, and how many stand side by side.
const SHOWN: usize = 64;
const COLUMNS: usize = 16;

const EXPLAINED: MeasureAbout = MeasureAbout {
    name: "explained",
    splits: &[],
    unit: "fraction",
    setting: false,
    doc: "share of the variance of the training images, normalised by channel, that the components keep; a linear decoder draws them again \
          with the rest as its squared error",
};

impl Stage for Pca {
    type Params = Params;
    const ABOUT: About = About {
        name: "pretrain/pca",
        summary: "Principal components of the pixels, whitened or not: the linear autoencoder, as a control (Hotelling 1933)",
        docs: "What an autoencoder with a code of as many numbers has to beat. Of training images and those without labels, as they are, \
               normalised by channel; features are seen from their mean. Whitening changes what compares images (kNN, clusters), and not the \
               linear probe, which stretches features as it likes. There are fewer directions than images. The encoder that \
               comes of it is an `mlp` of one linear layer, for images of this size; it has no maps, and nothing draws images of it. A direction \
               and its negative are as good; the one is taken whose largest number is positive. components.png shows the first 64, grey where \
               they are 0. Images have at most 4,096 values (32 x 32 in colour, 64 x 64 in grey).",
        needs: NEEDS_WITHOUT_VIEWS,
        unused: &["encoder", "epochs", "steps", "images", "batch", "optimiser", "precision", "online_knn", "seed"],
        measures: &[IMAGES_SEEN, EXPLAINED],
        ..FAMILY
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let data = Dataset::open(context.input("data")?)?;
        let (values, kept) = (data.manifest.image_bytes(), params.components as usize);
        ensure!(
            values <= MOST,
            "images have {} x {} pixels and {} channels, {values} values, and their principal components are computed of {MOST} at most: \
             give the data a smaller `size`",
            data.manifest.height,
            data.manifest.width,
            data.manifest.channels
        );
        ensure!(kept <= values, "components is {kept}, and an image has {values} values: write a number up to that");
        let rows = data.rows_to_train_on(false);
        ensure!(
            kept < rows.len(),
            "components is {kept}, and {} training images vary in fewer directions than there are images: write a number below that",
            rows.len()
        );
        let config = EncoderConfig { hidden: vec![params.components], ..EncoderConfig::of(EncoderKind::Mlp) };
        let encoder = config.build(&mut Init::new(0, &context.device), data.manifest.input());
        if !context.rehearses {
            let components = Components::of(&data, &rows, kept, context)?;
            components.write_to(&encoder, params.whiten)?;
            components.draw(&data.manifest, context)?;
            context.measure(EXPLAINED.name, "", components.explained);
        }
        context.measure(IMAGES_SEEN.name, "", rows.len() as f64);
        let artifact = EncoderArtifact::new(Some(&config), &data.manifest).trained_on(&data, &rows);
        artifact.save(Some(&encoder), &[], &context.output("encoder")?)
    }
}

/// Those of the largest variances, the largest first.
struct Components {
    /// `[value]`
    mean: Vec<f64>,
    /// `[component, value]`, of unit length.
    directions: Vec<Vec<f64>>,
    /// `[component]`
    variances: Vec<f64>,
    explained: f64,
}

impl Components {
    fn of(data: &Dataset, rows: &[usize], kept: usize, context: &Context) -> Result<Self> {
        let Manifest { height, width, mean, sd, .. } = &data.manifest;
        let (values, count) = (data.manifest.image_bytes(), rows.len() as f64);
        let double = |values: Vec<f64>, shape: [usize; 2]| {
            Tensor::<2>::from_data(TensorData::new(values, shape), (&context.device, DType::F64))
        };
        let mut sum = double(vec![0.0; values], [1, values]);
        let mut products = double(vec![0.0; values * values], [values, values]);
        let mut meter = context.meter("covariance", rows.len() as u64, "images");
        let flat = |x: Tensor<4>| x.flatten::<2>(1, 3);
        let mut done = 0;
        encode_each(data, rows, [mean, sd], batch([*height, *width]), context, flat, |rows, x| {
            let x = Tensor::<2>::from_data(TensorData::new(x, [rows.len(), values]), &context.device);
            let x = x.cast(FloatDType::F64);
            sum = sum.clone() + x.clone().sum_dim(0);
            products = products.clone() + ops::product(&x.clone().transpose(), &x);
            done += rows.len() as u64;
            meter.at(done, &[]);
            Ok(())
        })?;
        let mean = sum / count;
        let covariance = products / count - ops::product(&mean.clone().transpose(), &mean);
        let (variances, vectors) = ops::symmetric_eigen(&covariance);
        let numbers = |x: Tensor<2>| x.into_data().iter::<f64>().collect::<Vec<_>>();
        let largest_first = |number: usize| values - 1 - number;
        let variances: Vec<f64> = (0..values).map(|number| f64::from(variances[largest_first(number)])).collect();
        // What is less is rounding.
        let varies = variances.iter().take_while(|&&variance| variance > 1e-10 * variances[0].max(1e-2)).count();
        ensure!(
            varies > 0,
            "the {} training images are all the same: there is no direction along which they vary",
            rows.len()
        );
        ensure!(
            kept <= varies,
            "components is {kept}, and the {} training images vary in {varies} directions: write a number up to that",
            rows.len()
        );
        let vectors = numbers(vectors); // [value, direction]
        let direction = |number: usize| {
            let own: Vec<f64> = vectors.iter().skip(largest_first(number)).step_by(values).copied().collect();
            let largest = own.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(1.0);
            own.into_iter().map(|value| value * largest.signum()).collect()
        };
        Ok(Self {
            mean: numbers(mean),
            directions: (0..kept).map(direction).collect(),
            explained: variances[..kept].iter().sum::<f64>() / variances.iter().map(|v| v.max(0.0)).sum::<f64>(),
            variances: variances[..kept].to_vec(),
        })
    }

    /// Makes an encoder of one linear layer what takes the mean away and gives the place along each direction.
    fn write_to(&self, encoder: &Encoder, whiten: bool) -> Result<()> {
        let scales: Vec<f64> = self.variances.iter().map(|v| if whiten { 1.0 / v.sqrt() } else { 1.0 }).collect();
        let row = |(direction, scale): (&Vec<f64>, &f64)| direction.iter().map(|v| (v * scale) as f32).collect();
        let weight: Vec<Vec<f32>> = self.directions.iter().zip(&scales).map(row).collect();
        let place = |direction: &Vec<f64>| direction.iter().zip(&self.mean).map(|(a, b)| a * b).sum::<f64>();
        let bias = |(direction, scale): (&Vec<f64>, &f64)| (-place(direction) * scale) as f32;
        let bias: Vec<f32> = self.directions.iter().zip(&scales).map(bias).collect();
        let tensors = state::named(encoder).into_iter().map(|(name, tensor)| {
            let values = if tensor.dim() == 2 { weight.concat() } else { bias.clone() };
            (name, tch::Tensor::from_slice(&values).reshape(tensor.size()))
        });
        state::restore(encoder, &tensors.collect())
    }

    /// The first, each as far as it goes to either side, in rows.
    fn draw(&self, data: &Manifest, context: &Context) -> Result<()> {
        let Manifest { height, width, channels, .. } = *data;
        let picture = |direction: &Vec<f64>| {
            let most = direction.iter().fold(0.0f64, |most, value| most.max(value.abs()));
            let shade = |value: f64| (127.5 + 127.5 * value / most).round() as u8;
            RgbImage::from_fn(width as u32, height as u32, |x, y| {
                let place = y as usize * width + x as usize;
                Rgb([0, 1, 2].map(|colour| shade(direction[colour.min(channels - 1) * height * width + place])))
            })
        };
        let pictures: Vec<RgbImage> = self.directions.iter().take(SHOWN).map(picture).collect();
        let rows: Vec<Vec<RgbImage>> = pictures.chunks(COLUMNS).map(<[_]>::to_vec).collect();
        draw_grid(&rows, &context.side().join("components.png"))
    }
}
