//! Ctrl-C and SIGTERM.

use super::Event;
use anyhow::{Context, Result};
use crossbeam_channel::Sender;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// The exit code after an interruption, as shells have it: 128 + SIGINT.
pub const INTERRUPTED: u8 = 130;

/// The first signal asks the scheduler to stop; the second ends the process, and with it its workers, at once.
pub(super) fn on_signal(events: Sender<Event>) -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot listen to signals")?;
    let listen = move || {
        let mut arriving = signals.forever();
        if arriving.next().is_some() && events.send(Event::Interrupt).is_ok() {
            arriving.next();
            std::process::exit(i32::from(INTERRUPTED));
        }
    };
    std::thread::Builder::new().name("signals".into()).spawn(listen).context("cannot start a thread")?;
    Ok(())
}
