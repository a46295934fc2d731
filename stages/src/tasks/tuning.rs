//! What all evaluations that train an encoder further have in common: parameters, and the way from a pretrained encoder to a trained one.

use crate::artifact::EncoderArtifact;
use crate::augment::ops::Size;
use crate::augment::{Operation, Policy, Precision, Source, Wants};
use crate::context::Context;
use crate::data::{Dataset, Split};
use crate::nn::encoder::Encoder;
use crate::nn::layers::Mode;
use crate::nn::ops;
use crate::nn::state::Part;
use crate::random::{Purpose, Rng};
use crate::train::{Objective, OptimiserConfig, Rates, Training, fit};
use anyhow::{Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Tuning {
    /// how many of the encoder's layers, from its end, are trained: stages of a ResNet with the stem as the first, blocks of a
    /// transformer with its patches as the first, convolutions of conv4 (4 of resnet20, 5 of the other ResNets, 13 of vit_tiny, 4 of
    /// conv4). null: all; 0: none, only what stands behind it
    #[schemars(range(min = 0), extend("x-unit" = "layers"))]
    pub layers: Option<u32>,
    /// whether the scales and shifts of batch and layer norms are trained where the rest is fixed
    pub norms: bool,
    /// by which the learning rate is multiplied once more for each layer before what stands behind the encoder (Clark et al. 2020,
    /// arXiv:2003.10555, appendix A); 1: all learn alike
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub layer_decay: f64,
    /// by which the learning rate of what stands behind the encoder is multiplied: it begins from nothing
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub head_rate: f64,
    /// of `steps` the first, in which the encoder's weights stay as they are and only what stands behind it is trained (Kumar et al. 2022,
    /// arXiv:2202.10054); running statistics of batch norms move with what they see
    #[schemars(range(min = 0), extend("x-unit" = "steps"))]
    pub head_first: u32,
    /// batches; an epoch of few labels has few of them
    #[schemars(range(min = 1), extend("x-unit" = "steps"))]
    pub steps: u32,
    /// images in a step; where there are fewer with labels, all of them
    #[schemars(range(min = 2), extend("x-unit" = "images"))]
    pub batch: u32,
    pub optimiser: OptimiserConfig,
    /// in which the encoder is trained: float32, tf32 (a GPU's float32 with 10 bits of precision in products) or bfloat16
    pub precision: Precision,
    /// of the images with labels, the first weights of what stands behind the encoder, the order of the images and their views
    #[schemars(range(min = 0))]
    pub seed: u64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            layers: None,
            norms: false,
            layer_decay: 1.0,
            head_rate: 1.0,
            head_first: 0,
            steps: 1000,
            batch: 64,
            optimiser: OptimiserConfig::default(),
            precision: Precision::Float32,
            seed: 0,
        }
    }
}

/// The opened inputs of such an evaluation, which fit each other.
pub struct Opened {
    pub data: Dataset,
    pub artifact: EncoderArtifact,
    /// Of which only what was asked for is trained.
    pub encoder: Encoder,
    policy: Policy,
}

impl Opened {
    /// Whether nothing of the encoder is trained.
    pub fn is_fixed(&self) -> bool {
        !self.encoder.entries().iter().any(|entry| entry.trained)
    }

    /// What the encoder's batch norms look at: running statistics where nothing of it is trained.
    pub fn mode(&self) -> Mode<'static> {
        if self.is_fixed() { Mode::Eval } else { Mode::Train }
    }
}

impl Tuning {
    /// `own`: the policy when no views are connected.
    pub fn open(&self, context: &Context, own: Policy) -> Result<Opened> {
        ensure!(
            self.head_first < self.steps,
            "head_first is {} of {} steps, in all of which the encoder would stay as it is: lower it, or write `layers: 0`",
            self.head_first,
            self.steps
        );
        let data = labelled_data(context)?;
        let (artifact, encoder) = EncoderArtifact::open_to_train(context.input("encoder")?, &context.device)?;
        artifact.check_channels(&data.manifest)?;
        let policy = Policy::connected(context, own)?;
        let size = Size { height: data.manifest.height, width: data.manifest.width };
        policy.check_on(1, size)?;
        let view = policy.size(0, size);
        encoder.takes([size.height, size.width])?;
        encoder.takes([view.height, view.width])?;
        let depth = encoder.depth();
        let trained = self.layers.map_or(depth, |layers| layers as usize);
        ensure!(
            trained <= depth,
            "layers is {trained}, and this encoder has {depth}: write a number up to that, or null for all"
        );
        self.precision.prepare(context.device_name());
        Ok(Opened { data, artifact, encoder: encoder.frozen_but(trained, self.norms), policy })
    }

    /// Batches of some rows of the data set, of which there are two at least, for batch norm's sake.
    pub fn source<'a>(&self, opened: &'a Opened, images: &[usize], wants: Wants) -> Source<'a> {
        let Opened { data, artifact, policy, .. } = opened;
        Source {
            images: images.to_vec(),
            precision: self.precision,
            normal: [&artifact.mean, &artifact.sd],
            ..Source::of_train(data, policy, wants, self.batch as usize, self.seed)
        }
    }

    /// Trains on some rows of the data set, and gives those that have passed through the network.
    pub fn train(
        &self,
        opened: &Opened,
        images: &[usize],
        objective: &mut dyn Objective,
        context: &Context,
    ) -> Result<Vec<usize>> {
        let source = self.source(opened, images, objective.wants());
        let rates = Rates::by_layer(self.layer_decay, self.head_rate, &opened.encoder);
        let training = Training {
            source,
            steps: self.steps as usize,
            optimiser: &self.optimiser,
            rates,
            encoder_rests: self.head_first as usize,
            evaluation: None,
        };
        training.check()?;
        fit(&opened.encoder, objective, &training, context)?;
        // What it is worth is looked at in float32, as everywhere.
        ops::allow_tf32(false);
        Ok(training.rows())
    }
}

/// The data set, which has images to learn from and to judge by.
pub fn labelled_data(context: &Context) -> Result<Dataset> {
    let data = Dataset::open(context.input("data")?)?;
    ensure!(data.len(Split::Train) > 0, "the data set has no training images");
    for split in [Split::Validation, Split::Test] {
        ensure!(data.len(split) > 0, "the data set has no {} images to judge by", split.name());
    }
    Ok(data)
}

/// Views of images of which boxes or masks are told, when none are connected: half of the area at least, and flips.
pub fn views_of_places() -> Policy {
    Policy::Operations(vec![
        Operation::RandomResizedCrop { scale: [0.5, 1.0], ratio: [0.75, 4.0 / 3.0], size: None },
        Operation::HorizontalFlip { p: 0.5 },
    ])
}

/// Training images whose labels are used: `count` of them, or all where it is 0. At one seed fewer are part of more.
pub fn labelled(data: &Dataset, count: usize, seed: u64) -> Result<Vec<usize>> {
    let mut images: Vec<usize> = data.rows(Split::Train).collect();
    ensure!(
        count <= images.len(),
        "images is {count}, and the data set has {} to train on: write a number up to that, or 0 for all",
        images.len()
    );
    if count > 0 {
        Rng::new(seed, Purpose::Split, &[]).shuffle(&mut images);
        images.truncate(count);
        images.sort_unstable();
    }
    Ok(images)
}
