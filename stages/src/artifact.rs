//! The `encoder` artifact: `encoder.json`, `weights.safetensors` unless it is the identity, `NAME.safetensors` for each head that is
//! kept, and `seen.npy` (u64, ascending): the digests of the images that it was trained on, where they are known.

use crate::data::{Dataset, Manifest, Preparation, Split, npy};
use crate::json;
use crate::nn::encoder::{Encoder, EncoderConfig};
use crate::nn::layers::Mode;
use crate::nn::state::{self, Part};
use crate::nn::{Bottleneck, CODE, DECODER, Head, HeadConfig, Init, LOGITS, Mlp};
use anyhow::{Context as _, Result, bail, ensure};
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

const WEIGHTS: &str = "weights.safetensors";
const SEEN: &str = "seen.npy";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EncoderArtifact {
    /// None: raw pixels.
    pub network: Option<EncoderConfig>,
    /// What each channel of its input is normalised with.
    pub mean: Vec<f32>,
    pub sd: Vec<f32>,
    /// Height and width of the data set's images.
    pub size: [usize; 2],
    /// How pictures in files became those, where they were some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pictures: Option<Preparation>,
    /// Networks behind the encoder that were trained with it, by name.
    #[serde(default)]
    pub heads: BTreeMap<String, HeadConfig>,
    /// What a head `classifier`, `segmenter` or `detector` tells apart.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Digests of the images that it was trained on, ascending; `None` where nobody knows.
    #[serde(skip)]
    pub seen: Option<Vec<u64>>,
}

/// The head that tells classes apart.
pub const CLASSIFIER: &str = "classifier";
/// The head that tells them apart at each pixel, the background before them.
pub const SEGMENTER: &str = "segmenter";
/// The centres of clusters that the features lie in.
pub const PROTOTYPES: &str = "prototypes";
/// The pyramid on the encoder's maps, and the head that finds objects on it.
pub const FPN: &str = "fpn";
pub const DETECTOR: &str = "detector";

impl EncoderArtifact {
    /// Of an encoder that has seen nothing of the data set but its channels' mean and deviation.
    pub fn new(network: Option<&EncoderConfig>, data: &Manifest) -> Self {
        Self {
            network: network.cloned(),
            mean: data.mean.clone(),
            sd: data.sd.clone(),
            size: [data.height, data.width],
            pictures: data.pictures,
            heads: BTreeMap::new(),
            classes: vec![],
            seen: Some(vec![]),
        }
    }

    /// The same, trained on further images, which are rows of a data set.
    pub fn trained_on(mut self, data: &Dataset, rows: &[usize]) -> Self {
        let size = [data.manifest.height, data.manifest.width];
        if self.size != size && self.seen.as_ref().is_some_and(|seen| !seen.is_empty()) {
            // Of the earlier ones it cannot be told at this size.
            self.seen = None;
        }
        self.size = size;
        self.pictures = data.manifest.pictures;
        if let Some(seen) = &mut self.seen {
            seen.extend(rows.iter().map(|&row| data.digests[row]));
            seen.sort_unstable();
            seen.dedup();
        }
        self
    }

