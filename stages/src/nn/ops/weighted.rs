//! What operations on an input by a weight, and perhaps a bias, have in common: the precision is the input's, and the
//! gradients of weight and bias have their own.

use super::operation::Operation;
use super::precision::as_kind;
use burn_tch::TchTensor;
use std::fmt::Debug;
use tch::{Kind, Tensor};

pub(super) trait Weighted: Debug + Clone + Send + 'static {
    /// All tensors are of one precision.
    fn forward(&self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Tensor;
    /// The gradients of x, weight and bias, as far as they are needed. All tensors are of one precision; sums for weight and
    /// bias may be made in `own`, which is theirs.
    fn backward(&self, grad: &Tensor, x: &Tensor, weight: &Tensor, needed: [bool; 3], own: Kind)
    -> [Option<Tensor>; 3];
}

impl<W: Weighted> Operation<3> for W {
    /// The input and the weight.
    type Saved = (TchTensor, TchTensor);

    fn forward(&self, inputs: [Option<TchTensor>; 3]) -> (TchTensor, Self::Saved) {
        let [Some(x), Some(weight), bias] = inputs else { panic!("an input and a weight") };
        let kind = x.tensor.kind();
        let bias = bias.map(|bias| as_kind(&bias.tensor, kind));
        let y = Weighted::forward(self, &x.tensor, &as_kind(&weight.tensor, kind), bias.as_ref());
        (TchTensor::new(y), (x, weight))
    }

    fn backward(&self, grad: TchTensor, (x, weight): Self::Saved, needed: [bool; 3]) -> [Option<TchTensor>; 3] {
        let (kind, own) = (x.tensor.kind(), weight.tensor.kind());
        let (grad, weight) = (as_kind(&grad.tensor, kind), as_kind(&weight.tensor, kind));
        let [of_x, of_weight, of_bias] = Weighted::backward(self, &grad, &x.tensor, &weight, needed, own);
        let in_full = |grad: Option<Tensor>| grad.map(|grad| as_kind(&grad, own));
        [of_x, in_full(of_weight), in_full(of_bias)].map(|grad| grad.map(TchTensor::new))
    }
}
