//! What all `pretrain/*` kinds share: ports, parameters, and the way from a data set to a published encoder.

use super::shown;
use crate::artifact::EncoderArtifact;
use crate::augment::ops::Size;
use crate::augment::{Policy, Precision, Source, Target};
use crate::context::Context;
use crate::data::{Dataset, Manifest};
use crate::features::OnlineKnn;
use crate::nn::Init;
use crate::nn::encoder::{self, Encoder, EncoderConfig};
use crate::stage::{About, DATA, Deviations, MeasureAbout, OutputAbout, PortAbout, VIEWS};
use crate::train::{Evaluation, Objective, OptimiserConfig, Rates, Training, fit};
use anyhow::{Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The parameters of the family.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Common {
    /// the network that is trained
    pub encoder: EncoderConfig,
    /// passes over the training images, unless `steps` or `images` gives the length
    #[schemars(range(min = 1), extend("x-unit" = "epochs"))]
    pub epochs: u32,
    /// in place of epochs: batches
    #[schemars(range(min = 1), extend("x-unit" = "steps", "x-contradicts" = [{ "epochs": "given" }, { "images": "given" }]))]
    pub steps: Option<u32>,
    /// in place of epochs: images that pass through the network, every view of an image and each of its four rotations
    /// counted, to the end of the batch
    #[schemars(range(min = 1), extend("x-unit" = "images", "x-contradicts" = [{ "epochs": "given" }]))]
    pub images: Option<u64>,
    /// images in a step; what is left at an epoch's end is dropped
    #[schemars(range(min = 2), extend("x-unit" = "images"))]
    pub batch: u32,
    pub optimiser: OptimiserConfig,
    /// in which the encoder is trained; weights, statistics and losses are float32 in any case. tf32: float32 whose products, those of
    /// losses and of `online_knn` too, a GPU computes with 10 bits of precision in place of 23, and a processor as float32. bfloat16 is faster on GPUs and on
    /// processors with AVX512-BF16 or AMX (`pretext doctor`), and slower elsewhere
    pub precision: Precision,
    /// how many times, evenly over the training, kNN on validation shows what the encoder has learned so far, in the
    /// progress and in curve.csv, of pooled features also where a code is evaluated later; 0: never. Bank: at most 4000 training images; k 200, temperature 0.1
    #[schemars(range(min = 0, max = 10_000), extend("x-unit" = "times", "x-unkeyed" = true))]
    pub online_knn: u32,
    /// of the first weights, the order of the images and their views
    #[schemars(range(min = 0))]
    pub seed: u64,
}

impl Default for Common {
    fn default() -> Self {
        Self {
            encoder: EncoderConfig::default(),
            epochs: 100,
            steps: None,
            images: None,
            batch: 128,
            optimiser: OptimiserConfig::default(),
            precision: Precision::Float32,
            online_knn: 5,
            seed: 0,
        }
    }
}

impl Common {
    /// How many batches the training has, of which an epoch has `steps_per_epoch` and each puts `seen` images through the network
    /// for each of its own.
    fn total_steps(&self, steps_per_epoch: usize, seen: usize) -> Result<usize> {
        let epochs = Some(self.epochs).filter(|&epochs| epochs != Self::default().epochs);
        let given = [
            epochs.map(|epochs| format!("epochs: {epochs}")),
            self.steps.map(|steps| format!("steps: {steps}")),
            self.images.map(|images| format!("images: {images}")),
        ];
        let given: Vec<String> = given.into_iter().flatten().collect();
        ensure!(given.len() < 2, "the length of the training is given by `{}`: leave one", given.join("` and by `"));
        let batch_seen = u64::from(self.batch) * seen as u64;
        Ok(match (self.steps, self.images) {
            (Some(steps), _) => steps as usize,
            (_, Some(images)) => images.div_ceil(batch_seen) as usize,
            (None, None) => self.epochs as usize * steps_per_epoch,
        })
    }
}

pub const TRAINING: Deviations = Deviations {
    of: "of every training here",
    list: &[
        "batch, learning rate, weight decay and length are parameters, whose defaults are for small images on one machine (of \
         MoCo's demonstration on CIFAR-10) and not the paper's",
        "there is no warm-up unless `optimiser.warmup_epochs` asks for one",
        "first weights are torchvision's and PyTorch's (`encoder.init`), where the authors draw theirs otherwise",
    ],
};
pub const ENCODERS: Deviations = Deviations { of: "of the encoders from their papers", list: encoder::DEVIATIONS };
pub const LARS: Deviations = Deviations {
    of: "of methods whose authors train with lars",
    list: &[
        "sgd in its place, with weight decay on biases and norms too (`optimiser.kind`, `optimiser.exclude`)",
        "the last norm of a residual block starts at 1, where their code has 0",
        "crops are scaled bilinearly, where their code does it bicubically",
        "batch norm looks at one machine's batch, of one view",
    ],
};

/// Ports and outputs of the family; what is used and what is ignored differs.
pub const NEEDS: &[PortAbout] = &[DATA, VIEWS];
pub const NEEDS_WITHOUT_VIEWS: &[PortAbout] = &[DATA, PortAbout { used: false, ..VIEWS }];
pub const FAMILY: About = About {
    needs: NEEDS,
    gives: &[OutputAbout { name: "encoder", type_: "encoder", doc: "the encoder after the last step" }],
    ..About::NONE
};
/// Of those that train.
pub const TRAINED: About = About { measures: &[IMAGES_SEEN], ..FAMILY };
pub const IMAGES_SEEN: MeasureAbout = MeasureAbout {
    name: "images_seen",
    splits: &[],
    unit: "",
    setting: false,
    doc: "images that passed through the network in training, every view of an image and each of its four rotations counted, \
          the tiles of an image together as one",
};

/// The opened inputs of a pretraining stage.
pub struct Inputs {
    pub data: Dataset,
    pub policy: Policy,
}

/// A method whose objective may stand beside others over one encoder: its own parameters, without those of the family.
pub trait Partner {
    /// Of each image.
    fn views(&self) -> usize {
        1
    }
    /// How they are made when none are connected.
    fn policy(&self) -> Policy;
    /// An error where it cannot be trained.
    fn check(&self, _: &Common, _: &Manifest) -> Result<()> {
        Ok(())
    }
    fn objective(&self, init: &mut Init, encoder: &Encoder, data: &Manifest) -> Result<Box<dyn Objective>>;
}

impl Inputs {
    /// `fallback`: the policy when no views are connected.
    pub fn open(context: &Context, fallback: Policy) -> Result<Self> {
        let data = Dataset::open(context.input("data")?)?;
        Ok(Self { data, policy: Policy::connected(context, fallback)? })
    }

    /// Height and width of an image's first view.
    pub fn size_of_view(&self) -> [usize; 2] {
        let Manifest { height, width, .. } = self.data.manifest;
        let Size { height, width } = self.policy.size(0, Size { height, width });
        [height, width]
    }
}

/// Trains an encoder for one partner alone.
pub fn pretrain_alone(common: &Common, own: &dyn Partner, context: &Context) -> Result<()> {
    let inputs = Inputs::open(context, own.policy())?;
    own.check(common, &inputs.data.manifest)?;
    pretrain(common, &inputs, context, |init, encoder, data| own.objective(init, encoder, data))
}

/// Trains an encoder for the objective that `build` makes, and publishes it.
pub fn pretrain(
    common: &Common,
    inputs: &Inputs,
    context: &Context,
    build: impl FnOnce(&mut Init, &Encoder, &Manifest) -> Result<Box<dyn Objective>>,
) -> Result<()> {
    let manifest = &inputs.data.manifest;
    let size = [manifest.height, manifest.width];
    common.encoder.check()?;
    if let Some(warning) = common.encoder.warning(size) {
        eprintln!("warning: {warning}");
    }
    let mut init = Init::new(common.seed, &context.device.clone().autodiff());
    let encoder = common.encoder.build(&mut init, manifest.input());
    // The images themselves are what it is evaluated with later.
    encoder.takes(size)?;
    let objective = build(&mut init, &encoder, manifest)?;
    train(common, inputs, context, EncoderArtifact::new(Some(&common.encoder), manifest), &encoder, objective)
}

/// The same of the encoder on the port of that name, which learns on.
pub fn pretrain_further<'a>(
    common: &Common,
    inputs: &Inputs,
    context: &Context,
    build: impl FnOnce(&EncoderArtifact, &Encoder) -> Result<Box<dyn Objective + 'a>>,
) -> Result<()> {
    let manifest = &inputs.data.manifest;
    let (artifact, encoder) = EncoderArtifact::open_to_train(context.input("encoder")?, &context.device)?;
    artifact.check_channels(manifest)?;
    encoder.takes([manifest.height, manifest.width])?;
    let objective = build(&artifact, &encoder)?;
    train(common, inputs, context, artifact, &encoder, objective)
}

