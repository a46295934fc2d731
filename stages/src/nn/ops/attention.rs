use super::backward::{give, parents};
use super::ffi;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, LibTorch, backend_extension};
use burn::tensor::Tensor;
use burn_autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};
use burn_tch::TchTensor;
use std::ptr::null_mut;

/// Up to so many tokens the matrix of all pairs is held on a processor: it is small, and libtorch's kernel that does without
/// it is slower: in bfloat16 blocks of ViT-tiny on 65 tokens take 1.8 times as long with it (LOG.md).
pub(super) const FEW: i64 = 128;

/// Self-attention of several heads, `softmax(q k^T / sqrt(dim)) v` (Vaswani et al. 2017, arXiv:1706.03762, eq. 1). Of many
/// tokens it never holds the matrix of all pairs, where libtorch has a kernel for that.
///
/// # Shapes
/// - `qkv`: `[batch, tokens, 3 heads dim]`: queries of all heads, keys of all heads, values of all heads
/// - result: `[batch, tokens, heads dim]`
pub fn self_attention(qkv: Tensor<3>, heads: usize) -> Tensor<3> {
    Tensor::from_dispatch(Dispatch::self_attention_native(qkv.into_dispatch(), heads))
}

#[backend_extension(LibTorch, Autodiff)]
pub trait AttentionOps: Backend {
    fn self_attention_native(qkv: FloatTensor<Self>, heads: usize) -> FloatTensor<Self>;
}

fn forward(qkv: &tch::Tensor, heads: usize) -> tch::Tensor {
    let [batch, tokens, width] = qkv.size()[..] else { panic!("qkv has three dimensions") };
    let split = qkv.reshape([batch, tokens, 3, heads as i64, width / 3 / heads as i64]).permute([2, 0, 3, 1, 4]);
    let [q, k, v] = [0, 1, 2].map(|part| split.select(0, part)); // [batch, heads, tokens, dim]
    let y = if q.device() == tch::Device::Cpu && tokens <= FEW {
        (q * (k.size()[3] as f64).powf(-0.5)).matmul(&k.transpose(2, 3)).softmax(-1, None::<tch::Kind>).matmul(&v)
    } else {
        tch::Tensor::scaled_dot_product_attention(&q, &k, &v, None::<&tch::Tensor>, 0.0, false, None, false)
    };
    y.transpose(1, 2).reshape([batch, tokens, width / 3])
}

impl AttentionOps for LibTorch {
    fn self_attention_native(qkv: FloatTensor<Self>, heads: usize) -> FloatTensor<Self> {
        TchTensor::new(forward(&qkv.tensor, heads))
    }
}

impl<C: CheckpointStrategy> AttentionOps for Autodiff<LibTorch, C> {
    fn self_attention_native(qkv: FloatTensor<Self>, heads: usize) -> FloatTensor<Self> {
        let (qkv, node) = qkv.into_parts();
        match AttentionBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(step) => {
                // libtorch has a kernel for each device and precision, each with a backward of another signature: its
                // own graph over this one operation knows which.
                // What is kept counts as a holder of its memory, so that nobody writes to it meanwhile.
                let leaf = qkv.tensor.detach().set_requires_grad(true);
                let y = TchTensor::new(tch::with_grad(|| forward(&leaf, heads)));
                let result = TchTensor::from_existing(y.tensor.detach(), y.storage.clone());
                step.finish((TchTensor::from_existing(leaf, qkv.storage), y), result)
            }
            OpsKind::UnTracked(step) => step.finish(TchTensor::new(forward(&qkv.tensor, heads))),
        }
    }
}

#[derive(Debug)]
struct AttentionBackward;

impl Backward<LibTorch, 1> for AttentionBackward {
    /// The input as a leaf of libtorch's graph, and the output.
    type State = (TchTensor, TchTensor);
    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (grad, to) = (grads.consume::<LibTorch>(&ops.node), parents(&ops));
        let (leaf, y) = ops.state;
        let mut out = null_mut();
        // Safety: all pointers are valid for the call; the result is owned below.
        ffi::check(unsafe {
            ffi::pretext_recorded_backward(
                ffi::borrow(&y.tensor),
                ffi::borrow(&grad.tensor),
                ffi::borrow(&leaf.tensor),
                &mut out,
            )
        });
        give(grads, to, [Some(TchTensor::new(ffi::own(out)))]);
    }
}
