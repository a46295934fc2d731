use super::Seen;
use crate::ids::NodeId;
use crate::run::{pace, percent};
use crate::store::{RunStatus, Summary};
use crate::text::{count, duration, first_line, rough_duration};
use std::time::{SystemTime, UNIX_EPOCH};

/// So many running stages and failures are shown of a run.
const SHOWN: usize = 10;

/// One line for each run, and what those that are going on are at. Of a run that was asked for by name every failure.
pub(super) fn text(runs: &[Seen], is_named: bool, now: SystemTime) -> String {
    if runs.is_empty() {
        return "nothing has run in this store\n".to_owned();
    }
    let now = now.duration_since(UNIX_EPOCH).map_or(0.0, |now| now.as_secs_f64());
    let widest = runs.iter().map(|run| run.record.recipe.chars().count()).max().unwrap_or_default();
    let mut text = String::new();
    for run in runs {
        let record = &run.record;
        text += &format!("{}  {:<widest$}  {}\n", record.id, record.recipe, fate(run, now));
        match (&run.status, &record.summary) {
            (Some(live), _) => text += &running(live, now),
            (None, Some(summary)) if is_named => text += &failures(&summary.failed, usize::MAX),
            (None, Some(summary)) if runs.len() == 1 => text += &failures(&summary.failed, SHOWN),
            _ => {}
        }
    }
    text
}

fn fate(run: &Seen, now: f64) -> String {
    let record = &run.record;
    let passed = |since: u64| duration((now - since as f64).max(0.0));
    match (record.finished, &record.summary) {
        (Some(finished), Some(summary)) => {
            let took = duration(finished.saturating_sub(record.started) as f64);
            format!("{} ago, took {took}: {}", passed(finished), came_to(summary))
        }
        (Some(finished), None) => format!("{} ago: ended", passed(finished)),
        (None, _) if run.alive => {
            let far = run.status.as_ref().map_or(String::new(), |live| {
                let left = live.remaining_seconds.map(|left| format!(", about {} left", rough_duration(left)));
                format!(": {}/{}{}", count(live.ended as u64), count(live.to_run as u64), left.unwrap_or_default())
            });
            format!("running for {}{far} (process {} on {})", passed(record.started), record.process, record.host)
        }
        (None, _) => format!("{} ago: cut off; run the same command to go on", passed(record.started)),
    }
}

fn came_to(summary: &Summary) -> String {
    let stopped = summary.stopped + summary.cut_short;
    let numbers = [
        (summary.computed, "computed"),
        (summary.reused, "reused"),
        (summary.failed.len(), "failed"),
        (summary.skipped, "skipped"),
        (stopped, "stopped"),
    ];
    let told = numbers.iter().enumerate().filter(|(place, (number, _))| *place < 2 || *number > 0);
    let told: Vec<String> = told.map(|(_, (number, what))| format!("{} {what}", count(*number as u64))).collect();
    let end = if summary.interrupted { " (interrupted)" } else { "" };
    format!("{}{end}", told.join(", "))
}

fn running(live: &RunStatus, now: f64) -> String {
    let mut text = String::new();
    for stage in live.running.iter().take(SHOWN) {
        let progress = stage.progress.clone().unwrap_or_default();
        let percent = percent(&progress).map_or(String::new(), |percent| format!("{percent:3}%  "));
        let since = duration((now - stage.since as f64).max(0.0));
        text += format!("    {:32}  {since}  {percent}{}", stage.node.0, pace(&progress)).trim_end();
        text.push('\n');
    }
    let further = live.running.len().saturating_sub(SHOWN);
    text += &more(live.running.len(), SHOWN, if further == 1 { "further stage runs" } else { "further stages run" });
    text + &failures(&live.failed, SHOWN)
}

fn failures(failed: &[(NodeId, String)], shown: usize) -> String {
    let line = |(node, error): &(NodeId, String)| {
        format!("    failed: {node}: {} (log: pretext logs '{node}')\n", first_line(error))
    };
    failed.iter().take(shown).map(line).collect::<String>() + &more(failed.len(), shown, "more failed")
}

fn more(number: usize, shown: usize, what: &str) -> String {
    match number.saturating_sub(shown) {
        0 => String::new(),
        more => format!("    {} {what}\n", count(more as u64)),
    }
}
