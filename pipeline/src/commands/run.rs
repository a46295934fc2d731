use super::choosing::Chooser;
use super::rehearsing::Rehearsal;
use super::source::Source;
use super::tabulate::{Folders, Results, tabulate};
use super::{device, permission, print, target};
use crate::plan::{self, Device, NodePattern};
use crate::recipe::Recipe;
use crate::run::{Choosing, GPU_LOCKS, Gpu, LocalSettings, Wishes, Work, execute, gpus};
use crate::store::View;
use anyhow::{Result, ensure};
use clap::Args;
use petgraph::graph::NodeIndex;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The recipe's file
    recipe: PathBuf,
    /// Folder for the tables, each recipe's in one of its own
    #[arg(long, value_name = "FOLDER", default_value = "out")]
    out: PathBuf,
    /// Also write the tables to results/, to be committed
    #[arg(long)]
    publish: bool,
    /// How many threads all stages together may use [default: as many as there are]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
    /// Where stages are computed, whatever the recipe says: auto, cpu, or cuda:N with the number of a GPU
    #[arg(long)]
    device: Option<Device>,
    /// The numbers of the GPUs that stages may be given, with commas between [default: all that there are]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',')]
    gpus: Option<Vec<usize>>,
    /// Compute only this stage, or some of its instances, and what they need: 'probe[method=simclr]', 'pre*',
    /// 'probe[method=sim*]'; may be repeated
    #[arg(long, value_name = "STAGE")]
    only: Vec<String>,
    /// Compute this stage though its results are there; may be repeated
    #[arg(long, value_name = "STAGE")]
    force: Vec<String>,
    /// After a failure, go on with what does not need it, whatever the recipe says
    #[arg(long, conflicts_with = "fail_fast")]
    keep_going: bool,
    /// After a failure, start nothing more
    #[arg(long)]
    fail_fast: bool,
    /// Do not have every stage begin, on untrained encoders, before anything is computed for long: what one of them refuses shows
    /// when its turn comes
    #[arg(long)]
    no_rehearsal: bool,
    #[command(flatten)]
    source: Source,
}

/// The main job: from a recipe to its tables. What fails takes down what needs it; the rest is computed and tabulated.
pub(super) fn run(args: &RunArgs) -> Result<ExitCode> {
    let store = args.source.store()?;
    let mut recipe = args.source.recipe(&args.recipe, &store)?;
    if let Some(device) = args.device {
        device::put_on(&mut recipe, device)?;
    }
    permission::refuse_unless(args.source.permission.is_given(&args.recipe)?, &recipe)?;
    let (wishes, settings) = (args.wishes(&recipe)?, args.settings(&recipe)?);
    let folders = Folders::of(&recipe, &args.source, &args.out, args.publish)?;
    let view = View::new(&store, &recipe.name);
    let gpus: Vec<usize> = settings.gpus.iter().map(|gpu| gpu.number).collect();
    device::refuse_unless_there(&recipe, &wishes, &view, &gpus)?;
    let (graph, digest) = (&recipe.graph, recipe.digest);
    // Who names stages wants them, whatever is chosen.
    let chooser = Chooser::of(&recipe).filter(|_| args.only.is_empty());
    let choosing = chooser.as_ref().map(|chooser| chooser as &dyn Choosing);
    let work = Work { graph, recipe: &recipe.name, path: &recipe.path, digest, wishes: &wishes, choosing };
    let too_wide = plan::wider_than(graph, settings.threads);
    let limits =
        store.new_limits().into_iter().map(|limit| format!("where the store {} lies, {limit}", store.root().display()));
    for note in plan::unlisted(graph).into_iter().chain(recipe.notes()).chain(too_wide).chain(limits) {
        super::tell(&format!("note: {note}"));
    }
    let statuses = || Chooser::statuses(&recipe, &view, chooser.as_ref());
    let rehearsal = Rehearsal { recipe: &recipe, work, view: &view, settings: &settings, statuses: &statuses };
    let refused = match recipe.rehearses && !args.no_rehearsal {
        true => rehearsal.refused(args.keep_going)?,
        false => Ok(HashMap::new()),
    };
    let refused = match refused {
        Ok(refused) => refused,
        Err(interrupted) => return Ok(interrupted),
    };
    let wishes = Wishes { refused, ..wishes.clone() };
    let outcome = execute(&Work { wishes: &wishes, ..work }, &view, settings)?;
    if !outcome.summary.interrupted && !recipe.tables.is_empty() {
        let tables = tabulate(&recipe, &Results::of_run(&recipe, &outcome.nodes), &store, &folders)?;
        print(&format!("\n{tables}"))?;
    }
    Ok(ExitCode::from(outcome.summary.exit_code()))
}

impl RunArgs {
    fn wishes(&self, recipe: &Recipe) -> Result<Wishes> {
        let select = |names: &[String]| -> Result<HashSet<NodeIndex>> {
            let selected = names.iter().map(|name| target::nodes(&recipe.graph, &target::pattern(name)?, &recipe.path));
            Ok(selected.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
        };
        let forced = select(&self.force)?;
        let only = match self.only.as_slice() {
            [] => None,
            names => Some(target::with_what_they_need(&recipe.graph, select(names)?)),
        };
        let keep_going = if self.fail_fast { false } else { self.keep_going || recipe.keep_going };
        Ok(Wishes { only, forced, keep_going, ..Wishes::default() })
    }

    fn settings(&self, recipe: &Recipe) -> Result<LocalSettings> {
        let all = gpus();
        let named = |&number: &usize| {
            let known = all.iter().find(|gpu| gpu.number == number);
            known.cloned().unwrap_or_else(|| Gpu::numbered(number))
        };
        let gpus = self.gpus.as_ref().map(|numbers| numbers.iter().map(named).collect()).unwrap_or(all.clone());
        settings(&self.source, recipe, self.threads, gpus)
    }
}

fn settings(source: &Source, recipe: &Recipe, threads: Option<u16>, gpus: Vec<Gpu>) -> Result<LocalSettings> {
    let workers = source.workers(recipe)?;
    Ok(LocalSettings { workers, threads: super::threads(threads), gpus, gpu_locks: GPU_LOCKS.into() })
}

/// Computes some stages of a recipe, and what they need, as far as they have no result. Fails where one of them does.
pub(super) fn compute(path: &Path, pattern: &NodePattern, source: &Source) -> Result<()> {
    let store = source.store()?;
    let recipe = source.recipe(path, &store)?;
    permission::refuse_unless(source.permission.is_given(path)?, &recipe)?;
    let settings = settings(source, &recipe, None, gpus())?;
    let nodes = target::nodes(&recipe.graph, pattern, &recipe.path)?;
    let only = Some(target::with_what_they_need(&recipe.graph, nodes));
    let (graph, digest, wishes) = (&recipe.graph, recipe.digest, Wishes { only, ..Wishes::default() });
    let work = Work { graph, recipe: &recipe.name, path: &recipe.path, digest, wishes: &wishes, choosing: None };
    let summary = execute(&work, &View::new(&store, &recipe.name), settings)?.summary;
    ensure!(summary.exit_code() == 0, "`{pattern}` could not be computed");
    Ok(())
}
