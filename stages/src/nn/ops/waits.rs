//! Whether a GPU is waited for. A training step only asks for work: whoever reads a value, or copies from or to memory that is not
//! pinned, stops until the GPU has done all that it was asked for before.

use std::ffi::{CStr, c_int};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicI32, Ordering};

/// Set, not empty: see [`without_waiting`].
const FORBID: &str = "PRETEXT_FORBID_WAITS";

/// What `torch.cuda.set_sync_debug_mode` writes to: one number of libc10_cuda, which C++ knows as
/// `c10::cuda::warning_state().sync_debug_mode`. Only its header names it, and that asks for CUDA's own.
const MODE: &CStr = c"_ZZN3c104cuda13warning_stateEvE14warning_state_";
const ALLOWED: c_int = 0;
const AN_ERROR: c_int = 2;

/// Does what must not wait for a GPU. Where `PRETEXT_FORBID_WAITS` is set, a call of libtorch that does panics with "called a
/// synchronizing CUDA operation", on whatever thread: to look for such calls, not for every day.
pub fn without_waiting<T>(body: impl FnOnce() -> T) -> T {
    static IS_ASKED: LazyLock<bool> = LazyLock::new(|| std::env::var_os(FORBID).is_some_and(|value| !value.is_empty()));
    if *IS_ASKED { while_forbidden(body) } else { body() }
}

/// [`without_waiting`], asked for or not.
///
/// # Panics
/// Where this libtorch has no part for GPUs.
pub fn while_forbidden<T>(body: impl FnOnce() -> T) -> T {
    struct Allow(&'static AtomicI32);
    impl Drop for Allow {
        fn drop(&mut self) {
            self.0.store(ALLOWED, Ordering::SeqCst);
        }
    }
    let mode = mode().expect("a libtorch with a part for GPUs, whose waits can be forbidden");
    mode.store(AN_ERROR, Ordering::SeqCst);
    let _allow = Allow(mode);
    body()
}

fn mode() -> Option<&'static AtomicI32> {
    // Safety: a name that ends with 0; where it is known it is an enumeration as wide as `int`, for as long as the process lives.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, MODE.as_ptr()).cast::<AtomicI32>().as_ref() }
}