    /// The same with heads, of which some tell a data set's classes apart.
    pub fn with_heads(self, heads: Vec<(&'static str, HeadConfig)>, data: &Manifest) -> Self {
        let heads: BTreeMap<String, HeadConfig> =
            heads.into_iter().map(|(name, head)| (name.to_owned(), head)).collect();
        let tells = [CLASSIFIER, SEGMENTER, DETECTOR].iter().any(|&name| heads.contains_key(name));
        let classes = if tells { data.classes.clone() } else { vec![] };
        Self { heads, classes, ..self }
    }

    /// An error where it takes images of another number of channels.
    pub fn check_channels(&self, data: &Manifest) -> Result<()> {
        let (own, theirs) = (self.mean.len(), data.channels);
        ensure!(own == theirs, "the encoder takes images of {own} channels, and the data set's have {theirs}");
        Ok(())
    }

    /// How many images of a split it was trained on, told by their pixels; `None` where nobody knows: pixels of images of another size
    /// tell nothing.
    pub fn seen_of(&self, data: &Dataset, split: Split) -> Option<usize> {
        let seen = self.seen.as_ref()?;
        if !seen.is_empty() && self.size != [data.manifest.height, data.manifest.width] {
            return None;
        }
        Some(data.rows(split).filter(|&row| seen.binary_search(&data.digests[row]).is_ok()).count())
    }

    /// `heads`: those that this names.
    pub fn save(&self, encoder: Option<&Encoder>, heads: &[(&'static str, &dyn Part)], folder: &Path) -> Result<()> {
        if let Some(encoder) = encoder {
            state::save(&folder.join(WEIGHTS), &state::named(encoder))?;
        }
        for (name, head) in heads.iter().filter(|(name, _)| self.heads.contains_key(*name)) {
            state::save(&folder.join(format!("{name}.safetensors")), &state::named(*head))?;
        }
        if let Some(seen) = &self.seen {
            npy::write(folder.join(SEEN), &[seen.len()], seen)?;
        }
        json::write(&folder.join("encoder.json"), self)
    }

    /// Channels, height and width of the images that the network was built for.
    fn input(&self) -> [usize; 3] {
        [self.mean.len(), self.size[0], self.size[1]]
    }

    fn read(folder: &Path) -> Result<Self> {
        let artifact: Self = json::read(&folder.join("encoder.json"))?;
        let seen = folder.join(SEEN);
        let seen = if seen.exists() { Some(npy::read(&seen)?.1) } else { None };
        Ok(Self { seen, ..artifact })
    }

    /// The trained encoder, to be trained further.
    pub fn open_to_train(folder: &Path, device: &Device) -> Result<(Self, Encoder)> {
        let artifact = Self::read(folder)?;
        let config = artifact
            .network
            .as_ref()
            .context("raw pixels have no weights to train: connect the encoder of another method")?;
        let encoder = config.build(&mut Init::new(0, &device.clone().autodiff()), artifact.input());
        state::restore(&encoder, &state::load(&folder.join(WEIGHTS))?)?;
        Ok((artifact, encoder))
    }

    /// The trained encoder, to be used and not to be trained.
    pub fn open(folder: &Path, device: &Device) -> Result<Frozen> {
        let artifact = Self::read(folder)?;
        let encoder = match &artifact.network {
            None => None,
            Some(config) => {
                let encoder = config.build(&mut Init::new(0, device), artifact.input()).valid();
                state::restore(&encoder, &state::load(&folder.join(WEIGHTS))?)?;
                Some(encoder)
            }
        };
        let code = artifact.open_code(folder, device)?;
        Ok(Frozen { artifact, encoder, code })
    }

    fn open_code(&self, folder: &Path, device: &Device) -> Result<Option<Mlp>> {
        match self.open_head(CODE, folder, device)? {
            None => Ok(None),
            Some(Head::Mlp(code)) => Ok(Some(code)),
            Some(other) => bail!("{} has a {CODE} that is no linear layer: {other:?}", folder.display()),
        }
    }

    /// What tells classes apart by the encoder's features, where it was trained to do so.
    pub fn open_classifier(&self, folder: &Path, device: &Device) -> Result<Option<Mlp>> {
        match self.open_head(CLASSIFIER, folder, device)? {
            Some(Head::Mlp(classifier)) => Ok(Some(classifier)),
            _ => Ok(None),
        }
    }

    /// What draws images from what the encoder makes of them, where it was trained to do so.
    pub fn open_bottleneck(&self, folder: &Path, device: &Device) -> Result<Option<Bottleneck>> {
        for name in [DECODER, LOGITS] {
            if let Some(decoder) = self.open_head(name, folder, device)? {
                let made = Bottleneck::of_heads(self.open_code(folder, device)?, decoder, self.input());
                return Ok(made.map(|made| if name == LOGITS { made.of_logits() } else { made }));
            }
        }
        Ok(None)
    }

    /// The trained encoder and what draws images of the data set's size of its features.
    pub fn open_to_draw(folder: &Path, data: &Manifest, device: &Device) -> Result<(Frozen, Bottleneck)> {
        let frozen = Self::open(folder, device)?;
        let artifact = &frozen.artifact;
        artifact.check_channels(data)?;
        let bottleneck = artifact.open_bottleneck(folder, device)?.with_context(|| {
            format!(
                "the encoder has no {DECODER} that draws images of its features: use one of `pretrain/denoising_autoencoder`, \
                 `pretrain/autoencoder`, `pretrain/vae` or `pretrain/inpainting`"
            )
        })?;
        let ([height, width], [own_height, own_width]) = ([data.height, data.width], artifact.size);
        ensure!(
            [height, width] == artifact.size,
            "the encoder's decoder draws images of {own_height} x {own_width} pixels, and the data set's have {height} x {width}: use the \
             data that it was trained on, or train it on these"
        );
        Ok((frozen, bottleneck))
    }

    /// A head that was kept, to be used; to be trained where `device` tracks gradients. `None` where it is not among them.
    pub fn open_head(&self, name: &str, folder: &Path, device: &Device) -> Result<Option<Head>> {
        let Some(config) = self.heads.get(name) else { return Ok(None) };
        let head = config.build(&mut Init::new(0, device));
        state::restore(head.part(), &state::load(&folder.join(format!("{name}.safetensors")))?)?;
        Ok(Some(head))
    }
}

/// An encoder for inference.
#[derive(Debug)]
pub struct Frozen {
    pub artifact: EncoderArtifact,
    encoder: Option<Encoder>,
    /// What its features are, where it is an autoencoder with a code of its own.
    code: Option<Mlp>,
}

impl Frozen {
    /// The network; `None`: raw pixels.
    pub fn encoder(&self) -> Option<&Encoder> {
        self.encoder.as_ref()
    }

    /// An error where images of this height and width are none that it takes.
    pub fn takes(&self, size: [usize; 2]) -> Result<()> {
        let ([height, width], [own_height, own_width]) = (size, self.artifact.size);
        ensure!(
            self.code.is_none() || size == self.artifact.size,
            "the encoder's features are a code of images of {own_height} x {own_width} pixels, and these have {height} x {width}: use the size \
             that it was trained with, or `code: false` of `features`"
        );
        self.encoder.as_ref().map_or(Ok(()), |encoder| encoder.takes(size))
    }

    /// The same, whose features are the encoder's pooled ones.
    pub fn without_code(self) -> Self {
        Self { code: None, ..self }
    }

    /// `[batch, channels, h, w]`, normalised, to `[batch, features]`: an autoencoder's code, an encoder's pooled features, or raw pixels.
    pub fn features(&self, x: Tensor<4>) -> Tensor<2> {
        match (&self.encoder, &self.code) {
            (Some(encoder), Some(code)) => code.forward(encoder.flat(x, Mode::Eval), Mode::Eval),
            (Some(encoder), None) => encoder.pooled(x, Mode::Eval),
            (None, _) => x.flatten(1, 3),
        }
    }
}
