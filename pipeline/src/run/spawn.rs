//! Child processes that do not outlive this one.

use crossbeam_channel::Sender;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::OnceLock;

struct Request {
    command: Command,
    death_signal: i32,
    answer: Sender<io::Result<Child>>,
}

/// Starts a process in a group of its own (so that the terminal's Ctrl-C does not reach it) that the kernel
/// sends `death_signal` when this process ends, however that happens.
///
/// The kernel sends that signal when the *thread* that started the child ends, so all are started from one thread,
/// which lasts as long as the process.
pub(super) fn spawn(command: Command, death_signal: i32) -> io::Result<Child> {
    static STARTER: OnceLock<Sender<Request>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, requests) = crossbeam_channel::unbounded::<Request>();
        let start_all = move || {
            for Request { command, death_signal, answer } in requests {
                // Nobody waits for the answer only when the process is ending.
                let _ = answer.send(spawn_from_here(command, death_signal));
            }
        };
        std::thread::Builder::new().name("worker-starter".into()).spawn(start_all).expect("the system has threads");
        sender
    });
    let (answer, answers) = crossbeam_channel::bounded(1);
    starter.send(Request { command, death_signal, answer }).expect("the starter lasts as long as the process");
    answers.recv().expect("the starter answers every request")
}

fn spawn_from_here(mut command: Command, death_signal: i32) -> io::Result<Child> {
    let parent = std::process::id();
    let die_with_parent = move || {
        // SAFETY: prctl and getppid are async-signal-safe and touch no memory of ours.
        let parent_now = unsafe {
            if libc::prctl(libc::PR_SET_PDEATHSIG, death_signal) != 0 {
                return Err(io::Error::last_os_error());
            }
            libc::getppid()
        };
        // The parent may have died before the line above: then no signal would come.
        if parent_now as u32 == parent { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
    };
    command.process_group(0);
    // SAFETY: the closure only makes async-signal-safe calls and allocates nothing.
    unsafe { command.pre_exec(die_with_parent) };
    command.spawn()
}
