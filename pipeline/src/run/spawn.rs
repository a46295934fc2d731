//! Child processes that do not outlive this one.

use super::{children, guard};
use crossbeam_channel::Sender;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::OnceLock;

struct Request {
    command: Command,
    answer: Sender<io::Result<Child>>,
}

/// Starts a process in a group of its own (so that the terminal's Ctrl-C does not reach it), with a guard before it: the child
/// is the guard, which ends as the process does. When this process ends, however that happens, or the guard is sent [`guard::END`], the
/// process ends with all that it has started.
///
/// The kernel tells the guard of the end of the *thread* that started it, so all are started from one thread, which lasts as
/// long as the process.
pub(super) fn spawn(command: Command) -> io::Result<Child> {
    static STARTER: OnceLock<Sender<Request>> = OnceLock::new();
    let starter = STARTER.get_or_init(|| {
        let (sender, requests) = crossbeam_channel::unbounded::<Request>();
        let start_all = move || {
            for Request { command, answer } in requests {
                // Nobody waits for the answer only when the process is ending.
                let _ = answer.send(spawn_from_here(command));
            }
        };
        std::thread::Builder::new().name("worker-starter".into()).spawn(start_all).expect("the system has threads");
        sender
    });
    let (answer, answers) = crossbeam_channel::bounded(1);
    starter.send(Request { command, answer }).expect("the starter lasts as long as the process");
    answers.recv().expect("the starter answers every request")
}

fn spawn_from_here(mut command: Command) -> io::Result<Child> {
    let parent = std::process::id();
    command.process_group(0);
    // SAFETY: the closure only makes system calls and allocates nothing.
    unsafe { command.pre_exec(move || guard::stand_between(parent, children::LIST)) };
    command.spawn()
}
