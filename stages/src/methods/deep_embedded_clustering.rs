//! Deep embedded clustering (Xie et al. 2016, arXiv:1511.06335): the encoder of an autoencoder learns on, so that its codes z lie in
//! clusters. A code belongs to the cluster with centre mu by Student's t (eq. 1), q ~ 1 / (1 + |z - mu|^2); what it is to belong to is made
//! of that itself (eq. 3), p ~ q^2 / sum of q over all images, which trusts what is sure; the loss is KL(P || Q) (eq. 2), of which encoder and
//! centres go down.

use super::shared::pretrain::{Common, ENCODERS, Inputs, TRAINED, pretrain_further};
use crate::artifact::{EncoderArtifact, PROTOTYPES};
use crate::augment::{Batch, Policy, Wants};
use crate::context::{Context, Stopped};
use crate::data::{Dataset, Manifest};
use crate::features::{batch, kmeans, normalised};
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::state::Part;
use crate::nn::{CODE, Head, HeadConfig, Mlp, Prototypes, ops};
use crate::stage::{About, DATA, Deviations, ENCODER, PortAbout, Stage, VIEWS};
use crate::train::schedule::Schedule;
use crate::train::{At, Objective, OptimiserConfig, OptimiserKind, Term};
use anyhow::{Context as _, Result, ensure};
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub struct DeepEmbeddedClustering;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    /// how many there are; 0: as many as classes
    #[schemars(range(min = 0, max = 1000), extend("x-unit" = "clusters"))]
    clusters: u32,
    /// of the k-means that the first centres come from: runs from other centres, of which the one with the smallest sum of squared distances
    /// counts
    #[schemars(range(min = 1, max = 1000), extend("x-unit" = "runs"))]
    restarts: u32,
    /// after how many steps all images are looked at again, to say anew what they are to belong to (eq. 3)
    #[schemars(range(min = 1), extend("x-unit" = "steps"))]
    refresh: u32,
}

impl Default for Params {
    fn default() -> Self {
        let optimiser = OptimiserConfig {
            lr: Some(0.01),
            weight_decay: Some(0.0),
            schedule: Schedule::Constant,
            ..OptimiserConfig::of(OptimiserKind::Sgd)
        };
        Self { common: Common { optimiser, ..Common::default() }, clusters: 0, restarts: 10, refresh: 140 }
    }
}

impl Stage for DeepEmbeddedClustering {
    type Params = Params;
    const ABOUT: About = About {
        name: "pretrain/dec",
        summary: "Deep embedded clustering: an autoencoder's codes move into clusters (Xie et al. 2016, arXiv:1511.06335)",
        docs: "Goes on from an encoder (`pretrain/autoencoder`, `pretrain/denoising_autoencoder`, or any other), whose features, or code where \
               it has one, are what is clustered. First centres are those of k-means; then encoder and centres minimise KL(P || Q), mean over \
               the batch (eq. 2). Labels are not used. The centres are kept as a head `prototypes`: an image belongs to the nearest. Trains on \
               the images as they are; looks at all images do not count among `images_seen`. drawn.png shows images, and beside each the \
               training images that are nearest to the centre of its cluster.",
        deviations: &[
            Deviations::from_paper(&[
                "what it goes on from is connected, where the paper trains an autoencoder layer by layer with dropout, and then as a whole",
                "the loss is the mean over a batch's images, where eq. 2 has the sum",
                "k-means has 10 runs unless `restarts` says otherwise, where the paper has 20",
                "it trains as long as it is told, where the paper ends when less than .1 % of the images change their cluster",
                "where an encoder has batch norms, they see the batch's statistics in training and the running ones where all images are \
                 looked at; the paper's has none",
                "batch, learning rate (.01) and length are parameters, and weights begin as they are on the port",
            ]),
            ENCODERS,
        ],
        needs: &[DATA, PortAbout { used: false, ..VIEWS }, PortAbout { doc: "what learns on", ..ENCODER }],
        unused: &["encoder"],
        ..TRAINED
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let inputs = Inputs::open(context, Policy::identity())?;
        pretrain_further(&params.common, &inputs, context, |artifact, encoder| {
            Ok(Box::new(Clustering::new(&inputs.data, artifact, encoder, &params, context)?))
        })
    }
}

struct Clustering<'a> {
    codes: Codes<'a>,
    prototypes: Prototypes,
    /// Rows of the data set that are clustered, ascending.
    rows: Vec<usize>,
    /// P of eq. 3, `[image, cluster]`, in the order of `rows`.
    targets: Tensor<2>,
    refresh: usize,
}

