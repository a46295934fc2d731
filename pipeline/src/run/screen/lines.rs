use super::wording;
use crate::ids::NodeId;
use crate::run::{Observer, Update};
use std::collections::HashMap;
use std::io::Write;
use std::time::{Duration, Instant};

/// So often a running stage says how far it is.
const EVERY: Duration = Duration::from_secs(10);

/// Plain lines, for logs and for those who read with their ears.
pub(super) struct Lines<W> {
    out: W,
    /// When each running stage last had a line.
    last: HashMap<NodeId, Instant>,
}

impl<W: Write> Lines<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, last: HashMap::new() }
    }

    fn line(&mut self, text: &str) {
        // Where nobody can read, nothing needs to be said.
        let _ = writeln!(self.out, "{text}");
    }
}

impl<W: Write> Observer for Lines<W> {
    fn on(&mut self, update: &Update) {
        if let Some(text) = wording::lines(update) {
            self.line(&text);
        }
        match update {
            Update::Started { node, attempt, resumed, .. } => {
                self.last.insert((*node).clone(), Instant::now());
                let again = if *resumed { format!(" (attempt {attempt}, from a checkpoint)") } else { String::new() };
                self.line(&wording::row(node, &format!("started{again}")));
            }
            Update::Progress { node, progress } => {
                let Some(last) = self.last.get_mut(*node).filter(|last| last.elapsed() >= EVERY) else { return };
                *last = Instant::now();
                let percent = wording::percent(progress).map_or(String::new(), |percent| format!("{percent:3}%  "));
                self.line(&wording::row(node, &format!("{percent}{}", wording::pace(progress))));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
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
}
