//! The C interface of `shim.cpp`.

use std::ffi::{CStr, c_char, c_int};
use torch_sys::C_tensor;

pub type Raw = *mut C_tensor;

unsafe extern "C" {
    fn pretext_shim_error() -> *const c_char;
    pub fn pretext_deterministic() -> c_int;
    pub fn pretext_allow_tf32(allow: c_int) -> c_int;
    pub fn pretext_allows_tf32() -> c_int;
    /// libtorch's own, in its C interface: major, minor and patch in the upper three bytes.
    pub fn aoti_torch_abi_version() -> u64;
    pub fn pretext_pinned(bytes: i64, out: *mut Raw) -> c_int;
    pub fn pretext_channels_last(x: Raw, out: *mut Raw) -> c_int;
    /// `needed`: of x, weight and bias; `out` has room for their gradients.
    pub fn pretext_conv2d_backward(
        grad: Raw,
        x: Raw,
        weight: Raw,
        stride: i64,
        padding: i64,
        dilation: i64,
        transposed: c_int,
        output_padding: i64,
        groups: i64,
        needed: *const c_int,
        out: *mut Raw,
    ) -> c_int;
    pub fn pretext_matmul(a: Raw, b: Raw, out: *mut Raw) -> c_int;
    /// `bias` may be null.
    pub fn pretext_linear(x: Raw, weight: Raw, bias: Raw, out: *mut Raw) -> c_int;
    pub fn pretext_layer_norm_backward(
        grad: Raw,
        x: Raw,
        mean: Raw,
        inverse_sd: Raw,
        weight: Raw,
        bias: Raw,
        out: *mut Raw,
    ) -> c_int;
    pub fn pretext_group_norm_backward(
        grad: Raw,
        x: Raw,
        mean: Raw,
        inverse_sd: Raw,
        weight: Raw,
        groups: i64,
        out: *mut Raw,
    ) -> c_int;
    pub fn pretext_recorded_backward(y: Raw, grad: Raw, leaf: Raw, out: *mut Raw) -> c_int;
    pub fn pretext_batch_norm_backward(
        grad: Raw,
        x: Raw,
        weight: Raw,
        running_mean: Raw,
        running_var: Raw,
        save_mean: Raw,
        save_invstd: Raw,
        train: c_int,
        eps: f64,
        out: *mut Raw,
    ) -> c_int;
    pub fn pretext_fused_sgd(
        params: *mut Raw,
        grads: *mut Raw,
        buffers: *mut Raw,
        count: c_int,
        lr: f64,
        momentum: f64,
        weight_decay: f64,
        nesterov: c_int,
        first: c_int,
    ) -> c_int;
    pub fn pretext_fused_adamw(
        params: *mut Raw,
        grads: *mut Raw,
        first_moments: *mut Raw,
        second_moments: *mut Raw,
        count: c_int,
        number: f64,
        lr: f64,
        beta1: f64,
        beta2: f64,
        weight_decay: f64,
        eps: f64,
    ) -> c_int;
    pub fn pretext_lars_gradients(
        params: *mut Raw,
        grads: *mut Raw,
        count: c_int,
        lr: f64,
        weight_decay: f64,
        trust: f64,
        clip_rate: c_int,
        eps: f64,
        out: *mut Raw,
    ) -> c_int;
    pub fn pretext_clip_norm(tensors: *mut Raw, count: c_int, limit: f64, out: *mut Raw) -> c_int;
    pub fn pretext_add(sums: *mut Raw, terms: *mut Raw, count: c_int) -> c_int;
    pub fn pretext_scale(tensors: *mut Raw, count: c_int, factor: f64) -> c_int;
    pub fn pretext_lerp(from: *mut Raw, to: *mut Raw, count: c_int, weight: f64) -> c_int;
}

/// The pointer that the shim borrows for the length of a call.
pub fn borrow(tensor: &tch::Tensor) -> Raw {
    tensor.as_ptr() as Raw
}

/// The pointers that the shim borrows for the length of a call.
pub fn borrow_all(tensors: &[tch::Tensor]) -> Vec<Raw> {
    tensors.iter().map(borrow).collect()
}

/// Takes over a tensor that the shim returned.
pub fn own(raw: Raw) -> tch::Tensor {
    assert!(!raw.is_null(), "the shim returned no tensor");
    // Safety: the shim hands over a tensor that it allocated with `new`, once.
    unsafe { tch::Tensor::from_ptr(raw) }
}

/// Panics with libtorch's message. Only a mistake in our code (a wrong shape) leads here.
pub fn check(status: c_int) {
    if status != 0 {
        // Safety: the shim returns a string that lives until this thread's next failing call.
        let message = unsafe { CStr::from_ptr(pretext_shim_error()) };
        panic!("libtorch: {}", message.to_string_lossy());
    }
}
