//! Where stages are computed, as far as it can be said before anything runs.

use crate::plan::{self, Device, Known, Node, WorkerName};
use crate::recipe::Recipe;
use crate::run::Wishes;
use anyhow::{Result, bail};
use petgraph::graph::NodeIndex;
use pretext_protocol::Gpu;

/// `--device`: in place of what the recipe says.
pub(super) fn put_on(recipe: &mut Recipe, device: Device) -> Result<()> {
    let placed = recipe.graph.node_weights_mut().filter_map(|node| node.put_on(device).then_some(())).count();
    if placed == 0 && matches!(device, Device::Cuda(_)) {
        bail!("--device {device}: no stage of {} has use for a GPU", recipe.path);
    }
    Ok(())
}

/// Refuses to run where a stage insists on a GPU that it cannot have, unless its result is there already.
pub(super) fn refuse_unless_there(recipe: &Recipe, wishes: &Wishes, known: &dyn Known, gpus: &[usize]) -> Result<()> {
    let graph = &recipe.graph;
    let lacking = graph.node_indices().filter(|index| wishes.wants(*index));
    let lacking: Vec<_> = lacking.filter_map(|index| Some((index, why_never(&graph[index], gpus)?))).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let statuses = plan::evaluate(graph, known);
    let is_hit = |index: &NodeIndex| statuses[index.index()].is_hit() && !wishes.forced.contains(index);
    match lacking.iter().find(|(index, _)| !is_hit(index)) {
        Some((index, why)) => bail!("{} cannot run here: {why}. Nothing was run", graph[*index].id),
        None => Ok(()),
    }
}

fn why_never(node: &Node, gpus: &[usize]) -> Option<String> {
    if !node.resources.insists_on_gpu() {
        return None;
    }
    let kind = &node.kind.name;
    match (node.kind.gpu, &node.worker) {
        (Gpu::Missing, _) => Some(format!(
            "it wants a GPU, and the worker of {kind} was built without what that takes: `cargo xtask setup --cuda` \
             builds pretext-worker with it, --device cpu does without"
        )),
        (Gpu::Unused, WorkerName::Stages) => {
            Some(format!("it wants a GPU, and {kind} has no use for one: take `device` or `gpus` from its `resources`"))
        }
        _ => node.resources.gpus_among(gpus).err(),
    }
}
