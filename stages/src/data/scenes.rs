mod compose;
mod layer;

use super::cifar10::CIFAR10;
use super::dataset::{Labels, Split};
use super::emoji::{Drawing, Drawings, Group, Style, check_distinct};
use super::grouped;
use super::summary::Summary;
use super::writer::{DatasetWriter, Format, Sample};
use crate::context::Context;
use crate::random::{Purpose, Rng};
use crate::stage::{About, DATASET, OutputAbout, Stage, rising};
use anyhow::Result;
use compose::{Material, Pool, Scene};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Emoji over joined photographs of CIFAR-10, with boxes and masks of what is seen of them.
pub struct Scenes;

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    /// whose drawings; the same seed gives the same scenes in the other style, of the same emoji
    style: Style,
    /// which groups of emoji are classes, in this order; all other emoji may be distractors. Photographs of animals and vehicles, which are
    /// no objects, are everywhere in the background
    #[schemars(length(min = 1))]
    classes: Vec<Group>,
    /// width and height of a scene
    #[schemars(range(min = 32, max = 256), extend("x-unit" = "pixels"))]
    size: u32,
    /// fewest and most objects that are put into a scene
    #[schemars(length(equal = 2), inner(range(min = 0, max = 16)))]
    objects: [u32; 2],
    /// fewest and most emoji without a class that are put into a scene
    #[schemars(length(equal = 2), inner(range(min = 0, max = 16)))]
    distractors: [u32; 2],
    /// smallest and largest side of an emoji, before it is turned
    #[schemars(length(equal = 2), inner(range(min = 8, max = 256)), extend("x-unit" = "pixels"))]
    object_size: [f64; 2],
    /// an emoji is turned by at most so much to either side
    #[schemars(range(min = 0, max = 180), extend("x-unit" = "degrees"))]
    rotation: f64,
    /// at most so much of an emoji is hidden by others or lies outside
    #[schemars(range(min = 0, max = 0.9), extend("x-unit" = "fraction"))]
    hidden: f64,
    /// an emoji keeps at least and at most so much of its colours' distance from grey, so that they are no more colourful than photographs
    #[schemars(length(equal = 2), inner(range(min = 0, max = 1)))]
    saturation: [f64; 2],
    /// a scene is put together so much smaller, at least and at most, and then enlarged, photographs and emoji alike
    #[schemars(length(equal = 2), inner(range(min = 1, max = 4)))]
    blur: [f64; 2],
    /// scenes to train on
    #[schemars(range(min = 1, max = 1_000_000), extend("x-unit" = "images"))]
    train: u32,
    /// scenes to choose settings on
    #[schemars(range(min = 0, max = 1_000_000), extend("x-unit" = "images"))]
    validation: u32,
    /// scenes to be judged by
    #[schemars(range(min = 0, max = 1_000_000), extend("x-unit" = "images"))]
    test: u32,
    /// scenes for methods that need neither boxes nor masks, of the emoji and photographs that `train` is made of
    #[schemars(range(min = 0, max = 1_000_000), extend("x-unit" = "images"))]
    unlabelled: u32,
    /// of all that is drawn
    #[schemars(range(min = 0))]
    seed: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            style: Style::Twitter,
            classes: vec![Group::Faces, Group::Fruit, Group::Buildings, Group::Hearts],
            size: 96,
            objects: [1, 4],
            distractors: [0, 3],
            object_size: [16.0, 40.0],
            rotation: 45.0,
            hidden: 0.5,
            saturation: [0.2, 0.8],
            blur: [1.2, 2.0],
            train: 1_000,
            validation: 300,
            test: 1_000,
            unlabelled: 0,
            seed: 0,
        }
    }
}

/// Of the emoji of each class, and of those without: trained on, to choose by, to be judged by.
const SHARES: [f64; 3] = [0.6, 0.15, 0.25];
/// Scenes that are made side by side before they are written.
const CHUNK: u32 = 256;

