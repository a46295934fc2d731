use super::wording;
use crate::ids::NodeId;
use crate::run::{Observer, Update};
use crate::text;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::collections::HashMap;

/// A bar for each running stage, and one for all. What has ended scrolls away above them as plain lines.
pub(super) struct Bars {
    all: MultiProgress,
    overall: Option<ProgressBar>,
    running: HashMap<NodeId, ProgressBar>,
}

impl Bars {
    pub(super) fn new() -> Self {
        Self { all: MultiProgress::new(), overall: None, running: HashMap::new() }
    }

    fn start(&mut self, node: &NodeId, resumed: bool) {
        let bar = ProgressBar::no_length().with_style(style("  {prefix:32}  {bar:12} {percent:>3}%  {wide_msg}"));
        let bar = match &self.overall {
            Some(overall) => self.all.insert_before(overall, bar),
            None => self.all.add(bar),
        };
        bar.set_prefix(node.0.clone());
        bar.set_message(if resumed { "goes on from a checkpoint" } else { "starts" });
        self.running.insert(node.clone(), bar);
    }

    fn end(&mut self, node: &NodeId) {
        if let Some(bar) = self.running.remove(node) {
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
        bar.set_message(remaining_seconds.map_or(String::new(), |left| format!("{} left", text::rough_duration(left))));
    }
}

impl Observer for Bars {
    fn on(&mut self, update: &Update) {
        match update {
            Update::Done { node, .. } => self.end(&node.id),
            Update::Failed { node, .. } | Update::Retried { node, .. } | Update::Stopped { node, .. } => self.end(node),
            Update::Finished(_) => {
                self.running.drain().for_each(|(_, bar)| bar.finish_and_clear());
                self.overall.take().inspect(ProgressBar::finish_and_clear);
            }
            _ => {}
        }
        if let Some(lines) = wording::lines(update) {
            // A terminal that has gone away reads nothing, and the run goes on.
            let _ = self.all.println(lines);
        }
        match update {
            Update::Started { node, resumed, .. } => self.start(node, *resumed),
            Update::Progress { node, progress } => {
                let Some(bar) = self.running.get(*node) else { return };
                match progress.total {
                    0 => bar.unset_length(),
                    total => bar.set_length(total),
                }
                bar.set_position(progress.done);
                bar.set_message(wording::pace(progress));
            }
            Update::Overall { ended, to_run, remaining_seconds } => self.overall(*ended, *to_run, *remaining_seconds),
            _ => {}
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is well formed").progress_chars("##.")
}