impl<'a> Clustering<'a> {
    fn new(
        data: &'a Dataset,
        artifact: &EncoderArtifact,
        encoder: &Encoder,
        params: &Params,
        context: &Context,
    ) -> Result<Self> {
        let clusters = clusters(params.clusters as usize, &data.manifest)?;
        let rows = data.rows_to_train_on(false);
        ensure!(clusters <= rows.len(), "{clusters} clusters of {} training images: lower `clusters`", rows.len());
        ensure!(
            clusters > 1,
            "clusters is 1, and there is nothing to tell apart: write 2 or more, or 0 for as many as classes"
        );
        let codes = Codes::new(data, artifact, context)?;
        context.check_stop()?;
        let all = codes.of_rows(&rows, encoder, |codes| codes);
        ensure!(
            ops::first_not_finite(&[ops::raw(&all)]).is_none(),
            "what the encoder makes of these images is not finite: look at how it was trained, or at the data that it was trained on"
        );
        let centres = centres(&all, clusters, params, context)?;
        let prototypes = Prototypes::at(Tensor::from_inner(centres));
        let targets = target_distribution(log_assignment(&prototypes.valid(), all).exp());
        Ok(Self { codes, prototypes, rows, targets, refresh: params.refresh as usize })
    }

    /// P for the encoder as it is now.
    fn all_targets(&self, encoder: &Encoder) -> Tensor<2> {
        let prototypes = self.prototypes.valid();
        target_distribution(self.codes.of_rows(&self.rows, encoder, |codes| log_assignment(&prototypes, codes).exp()))
    }

    /// Where an image stands in `rows`.
    fn place(&self, id: u32) -> i32 {
        self.rows.binary_search(&(id as usize)).expect("it is trained on what is clustered") as i32
    }
}

fn clusters(asked: usize, data: &Manifest) -> Result<usize> {
    if asked > 0 {
        return Ok(asked);
    }
    let classes = data.classes.len();
    ensure!(
        classes > 1,
        "clusters is 0, for as many as classes, and these images have no labels (all are of one class): write how many, such as \
         `clusters: 10`"
    );
    let write = "clusters is 0, for as many as the images have classes: write how many, such as `clusters: 10`";
    data.check_image_classes("their number").context(write)?;
    Ok(classes)
}

/// The first centres, `[cluster, feature]`.
fn centres(codes: &Tensor<2>, clusters: usize, params: &Params, context: &Context) -> Result<Tensor<2>> {
    let mut meter = context.meter("cluster", u64::from(params.restarts), "runs");
    let mut begun = None;
    let go_on = |run: usize| {
        let is_new = begun.replace(run) != Some(run);
        if is_new {
            meter.at(run as u64, &[]);
        }
        !(is_new && context.stopping())
    };
    // Seen from their mean: squares of what lies far from zero would not tell codes apart.
    let mean = codes.clone().mean_dim(0); // [1, feature]
    let seen = codes.clone() - mean.clone();
    let found = kmeans(&seen, clusters, params.restarts as usize, params.common.seed, go_on).ok_or(Stopped)?;
    Ok(found.centres + mean)
}

/// From images to what is clustered.
struct Codes<'a> {
    data: &'a Dataset,
    /// Where the encoder has one of its own; else its pooled features are the code.
    code: Option<Mlp>,
    /// Mean and deviation of each channel.
    normal: [Vec<f32>; 2],
    device: burn::tensor::Device,
}

impl<'a> Codes<'a> {
    fn new(data: &'a Dataset, artifact: &EncoderArtifact, context: &Context) -> Result<Self> {
        let device = context.device.clone();
        let code = match artifact.open_head(CODE, context.input("encoder")?, &device.clone().autodiff())? {
            Some(Head::Mlp(code)) => Some(code),
            _ => None,
        };
        let ([own_height, own_width], Manifest { height, width, .. }) = (artifact.size, &data.manifest);
        ensure!(
            code.is_none() || artifact.size == [*height, *width],
            "the encoder's code is of images of {own_height} x {own_width} pixels, and the data set's have {height} x {width}: use the data \
             that it was trained on"
        );
        Ok(Self { data, code, normal: [artifact.mean.clone(), artifact.sd.clone()], device })
    }

    /// `[batch, channels, height, width]` to `[batch, feature]`, in float32.
    fn of_images(code: Option<&Mlp>, encoder: &Encoder, images: Tensor<4>, mode: Mode) -> Tensor<2> {
        match code {
            Some(code) => code.forward(encoder.flat(images, mode), mode),
            None => encoder.pooled(images, mode),
        }
    }

    /// What `make` makes of the codes of rows, some at once, without gradients and without waiting for the device.
    fn of_rows(&self, rows: &[usize], encoder: &Encoder, make: impl Fn(Tensor<2>) -> Tensor<2>) -> Tensor<2> {
        let Manifest { height, width, .. } = self.data.manifest;
        let (encoder, code) = (encoder.valid(), self.code.as_ref().map(Module::valid));
        let made = rows
            .chunks(batch([height, width]))
            .map(|rows| make(Self::of_images(code.as_ref(), &encoder, self.images(rows), Mode::Eval)));
        Tensor::cat(made.collect(), 0)
    }

