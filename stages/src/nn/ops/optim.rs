use super::ffi::{self, borrow_all};
use std::ptr::null_mut;
use tch::Tensor;

/// One step of SGD on all parameters, in place: `g += weight_decay p; b = momentum b + g` (`b = g` on the first step);
/// `p -= lr b`, or with Nesterov `p -= lr (g + momentum b)`. As `torch.optim.SGD` without dampening.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    pub lr: f64,
    pub momentum: f64,
    pub weight_decay: f64,
    pub nesterov: bool,
}

/// See [`Sgd`]. `buffers` are the momentum buffers, ignored and written when `first`; without momentum they stay as they are.
pub fn fused_sgd(params: &[Tensor], grads: &[Tensor], buffers: &[Tensor], step: Sgd, first: bool) {
    let (mut p, mut g, mut b) = (borrow_all(params), borrow_all(grads), borrow_all(buffers));
    // Safety: three arrays of `params.len()` valid tensors.
    ffi::check(unsafe {
        ffi::pretext_fused_sgd(
            p.as_mut_ptr(),
            g.as_mut_ptr(),
            b.as_mut_ptr(),
            params.len() as i32,
            step.lr,
            step.momentum,
            step.weight_decay,
            step.nesterov.into(),
            first.into(),
        )
    });
}

/// One step of AdamW (Loshchilov & Hutter 2019, arXiv:1711.05101) on all parameters, in place: decoupled weight decay,
/// bias-corrected moments. As `torch.optim.AdamW`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamW {
    pub lr: f64,
    pub betas: (f64, f64),
    pub weight_decay: f64,
    pub eps: f64,
}

/// See [`AdamW`]. `moments` are the running means of gradients and of their squares, zero at first; `number` is that of this
/// step, from 1 on.
pub fn fused_adamw(params: &[Tensor], grads: &[Tensor], moments: [&[Tensor]; 2], number: usize, step: AdamW) {
    let (mut p, mut g) = (borrow_all(params), borrow_all(grads));
    let [mut m, mut v] = moments.map(borrow_all);
    // Safety: four arrays of `params.len()` valid tensors.
    ffi::check(unsafe {
        ffi::pretext_fused_adamw(
            p.as_mut_ptr(),
            g.as_mut_ptr(),
            m.as_mut_ptr(),
            v.as_mut_ptr(),
            params.len() as i32,
            number as f64,
            step.lr,
            step.betas.0,
            step.betas.1,
            step.weight_decay,
            step.eps,
        )
    });
}

/// What LARS does to gradients before a step of [`fused_sgd`] without weight decay (You et al. 2017, arXiv:1708.03888,
/// section 4): `rate (g + weight_decay p)` with `rate = trust |p| / (|g| + weight_decay |p| + eps)` for each tensor, or
/// `min(rate / lr, 1)` if `clip_rate`. The rate is 1 where either norm is 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lars {
    /// Of the step that follows; only a clipped rate looks at it.
    pub lr: f64,
    pub weight_decay: f64,
    pub trust: f64,
    pub clip_rate: bool,
    pub eps: f64,
}

/// See [`Lars`]. The result is new memory.
pub fn lars_gradients(params: &[Tensor], grads: &[Tensor], lars: Lars) -> Vec<Tensor> {
    let (mut p, mut g) = (borrow_all(params), borrow_all(grads));
    let mut out = vec![null_mut(); params.len()];
    // Safety: two arrays of `params.len()` valid tensors, and room for as many.
    ffi::check(unsafe {
        ffi::pretext_lars_gradients(
            p.as_mut_ptr(),
            g.as_mut_ptr(),
            params.len() as i32,
            lars.lr,
            lars.weight_decay,
            lars.trust,
            lars.clip_rate.into(),
            lars.eps,
            out.as_mut_ptr(),
        )
    });
    out.into_iter().map(ffi::own).collect()
}
