//! Every stage kind, one line each.

use crate::context::Context;
use crate::nn::ops::libtorch_version;
use crate::stage::{Stage, describe};
use crate::{augment, data, methods, tasks};
use anyhow::{Context as _, Result};
use pretext_protocol::{Catalogue, StageKind};
use serde_json::{Map, Value};

pub fn entries() -> Vec<Entry> {
    vec![
        entry::<data::Cifar10>(),
        entry::<data::Cifar100>(),
        entry::<data::Mnist>(),
        entry::<data::FashionMnist>(),
        entry::<data::Stl10>(),
        entry::<data::SolarCells>(),
        entry::<data::Textiles>(),
        entry::<data::Emoji>(),
        entry::<data::Scenes>(),
        entry::<data::Folder>(),
        entry::<data::Arrays>(),
        entry::<data::Coco>(),
        entry::<data::Voc>(),
        entry::<data::Masks>(),
        entry::<data::Mvtec>(),
        entry::<data::OneClass>(),
        entry::<data::Nifti>(),
        entry::<data::HeadMri>(),
        entry::<data::MedMnist>(),
        entry::<augment::SimClrViews>(),
        entry::<augment::ByolViews>(),
        entry::<augment::MultiCropViews>(),
        entry::<augment::StandardViews>(),
        entry::<augment::TrivialAugmentViews>(),
        entry::<augment::RandAugmentViews>(),
        entry::<methods::Pixels>(),
        entry::<methods::Pca>(),
        entry::<methods::Random>(),
        entry::<methods::Imported>(),
        entry::<methods::Supervised>(),
        entry::<methods::Autoencoder>(),
        entry::<methods::DenoisingAutoencoder>(),
        entry::<methods::Vae>(),
        entry::<methods::DeepEmbeddedClustering>(),
        entry::<methods::Inpainting>(),
        entry::<methods::Colorization>(),
        entry::<methods::Mae>(),
        entry::<methods::Spark>(),
        entry::<methods::Rotation>(),
        entry::<methods::Jigsaw>(),
        entry::<methods::RelativePatch>(),
        entry::<methods::Fusion>(),
        entry::<methods::SimClr>(),
        entry::<methods::MoCo>(),
        entry::<methods::Byol>(),
        entry::<tasks::Features>(),
        entry::<tasks::LinearProbe>(),
        entry::<tasks::Knn>(),
        entry::<tasks::Cluster>(),
        entry::<tasks::Retrieve>(),
        entry::<tasks::Project>(),
        entry::<tasks::Generate>(),
        entry::<tasks::Finetune>(),
        entry::<tasks::Anomaly>(),
        entry::<tasks::Detect>(),
        entry::<tasks::Segment>(),
        entry::<tasks::MaskTransfer>(),
        entry::<tasks::Denoise>(),
        entry::<tasks::Inpaint>(),
        entry::<tasks::Robustness>(),
        entry::<tasks::Export>(),
    ]
}

pub struct Entry {
    pub name: &'static str,
    /// Its description. Made when asked for: to run one kind takes no other's schema.
    pub kind: fn() -> StageKind,
    pub run: fn(&Map<String, Value>, &Context) -> Result<()>,
}

fn entry<S: Stage>() -> Entry {
    Entry { name: S::ABOUT.name, kind: describe::<S>, run: run::<S> }
}

fn run<S: Stage>(params: &Map<String, Value>, context: &Context) -> Result<()> {
    let params = serde_json::from_value(Value::Object(params.clone()))
        .with_context(|| format!("the parameters of {} do not fit its struct", S::ABOUT.name))?;
    S::run(params, context)
}

/// What no recipe has and commands ask for.
fn beside_recipes() -> Vec<Entry> {
    vec![entry::<tasks::Embed>()]
}

pub fn find(kind: &str) -> Option<Entry> {
    entries().into_iter().chain(beside_recipes()).find(|entry| entry.name == kind)
}

pub fn catalogue() -> Catalogue {
    Catalogue {
        numerics: numerics(),
        rehearses: true,
        kinds: entries().into_iter().map(|entry| (entry.kind)()).collect(),
    }
}

/// What the numbers of kinds that touch tensors depend on beside their parameters.
fn numerics() -> String {
    format!("libtorch {}, float32 unless a stage says otherwise", libtorch_version())
}
