//! Computes a graph: the scheduler decides what runs next, an executor runs it, observers show it.
//!
//! [`scheduler`] is a short event loop that knows nodes, keys and results. It hands a [`Job`] to an [`Executor`] and
//! hears of it again by an [`Event`]. The executor here is [`Local`]: long-lived workers on this machine.

mod board;
mod computation;
mod death;
mod estimate;
mod event_file;
mod executor;
mod local;
mod pool;
mod process;
mod publish;
mod scheduler;
mod screen;
mod slots;
mod spawn;
mod stop;
mod update;
mod work;
mod worker;

pub use executor::*;
pub use local::{Local, LocalSettings};
pub use scheduler::schedule;
pub use screen::screen;
pub(crate) use screen::{pace, percent};
pub use stop::INTERRUPTED;
pub use update::{Observer, Summary, Update};
pub use work::{NodeOutcome, Outcome, Work};
pub use worker::{Failure, Worker, WorkerSpec};

use crate::store::Store;
use anyhow::Result;
use event_file::EventFile;

/// Computes what the store does not hold yet, on this machine, and shows it on the screen. Ctrl-C and SIGTERM stop
/// it when it has saved its state.
pub fn execute(work: &Work, store: &Store, settings: LocalSettings) -> Result<Outcome> {
    let (sender, events) = executor::channel();
    stop::on_signal(sender.clone())?;
    let mut local = Local::new(settings, store.clone(), sender);
    let mut observers: Vec<Box<dyn Observer>> = vec![screen()];
    observers.push(Box::new(EventFile::create(&store.new_run_folder()?)?));
    Ok(schedule(work, store, &mut local, &events, &mut observers))
}