    /// Some rows as the encoder sees them, `[batch, channels, height, width]`.
    fn images(&self, rows: &[usize]) -> Tensor<4> {
        let Manifest { height, width, channels, .. } = self.data.manifest;
        let normal = [self.normal[0].as_slice(), &self.normal[1]];
        normalised([rows.len(), height, width, channels], normal, &self.device, |place| self.data.image(rows[place]))
    }
}

impl Objective for Clustering<'_> {
    fn wants(&self) -> Wants {
        Wants::views(1)
    }

    fn heads(&self) -> Vec<(&'static str, &dyn Part)> {
        let code = self.codes.code.iter().map(|code| (CODE, code as &dyn Part));
        code.chain([(PROTOTYPES, &self.prototypes as &dyn Part)]).collect()
    }

    fn heads_to_keep(&self) -> Vec<(&'static str, HeadConfig)> {
        let code = self.codes.code.iter().map(|code| (CODE, code.config()));
        code.chain([(PROTOTYPES, self.prototypes.config())]).collect()
    }

    fn buffers(&self) -> Vec<(String, tch::Tensor)> {
        vec![("targets".to_owned(), ops::raw(&self.targets))]
    }

    fn losses(&mut self, encoder: &Encoder, batch: Batch, at: &At) -> Vec<Term> {
        // Those of the first steps are there since the centres are.
        if at.step > 0 && at.step.is_multiple_of(self.refresh) {
            self.targets = self.all_targets(encoder);
        }
        let places: Vec<i32> = batch.ids.iter().map(|&id| self.place(id)).collect();
        let targets = self.targets.clone().select(0, ops::integers(&places, &self.codes.device)); // [batch, cluster]
        let [images] = batch.into_views();
        let codes = Codes::of_images(self.codes.code.as_ref(), encoder, images, Mode::Train); // [batch, feature]
        Term::alone(divergence(Tensor::from_inner(targets), log_assignment(&self.prototypes, codes)))
    }

    fn shown(&self, encoder: &Encoder, batch: Batch, _: &At) -> Vec<Tensor<4>> {
        const NEAREST: usize = 6;
        let [images] = batch.into_views();
        let prototypes = self.prototypes.valid();
        let code = self.codes.code.as_ref().map(Module::valid);
        let own = Codes::of_images(code.as_ref(), &encoder.valid(), images.clone().inner(), Mode::Eval);
        let own: Vec<i64> = prototypes.squared_distances(own).argmin(1).into_data().iter().collect();
        let all = self.codes.of_rows(&self.rows, encoder, |codes| prototypes.squared_distances(codes)); // [image, cluster]
        let [_, clusters] = all.dims();
        let all = ops::read(&all, <[f32]>::to_vec);
        let nearest: Vec<Vec<usize>> =
            own.iter().map(|&cluster| nearest(&all, clusters, cluster as usize, NEAREST)).collect();
        let column = |place: usize| {
            let rows: Vec<usize> = nearest.iter().map(|nearest| self.rows[nearest[place]]).collect();
            Tensor::from_inner(self.codes.images(&rows))
        };
        [images].into_iter().chain((0..nearest[0].len()).map(column)).collect()
    }
}

/// The images that are nearest to the centre of a cluster, the nearest first, by their squared distances, `[image, cluster]`.
fn nearest(distances: &[f32], clusters: usize, cluster: usize, count: usize) -> Vec<usize> {
    let distance = |image: usize| distances[image * clusters + cluster];
    let mut images: Vec<usize> = (0..distances.len() / clusters).collect();
    images.sort_by(|&a, &b| distance(a).total_cmp(&distance(b)));
    images.truncate(count);
    images
}

/// The logarithm of q of eq. 1, with one degree of freedom: `[batch, feature]` to `[batch, cluster]`.
fn log_assignment(prototypes: &Prototypes, codes: Tensor<2>) -> Tensor<2> {
    log_softmax(prototypes.squared_distances(codes).log1p().neg(), 1)
}

/// P of eq. 3, of the q of all images, `[image, cluster]` both: q^2 over the cluster's sum of q, each image's summing to 1.
fn target_distribution(q: Tensor<2>) -> Tensor<2> {
    let weight = q.clone().square() / q.sum_dim(0); // [image, cluster]
    let sum = weight.clone().sum_dim(1); // [image, 1]
    weight / sum
}

/// KL(P || Q) of eq. 2, mean over the batch, of p and the logarithm of q, `[batch, cluster]` both; p is given without gradients.
fn divergence(p: Tensor<2>, log_q: Tensor<2>) -> Tensor<1> {
    let batch = p.dims()[0] as f64;
    // p log p is 0 where p is.
    let log_p = p.clone().clamp_min(1e-30).log();
    (p * (log_p - log_q)).sum().div_scalar(batch)
}

#[cfg(test)]
mod tests;
