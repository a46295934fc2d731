use crate::GraphSpec;
use pretext::ids::{Digest, Key};
use pretext::plan::{Lookup, NodeIndex, WorkerName};
use pretext::run::{
    Event, Gpu, Local, LocalSettings, Observer, Outcome, Update, Wishes, Work, WorkerSpec, channel, recorders, schedule,
};
use pretext::store::{Provenance, Store, View};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// A store of its own and a fake worker.
pub struct Lab {
    folder: TempDir,
    worker: WorkerSpec,
    threads: usize,
    gpus: Vec<Gpu>,
    numerics: Option<String>,
    /// A node, and the version of its kind that it is planned for.
    version: Option<(String, u32)>,
    wishes: Wishes,
}

/// A run that has ended.
pub struct Ran {
    graph: pretext::plan::Graph,
    pub outcome: Outcome,
    /// What happened, in order: `start a`, `done a`, ...
    pub story: Vec<String>,
}

impl Lab {
    /// `worker`: the path of the fake worker, which only a test's own crate is told.
    pub fn new(worker: &str) -> Self {
        let folder = TempDir::new().expect("there is room for temporary files");
        let worker = WorkerSpec::new(worker.into());
        Self { folder, worker, threads: 1, gpus: vec![], numerics: None, version: None, wishes: Wishes::default() }
    }

    /// Lets so many threads work side by side; one unless this says otherwise, so that the order is certain.
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Has so many GPUs to give out.
    pub fn with_gpus(mut self, gpus: usize) -> Self {
        self.gpus = (0..gpus).map(Gpu::numbered).collect();
        self
    }

    /// Has GPUs, or parts of some, with these names.
    pub fn with_gpus_called(mut self, names: &[&str]) -> Self {
        self.gpus = (0..).zip(names).map(|(number, name)| Gpu { number, name: (*name).to_owned() }).collect();
        self
    }

    /// Stops after the first failure.
    pub fn stopping_at_failures(mut self) -> Self {
        self.wishes.keep_going = false;
        self
    }

    /// Computes only some nodes, and forces some; both by their indices, which are those of a spec.
    pub fn with_wishes(&mut self, only: Option<&[usize]>, forced: &[usize]) {
        self.wishes.only = only.map(|only| only.iter().map(|&number| NodeIndex::new(number)).collect());
        self.wishes.forced = forced.iter().map(|&number| NodeIndex::new(number)).collect();
    }

    /// Takes a worker to hang that is silent for so long.
    pub fn with_silence(mut self, silence: Duration) -> Self {
        self.worker.silence = silence;
        self
    }

    /// Plans for a worker that computes otherwise than the one that is there.
    pub fn with_numerics(mut self, numerics: &str) -> Self {
        self.numerics = Some(numerics.to_owned());
        self
    }

    /// Plans a node for a version of its kind that the worker has not.
    pub fn with_version(mut self, node: &str, version: u32) -> Self {
        self.version = Some((node.to_owned(), version));
        self
    }

    /// The laboratory's own folder, for files of a test.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn store_folder(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub fn store(&self) -> Store {
        Store::open(&self.store_folder()).expect("the store can be opened")
    }

    /// Computes a graph in this process.
    pub fn run(&self, spec: &GraphSpec) -> Ran {
        self.run_with(spec, |_, _| {})
    }

    /// Computes a graph, and calls `react` with each line of the story and a sender of events.
    pub fn run_with(&self, spec: &GraphSpec, react: impl Fn(&str, &dyn Fn(Event)) + 'static) -> Ran {
        let (mut graph, store) = (spec.graph(), self.store());
        if let Some(numerics) = &self.numerics {
            graph.node_weights_mut().for_each(|node| node.numerics = numerics.as_str().into());
        }
        if let Some((name, version)) = &self.version {
            let node = graph.node_weights_mut().find(|node| node.id.0 == *name).expect("the node is there");
            Arc::make_mut(&mut node.kind).version = *version;
        }
        let (sender, events) = channel();
        let workers = [(WorkerName::Stages, self.worker.clone())].into();
        let gpu_locks = self.folder().to_owned();
        let settings = LocalSettings { workers, threads: self.threads, gpus: self.gpus.clone(), gpu_locks };
        let mut executor = Local::new(settings, store.clone(), sender.clone());
        let send = move |event| sender.send(event).expect("the scheduler listens");
        let story = Rc::new(RefCell::new(Vec::new()));
        let recorder = Recorder { story: story.clone(), react: Box::new(react), send: Box::new(send) };
        let (path, digest, wishes) = ("test.yaml", Digest::of(b""), &self.wishes);
        let work = Work { graph: &graph, recipe: "test", path, digest, wishes, choosing: None };
        let mut observers = recorders(&work, &store).expect("the store can be written");
        observers.push(Box::new(recorder));
        let view = View::new(&store, "test");
        let outcome = schedule(&work, &view, &mut executor, &events, &mut observers);
        let story = story.take();
        Ran { graph, outcome, story }
    }

    /// What the fake workers noted: kind and first step of every stage that was begun, in order.
    pub fn trace(&self) -> Vec<String> {
        self.trace_lines().iter().filter_map(|line| line.rsplit_once(' ')).map(|(began, _)| began.to_owned()).collect()
    }

    /// The process that began the latest stage.
    pub fn latest_worker(&self) -> Option<i32> {
        self.trace_lines().last().and_then(|line| line.rsplit_once(' ')?.1.parse().ok())
    }

    /// The number in an artifact.
    pub fn value(&self, digest: &Digest) -> String {
        std::fs::read_to_string(self.store().artifact(digest).join("value.txt")).expect("the artifact is there")
    }

    fn trace_lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.store_folder().join("cache/trace")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

