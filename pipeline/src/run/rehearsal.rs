//! Before hours are spent: every stage that trains begins on what it will be given and ends where it would begin to compute, so that what it
//! would refuse is told now. In the place of a trained encoder stands one that was never trained.

use super::computation::tells_of_full_disk;
use super::work::Wishes;
use super::worker::{Failure, Worker, WorkerSpec};
use crate::ids::Digest;
use crate::plan::{Graph, Node, NodeIndex, Status, WorkerName};
use crate::store::{Hold, Store};
use anyhow::{Context, Result, ensure};
use petgraph::Direction;
use petgraph::visit::EdgeRef;
use pretext_protocol::{Gpu, Resources, Run};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::path::PathBuf;

/// Nodes that are alike, of which one has begun.
#[derive(Debug, Clone, PartialEq)]
pub struct Rehearsed {
    /// Never empty.
    pub nodes: Vec<NodeIndex>,
    /// What they would refuse.
    pub error: Option<String>,
}

/// Of a stage no more instances than so many that are not alike are rehearsed: a sweep over thousands differs in numbers that nobody refuses
/// one by one.
const MOST_OF_A_STAGE: usize = 20;

/// After so many ends of workers that said nothing of their stage, nothing more is rehearsed.
const MOST_DEATHS: usize = 3;

/// Parameters in which instances differ that are alike: what takes one of their values takes all.
const ALIKE: [(&str, Option<&str>); 2] = [("seed", None), ("optimiser", Some("lr"))];

/// What is not there and has to be computed before the others can be rehearsed: data and views, which cost little beside what learns from
/// them. `wanted`: what is to be computed.
pub fn foundations(graph: &Graph, statuses: &[Status], wanted: impl Fn(NodeIndex) -> bool) -> HashSet<NodeIndex> {
    let mut can_be = vec![false; graph.node_count()];
    let mut needed = HashSet::new();
    for index in graph.node_indices() {
        let stands = |source: NodeIndex| statuses[source.index()].is_hit() || can_be[source.index()];
        let node = &graph[index];
        can_be[index.index()] = to_run(&statuses[index.index()])
            && node.worker == WorkerName::Stages
            && node.kind.gpu == Gpu::Unused
            && sources(graph, index).all(|(source, _, _)| stands(source));
    }
    for index in graph.node_indices().rev() {
        let is_rehearsed = wanted(index) && can_be_rehearsed(&graph[index]) && to_run(&statuses[index.index()]);
        let is_used = needed.contains(&index) || is_rehearsed;
        if is_used {
            let missing = sources(graph, index).map(|(source, _, _)| source).filter(|source| can_be[source.index()]);
            needed.extend(missing);
        }
    }
    needed
}

/// Rehearses what is to be computed, as far as what it needs is there or was rehearsed itself. `on` hears how many of how many nodes are done.
///
/// # Errors
/// Where it cannot be done: no word on the stages.
pub fn rehearse(
    graph: &Graph,
    statuses: &[Status],
    wishes: &Wishes,
    store: &Store,
    spec: &WorkerSpec,
    mut on: impl FnMut(usize, usize),
) -> Result<Vec<Rehearsed>> {
    let is_due = |index: &NodeIndex| {
        let status = &statuses[index.index()];
        // What is spared may yet be chosen.
        let is_due = to_run(status) || *status == Status::Spared || wishes.forced.contains(index);
        is_due && wishes.wants(*index) && can_be_rehearsed(&graph[*index])
    };
    let due: Vec<NodeIndex> = graph.node_indices().filter(is_due).collect();
    if due.is_empty() {
        return Ok(vec![]);
    }
    let folder = store.passing_folder()?;
    let mut stage = Stage {
        graph,
        statuses,
        store,
        spec,
        folder: folder.path().to_owned(),
        worker: Worker::start(spec, 1, None)?,
        deaths: 0,
        acts: vec![],
        act_of: HashMap::new(),
        known: HashMap::new(),
        number_of: HashMap::new(),
    };
    for (done, index) in due.iter().enumerate() {
        on(done, due.len());
        stage.play(*index)?;
    }
    stage.worker.dismiss();
    Ok(stage.acts.into_iter().map(|Act { nodes, error, .. }| Rehearsed { nodes, error }).collect())
}

/// Nodes that are alike, played once.
struct Act {
    nodes: Vec<NodeIndex>,
    out: PathBuf,
    error: Option<String>,
}

/// What stands on a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Given {
    Artifact(Digest),
    /// The output of an act.
    Played(usize, String),
}

struct Stage<'a> {
    graph: &'a Graph,
    statuses: &'a [Status],
    store: &'a Store,
    spec: &'a WorkerSpec,
    folder: PathBuf,
    worker: Worker,
    deaths: usize,
    acts: Vec<Act>,
    act_of: HashMap<NodeIndex, usize>,
    /// By kind, parameters and what is given.
    known: HashMap<(String, String, BTreeMap<String, Given>), usize>,
    /// How many acts a stage of the recipe had.
    number_of: HashMap<String, usize>,
}

