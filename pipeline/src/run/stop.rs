//! Ctrl-C, SIGTERM, and the hangup of a terminal that was closed.

use super::Event;
use anyhow::{Context, Result};
use crossbeam_channel::{Sender, TrySendError};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A signal that comes so shortly after the first is the same one: `timeout` and some terminals send it to a process and again to
/// its group.
const SAME: Duration = Duration::from_millis(150);

/// Who is told of signals: the scheduler that was last begun. A process may have one after the other, and listens once.
static LISTENER: Mutex<Option<Listener>> = Mutex::new(None);

struct Listener {
    events: Sender<Event>,
    /// When it was told.
    first: Option<Instant>,
}

/// The first signal asks the scheduler to stop; the second ends the process, and with it its workers, at once.
pub(super) fn on_signal(events: Sender<Event>) -> Result<()> {
    let mut listener = LISTENER.lock().unwrap_or_else(PoisonError::into_inner);
    if listener.is_none() {
        let heeded = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal));
        let mut signals = Signals::new(heeded).context("cannot listen to signals")?;
        let listen = move || signals.forever().for_each(heed);
        std::thread::Builder::new().name("signals".into()).spawn(listen).context("cannot start a thread")?;
    }
    *listener = Some(Listener { events, first: None });
    Ok(())
}

/// Whether the scheduler that was last begun was told of a signal.
pub(super) fn was_told() -> bool {
    let listener = LISTENER.lock().unwrap_or_else(PoisonError::into_inner);
    listener.as_ref().is_some_and(|listener| listener.first.is_some())
}

fn heed(signal: i32) {
    let mut listener = LISTENER.lock().unwrap_or_else(PoisonError::into_inner);
    match listener.as_mut() {
        Some(Listener { first: Some(first), .. }) if first.elapsed() < SAME => {}
        Some(Listener { events, first: first @ None }) if tell(events, signal) => *first = Some(Instant::now()),
        _ => std::process::exit(128 + signal),
    }
}

/// Tells the scheduler without waiting for it: the next signal must be heard. False where nobody listens any more.
fn tell(events: &Sender<Event>, signal: i32) -> bool {
    match events.try_send(Event::Interrupt(signal)) {
        Ok(()) => true,
        Err(TrySendError::Disconnected(_)) => false,
        Err(TrySendError::Full(event)) => {
            let events = events.clone();
            std::thread::spawn(move || events.send(event));
            true
        }
    }
}

/// Whether whoever started this process wants a signal ignored, as `nohup` does and shells for what runs in the background.
fn is_ignored(signal: i32) -> bool {
    // SAFETY: the call fills what it is given, and changes nothing.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}
