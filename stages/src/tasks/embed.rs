//! What an encoder makes of pictures that no data set holds, or the classifier behind it. No recipe has this kind: `pretext embed` and
//! `pretext predict` ask for it.

mod files;

use crate::artifact::EncoderArtifact;
use crate::context::Context;
use crate::data::pictures::{self, Fit, by_ending};
use crate::features::{batch, normalised};
use crate::nn::layers::Mode;
use crate::stage::{About, ENCODER, OutputAbout, PortAbout, Stage};
use anyhow::{Result, bail, ensure};
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use image::DynamicImage;
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::path::{Path, PathBuf};

/// A folder's pictures through an encoder.
pub struct Embed;

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// of the pictures, at any depth
    folder: String,
    /// whether pictures that cannot be read are left out
    skip_damaged: bool,
    /// height and width at which they are looked at; null: those of the images that the encoder was trained on
    #[schemars(range(min = 1, max = 1024), extend("x-unit" = "pixels"))]
    size: Option<u32>,
    /// whether it gives the probabilities of the classifier's classes in place of features
    predict: bool,
}

/// The largest side at which pictures are looked at.
const MOST: u32 = 1024;

impl Stage for Embed {
    type Params = Params;
    const ABOUT: About = About {
        name: "embed",
        summary: "Features or predictions of a folder's pictures",
        needs: &[PortAbout { doc: "what is used", ..ENCODER }],
        gives: &[OutputAbout { name: "pictures", type_: "pictures", doc: "a row for each picture" }],
        ..About::NONE
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let folder = Path::new(&params.folder);
        let pictures = listed(folder)?;
        let trained = context.input("encoder")?;
        let encoder = EncoderArtifact::open(trained, &context.device)?;
        let artifact = &encoder.artifact;
        ensure!(
            params.size.is_none_or(|side| side <= MOST),
            "--size is {}: expected {MOST} pixels at most",
            params.size.unwrap_or_default()
        );
        let size = params.size.map_or(artifact.size, |side| [side as usize; 2]);
        if let Some(network) = encoder.encoder() {
            network.takes(size)?;
        }
        if let Some(warning) = artifact.network.as_ref().and_then(|network| network.warning(size)) {
            context.note(&format!("{warning}; --size says at which size pictures are looked at"));
        }
        let classifier = if params.predict { artifact.open_classifier(trained, &context.device)? } else { None };
        ensure!(
            classifier.is_some() || !params.predict,
            "this encoder has no classifier: use the encoder of eval/finetune or pretrain/supervised, or `pretext embed`, which gives \
             features"
        );
        let network = |x| match &classifier {
            None => encoder.features(x),
            Some(classifier) => softmax(classifier.forward(encoder.features(x), Mode::Eval), 1),
        };
        let (mut values, mut used, mut left_out) = (vec![], vec![], vec![]);
        let mut meter = context.meter("encode", pictures.len() as u64, "images");
        for files in pictures.chunks(batch(size)) {
            context.check_stop()?;
            let (sound, damaged) = decoded(folder, files, artifact, size);
            ensure!(
                params.skip_damaged || damaged.is_empty(),
                "{}; --skip-damaged leaves out what cannot be read",
                told(&damaged)
            );
            left_out.extend(damaged);
            if !sound.is_empty() {
                values.extend(passed(&sound, artifact, size, context, network)?);
            }
            used.extend(sound.into_iter().map(|(file, _)| file));
            meter.at((used.len() + left_out.len()) as u64, &[]);
        }
        ensure!(!used.is_empty(), "none of them can be used: {}", told(&left_out));
        if !left_out.is_empty() {
            context.note(&format!("left out: {}", told(&left_out)));
        }
        let out = context.output("pictures")?;
        match classifier {
            None => files::write_features(&out, &used, &values),
            Some(_) => files::write_predictions(&out, &used, &values, &artifact.classes),
        }
    }
}

/// The pictures beneath a folder, those in formats that are not read among them, in the order of their names.
fn listed(folder: &Path) -> Result<Vec<PathBuf>> {
    let listing = pictures::list(folder)?;
    let mut found = [listing.pictures, listing.unread, listing.dangling].concat();
    found.sort();
    if found.is_empty() {
        let others = by_ending(listing.others.iter().map(PathBuf::as_path));
        let there = if others.is_empty() { "it is empty".to_owned() } else { format!("it has {others}") };
        bail!("{} has no pictures: {there}", folder.display());
    }
    Ok(found)
}

type Sound = (PathBuf, Vec<u8>);
type Damaged = (PathBuf, String);

/// The pixels of those files that can be read, and why the others cannot.
fn decoded(
    folder: &Path,
    files: &[PathBuf],
    artifact: &EncoderArtifact,
    size: [usize; 2],
) -> (Vec<Sound>, Vec<Damaged>) {
    let pixels: Vec<Result<Vec<u8>>> =
        files.par_iter().map(|file| pixels(&folder.join(file), artifact, size)).collect();
    let (mut sound, mut damaged) = (vec![], vec![]);
    for (file, pixels) in files.iter().zip(pixels) {
        match pixels {
            Ok(pixels) => sound.push((file.clone(), pixels)),
            Err(error) => damaged.push((file.clone(), format!("{error:#}"))),
        }
    }
    (sound, damaged)
}

/// `[height, width, channels]`, made of the picture as the images that the encoder was trained on were of theirs; where those were no
/// pictures, of its middle.
fn pixels(file: &Path, artifact: &EncoderArtifact, size: [usize; 2]) -> Result<Vec<u8>> {
    let (fit, turns) = artifact.pictures.map_or((Fit::Crop, true), |pictures| (pictures.fit, pictures.turns));
    let colours = fit.apply(pictures::read(file, turns)?, size.map(|side| side as u32))?;
    match artifact.mean.len() {
        1 => Ok(DynamicImage::ImageRgb8(colours).into_luma8().into_raw()),
        3 => Ok(colours.into_raw()),
        channels => bail!("the encoder takes images of {channels} channels, and pictures have 3 or 1"),
    }
}

/// `[picture, value]`
fn passed(
    sound: &[Sound],
    artifact: &EncoderArtifact,
    [height, width]: [usize; 2],
    context: &Context,
    network: impl Fn(Tensor<4>) -> Tensor<2>,
) -> Result<Vec<f32>> {
    let shape = [sound.len(), height, width, artifact.mean.len()];
    let normal = [artifact.mean.as_slice(), &artifact.sd];
    let images = normalised(shape, normal, &context.device, |place| Cow::Borrowed(&sound[place].1));
    Ok(network(images).into_data().try_to_vec()?)
}

/// `2 pictures cannot be read: a/1.jpg (it is empty), ...`
fn told(damaged: &[Damaged]) -> String {
    const NAMED: usize = 5;
    let named = damaged.iter().take(NAMED).map(|(file, why)| format!("{} ({why})", file.display()));
    let more = if damaged.len() > NAMED { ", ..." } else { "" };
    let count = match damaged.len() {
        1 => "1 picture".to_owned(),
        count => format!("{count} pictures"),
    };
    format!("{count} cannot be read: {}{more}", named.collect::<Vec<_>>().join(", "))
}
