//! Layers, encoders, decoders, losses, and our own libtorch operations.

mod bottleneck;
pub mod box_loss;
pub mod convnet;
pub mod convnext;
mod decoder;
mod detector;
pub mod encoder;
mod fpn;
mod head;
mod init;
pub mod layers;
pub mod loss;
mod mlp;
pub mod mobilenet;
pub mod ops;
mod patch_decoder;
pub mod pixel_mlp;
mod pixel_values;
mod prototypes;
pub mod resnet;
mod segmenter;
pub mod sparse;
mod sparse_decoder;
pub mod state;
mod transformer;
pub mod vit;

pub use bottleneck::{Bottleneck, CODE, DECODER, LOGITS};
pub use decoder::Decoder;
pub use detector::{Detector, Said};
pub use fpn::Fpn;
pub use head::{Head, HeadConfig};
pub use init::{ConvInit, Init};
pub use mlp::{Mlp, Norms};
pub use patch_decoder::PatchDecoder;
pub use pixel_values::PixelValues;
pub use prototypes::Prototypes;
pub use segmenter::{Segmenter, SegmenterConfig, SegmenterKind};
pub use sparse_decoder::SparseDecoder;

use anyhow::{Result, bail};
use burn::tensor::Device;

/// The device that a request names: `cpu`, `cuda:0`. It computes float32 as such, whatever was allowed before.
#[allow(deprecated, reason = "libtorch's devices are marked deprecated since burn 0.22, which is pinned")]
pub fn device(name: &str) -> Result<Device> {
    ops::allow_tf32(false);
    match name.split_once(':') {
        None if name == "cpu" => Ok(Device::libtorch()),
        Some(("cuda", index)) if index.parse::<usize>().is_ok() => {
            if !devices().iter().any(|device| device == name) {
                bail!(
                    "device {name}: this libtorch sees {}; `pretext doctor` says more, --device cpu does without",
                    devices().join(", ")
                );
            }
            ops::make_gpus_repeatable();
            Ok(Device::libtorch_cuda(index.parse::<usize>()?))
        }
        _ => bail!("unknown device `{name}`: expected `cpu` or `cuda:N`"),
    }
}

/// Every device that libtorch sees, by the names that requests use.
pub fn devices() -> Vec<String> {
    let gpus = (0..tch::Cuda::device_count()).map(|number| format!("cuda:{number}"));
    std::iter::once("cpu".to_owned()).chain(gpus).collect()
}

#[cfg(test)]
mod tests {
    use super::device;

    #[test]
    fn devices_are_chosen_by_name_at_run_time() {
        assert!(device("cpu").is_ok());
        let unknown = device("gpu").unwrap_err().to_string();
        assert_eq!(unknown, "unknown device `gpu`: expected `cpu` or `cuda:N`");
        match device("cuda:0") {
            Ok(device) => assert!(tch::Cuda::is_available() && !device.is_autodiff()),
            Err(error) => assert!(error.to_string().starts_with("device cuda:0: this libtorch sees cpu; ")),
        }
    }
}
