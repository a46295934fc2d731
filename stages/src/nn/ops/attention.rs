use super::ffi;
use super::operation::{Operation, apply};
use burn::tensor::Tensor;
use burn_tch::TchTensor;
use std::ptr::null_mut;
use tch::{Device, Kind, Tensor as Tch};

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
    apply(SelfAttention { heads: heads as i64 }, [Some(qkv.into())])
}

#[derive(Debug, Clone)]
struct SelfAttention {
    heads: i64,
}

impl SelfAttention {
    fn attend(&self, qkv: &Tch) -> Tch {
        let [batch, tokens, width] = qkv.size()[..] else { panic!("qkv has three dimensions") };
        let split = qkv.reshape([batch, tokens, 3, self.heads, width / 3 / self.heads]).permute([2, 0, 3, 1, 4]);
        let [q, k, v] = [0, 1, 2].map(|part| split.select(0, part)); // [batch, heads, tokens, dim]
        let y = if q.device() == Device::Cpu && tokens <= FEW {
            (q * (k.size()[3] as f64).powf(-0.5)).matmul(&k.transpose(2, 3)).softmax(-1, None::<Kind>).matmul(&v)
        } else {
            Tch::scaled_dot_product_attention(&q, &k, &v, None::<&Tch>, 0.0, false, None, false)
        };
        y.transpose(1, 2).reshape([batch, tokens, width / 3])
    }
}

impl Operation<1> for SelfAttention {
    /// The input as a leaf of libtorch's graph, and the output.
    type Saved = (TchTensor, TchTensor);

    /// libtorch has a kernel for each device and precision, each with a backward of another signature: its own graph over this one
    /// operation knows which.
    fn forward(&self, [qkv]: [Option<TchTensor>; 1]) -> (TchTensor, Self::Saved) {
        let qkv = qkv.expect("its one input");
        let leaf = qkv.tensor.detach().set_requires_grad(true);
        let y = TchTensor::new(tch::with_grad(|| self.attend(&leaf)));
        let result = TchTensor::from_existing(y.tensor.detach(), y.storage.clone());
        (result, (TchTensor::from_existing(leaf, qkv.storage), y))
    }

    fn infer(&self, [qkv]: [Option<TchTensor>; 1]) -> TchTensor {
        TchTensor::new(self.attend(&qkv.expect("its one input").tensor))
    }

    fn backward(&self, grad: TchTensor, (leaf, y): Self::Saved, _: [bool; 1]) -> [Option<TchTensor>; 1] {
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
        [Some(TchTensor::new(ffi::own(out)))]
    }
}