/// `artifact`: what is known of the encoder so far.
fn train(
    common: &Common,
    inputs: &Inputs,
    context: &Context,
    artifact: EncoderArtifact,
    encoder: &Encoder,
    mut objective: Box<dyn Objective + '_>,
) -> Result<()> {
    let Inputs { data, policy } = inputs;
    let size = Size { height: data.manifest.height, width: data.manifest.width };
    common.precision.prepare(context.device_name());
    let (wants, seen) = (objective.wants(), objective.seen());
    let views = wants.views;
    policy.check_on(views, size)?;
    for Size { height, width } in (0..views).map(|view| policy.size(view, size)) {
        encoder.takes([height, width])?;
    }
    let images = data.rows_to_train_on(wants.target != Target::None);
    let (batch, count) = (common.batch as usize, images.len());
    ensure!(
        batch <= count,
        "batch is {batch} and there are {count} training images: lower `batch` or raise the data's `train`"
    );
    let normal = [artifact.mean.as_slice(), &artifact.sd];
    let source = Source {
        images,
        precision: common.precision,
        normal,
        ..Source::of_train(data, policy, wants, batch, common.seed)
    };
    let knn = if common.online_knn > 0 { OnlineKnn::new(data, normal, common.seed, context) } else { None };
    let accuracy = |encoder: &Encoder| knn.as_ref()?.accuracy(encoder);
    let evaluation = knn.is_some().then_some(Evaluation { times: common.online_knn as usize, accuracy: &accuracy });
    let steps = common.total_steps(source.steps_per_epoch(), seen)?;
    let (optimiser, rates) = (&common.optimiser, Rates::default());
    let training = Training { source, steps, optimiser, rates, encoder_rests: 0, evaluation };
    training.check()?;
    #[cfg(test)]
    if super::super::tests::checks(encoder, &mut *objective, &training)? {
        return Ok(());
    }
    fit(encoder, &mut *objective, &training, context)?;
    if !context.rehearses {
        shown::draw(&*objective, encoder, &training, data, context)?;
    }
    context.measure(IMAGES_SEEN.name, "", (steps * batch * seen) as f64);
    let rows = training.rows();
    let artifact = artifact.trained_on(data, &rows);
    artifact.with_heads(objective.heads_to_keep(), &data.manifest).save(
        Some(encoder),
        &objective.heads(),
        &context.output("encoder")?,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_training_is_as_long_as_it_is_asked_to_be() {
        let steps = |change: fn(&mut Common)| {
            let mut common = Common { batch: 32, ..Common::default() };
            change(&mut common);
            common.total_steps(5, 4).ok()
        };
        assert_eq!(steps(|_| ()), Some(500));
        assert_eq!(steps(|common| common.epochs = 3), Some(15));
        assert_eq!(steps(|common| common.steps = Some(37)), Some(37));
        // A batch shows 128 images.
        assert_eq!(steps(|common| common.images = Some(36 * 128)), Some(36));
        assert_eq!(steps(|common| common.images = Some(36 * 128 + 1)), Some(37));
        assert_eq!(steps(|common| (common.steps, common.images) = (Some(37), Some(4500))), None);
        assert_eq!(steps(|common| (common.epochs, common.steps) = (3, Some(37))), None);
    }
}
