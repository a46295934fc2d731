//! A process between `pretext` and each worker, which takes with it all that the worker has started: what went into a
//! session of its own, what outlives the worker, what is left when `pretext` itself is killed.
//!
//! Whatever loses its parent below the guard becomes the guard's own child, since the kernel is told that it is a reaper. It is
//! a copy of `pretext` that runs nothing else, made between fork and exec, where memory may be as another thread has left it:
//! so it makes system calls and nothing more, and allocates nothing.

use super::children;
use libc::{c_int, pid_t};
use std::ffi::CStr;
use std::io;
use std::mem::zeroed;
use std::ptr::null_mut;

/// So often it looks after its parent, whose end the kernel tells it anyway.
const LOOK: libc::timespec = libc::timespec { tv_sec: 5, tv_nsec: 0 };
/// What ends a guard and all that it guards: SIGTERM reaches it beside `pretext`, which then has its workers save first, where all of a
/// job are told to stop (`pkill pretext`, Slurm at a job's end).
pub(super) const END: c_int = libc::SIGUSR1;
/// How many times it kills what is left, a millisecond apart: a process that waits for a disk ends when that answers.
const ROUNDS: usize = 5000;

/// Splits the process in two: the one that returns is to become the worker, the other guards it and never returns. To be called
/// between fork and exec; `parent` is the process that forked, and `list` where the kernel lists children ([`children::LIST`]).
pub(super) fn stand_between(parent: u32, list: &CStr) -> io::Result<()> {
    // SAFETY: system calls that touch no memory but what they are given.
    unsafe {
        die_with(END, parent)?;
        checked(libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1))?;
        let (mut watched, mut before) = (watched_signals(), zeroed());
        checked(libc::sigprocmask(libc::SIG_BLOCK, &raw mut watched, &raw mut before))?;
        let guard = libc::getpid();
        let mut gone = [0; 2];
        checked(libc::pipe2(gone.as_mut_ptr(), libc::O_CLOEXEC))?;
        // The plain call: libc's own would run what other threads have registered.
        match libc::syscall(libc::SYS_clone, libc::SIGCHLD as libc::c_long, 0, 0, 0, 0) as pid_t {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                die_with(libc::SIGKILL, guard as u32)?;
                // Until the guard has let go of files: while it has the lock of a key, nobody else can have it.
                libc::close(gone[1]);
                libc::read(gone[0], (&raw mut gone).cast(), 1);
                checked(libc::sigprocmask(libc::SIG_SETMASK, &raw const before, null_mut()))
            }
            worker => watch(worker, parent as pid_t, list),
        }
    }
}

/// Has the kernel send a signal when the parent ends, who may have ended already.
fn die_with(signal: c_int, parent: u32) -> io::Result<()> {
    // SAFETY: both touch no memory.
    unsafe {
        checked(libc::prctl(libc::PR_SET_PDEATHSIG, signal))?;
        if libc::getppid() as u32 == parent { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
    }
}

fn checked(answer: c_int) -> io::Result<()> {
    if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

unsafe fn watched_signals() -> libc::sigset_t {
    // SAFETY: a set of signals is filled by the calls.
    unsafe {
        let mut signals = zeroed();
        libc::sigemptyset(&raw mut signals);
        libc::sigaddset(&raw mut signals, libc::SIGCHLD);
        libc::sigaddset(&raw mut signals, END);
        libc::sigaddset(&raw mut signals, libc::SIGTERM);
        signals
    }
}

/// Waits until the worker ends, or somebody wants it to, ends what is left, and ends as the worker did.
unsafe fn watch(worker: pid_t, parent: pid_t, list: &CStr) -> ! {
    // SAFETY: system calls that touch no memory but what they are given.
    unsafe {
        libc::prctl(libc::PR_SET_NAME, c"pretext-guard".as_ptr());
        let_go_of_files();
        let (signals, mut ended) = (watched_signals(), None);
        loop {
            let signal = libc::sigtimedwait(&raw const signals, null_mut(), &LOOK);
            reap(worker, &mut ended);
            if ended.is_some() || signal == END || libc::getppid() != parent {
                break;
            }
        }
        let mut rounds = 0;
        while kill_children(list) && rounds < ROUNDS {
            reap(worker, &mut ended);
            rounds += 1;
            libc::usleep(1000);
        }
        end_as(ended.unwrap_or(libc::SIGKILL))
    }
}

/// Files that the worker is to find closed when its peer closes them, and locks of `pretext`.
unsafe fn let_go_of_files() {
    // SAFETY: nothing here uses a file that was open before.
    unsafe {
        let nothing = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR);
        for file in 0..3 {
            libc::dup2(nothing, file);
        }
        if libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) != 0 {
            for file in 3..4096 {
                libc::close(file);
            }
        }
    }
}

/// Takes note of all that has ended.
unsafe fn reap(worker: pid_t, ended: &mut Option<c_int>) {
    let mut status = 0;
    // SAFETY: the call writes a status to where it is told.
    while let process @ 1.. = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) } {
        if process == worker {
            *ended = Some(status);
        }
    }
}

/// Kills the children of this process. False where it has none.
fn kill_children(list: &CStr) -> bool {
    let mut found = false;
    let mut kill = |process| {
        // SAFETY: it touches no memory, and a child that was not waited for keeps its number.
        unsafe { libc::kill(process, libc::SIGKILL) };
        found = true;
    };
    if !children::each(list, &mut kill) {
        // Nobody tells: then all that is in the worker's group, of which this process is the first.
        // SAFETY: as above.
        unsafe { libc::kill(0, libc::SIGKILL) };
    }
    found
}

/// Ends with the exit code or by the signal of a status, without leaving a core.
unsafe fn end_as(status: c_int) -> ! {
    // SAFETY: the process ends here.
    unsafe {
        if libc::WIFSIGNALED(status) {
            let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
            libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
            let signal = libc::WTERMSIG(status);
            libc::signal(signal, libc::SIG_DFL);
            let mut only = zeroed();
            libc::sigemptyset(&raw mut only);
            libc::sigaddset(&raw mut only, signal);
            libc::sigprocmask(libc::SIG_UNBLOCK, &raw const only, null_mut());
            libc::kill(libc::getpid(), signal);
        }
        libc::_exit(libc::WEXITSTATUS(status))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::CommandExt;
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    /// What the worker has left, in a session of its own, ends with it, whether the kernel lists children or not.
    #[test]
    fn what_a_worker_leaves_ends_with_it() {
        for list in [children::LIST, c"/proc/thread-self/no-such-list"] {
            let mut worker = Command::new("sh");
            worker.args(["-c", "setsid sleep 1000 & echo $!; wait"]).stdout(Stdio::piped()).process_group(0);
            let parent = std::process::id();
            // SAFETY: the closure only makes system calls and allocates nothing.
            unsafe { worker.pre_exec(move || stand_between(parent, list)) };
            let mut guard = worker.spawn().unwrap();
            let mut line = String::new();
            BufReader::new(guard.stdout.take().unwrap()).read_line(&mut line).unwrap();
            let left = Path::new("/proc").join(line.trim());
            assert!(left.exists());
            // SAFETY: it touches no memory, and the guard has not been waited for.
            unsafe { libc::kill(guard.id() as pid_t, END) };
            guard.wait().unwrap();
            (0..1000).take_while(|_| left.exists()).for_each(|_| std::thread::sleep(Duration::from_millis(10)));
            assert!(!left.exists(), "{list:?}");
        }
    }
}
