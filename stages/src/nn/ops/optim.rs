use super::ffi::{self, Raw};
use tch::Tensor;

fn borrow_all(tensors: &[Tensor]) -> Vec<Raw> {
    tensors.iter().map(ffi::borrow).collect()
}

/// One step of SGD on all parameters, in place: `g += weight_decay p; b = momentum b + g` (`b = g` on the first step);
/// `p -= lr b`, or with Nesterov `p -= lr (g + momentum b)`. As `torch.optim.SGD` without dampening.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    pub lr: f64,
    pub momentum: f64,
    pub weight_decay: f64,
    pub nesterov: bool,
}

/// See [`Sgd`]. `buffers` are the momentum buffers, ignored and written when `first`.
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

/// See [`AdamW`]. `moments` are the running means of gradients and of their squares, zero at first; `steps` are scalar
/// tensors that hold the number of this step, from 1 on.
pub fn fused_adamw(params: &[Tensor], grads: &[Tensor], moments: [&[Tensor]; 2], steps: &[Tensor], step: AdamW) {
    let (mut p, mut g, mut s) = (borrow_all(params), borrow_all(grads), borrow_all(steps));
    let [mut m, mut v] = moments.map(borrow_all);
    // Safety: five arrays of `params.len()` valid tensors.
    ffi::check(unsafe {
        ffi::pretext_fused_adamw(
            p.as_mut_ptr(),
            g.as_mut_ptr(),
            m.as_mut_ptr(),
            v.as_mut_ptr(),
            s.as_mut_ptr(),
            params.len() as i32,
            step.lr,
            step.betas.0,
            step.betas.1,
            step.weight_decay,
            step.eps,
        )
    });
}
