use super::Clusters;
use crate::artifact::EncoderArtifact;
use crate::context::Context;
use crate::data::Split;
use crate::features::{FeatureSet, SplitFeatures};
use crate::nn::layers::Mode;
use crate::nn::{HeadConfig, ops};
use anyhow::{Context as _, Result, bail, ensure};
use burn::tensor::{Tensor, TensorData};

/// How many clusters a head of the encoder tells apart, and the one of every image: its largest output, of equal ones the first.
pub fn assigned(set: &FeatureSet, name: &str, context: &Context) -> Result<(usize, Clusters)> {
    let folder = context.optional_input("encoder").with_context(|| {
        format!(
            "assignment is {name}, a head of an encoder: connect the one that the features are of to the port `encoder`"
        )
    })?;
    let artifact = EncoderArtifact::open(folder, &context.device)?.artifact;
    let lengths = artifact.heads.get(name).and_then(HeadConfig::of_features);
    let (Some([inputs, outputs]), Some(head)) = (lengths, artifact.open_head(name, folder, &context.device)?) else {
        let heads: Vec<&str> = artifact.heads.keys().map(String::as_str).collect();
        let there = if heads.is_empty() { "no head".to_owned() } else { heads.join(", ") };
        bail!(
            "assignment is {name}, and what the encoder has kept is {there}: expected a head that makes numbers of features"
        );
    };
    ensure!(
        inputs == set.features,
        "the head {name} takes {inputs} features and these have {}: connect the encoder that they are of",
        set.features
    );
    let largest = |of_split: &SplitFeatures| -> Vec<u32> {
        let data = TensorData::new(of_split.values.clone(), [of_split.labels.len(), inputs]);
        let scores = head.of_features(Tensor::from_data(data, &context.device), Mode::Eval);
        ops::read(&scores, |scores| scores.chunks_exact(outputs).map(largest_of).collect())
    };
    let of_split = |split| Ok((split, largest(set.split(split)?)));
    Ok((outputs, Split::LABELLED.into_iter().map(of_split).collect::<Result<_>>()?))
}

fn largest_of(scores: &[f32]) -> u32 {
    let larger = |best: usize, other: usize| if scores[other] > scores[best] { other } else { best };
    (0..scores.len()).reduce(larger).expect("there is a cluster") as u32
}
