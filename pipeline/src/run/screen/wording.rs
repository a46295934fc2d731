//! The words for what happens, the same for bars and lines.

use crate::ids::NodeId;
use crate::plan::Node;
use crate::run::Update;
use crate::store::Summary;
use crate::text;
use pretext_protocol::{Measurement, Progress};
use std::collections::HashSet;

/// Names are padded to this width, so that what follows them stands in columns.
const NAME_WIDTH: usize = 32;
/// So many failures are listed. `pretext status` has the others.
pub(super) const FAILURES: usize = 20;

/// The lines that stay on the screen. None for what only moves a bar, or is counted elsewhere.
pub(super) fn lines(update: &Update) -> Option<String> {
    Some(match update {
        Update::Planned { .. } => header(update)?,
        Update::HeldElsewhere { node, holder } => row(node, &format!("waits for {holder}, which computes it")),
        Update::WaitsForGpu { node, gpu, holder } => row(node, &waits_for_gpu(gpu, holder)),
        Update::Started { node, again: Some(why), .. } => row(node, &format!("is computed again: {why}")),
        Update::Done { node, seconds, measurements, notes, .. } => {
            let mut text = format!("done in {}", text::duration(*seconds));
            figures_of(node, measurements).iter().for_each(|figure| text.push_str(&format!("   {figure}")));
            let notes = notes.iter().flat_map(|note| note.lines());
            row(&node.id, &text) + &notes.map(|line| format!("\n    {line}")).collect::<String>()
        }
        Update::Failed { node, seconds, error, .. } => failure(node, *seconds, error, &log_hint(node)),
        Update::Retried { node, seconds, error, left } => {
            failure(node, *seconds, error, &format!("is tried again; tries left: {left}"))
        }
        Update::Dropped { node, bytes } => {
            row(node, &format!("dropped {}: nothing needs it any more", text::bytes(*bytes)))
        }
        Update::Skipped { node, needs } => row(node, &format!("skipped: needs {needs}")),
        Update::Stopping { running: 0 } => "stopping: nothing runs".to_owned(),
        Update::Stopping { running } => {
            let stages = text::counted(*running, "running stage");
            format!("stopping: {stages} asked to save what there is (Ctrl-C again ends at once)")
        }
        _ => return None,
    })
}

fn failure(node: &NodeId, seconds: f64, error: &str, what_now: &str) -> String {
    let (took, first) = (text::duration(seconds), text::first_line(error));
    let rest: String = error.trim().lines().skip(1).map(|line| format!("\n    {line}")).collect();
    row(node, &format!("failed after {took}: {first} ({what_now}){rest}"))
}

pub(super) fn waits_for_gpu(gpu: &str, holder: &str) -> String {
    format!("waits for {gpu}, which another run has: {holder}")
}

/// A node's name, and what there is to say about it.
pub(super) fn row(node: &dyn std::fmt::Display, text: &str) -> String {
    format!("  {:NAME_WIDTH$}  {text}", node.to_string())
}

/// `  12 stages/s`, `  3 stages/min`: nothing where none has ended.
pub(super) fn stages_per_second(rate: f64) -> String {
    match rate {
        r if r <= 0.0 => String::new(),
        r if r < 1.0 => format!("  {}/min", text::counted((r * 60.0).round().max(1.0) as usize, "stage")),
        r => format!("  {}/s", text::counted(r.round() as usize, "stage")),
    }
}

/// How far a stage is, in percent, where that is known.
pub(crate) fn percent(progress: &Progress) -> Option<u64> {
    (progress.total > 0).then(|| progress.done.min(progress.total) * 100 / progress.total)
}

