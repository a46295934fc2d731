//! How an operation of ours stands in Burn's graph: libtorch computes it forward and backward, and each gradient goes to the input
//! that wants one.

use super::raw::from_primitive;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, LibTorch};
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::NoCheckpointing;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_tch::TchTensor;
use std::fmt::Debug;
use std::marker::PhantomData;

/// What libtorch computes of N inputs. `None` is an input that is left out.
pub(super) trait Operation<const N: usize>: Debug + Clone + Send + 'static {
    /// What the backward pass needs. What is in it counts as a holder of its memory, so that nobody writes to it meanwhile.
    type Saved: Debug + Clone + Send + 'static;

    fn forward(&self, inputs: [Option<TchTensor>; N]) -> (TchTensor, Self::Saved);

    /// Where no backward pass will follow.
    fn infer(&self, inputs: [Option<TchTensor>; N]) -> TchTensor {
        self.forward(inputs).0
    }

    /// The gradients of the inputs, those that are `needed` at least.
    fn backward(&self, grad: TchTensor, saved: Self::Saved, needed: [bool; N]) -> [Option<TchTensor>; N];
}

type InGraph = FloatTensor<Autodiff<LibTorch>>;

/// An input of any rank.
pub(super) struct Input {
    tensor: InGraph,
    is_autodiff: bool,
}

impl<const D: usize> From<Tensor<D>> for Input {
    fn from(tensor: Tensor<D>) -> Self {
        let is_autodiff = tensor.is_autodiff();
        let tensor = Tensor::from_inner(tensor).try_into_primitive::<Autodiff<LibTorch>>().expect("on libtorch");
        Self { tensor, is_autodiff }
    }
}

/// The result; it is in the graph where an input is.
pub(super) fn apply<O: Operation<N>, const N: usize, const D: usize>(
    operation: O,
    inputs: [Option<Input>; N],
) -> Tensor<D> {
    let is_autodiff = inputs.iter().flatten().any(|input| input.is_autodiff);
    let mut tensors = [const { None }; N];
    let mut places = tensors.iter_mut();
    let nodes = inputs.map(|input| {
        let place = places.next().expect("as many as there are inputs");
        let (tensor, node) = match input {
            Some(input) => input.tensor.into_parts(),
            // Burn wants a node for each.
            None => return InGraph::new(TchTensor::new(tch::Tensor::from_slice::<f32>(&[]))).node(),
        };
        *place = Some(tensor);
        node
    });
    if !is_autodiff {
        return from_primitive(operation.infer(tensors));
    }
    let step = Step::<O>(PhantomData).prepare::<NoCheckpointing>(nodes).compute_bound().stateful();
    Tensor::from_primitive::<Autodiff<LibTorch>>(match step {
        OpsKind::Tracked(step) => {
            let (y, saved) = operation.forward(tensors);
            step.finish((operation, saved), y)
        }
        OpsKind::UnTracked(step) => step.finish(operation.infer(tensors)),
    })
}

#[derive(Debug)]
struct Step<O>(PhantomData<O>);

impl<O: Operation<N>, const N: usize> Backward<LibTorch, N> for Step<O> {
    type State = (O, O::Saved);

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<LibTorch>(&ops.node);
        let needed = ops.parents.each_ref().map(Option::is_some);
        let (operation, saved) = ops.state;
        let found = operation.backward(grad, saved, needed);
        for (node, grad) in ops.parents.iter().zip(found) {
            if let (Some(node), Some(grad)) = (node, grad) {
                grads.register::<LibTorch>(node.id, grad);
            }
        }
    }
}
