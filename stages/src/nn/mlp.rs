use super::layers::{BatchNorm, Linear, Mode};
use super::{HeadConfig, Init, ops};
use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// What stands behind an encoder while it is trained (a projector, a predictor, a classifier): linear layers with a ReLU after each but
/// the last, and batch norm where it is asked for.
#[derive(Module, Debug)]
pub struct Mlp {
    layers: Vec<Layer>,
}

#[derive(Module, Debug)]
struct Layer {
    linear: Linear,
    norm: Option<BatchNorm>,
}

/// Which layers have a batch norm behind them, and no bias of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Norms {
    None,
    Hidden,
    All,
}

impl Mlp {
    /// `widths`: of the input, of each layer's output.
    pub fn new(init: &mut Init, widths: &[usize], norms: Norms) -> Self {
        let last = widths.len() - 2;
        let layer =
            |(number, pair): (usize, &[usize])| match norms == Norms::All || norms == Norms::Hidden && number < last {
                true => Layer {
                    linear: Linear::without_bias(init, pair[0], pair[1]),
                    norm: Some(BatchNorm::new(init, pair[1])),
                },
                false => Layer { linear: Linear::new(init, pair[0], pair[1]), norm: None },
            };
        Self { layers: widths.windows(2).enumerate().map(layer).collect() }
    }

    /// Of the input, of each layer's output.
    pub fn widths(&self) -> Vec<usize> {
        let outputs = self.layers.iter().map(|layer| layer.linear.dims()[0]);
        [self.layers[0].linear.dims()[1]].into_iter().chain(outputs).collect()
    }

    /// How it is built.
    pub fn config(&self) -> HeadConfig {
        let widths = self.widths();
        let has_norm = |layer: Option<&Layer>| layer.is_some_and(|layer| layer.norm.is_some());
        let norms = match (has_norm(self.layers.first()), has_norm(self.layers.last())) {
            (_, true) => Norms::All,
            (true, false) => Norms::Hidden,
            (false, false) => Norms::None,
        };
        HeadConfig::Mlp { widths, norms }
    }

    /// Changes its weights so that it makes of features what it made of `(features - mean) * scale`, `[1, in]` both.
    pub fn take_features_from(&self, mean: &Tensor<2>, scale: &Tensor<2>) {
        self.layers[0].linear.take_inputs_from(mean, scale);
    }

    /// `[batch, in]` to `[batch, out]`.
    pub fn forward(&self, x: Tensor<2>, mode: Mode) -> Tensor<2> {
        let last = self.layers.len() - 1;
        self.layers.iter().enumerate().fold(x, |x, (number, layer)| {
            let x = layer.linear.forward(x);
            match (&layer.norm, number < last) {
                (Some(norm), true) => norm.forward_relu(x, mode),
                (Some(norm), false) => norm.forward(x, mode),
                (None, true) => ops::relu(x),
                (None, false) => x,
            }
        })
    }
}
