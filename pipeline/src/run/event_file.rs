//! `runs/TIME/events.jsonl` in the store: what happened in a run, one JSON object a line. Updates become events of
//! `tracing`, and a layer of it writes their fields to the file.

use super::{Observer, Update};
use crate::store::{RunFolder, Summary};
use crate::{text, trace};
use anyhow::Result;
use serde::Serialize;
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Event, Subscriber, info, trace};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context as LayerContext, SubscriberExt};

/// What events of a run are told as.
const TARGET: &str = "pretext::run";

/// Tells the updates of a run to its file, and to standard error where `PRETEXT_LOG` asks for it. Its subscriber is its
/// own and not the process's, so that nothing else pays for it.
pub(super) struct EventFile {
    subscriber: Dispatch,
}

impl EventFile {
    pub(super) fn create(folder: &RunFolder) -> Result<Self> {
        let file = folder.create_file("events.jsonl")?;
        // How far a stage is interests nobody afterwards, and would be most of the file: that is below `info`.
        let to_file = JsonLines { file: Mutex::new(file) }.with_filter(LevelFilter::INFO);
        let subscriber = tracing_subscriber::registry().with(to_file).with(trace::stderr_layer());
        Ok(Self { subscriber: Dispatch::new(subscriber) })
    }
}

impl Observer for EventFile {
    fn on(&mut self, update: &Update) {
        tracing::dispatcher::with_default(&self.subscriber, || tell(update));
    }
}

/// An update as an event, with the fields that it has as JSON; a test holds the two against each other.
fn tell(update: &Update) {
    match update {
        Update::Planned { recipe, stages, axes, reused, to_run, estimate_seconds } => {
            let (axes, estimate_seconds) = (Json(axes), Json(estimate_seconds));
            info!(target: TARGET, event = "planned", recipe, stages, ?axes, reused, to_run, ?estimate_seconds);
        }
        // What was there stands in the record of nodes.
        Update::Found { .. } => {}
        Update::Reused { node, key } => info!(target: TARGET, event = "reused", node = &*node.0, key = ?Json(key)),
        Update::HeldElsewhere { node, holder } => {
            info!(target: TARGET, event = "held_elsewhere", node = &*node.0, holder);
        }
        Update::WaitsForGpu { node, gpu, holder } => {
            info!(target: TARGET, event = "waits_for_gpu", node = &*node.0, gpu, holder);
        }
        Update::Started { node, key, attempt, resumed, again } => {
            let (key, again) = (Json(key), Json(again));
            info!(target: TARGET, event = "started", node = &*node.0, ?key, attempt, resumed, ?again);
        }
        Update::Progress { node, progress } => {
            trace!(target: TARGET, event = "progress", node = &*node.0, progress = ?Json(progress));
        }
        Update::Done { node, key, seconds, measurements, notes, canonical: _ } => {
            let (key, measurements, notes) = (Json(key), Json(measurements), Json(notes));
            info!(target: TARGET, event = "done", node = &*node.id.0, ?key, seconds, ?measurements, ?notes);
        }
        Update::Stopped { node, saved } => info!(target: TARGET, event = "stopped", node = &*node.0, saved),
        Update::Retried { node, seconds, error, left } => {
            info!(target: TARGET, event = "retried", node = &*node.0, seconds, error, left);
        }
        Update::Failed { node, key, seconds, error } => {
            info!(target: TARGET, event = "failed", node = &*node.0, key = ?Json(key), seconds, error);
        }
        Update::Dropped { node, bytes } => info!(target: TARGET, event = "dropped", node = &*node.0, bytes),
        Update::Skipped { node, needs } => {
            info!(target: TARGET, event = "skipped", node = &*node.0, needs = &*needs.0);
        }
        Update::Overall { ended, to_run, remaining_seconds } => {
            trace!(target: TARGET, event = "overall", ended, to_run, remaining_seconds = ?Json(remaining_seconds));
        }
        Update::Stopping { running } => info!(target: TARGET, event = "stopping", running),
        Update::Finished(summary) => finished(summary),
    }
}

fn finished(summary: &Summary) {
    let Summary {
        computed,
        reused,
        failed,
        skipped,
        stopped,
        cut_short,
        not_run,
        spared,
        interrupted,
        signal,
        seconds,
        busy,
        saved_seconds,
    } = summary;
    let (failed, busy, signal) = (Json(failed), Json(busy), Json(signal));
    info!(
        target: TARGET,
        event = "finished",
        computed,
        reused,
        ?failed,
        skipped,
        stopped,
        cut_short,
        not_run,
        spared,
        interrupted,
        ?signal,
        seconds,
        ?busy,
        saved_seconds
    );
}

/// Lists, maps and what may be missing, of which `tracing` knows none: they go through it as JSON.
struct Json<T>(T);

impl<T: Serialize> fmt::Debug for Json<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(&self.0).map_err(|_| fmt::Error)?)
    }
}

/// Writes the fields of each event, and when it was, as one flat object.
struct JsonLines {
    file: Mutex<File>,
}

impl<S: Subscriber> Layer<S> for JsonLines {
    fn on_event(&self, event: &Event<'_>, _: LayerContext<'_, S>) {
        let mut line = Line { text: format!("{{\"at\":\"{}\"", text::rfc3339(SystemTime::now())) };
        event.record(&mut line);
        line.text.push_str("}\n");
        // A full disk will stop the stages themselves, with a message of their own.
        let _ = self.file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.text.as_bytes());
    }
}

struct Line {
    text: String,
}

impl Line {
    fn push(&mut self, field: &Field, value: impl Serialize) {
        let json = serde_json::to_string(&value).expect("numbers and texts serialise");
        self.push_json(field, &json);
    }

    fn push_json(&mut self, field: &Field, json: &str) {
        self.text.push_str(&format!(",\"{}\":{json}", field.name()));
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field, value);
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field, value);
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field, value);
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field, value);
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field, value);
    }
    /// Of the events of a run that is [`Json`], and nothing else.
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push_json(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests;
