//! Computes a graph: the scheduler decides what runs next, an executor runs it, observers show it.
//!
//! [`scheduler`] is a short event loop that knows nodes, keys and results. It hands a [`Job`] to an [`Executor`] and
//! hears of it again by an [`Event`]. The executor here is [`Local`]: long-lived workers on this machine.

mod board;
mod busy;
mod children;
pub mod command_worker;
mod computation;
mod death;
pub mod dialogue;
mod estimate;
mod event_file;
mod executor;
mod gpus;
mod guard;
mod last_words;
mod local;
mod log_file;
mod log_pipe;
mod pool;
mod process;
mod publish;
mod record;
mod rehearsal;
mod scheduler;
mod screen;
mod slots;
mod spawn;
mod stop;
mod update;
mod watch;
mod work;
mod worker;

pub use executor::*;
pub use gpus::{Gpu, gpus};
pub use local::{GPU_LOCKS, Local, LocalSettings};
pub use rehearsal::{Rehearsed, foundations, rehearse};
pub use scheduler::schedule;
pub use screen::screen;
pub(crate) use screen::{pace, percent};
pub use slots::memory_bytes;
pub use update::{Observer, Update};
pub use work::{Choosing, NodeOutcome, Outcome, Wishes, Work};
pub use worker::{Failure, Worker, WorkerSpec};

use crate::plan::{self, NodeIndex};
use crate::store::{Store, View};
use anyhow::Result;
use event_file::EventFile;
use record::Record;

/// Computes what the store does not hold yet, on this machine, and shows it on the screen. Ctrl-C and SIGTERM stop
/// it when it has saved its state.
pub fn execute(work: &Work, view: &View, settings: LocalSettings) -> Result<Outcome> {
    let (sender, events) = executor::channel();
    stop::on_signal(sender.clone())?;
    let mut local = Local::new(settings, view.store().clone(), sender);
    let mut observers = match recorders(work, view.store()) {
        // Where there is nothing to compute, a store that can only be read is as good.
        Err(_) if is_all_there(work, view) => vec![],
        observers => observers?,
    };
    observers.push(screen());
    let mut outcome = schedule(work, view, &mut local, &events, &mut observers);
    // One that came when nobody listened any more is heeded by whoever goes on.
    outcome.summary.interrupted |= stop::was_told();
    Ok(outcome)
}

fn is_all_there(work: &Work, view: &View) -> bool {
    let statuses = plan::evaluate(work.graph, view);
    let is_there = |index: NodeIndex| statuses[index.index()].is_hit();
    work.wishes.forced.is_empty() && work.graph.node_indices().all(|index| is_there(index) || !work.wishes.wants(index))
}

/// Those who write down in the store what happens.
pub fn recorders(work: &Work, store: &Store) -> Result<Vec<Box<dyn Observer>>> {
    let folder = store.begin_run(work.recipe, work.path, work.digest)?;
    let event_file = EventFile::create(&folder)?;
    Ok(vec![Box::new(event_file), Box::new(Record::new(folder))])
}