/// `1,142 images/s  4 min left   loss 4.81`
pub(crate) fn pace(progress: &Progress) -> String {
    let mut parts = Vec::new();
    if let Some(rate) = progress.rate.filter(|rate| *rate > 0.0) {
        parts.push(match progress.unit.as_str() {
            "bytes" => format!("{}/s", text::bytes(rate as u64)),
            unit => format!("{} {unit}/s", text::figure(rate)),
        });
        if progress.total > progress.done {
            parts.push(format!("{} left", text::rough_duration((progress.total - progress.done) as f64 / rate)));
        }
    }
    parts.extend(progress.values.iter().map(|(name, value)| format!("{name} {}", text::figure(*value))));
    if parts.is_empty() { progress.phase.clone() } else { format!("{}  {}", progress.phase, parts.join("  ")) }
}

/// `accuracy(validation) 58.3`: of each measurement that is no setting the first split that is declared.
fn figures_of(node: &Node, measurements: &[Measurement]) -> Vec<String> {
    let declared = node.kind.measures.iter().filter(|measure| !measure.setting);
    let shown = declared.filter_map(|measure| {
        let measurement = measurements.iter().find(|measurement| measurement.name == measure.name)?;
        let split = if measurement.split.is_empty() { String::new() } else { format!("({})", measurement.split) };
        Some(format!("{}{split} {}", measure.name, text::measured(measurement.value, &measure.unit)))
    });
    shown.take(3).collect()
}

/// `small-labels: 110 stages, 3 axes (method 6, seed 3, labels 3) · 20 reused, 90 to run · about 38 min`
fn header(update: &Update) -> Option<String> {
    let Update::Planned { recipe, stages, axes, reused, to_run, estimate_seconds } = update else { return None };
    let mut text = format!("{recipe}: {}", text::counted(*stages, "stage"));
    if !axes.is_empty() {
        let sizes: Vec<String> = axes.iter().map(|(axis, size)| format!("{axis} {size}")).collect();
        text.push_str(&format!(", {} ({})", text::counted(axes.len(), "axis"), sizes.join(", ")));
    }
    text.push_str(&format!(" · {} reused, {} to run", text::count(*reused as u64), text::count(*to_run as u64)));
    if let Some(seconds) = estimate_seconds.filter(|_| *to_run > 0) {
        text.push_str(&format!(" · about {}", text::rough_duration(seconds)));
    }
    Some(text)
}

/// `told`: the failures that stand on the screen already.
pub(super) fn closing(summary: &Summary, told: &HashSet<NodeId>) -> String {
    let mut text = String::new();
    let untold: Vec<_> = summary.failed.iter().filter(|(node, _)| !told.contains(node)).collect();
    let shown = FAILURES.saturating_sub(told.len());
    for (node, error) in untold.iter().take(shown) {
        text.push_str(&format!("failed: {node}: {} ({})\n", text::first_line(error), log_hint(node)));
    }
    let more = untold.len().saturating_sub(shown);
    if more > 0 {
        text.push_str(&format!("{} more failed: `pretext status last` lists all\n", text::count(more as u64)));
    }
    let number = |number: usize, what: &str| format!("{} {what}", text::count(number as u64));
    let mut parts = vec![number(summary.computed, "computed"), number(summary.reused, "reused")];
    if summary.saved_seconds >= 1.0 {
        parts[1] += &format!(" (saved {})", text::rough_duration(summary.saved_seconds));
    }
    let further = [
        (summary.failed.len(), "failed"),
        (summary.skipped, "skipped"),
        (summary.spared, "spared, since `choose` picked others"),
    ];
    parts.extend(further.iter().filter(|(failed, _)| *failed > 0).map(|(failed, what)| number(*failed, what)));
    text.push_str(&format!("{} · {}", parts.join(", "), text::duration(summary.seconds)));
    if let Some(busy) = summary.busy.filter(|_| summary.computed > 0 && summary.seconds >= 2.0) {
        text.push_str(&format!(" · processor {:.0} % busy", busy * 100.0));
    }
    if summary.interrupted {
        text.push_str(&format!("\n{}", stopped(summary)));
    }
    text
}

