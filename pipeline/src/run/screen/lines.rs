use super::sweep::Sweep;
use super::wording;
use crate::ids::NodeId;
use crate::run::{Observer, Update};
use crate::terminal::harmless;
use crate::text;
use std::collections::HashMap;
use std::io::Write;
use std::time::{Duration, Instant};

/// So often a running stage, or a large sweep as a whole, says how far it is.
const EVERY: Duration = Duration::from_secs(10);

/// Plain lines, for logs and for those who read with their ears.
pub(super) struct Lines<W> {
    out: W,
    sweep: Sweep,
    /// When each running stage last had a line.
    last: HashMap<NodeId, Instant>,
    /// When it was last said how far all are, and how many had ended then.
    overall: (Instant, usize),
}

impl<W: Write> Lines<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, sweep: Sweep::new(None), last: HashMap::new(), overall: (Instant::now(), 0) }
    }

    fn line(&mut self, text: &str) {
        // Where nobody can read, nothing needs to be said.
        let _ = writeln!(self.out, "{}", harmless(text));
    }

    /// `  overall   340/1,000  12 stages/s  1 min left`, now and then.
    fn overall(&mut self, ended: usize, to_run: usize, remaining_seconds: Option<f64>) {
        let (since, before) = self.overall;
        if !self.sweep.is_large() || since.elapsed() < EVERY {
            return;
        }
        self.overall = (Instant::now(), ended);
        let rate = ended.saturating_sub(before) as f64 / since.elapsed().as_secs_f64();
        let mut text = format!("{}/{}", text::count(ended as u64), text::count(to_run as u64));
        text += &wording::stages_per_second(rate);
        text += &remaining_seconds.map_or(String::new(), |left| format!("  {} left", text::rough_duration(left)));
        self.line(&wording::row(&"overall", &text));
    }
}

impl<W: Write> Observer for Lines<W> {
    fn on(&mut self, update: &Update) {
        if let Some(text) = self.sweep.lines(update) {
            self.line(&text);
        }
        match update {
            Update::Started { node, attempt, resumed, .. } => {
                self.last.insert((*node).clone(), Instant::now());
                let again = if *resumed { format!(" (attempt {attempt}, from a checkpoint)") } else { String::new() };
                if !self.sweep.is_large() {
                    self.line(&wording::row(node, &format!("started{again}")));
                }
            }
            Update::Progress { node, progress } => {
                let Some(last) = self.last.get_mut(*node).filter(|last| last.elapsed() >= EVERY) else {
                    return;
                };
                *last = Instant::now();
                let percent = wording::percent(progress).map_or(String::new(), |percent| format!("{percent:3}%  "));
                self.line(&wording::row(node, &format!("{percent}{}", wording::pace(progress))));
            }
            Update::Done { node, .. } => drop(self.last.remove(&node.id)),
            Update::Failed { node, .. } | Update::Stopped { node, .. } => drop(self.last.remove(*node)),
            Update::Overall { ended, to_run, remaining_seconds } => self.overall(*ended, *to_run, *remaining_seconds),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{done, planned};
    use super::*;
    use crate::ids::{Digest, Key};
    use pretext_protocol::Progress;

    #[test]
    fn a_stage_has_a_line_when_it_starts_and_then_now_and_again() {
        let mut lines = Lines::new(Vec::new());
        let (node, key) = (NodeId("slow".into()), Key(Digest::of(b"")));
        lines.on(&Update::Started { node: &node, key, attempt: 2, resumed: true, again: None });
        let progress = Progress { done: 1, total: 4, phase: "count".into(), ..Progress::default() };
        for _ in 0..3 {
            lines.on(&Update::Progress { node: &node, progress: &progress });
        }
        *lines.last.get_mut(&node).unwrap() -= EVERY;
        lines.on(&Update::Progress { node: &node, progress: &progress });
        lines.on(&Update::Skipped { node: &NodeId("sum".into()), needs: &node });
        assert_eq!(
            String::from_utf8(lines.out).unwrap(),
            "  slow                              started (attempt 2, from a checkpoint)\n  \
               slow                               25%  count\n  \
               sum                               skipped: needs slow\n"
        );
    }

    #[test]
    fn it_is_told_which_run_has_the_gpu_that_a_stage_waits_for() {
        for (to_run, expected) in [(2, 2), (1000, 1)] {
            let mut lines = Lines::new(Vec::new());
            lines.on(&planned(to_run));
            for name in ["one", "two"] {
                let holder = "process 4711 (for train of other, since noon)";
                lines.on(&Update::WaitsForGpu { node: &NodeId(name.into()), gpu: "cuda:1", holder });
            }
            let text = String::from_utf8(lines.out).unwrap();
            let first =
                "one                               waits for cuda:1, which another run has: process 4711 (for train";
            assert!(text.contains(first), "{text}");
            assert_eq!(text.matches("waits for").count(), expected, "{text}");
        }
    }

    #[test]
    fn a_large_sweep_is_summed_up() {
        let mut lines = Lines::new(Vec::new());
        lines.on(&planned(1000));
        let key = Key(Digest::of(b""));
        for place in 0..500 {
            let id = NodeId(format!("probe[seed={place}]"));
            lines.on(&Update::Started { node: &id, key, attempt: 1, resumed: false, again: None });
            done(&mut lines, &id, if place == 7 { 75.0 } else { 0.1 });
        }
        lines.on(&Update::Overall { ended: 500, to_run: 1000, remaining_seconds: Some(30.0) });
        lines.overall.0 -= EVERY;
        lines.on(&Update::Overall { ended: 500, to_run: 1000, remaining_seconds: Some(30.0) });
        let bad = NodeId("pretrain".into());
        lines.on(&Update::Failed { node: &bad, key: None, seconds: 2.0, error: "loss became NaN" });
        for place in 500..1000 {
            lines.on(&Update::Skipped { node: &NodeId(format!("probe[seed={place}]")), needs: &bad });
        }
        lines.on(&Update::Stopping { running: 0 });
        assert_eq!(
            String::from_utf8(lines.out).unwrap(),
            "sweep: 1,000 stages · 0 reused, 1,000 to run\n  \
               probe[seed=7]                     done in 75 s\n  \
               overall                           500/1,000  50 stages/s  30 s left\n  \
               pretrain                          failed after 2.0 s: loss became NaN (log: pretext logs 'pretrain')\n  \
               500 stages skipped, which need pretrain\n\
             stopping: nothing runs\n"
        );
    }
    #[test]
    fn a_large_sweep_that_fails_throughout_is_no_flood() {
        let mut lines = Lines::new(Vec::new());
        lines.on(&planned(1000));
        let key = Key(Digest::of(b""));
        for place in 0..500 {
            let bad = NodeId(format!("pretrain[seed={place}]"));
            let again = Some("forced");
            lines.on(&Update::Started { node: &bad, key, attempt: 1, resumed: false, again });
            lines.on(&Update::Failed { node: &bad, key: None, seconds: 2.0, error: "loss became NaN" });
            lines.on(&Update::Skipped { node: &NodeId(format!("probe[seed={place}]")), needs: &bad });
        }
        let text = String::from_utf8(lines.out).unwrap();
        assert!(text.contains("  1 stage skipped, which needs pretrain[seed=18]\n"));
        assert_eq!(text.lines().count(), 1 + 2 * 20, "{text}");
    }
}
