use super::sweep::Sweep;
use super::wording;
use crate::ids::NodeId;
use crate::run::{Observer, Update};
use crate::text;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use pretext_protocol::Progress;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// So many running stages have a bar; a terminal is only so high.
const MOST: usize = 10;
/// In a large sweep a stage has a bar when it has run for so long, and most are done before.
const WORTH_A_BAR: Duration = Duration::from_millis(500);
/// So often one of the short stages of a large sweep scrolls by.
const SCROLL: Duration = Duration::from_millis(500);

/// A bar for each running stage, and one for all. What has ended scrolls away above them as plain lines.
pub(super) struct Bars {
    all: MultiProgress,
    sweep: Sweep,
    overall: Option<ProgressBar>,
    bars: HashMap<NodeId, ProgressBar>,
    /// Those that run without a bar, since when, and whether they go on from a checkpoint.
    waiting: HashMap<NodeId, (Instant, bool)>,
}

impl Bars {
    pub(super) fn new(target: ProgressDrawTarget) -> Self {
        let all = MultiProgress::with_draw_target(target);
        let (bars, waiting) = (HashMap::new(), HashMap::new());
        Self { all, sweep: Sweep::new(Some(SCROLL)), overall: None, bars, waiting }
    }

    /// A stage that waits has a bar too, so that it is seen while nothing else moves.
    fn wait(&mut self, node: &NodeId, why: String) {
        self.start(node, false);
        self.show(node);
        if let Some(bar) = self.bars.get(node) {
            bar.set_message(why);
        }
    }

    fn start(&mut self, node: &NodeId, resumed: bool) {
        // It may have waited.
        self.end(node);
        self.waiting.insert(node.clone(), (Instant::now(), resumed));
        if !self.sweep.is_large() {
            self.show(node);
        }
    }

    /// Gives a stage a bar, if there is room for one.
    fn show(&mut self, node: &NodeId) {
        if self.bars.len() >= MOST {
            return;
        }
        let Some((_, resumed)) = self.waiting.remove(node) else { return };
        let bar = ProgressBar::no_length().with_style(style("  {prefix:32}  {bar:12} {percent:>3}%  {wide_msg}"));
        let bar = match &self.overall {
            Some(overall) => self.all.insert_before(overall, bar),
            None => self.all.add(bar),
        };
        bar.set_prefix(node.to_string());
        bar.set_message(if resumed { "goes on from a checkpoint" } else { "starts" });
        self.bars.insert(node.clone(), bar);
    }

    fn progress(&mut self, node: &NodeId, progress: &Progress) {
        if self.waiting.get(node).is_some_and(|(since, _)| !self.sweep.is_large() || since.elapsed() >= WORTH_A_BAR) {
            self.show(node);
        }
        let Some(bar) = self.bars.get(node) else { return };
        match progress.total {
            0 => bar.unset_length(),
            total => bar.set_length(total),
        }
        bar.set_position(progress.done);
        bar.set_message(wording::pace(progress));
    }

    fn end(&mut self, node: &NodeId) {
        self.waiting.remove(node);
        if let Some(bar) = self.bars.remove(node) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }

    fn overall(&mut self, ended: usize, to_run: usize, remaining_seconds: Option<f64>) {
        let bar = self.overall.get_or_insert_with(|| {
            let bar = ProgressBar::new(0).with_style(style("  {prefix:32}  {bar:12} {pos}/{len}  {wide_msg}"));
            self.all.add(bar).with_prefix("overall")
        });
        bar.set_length(to_run as u64);
        bar.set_position(ended as u64);
        let left = remaining_seconds.map(|left| format!("{} left", text::rough_duration(left)));
        let hidden = self.waiting.len();
        let hidden = (hidden > 0 && self.bars.len() >= MOST)
            .then(|| format!("{hidden} more {}", if hidden == 1 { "runs" } else { "run" }));
        bar.set_message(left.into_iter().chain(hidden).collect::<Vec<_>>().join("  "));
    }
}

impl Observer for Bars {
    fn on(&mut self, update: &Update) {
        match update {
            Update::Done { node, .. } => self.end(&node.id),
            Update::Failed { node, .. } | Update::Retried { node, .. } | Update::Stopped { node, .. } => self.end(node),
            Update::Finished(_) => {
                self.bars.drain().for_each(|(_, bar)| bar.finish_and_clear());
                self.overall.take().inspect(ProgressBar::finish_and_clear);
            }
            _ => {}
        }
        if let Some(lines) = self.sweep.lines(update) {
            // A terminal that has gone away reads nothing, and the run goes on.
            let _ = self.all.println(lines);
        }
        match update {
            Update::Started { node, resumed, .. } => self.start(node, *resumed),
            Update::WaitsForGpu { node, gpu, holder } => self.wait(node, wording::waits_for_gpu(gpu, holder)),
            Update::Progress { node, progress } => self.progress(node, progress),
            Update::Overall { ended, to_run, remaining_seconds } => self.overall(*ended, *to_run, *remaining_seconds),
            _ => {}
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is well formed").progress_chars("##.")
}

#[cfg(test)]
mod tests {
    use super::super::tests::planned;
    use super::*;
    use crate::ids::{Digest, Key};

    fn started(bars: &mut Bars, number: usize) -> Vec<NodeId> {
        let nodes: Vec<NodeId> = (0..number).map(|place| NodeId(format!("probe[seed={place}]"))).collect();
        let key = Key(Digest::of(b""));
        for node in &nodes {
            bars.on(&Update::Started { node, key, attempt: 1, resumed: false, again: None });
            bars.on(&Update::Progress { node, progress: &Progress::default() });
        }
        nodes
    }

    #[test]
    fn a_stage_that_waits_for_a_gpu_has_a_bar_that_says_so() {
        let mut bars = Bars::new(ProgressDrawTarget::hidden());
        bars.on(&planned(1000));
        let node = NodeId("pretrain".into());
        bars.on(&Update::WaitsForGpu { node: &node, gpu: "cuda:1", holder: "process 4711" });
        assert_eq!(bars.bars[&node].message(), "waits for cuda:1, which another run has: process 4711");
        let key = Key(Digest::of(b""));
        bars.on(&Update::Started { node: &node, key, attempt: 1, resumed: false, again: None });
        assert!(bars.bars.is_empty() && bars.waiting.len() == 1, "it runs as any other");
    }

    #[test]
    fn few_stages_have_a_bar_at_once_and_others_take_their_place() {
        let mut bars = Bars::new(ProgressDrawTarget::hidden());
        bars.on(&planned(30));
        let nodes = started(&mut bars, 30);
        assert_eq!((bars.bars.len(), bars.waiting.len()), (MOST, 20));
        bars.on(&Update::Stopped { node: &nodes[0], saved: true });
        bars.on(&Update::Progress { node: &nodes[29], progress: &Progress::default() });
        assert!(bars.bars.len() == MOST && bars.bars.contains_key(&nodes[29]));
    }

    #[test]
    fn in_a_large_sweep_only_stages_that_last_have_a_bar() {
        let mut bars = Bars::new(ProgressDrawTarget::hidden());
        bars.on(&planned(1000));
        let nodes = started(&mut bars, 5);
        assert!(bars.bars.is_empty());
        bars.waiting.get_mut(&nodes[3]).unwrap().0 -= WORTH_A_BAR;
        nodes.iter().for_each(|node| bars.on(&Update::Progress { node, progress: &Progress::default() }));
        assert_eq!(bars.bars.keys().collect::<Vec<_>>(), [&nodes[3]]);
    }
}