fn stopped(summary: &Summary) -> String {
    let mut parts = Vec::new();
    if summary.stopped > 0 {
        let own = if summary.stopped == 1 { "its" } else { "their" };
        parts.push(format!("{} saved {own} state", text::counted(summary.stopped, "running stage")));
    }
    if summary.cut_short > 0 {
        let stages = text::counted(summary.cut_short, "stage");
        parts.push(format!("{stages} ended without saving and will go on from the last checkpoint, or start again"));
    }
    let lost = if summary.cut_short == 0 { "nothing is lost" } else { "what is done is kept" };
    parts.push(format!("{lost}. Run the same command to go on."));
    format!("stopped: {}", parts.join("; "))
}

fn log_hint(node: &NodeId) -> String {
    format!("log: pretext logs '{node}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_counts() {
        let axes = vec![("method".to_owned(), 6), ("seed".to_owned(), 3), ("labels".to_owned(), 3)];
        let planned = Update::Planned {
            recipe: "small-labels",
            stages: 110,
            axes,
            reused: 20,
            to_run: 90,
            estimate_seconds: Some(2280.0),
        };
        assert_eq!(
            lines(&planned).unwrap(),
            "small-labels: 110 stages, 3 axes (method 6, seed 3, labels 3) · 20 reused, 90 to run · about 38 min"
        );
    }

    #[test]
    fn the_pace_has_rate_time_left_and_values() {
        let progress = Progress {
            phase: "train".into(),
            done: 600,
            total: 1000,
            unit: "images".into(),
            rate: Some(1142.3),
            values: [("loss".to_owned(), 4.8123)].into(),
            ..Progress::default()
        };
        assert_eq!(
            (percent(&progress), pace(&progress).as_str()),
            (Some(60), "train  1,142 images/s  1 s left  loss 4.812")
        );
        let download = Progress { phase: "download".into(), unit: "bytes".into(), rate: Some(3e6), ..progress };
        assert_eq!(pace(&Progress { total: 0, values: Default::default(), ..download }), "download  2.9 MiB/s");
    }

    #[test]
    fn the_closing_says_what_came_of_it() {
        let failed = vec![(NodeId("pretrain[method=pixels]".into()), "loss became NaN\nmore".into())];
        let summary = Summary { computed: 12, reused: 3, failed, skipped: 2, seconds: 221.0, ..Summary::default() };
        let summary = Summary { saved_seconds: 300.0, ..summary };
        let nothing_told = HashSet::new();
        let figures = "12 computed, 3 reused (saved 5 min), 1 failed, 2 skipped · 3 min 41 s";
        assert_eq!(
            closing(&summary, &nothing_told),
            format!(
                "failed: pretrain[method=pixels]: loss became NaN (log: pretext logs 'pretrain[method=pixels]')\n{figures}"
            )
        );
        assert_eq!(closing(&summary, &HashSet::from([summary.failed[0].0.clone()])), figures);
        let probe = |seed| NodeId(format!("probe[seed={seed}]"));
        let failed = (0..1022).map(|seed| (probe(seed), "it hangs".into())).collect();
        let many = Summary { failed, reused: 1500, ..Summary::default() };
        let end = "1,002 more failed: `pretext status last` lists all\n0 computed, 1,500 reused, 1,022 failed · 0.0 s";
        let told = (0..15).map(probe).collect();
        for (told, lines) in [(&nothing_told, 22), (&told, 7)] {
            let text = closing(&many, told);
            assert!(text.lines().count() == lines && text.ends_with(end), "{text}");
        }
        let stopped = Summary { computed: 1, stopped: 2, interrupted: true, seconds: 5.0, ..Summary::default() };
        assert_eq!(
            closing(&stopped, &nothing_told),
            "1 computed, 0 reused · 5.0 s\n\
             stopped: 2 running stages saved their state; nothing is lost. Run the same command to go on."
        );
    }
}
