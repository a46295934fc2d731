use super::Clusters;
use crate::artifact::{EncoderArtifact, Frozen};
use crate::context::Context;
use crate::data::{Dataset, Split};
use crate::features::{FeatureSet, SplitFeatures, encode_all};
use crate::nn::layers::Mode;
use crate::nn::{HeadConfig, ops};
use crate::stage::DATA;
use anyhow::{Context as _, Result, bail, ensure};
use burn::tensor::{Tensor, TensorData};

/// How many clusters a head of the encoder tells apart, and the one of every image: its largest output, of equal ones the first.
pub fn assigned(set: &FeatureSet, name: &str, context: &Context) -> Result<(usize, Clusters)> {
    let folder = context.optional_input("encoder").with_context(|| {
        format!(
            "assignment is {name}, a head of an encoder: connect the one that the features are of to the port `encoder`"
        )
    })?;
    let frozen = EncoderArtifact::open(folder, &context.device)?;
    let artifact = &frozen.artifact;
    let lengths = artifact.heads.get(name).and_then(HeadConfig::of_features);
    let (Some([inputs, outputs]), Some(head)) = (lengths, artifact.open_head(name, folder, &context.device)?) else {
        let heads: Vec<&str> = artifact.heads.keys().map(String::as_str).collect();
        let there = if heads.is_empty() { "no head".to_owned() } else { heads.join(", ") };
        bail!(
            "assignment is {name}, and what the encoder has kept is {there}: expected a head that makes numbers of features"
        );
    };
    ensure!(
        inputs == set.features || context.rehearses,
        "the head {name} takes {inputs} features and these have {}: connect the encoder that they are of",
        set.features
    );
    context.check_stop()?;
    note_unless_theirs(set, &frozen, context)?;
    let largest = |of_split: &SplitFeatures| -> Vec<u32> {
        let data = TensorData::new(of_split.values.clone(), [of_split.labels.len(), inputs]);
        let scores = head.of_features(Tensor::from_data(data, &context.device), Mode::Eval);
        ops::read(&scores, |scores| scores.chunks_exact(outputs).map(largest_of).collect())
    };
    let of_split = |split| Ok((split, largest(set.split(split)?)));
    Ok((outputs, Split::LABELLED.into_iter().map(of_split).collect::<Result<_>>()?))
}

/// A note where the features seem to be another encoder's, as far as the images are at hand: they may have been made at another size.
fn note_unless_theirs(set: &FeatureSet, frozen: &Frozen, context: &Context) -> Result<()> {
    const IMAGES: usize = 4;
    // Numbers of another batch are rounded otherwise.
    const ROUNDING: f32 = 1e-2;
    let Some(folder) = context.optional_input(DATA.name) else { return Ok(()) };
    let (data, train, artifact) = (Dataset::open(folder)?, set.split(Split::Train)?, &frozen.artifact);
    artifact.check_channels(&data.manifest)?;
    frozen.takes([data.manifest.height, data.manifest.width])?;
    let rows: Vec<usize> = train.ids.iter().take(IMAGES).map(|&id| id as usize).collect();
    let normal = [artifact.mean.as_slice(), &artifact.sd];
    let found = encode_all(&data, &rows, normal, IMAGES, context, |x| frozen.features(x), |_| ())?;
    let largest = found.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    let is_near = |(found, kept): (&f32, &f32)| (found - kept).abs() <= ROUNDING * largest;
    let is_theirs = found.len() == rows.len() * set.features && found.iter().zip(&train.values).all(is_near);
    if !is_theirs {
        context.note(
            "of the first training images the encoder on port `encoder` makes other numbers than the features have: unless they were made at \
             another `size`, it is not the encoder that they are of, and the assignment means nothing",
        );
    }
    Ok(())
}

fn largest_of(scores: &[f32]) -> u32 {
    let larger = |best: usize, other: usize| if scores[other] > scores[best] { other } else { best };
    (0..scores.len()).reduce(larger).expect("there is a cluster") as u32
}