impl Ran {
    /// The digest of a node's artifact.
    pub fn digest(&self, node: &str) -> Digest {
        let place = self.graph.node_indices().find(|index| self.graph[*index].id.0 == node).expect("the node is there");
        let result = self.outcome.nodes[place.index()].result();
        result.unwrap_or_else(|| panic!("{node} has no result: {:?}", self.story)).artifacts["value"]
    }

    /// How the result of a node came about.
    pub fn provenance(&self, lab: &Lab, node: &str) -> Provenance {
        let key = self.key(node);
        assert!(matches!(lab.store().look_up(&key), Lookup::Found(_)));
        lab.store().provenance(&key).expect("a result has a provenance")
    }

    /// The text of a side file of a node's result.
    pub fn side(&self, lab: &Lab, node: &str, file: &str) -> String {
        let place = lab.store().result_folder(&self.key(node)).join("side").join(file);
        std::fs::read_to_string(place).expect("the stage has written it")
    }

    fn key(&self, node: &str) -> Key {
        let found = |index: &usize| self.graph.node_weights().nth(*index).is_some_and(|weight| weight.id.0 == node);
        let index = (0..self.graph.node_count()).find(found).expect("the node is there");
        self.outcome.nodes[index].result().expect("it has a result").key
    }

    /// The error of a failed node.
    pub fn error(&self, node: &str) -> &str {
        let failed = self.outcome.summary.failed.iter().find(|(failed, _)| failed.0 == node);
        failed.map(|(_, error)| error.as_str()).unwrap_or_else(|| panic!("{node} has not failed: {:?}", self.story))
    }
}

/// What a test does when a line of the story is told: it may send events.
type React = Box<dyn Fn(&str, &dyn Fn(Event))>;

struct Recorder {
    story: Rc<RefCell<Vec<String>>>,
    react: React,
    send: Box<dyn Fn(Event)>,
}

impl Observer for Recorder {
    fn on(&mut self, update: &Update) {
        let line = match update {
            Update::Planned { reused, to_run, .. } => format!("planned: {reused} reused, {to_run} to run"),
            Update::Reused { node, .. } => format!("reuse {node}"),
            Update::Started { node, resumed: true, .. } => format!("resume {node}"),
            Update::Started { node, .. } => format!("start {node}"),
            Update::Progress { node, progress } => format!("progress {node} {}", progress.done),
            Update::Done { node, .. } => format!("done {}", node.id),
            Update::Failed { node, .. } => format!("fail {node}"),
            Update::Retried { node, .. } => format!("retry {node}"),
            Update::Dropped { node, .. } => format!("drop {node}"),
            Update::Skipped { node, needs } => format!("skip {node}, which needs {needs}"),
            Update::Stopped { node, saved } => format!("stop {node}, {}", if *saved { "saved" } else { "not saved" }),
            Update::Stopping { running } => format!("stopping {running}"),
            Update::HeldElsewhere { node, .. } => format!("wait for {node}"),
            Update::WaitsForGpu { node, gpu, holder } => format!("{node} waits for {gpu} of {holder}"),
            Update::Found { .. } | Update::Overall { .. } | Update::Finished(_) => return,
        };
        (self.react)(&line, &self.send);
        if !matches!(update, Update::Progress { .. }) {
            self.story.borrow_mut().push(line);
        }
    }
}
