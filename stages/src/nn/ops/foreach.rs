//! Arithmetic on lists of tensors, one call for all: `torch._foreach_*`.

use super::ffi::{self, borrow_all};
use std::ptr::null_mut;
use tch::Tensor;

/// The tensors times `min(1, limit / (norm + 1e-6))`, where `norm` is the Euclidean norm of all of them together (Pascanu
/// et al. 2013, arXiv:1211.5063; as `torch.nn.utils.clip_grad_norm_`). The result is new memory.
pub fn clip_norm(tensors: &[Tensor], limit: f64) -> Vec<Tensor> {
    let mut t = borrow_all(tensors);
    let mut out = vec![null_mut(); tensors.len()];
    // Safety: an array of `tensors.len()` valid tensors, and room for as many.
    ffi::check(unsafe { ffi::pretext_clip_norm(t.as_mut_ptr(), tensors.len() as i32, limit, out.as_mut_ptr()) });
    out.into_iter().map(ffi::own).collect()
}

/// `sum += term`, in place.
pub fn add(sums: &[Tensor], terms: &[Tensor]) {
    assert_eq!(sums.len(), terms.len(), "one term for each sum");
    let (mut s, mut t) = (borrow_all(sums), borrow_all(terms));
    // Safety: two arrays of `sums.len()` valid tensors.
    ffi::check(unsafe { ffi::pretext_add(s.as_mut_ptr(), t.as_mut_ptr(), sums.len() as i32) });
}

/// `tensor *= factor`, in place.
pub fn scale(tensors: &[Tensor], factor: f64) {
    let mut t = borrow_all(tensors);
    // Safety: an array of `tensors.len()` valid tensors.
    ffi::check(unsafe { ffi::pretext_scale(t.as_mut_ptr(), tensors.len() as i32, factor) });
}

/// `from += weight (to - from)`, in place.
pub fn lerp(from: &[Tensor], to: &[Tensor], weight: f64) {
    assert_eq!(from.len(), to.len(), "a place to go for each tensor");
    let (mut f, mut t) = (borrow_all(from), borrow_all(to));
    // Safety: two arrays of `from.len()` valid tensors.
    ffi::check(unsafe { ffi::pretext_lerp(f.as_mut_ptr(), t.as_mut_ptr(), from.len() as i32, weight) });
}
