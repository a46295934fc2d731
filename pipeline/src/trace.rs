//! What the program does, told through `tracing`: to a file of each run (`run::event_file`), and to standard error for
//! whoever sets `PRETEXT_LOG`.

use std::str::FromStr;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;

/// `error`, `warn`, `info`, `debug` or `trace`: how much is told on standard error. Nothing when it is not set.
pub const LOG: &str = "PRETEXT_LOG";

/// Has all threads tell on standard error what `PRETEXT_LOG` asks for. Does nothing, and costs nothing, without it.
pub fn start() {
    if let Some(level) = level() {
        let subscriber = tracing_subscriber::registry().with(to_stderr(level));
        // It fails only where there is one already, which is then as good.
        let _ = tracing::subscriber::set_global_default(subscriber);
    }
}

/// What is told to a subscriber of one thread is not told to that of all: it needs the same layer.
pub(crate) fn stderr_layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> Option<impl Layer<S>> {
    level().map(to_stderr)
}

fn to_stderr<S: Subscriber + for<'a> LookupSpan<'a>>(level: LevelFilter) -> impl Layer<S> {
    tracing_subscriber::fmt::layer().with_ansi(false).with_writer(std::io::stderr).with_filter(level)
}

fn level() -> Option<LevelFilter> {
    let word = std::env::var(LOG).ok().filter(|word| !word.is_empty())?;
    match LevelFilter::from_str(&word) {
        Ok(level) => Some(level),
        Err(_) => {
            eprintln!("{LOG} is `{word}`, which is no level: expected error, warn, info, debug or trace");
            None
        }
    }
}