impl Stage for Scenes {
    type Params = Params;
    const ABOUT: About = About {
        name: "data/scenes",
        // 2: the summary counts images beside what they show. 3: buildings in place of clocks.
        version: 3,
        summary: "Composed scenes for detection and segmentation: emoji over photographs of CIFAR-10, with boxes and masks",
        docs: "A benchmark of real pixels that is put together by the program. A background is joined from photographs of CIFAR-10; \
               on it lie emoji of Twitter or Google, scaled, turned and partly hidden by each other and by the border. Some have a \
               class, others are distractors. A scene is put together from photographs as they are, smaller than it will be, and \
               enlarged as a whole, so that objects are no sharper than what is behind them; they stand out by edges and colours still, but not by much (AP50 of 8 to 11 of \
               objects whatever they are, 3 to 5 by class, for a detector that knows no more). Boxes and masks are those of what is \
               visible: pixels of which an object is at least half.\n\n\
               Training, validation and test share neither emoji nor photographs: an emoji is in one of them, and photographs are of \
               the first 45,000 of the official training split, of its last 5,000, and of the official test split. Unlabelled scenes \
               are made as those that are trained on. The first scenes of a split are the same whatever its number. Dials of clocks differ in \
               their hands only, so that a class of clocks would have nearly the same drawings in all splits; of hearts too many are one outline in several colours. Distractors are all other emoji, \
               a few of which look like a class (angry faces, suits of cards).\n\n\
               An image has no class of its own here: classes are those of boxes and masks.",
        gives: &[OutputAbout { doc: "train, validation, test and unlabelled split", ..DATASET }],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        params.check()?;
        let material =
            Material { drawings: Drawings::open(params.style, context)?, photographs: CIFAR10.open(context)? };
        let splits = params.splits();
        let total: u32 = splits.iter().map(|(_, count)| count).sum();
        let folder = context.output("dataset")?;
        let mut writer = DatasetWriter::create(&folder, params.format(), total as usize)?;
        let (mut meter, mut done) = (context.meter("compose", total.into(), "scenes"), 0);
        for (split, count) in splits {
            let pool = params.pool(split, &material.drawings);
            for start in (0..count).step_by(CHUNK as usize) {
                context.check_stop()?;
                let scenes: Vec<Scene> = (start..count.min(start + CHUNK))
                    .into_par_iter()
                    .map(|number| {
                        let mut rng = Rng::new(params.seed, Purpose::Scene, &[split as u64, number.into()]);
                        pool.compose(&material, &params, &mut rng)
                    })
                    .collect();
                scenes.iter().try_for_each(|scene| add(&mut writer, split, scene))?;
                done += scenes.len() as u64;
                meter.at(done, &[]);
            }
        }
        params.summary().publish(&writer.finish()?, &folder, context)
    }
}

/// Of an unlabelled scene nobody knows what it shows.
fn add(writer: &mut DatasetWriter, split: Split, scene: &Scene) -> Result<()> {
    let sample = Sample::new(split, &scene.image, -1);
    let unknown = vec![255; scene.mask.len()];
    writer.add(match split {
        Split::Unlabelled => Sample { mask: Some(&unknown), regions: Some(&[]), ..sample },
        _ => Sample { mask: Some(&scene.mask), regions: Some(&scene.regions), ..sample },
    })
}

impl Params {
    fn check(&self) -> Result<()> {
        check_distinct("classes", &self.classes)?;
        rising("objects", self.objects)?;
        rising("distractors", self.distractors)?;
        rising("object_size", self.object_size)?;
        rising("saturation", self.saturation)?;
        rising("blur", self.blur)
    }

    fn splits(&self) -> [(Split, u32); 4] {
        [
            (Split::Train, self.train),
            (Split::Validation, self.validation),
            (Split::Test, self.test),
            (Split::Unlabelled, self.unlabelled),
        ]
    }

    fn format(&self) -> Format {
        let side = self.size as usize;
        Format {
            name: "scenes".into(),
            height: side,
            width: side,
            channels: 3,
            classes: self.classes.iter().map(|group| group.name().to_owned()).collect(),
            labels: Labels::Places,
            pictures: None,
        }
    }

    /// What a split's scenes are made of.
    fn pool(&self, split: Split, drawings: &Drawings) -> Pool {
        let kind = |drawing: &Drawing| {
            let class = self.classes.iter().position(|group| Some(*group) == drawing.group);
            class.unwrap_or(self.classes.len())
        };
        let parts = drawings.split(|drawing| Some(kind(drawing)), SHARES, self.seed);
        let (part, photographs) = match split {
            Split::Train | Split::Unlabelled => (0, 0..45_000),
            Split::Validation => (1, 45_000..50_000),
            Split::Test => (2, 50_000..60_000),
        };
        let mut of_kind = vec![vec![]; self.classes.len() + 1];
        parts[part].iter().for_each(|&number| of_kind[kind(&drawings.all[number])].push(number));
        Pool { photographs, drawings: of_kind }
    }

    fn summary(&self) -> Summary {
        let scenes = self.splits().into_iter().filter(|(_, count)| *count > 0);
        let counts: Vec<String> =
            scenes.map(|(split, count)| format!("{} {}", split.name(), grouped(count as usize))).collect();
        Summary {
            title: format!(
                "scenes of {}: boxes of {} classes, {2} x {2} pixels",
                self.style.fetched().name,
                self.classes.len(),
                self.size
            ),
            remarks: vec![
                format!("number of scenes: {}", counts.join(", ")),
                "training, validation and test share neither emoji nor photographs".into(),
            ],
            ..Summary::default()
        }
    }
}

#[cfg(test)]
mod tests;
