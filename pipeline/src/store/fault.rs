//! Every change that the store makes to its files is a step that is counted here, so that tests can end the process at any
//! of them, or have the disk refuse it. Nothing is armed outside of tests; a step then costs one load of an integer.

use std::io;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

static STEPS: AtomicU64 = AtomicU64::new(0);
/// The step at which something happens; 0 for none.
static ARMED: AtomicU64 = AtomicU64::new(0);
/// The error number that the step fails with; 0 ends the process as `kill -9` would.
static ERROR: AtomicI32 = AtomicI32::new(0);

/// What becomes of the armed step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The process is killed before the step is done.
    Kill,
    /// The step, and all that follow, fail with this error number, as on a disk that stays full.
    Refuse(i32),
}

/// Arms the `step`th step from now on, counted from 1.
pub fn arm(step: u64, fault: Fault) {
    STEPS.store(0, Ordering::SeqCst);
    let error = match fault {
        Fault::Kill => 0,
        Fault::Refuse(error) => error,
    };
    ERROR.store(error, Ordering::SeqCst);
    ARMED.store(step, Ordering::SeqCst);
}

/// Disarms, and says how many steps were taken since [`arm`].
pub fn disarm() -> u64 {
    ARMED.store(0, Ordering::SeqCst);
    STEPS.load(Ordering::SeqCst)
}

/// Called before each change.
pub(super) fn step() -> io::Result<()> {
    let armed = ARMED.load(Ordering::Relaxed);
    if armed == 0 || STEPS.fetch_add(1, Ordering::SeqCst) + 1 < armed {
        return Ok(());
    }
    match ERROR.load(Ordering::SeqCst) {
        0 => {
            // SAFETY: kill touches no memory; the process ends here.
            unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
            unreachable!("the kernel ends a process that kills itself")
        }
        error => Err(io::Error::from_raw_os_error(error)),
    }
}
