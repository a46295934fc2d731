use super::operation::{Operation, apply};
use burn::tensor::Tensor;
use burn_tch::TchTensor;

/// The larger of a value and 0.
pub fn relu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    apply(Relu, [Some(x.into())])
}

#[derive(Debug, Clone)]
struct Relu;

impl Operation<1> for Relu {
    /// What was larger than 0 lets the gradient pass.
    type Saved = TchTensor;

    fn forward(&self, [x]: [Option<TchTensor>; 1]) -> (TchTensor, TchTensor) {
        let y = TchTensor::new(x.expect("an input").tensor.relu());
        (y.clone(), y)
    }

    fn backward(&self, grad: TchTensor, y: TchTensor, _: [bool; 1]) -> [Option<TchTensor>; 1] {
        [Some(TchTensor::new(y.tensor.threshold_backward(&grad.tensor, 0.0)))]
    }
}
