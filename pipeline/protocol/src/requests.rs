use super::Request;
use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};

/// A worker's requests as they come on its standard input, read by a thread of their own: [`Request::Stop`] sets a flag, for
/// the stage that runs meanwhile. The end of the input means that `pretext` is gone: `at_end` ends the worker.
pub fn requests(stopping: Arc<AtomicBool>, at_end: fn() -> !) -> Receiver<Request> {
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
