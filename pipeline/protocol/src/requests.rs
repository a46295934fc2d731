use super::Request;
use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};

/// Where all of a job are told to stop by SIGTERM (`pkill pretext`, Slurm at a job's end), `pretext` has its workers save, which they
/// could not if they ended by themselves. A handler that does nothing: what ignores a signal has the programs that it starts ignore it.
fn outlive_sigterm() {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: the handler touches nothing, and calls of the system that it interrupts go on.
    unsafe { libc::signal(libc::SIGTERM, nothing as *const () as libc::sighandler_t) };
}

/// A worker's requests as they come on its standard input, read by a thread of their own: [`Request::Stop`] sets a flag, for
/// the stage that runs meanwhile. The end of the input means that `pretext` is gone: `at_end` ends the worker.
pub fn requests(stopping: Arc<AtomicBool>, at_end: fn() -> !) -> Receiver<Request> {
    outlive_sigterm();
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            match serde_json::from_str(&line) {
                Ok(request) => {
                    stopping.fetch_or(request == Request::Stop, Ordering::SeqCst);
                    if send.send(request).is_err() {
                        return;
                    }
                }
                Err(error) => eprintln!("not a request: {error}: {line}"),
            }
        }
        at_end();
    });
    receive
}
