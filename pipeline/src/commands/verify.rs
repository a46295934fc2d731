use super::places::StorePlace;
use super::print;
use crate::ids::Key;
use crate::store::{Damage, Damaged, Reading, Store, Use, Verified};
use crate::text;
use anyhow::Result;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::{BTreeSet, HashMap};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// Who waits longer than this sees how far it is.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, Args)]
#[command(
    after_help = "Every byte of every artifact is read and compared with its digest. `pretext run` looks at sizes and \
times only, so that it does not see a bit that flipped on the disk; this does. What is damaged is computed again by the \
next `pretext run` once it is out of the way, which --repair sees to. The exit code is 1 when something is damaged."
)]
pub(super) struct VerifyArgs {
    /// Move what is damaged aside, to damaged/ in the store, so that the next `pretext run` computes it again
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    store: StorePlace,
}

pub(super) fn verify(args: &VerifyArgs) -> Result<ExitCode> {
    let store = args.store.open()?;
    let reading = Reading::default();
    let verified = watched(&reading, || store.verify(&reading))?;
    let uses = store.uses()?;
    let mut out = String::new();
    for damage in &verified.damages {
        out.push_str(&told(&store, damage, &uses));
        if args.repair && !matches!(damage.what, Damaged::Missing(_)) {
            out.push_str(&match store.repair(damage)? {
                Some(aside) => format!("  moved to {}\n", aside.display()),
                None => "  a running stage is at work with it: stop its run and repeat this\n".to_owned(),
            });
        }
    }
    out.push_str(&summary(&verified));
    out.push_str(&advice(&store, &verified, &uses, args.repair));
    print(&out)?;
    Ok(if verified.damages.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs something beside a bar that follows it.
fn watched<T>(reading: &Reading, work: impl FnOnce() -> T) -> T {
    std::thread::scope(|scope| {
        let (done, ended) = channel::<()>();
        scope.spawn(move || {
            let began = Instant::now();
            if ended.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let style = "  reading {bar:24} {binary_bytes} of {binary_total_bytes}  {msg}";
            let bar = ProgressBar::new(0);
            bar.set_style(ProgressStyle::with_template(style).expect("the template is right").progress_chars("##."));
            while ended.recv_timeout(Duration::from_millis(100)) == Err(RecvTimeoutError::Timeout) {
                let (read, total) = (reading.bytes.load(Ordering::Relaxed), reading.total.load(Ordering::Relaxed));
                bar.set_length(total);
                bar.set_position(read);
                bar.set_message(pace(read, total, began.elapsed().as_secs_f64()));
            }
            bar.finish_and_clear();
        });
        let outcome = work();
        drop(done);
        outcome
    })
}

/// `1.9 GiB/s  4 min left`
fn pace(read: u64, total: u64, seconds: f64) -> String {
    let rate = (read as f64 / seconds).max(1.0);
    let left = text::rough_duration(total.saturating_sub(read) as f64 / rate);
    format!("{}/s  {left} left", text::bytes(rate as u64))
}

/// What is damaged and whom it concerns.
fn told(store: &Store, damage: &Damage, uses: &HashMap<Key, Use>) -> String {
    let what = match damage.what {
        Damaged::Artifact(digest) | Damaged::Missing(digest) => format!("artifact {}", digest.short()),
        Damaged::Result(key) => format!("result {}", key.0.short()),
        Damaged::Provenance(key) => format!("record of costs {}", key.0.short()),
    };
    let verb = if matches!(damage.what, Damaged::Result(_) | Damaged::Provenance(_)) { ": " } else { " " };
    let mut text = format!("{what}{verb}{}\n", damage.how);
    damage.results.iter().for_each(|key| text.push_str(&format!("  of {}\n", store.name_of_result(key, uses))));
    if damage.results.is_empty() {
        text.push_str("  no result mentions it\n");
    }
    text
}

fn summary(verified: &Verified) -> String {
    let Verified { results, artifacts, dropped, bytes, damages, unmentioned, leftovers } = verified;
    let size = |sizes: u64| text::bytes(sizes);
    let mut lines = format!(
        "read {} ({}) and {}: {}\n",
        text::counted(*artifacts, "artifact"),
        size(*bytes),
        text::counted(*results, "result"),
        if damages.is_empty() { "all whole".to_owned() } else { format!("{} damaged", damages.len()) }
    );
    if *dropped > 0 {
        let what = text::counted(*dropped, "artifact");
        lines.push_str(&format!("{what} without files, which were dropped on purpose; computed again when needed\n"));
    }
    if !unmentioned.is_empty() {
        let what = text::counted(unmentioned.len(), "artifact");
        let bytes = unmentioned.iter().map(|(_, bytes)| bytes).sum();
        lines.push_str(&format!("{what} ({}) that no result mentions: `pretext gc`\n", size(bytes)));
    }
    let waste: Vec<_> = leftovers.iter().filter(|leftover| leftover.is_waste()).collect();
    if !waste.is_empty() {
        let bytes = waste.iter().map(|leftover| leftover.bytes).sum();
        let what = text::counted(waste.len(), "leftover");
        lines.push_str(&format!("{what} ({}) of processes that were cut short: `pretext gc`\n", size(bytes)));
    }
    lines
}

/// What to do, where something is damaged.
fn advice(store: &Store, verified: &Verified, uses: &HashMap<Key, Use>, is_repaired: bool) -> String {
    if verified.damages.is_empty() {
        return String::new();
    }
    let lost = verified.damages.iter().filter(|damage| !matches!(damage.what, Damaged::Provenance(_)));
    let keys: BTreeSet<Key> = lost.flat_map(|damage| damage.results.clone()).collect();
    let recipes: BTreeSet<String> = keys
        .iter()
        .filter_map(|key| match uses.get(key) {
            Some(used) => Some(used.recipe.clone()),
            None => store.provenance(key).map(|provenance| provenance.recipe),
        })
        .collect();
    let again = match (keys.len(), recipes.into_iter().collect::<Vec<_>>().join(", ")) {
        (0, _) => String::new(),
        (number, recipes) if recipes.is_empty() => {
            format!("the next `pretext run` that needs them computes {} again\n", text::counted(number, "result"))
        }
        (number, recipes) => {
            format!("the next `pretext run` of {recipes} computes {} again\n", text::counted(number, "result"))
        }
    };
    match is_repaired {
        true => again,
        false => {
            format!("`pretext verify --repair` moves what is damaged aside; then {again}").trim_end().to_owned() + "\n"
        }
    }
}