impl Stage<'_> {
    fn play(&mut self, index: NodeIndex) -> Result<()> {
        let Some(given) = self.given(index) else { return Ok(()) };
        let node = &self.graph[index];
        let same = (node.kind.name.clone(), what_differs(node), given.clone());
        let act = match self.known.get(&same) {
            Some(&act) => act,
            None => {
                let number = self.number_of.entry(node.stage.clone()).or_default();
                *number += 1;
                if *number > MOST_OF_A_STAGE {
                    return Ok(());
                }
                let act = self.acts.len();
                let Some(played) = self.played(node, given, act)? else { return Ok(()) };
                self.acts.push(played);
                self.known.insert(same, act);
                act
            }
        };
        self.acts[act].nodes.push(index);
        self.act_of.insert(index, act);
        Ok(())
    }

    /// `None` where something that it needs is not there, and nobody knows what that will be.
    fn given(&self, index: NodeIndex) -> Option<BTreeMap<String, Given>> {
        let given = sources(self.graph, index).map(|(source, port, output)| {
            let given = match &self.statuses[source.index()] {
                Status::Hit { result, .. } => Given::Artifact(*result.artifacts.get(output)?),
                _ => {
                    let act = *self.act_of.get(&source)?;
                    self.acts[act].out.join(output).is_dir().then(|| Given::Played(act, output.to_owned()))?
                }
            };
            Some((port.to_owned(), given))
        });
        given.collect()
    }

    /// `None` where the bytes of an input are gone.
    fn played(&mut self, node: &Node, given: BTreeMap<String, Given>, act: usize) -> Result<Option<Act>> {
        let artifacts: BTreeSet<&Digest> = given.values().filter_map(Given::artifact).collect();
        let Some(_held): Option<Hold> = self.store.hold(artifacts)? else { return Ok(None) };
        let folder = self.folder.join(act.to_string());
        let mut request = Run::in_folder(&node.kind.name, node.params.to_map(), &[], &folder)?;
        let place = |given: Given| match given {
            Given::Artifact(digest) => self.store.artifact(&digest),
            Given::Played(act, output) => self.acts[act].out.join(output),
        };
        request.inputs = given.into_iter().map(|(port, given)| (port, place(given))).collect();
        request.cache = self.store.cache()?;
        request.resources = Resources { threads: 1, device: "cpu".to_owned() };
        let out = request.out.clone();
        let log = File::create(folder.join("log")).context("cannot write the rehearsal's log")?;
        let error = match self.worker.rehearse(request, log) {
            Ok(()) => return Ok(Some(Act { nodes: vec![], out, error: None })),
            Err(Failure::Reported(error)) => {
                // That is no word on the stage.
                ensure!(!tells_of_full_disk(&error), "{error}");
                Some(error)
            }
            Err(failure) => {
                self.replace_worker(node, failure)?;
                None
            }
        };
        // What it has left is nothing that others could begin on.
        std::fs::remove_dir_all(&out).with_context(|| format!("cannot remove {}", out.display()))?;
        Ok(Some(Act { nodes: vec![], out, error }))
    }

    /// After one has ended that said nothing of its stage; an error when it was the last that may.
    fn replace_worker(&mut self, node: &Node, failure: Failure) -> Result<()> {
        self.deaths += 1;
        if self.deaths == MOST_DEATHS {
            let context = format!("the rehearsal of {}, and {} others", node.id, MOST_DEATHS - 1);
            return Err(anyhow::Error::from(failure).context(context));
        }
        self.worker = Worker::start(self.spec, 1, None)?;
        Ok(())
    }
}

impl Given {
    fn artifact(&self) -> Option<&Digest> {
        match self {
            Self::Artifact(digest) => Some(digest),
            Self::Played(..) => None,
        }
    }
}

/// Node, the port that it stands on, and its output.
fn sources(graph: &Graph, index: NodeIndex) -> impl Iterator<Item = (NodeIndex, &str, &str)> {
    let used = graph.edges_directed(index, Direction::Incoming).filter(|edge| edge.weight().used);
    used.map(|edge| (edge.source(), &*edge.weight().port, &*edge.weight().output))
}

/// What computes on tensors; data and views are nothing to be rehearsed.
fn can_be_rehearsed(node: &Node) -> bool {
    node.worker == WorkerName::Stages && node.kind.gpu != Gpu::Unused
}

/// The parameters of a node without those in which nodes that are alike may differ.
fn what_differs(node: &Node) -> String {
    let mut params: Map<String, Value> =
        node.keyed_params.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
    for (name, inner) in ALIKE {
        match (inner, params.get_mut(name)) {
            (Some(inner), Some(Value::Object(map))) => drop(map.remove(inner)),
            (None, Some(_)) => drop(params.remove(name)),
            _ => {}
        }
    }
    Value::Object(params).to_string()
}

fn to_run(status: &Status) -> bool {
    matches!(status, Status::Run { .. } | Status::Open { .. })
}
