use super::source::{Planned, Source};
use super::{print, target};
use crate::plan::{Node, SPARED, Status, sentence};
use crate::recipe::schema;
use crate::store::{Machine, Provenance, StageResult, Store};
use crate::text;
use anyhow::{Context, Result};
use clap::Args;
use petgraph::Direction::Incoming;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use pretext_protocol::Measurement;
use serde_json::{Map, Value};
use std::fs;
use std::path::Path;
use std::process::ExitCode;

#[derive(Debug, Args)]
#[command(override_usage = "pretext show [OPTIONS] [RECIPE] <STAGE>")]
pub(super) struct ShowArgs {
    /// The recipe's file, where several have the stage, and the stage: 'probe[method=simclr,seed=0]'. Axes may be left
    /// out, if few stages are meant then
    #[arg(num_args = 1..=2, required = true, value_names = ["RECIPE", "STAGE"])]
    words: Vec<String>,
    #[command(flatten)]
    source: Source,
}

pub(super) fn show(args: &ShowArgs) -> Result<ExitCode> {
    let (planned, nodes) = target::find_few(&args.words, &args.source)?;
    let pages: Vec<String> = nodes.iter().map(|index| page(&planned, *index)).collect::<Result<_>>()?;
    print(&pages.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn page(planned: &Planned, index: NodeIndex) -> Result<String> {
    let (node, status) = (&planned.recipe.graph[index], &planned.statuses[index.index()]);
    let fate = match status {
        Status::Hit { .. } => "hit".to_owned(),
        Status::Run { reasons, .. } => format!("would run: {}", sentence(reasons, Some(&node.kind))),
        Status::Open { waits_for } => format!("open: waits for what {waits_for} yields"),
        Status::Spared => format!("spared: {SPARED}"),
        Status::Unchecked => "unchecked: its worker is not allowed yet".to_owned(),
    };
    let mut text = format!("{} ({}, version {})\n  {fate}\n", node.id, node.kind.name, node.kind.version);
    section(&mut text, "parameters", parameters(node));
    section(&mut text, "inputs", inputs(planned, index));
    if let Status::Hit { key, result } = status {
        section(&mut text, "measurements", measurements(node, result));
        section(&mut text, "artifacts", artifacts(planned.view.store(), result)?);
        let side = planned.view.store().result_folder(key).join("side");
        section(&mut text, &format!("side files, in {}", side.display()), files(&side, "")?);
        let made = planned.view.store().provenance(key);
        let notes = made.iter().flat_map(|made| &made.notes).flat_map(|note| note.lines());
        section(&mut text, "notes", notes.map(|line| (line.to_owned(), String::new())).collect());
        section(&mut text, "provenance", made.as_ref().map(provenance).unwrap_or_default());
    }
    if let Status::Hit { key, .. } | Status::Run { key, .. } = status {
        section(&mut text, "key", vec![(key.to_string(), String::new())]);
    }
    Ok(text)
}

/// Names and values under one another; nothing where there are none.
fn section(text: &mut String, title: &str, rows: Vec<(String, String)>) {
    if rows.is_empty() {
        return;
    }
    *text += &format!("{title}\n");
    let widest = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
    for (name, value) in rows {
        *text += format!("  {name:<widest$}  {value}").trim_end();
        text.push('\n');
    }
}

/// What differs from its default comes with it, what counts for nothing says so.
fn parameters(node: &Node) -> Vec<(String, String)> {
    let mut rows = vec![];
    leaves(&node.params.to_map(), &node.kind.params, "", false, &mut rows);
    rows
}

fn leaves(params: &Map<String, Value>, schema: &Value, prefix: &str, ignored: bool, rows: &mut Vec<(String, String)>) {
    for (name, value) in params {
        let property = &schema["properties"][name];
        let ignored = ignored || property["x-unused"] == true;
        if let Some((giver, given)) = schema::giver(schema, name, |giver| params.get(giver)) {
            rows.push((format!("{prefix}{name}"), format!("{}   (by `{giver}`)", schema::plain(given))));
            continue;
        }
        if let (Some(inner), true) = (value.as_object(), property["properties"].is_object()) {
            leaves(inner, property, &format!("{prefix}{name}."), ignored, rows);
            continue;
        }
        let default = schema::default_beside(property, params);
        let note = match (ignored, *value == default || default.is_null()) {
            (true, _) => "   (ignored by this kind)".to_owned(),
            (false, true) => String::new(),
            (false, false) => format!("   (default {})", schema::plain(&default)),
        };
        rows.push((format!("{prefix}{name}"), format!("{}{note}", schema::plain(value))));
    }
}

fn inputs(planned: &Planned, index: NodeIndex) -> Vec<(String, String)> {
    let graph = &planned.recipe.graph;
    let row = |edge: petgraph::graph::EdgeReference<'_, crate::plan::Edge>| {
        let id = &graph[edge.source()].id;
        let digest = match &planned.statuses[edge.source().index()] {
            _ if !edge.weight().used => "ignored by this kind".to_owned(),
            Status::Hit { result, .. } => {
                result.artifacts.get(&edge.weight().output).map_or("nothing".to_owned(), |digest| digest.short())
            }
            _ => "not known yet".to_owned(),
        };
        (edge.weight().port.to_string(), format!("{id} ({digest})"))
    };
    let mut rows: Vec<_> = graph.edges_directed(index, Incoming).map(row).collect();
    rows.reverse();
    rows
}

fn measurements(node: &Node, result: &StageResult) -> Vec<(String, String)> {
    let name = |measurement: &Measurement| match measurement.split.as_str() {
        "" => measurement.name.clone(),
        split => format!("{} ({split})", measurement.name),
    };
    let row = |measurement: &Measurement| {
        let unit = node.kind.measures.iter().find(|measure| measure.name == measurement.name);
        let value = text::measured(measurement.value, unit.map(|measure| measure.unit.as_str()).unwrap_or_default());
        (name(measurement), value)
    };
    let (finite, others): (Vec<&Measurement>, Vec<&Measurement>) =
        result.measurements.iter().partition(|measurement| measurement.value.is_finite());
    let mut rows: Vec<(String, String)> = finite.into_iter().map(row).collect();
    let others: Vec<String> = others.into_iter().map(name).collect();
    rows.extend((!others.is_empty()).then(|| ("not a finite number".to_owned(), others.join(", "))));
    rows
}

/// Each output with its folder, then its files with their sizes.
fn artifacts(store: &Store, result: &StageResult) -> Result<Vec<(String, String)>> {
    let mut rows = vec![];
    for (output, digest) in &result.artifacts {
        let folder = store.artifact(digest);
        if folder.exists() {
            rows.push((output.clone(), folder.display().to_string()));
            rows.extend(files(&folder, "  ")?);
        } else {
            rows.push((output.clone(), format!("{}, whose bytes were dropped", digest.short())));
        }
    }
    Ok(rows)
}

/// The files below a folder with their sizes, in the order of their names; none of a folder that is not there.
fn files(folder: &Path, prefix: &str) -> Result<Vec<(String, String)>> {
    let mut rows = vec![];
    if !folder.exists() {
        return Ok(rows);
    }
    let cannot = || format!("cannot list {}", folder.display());
    let mut entries = fs::read_dir(folder).with_context(cannot)?.collect::<Result<Vec<_>, _>>().with_context(cannot)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("{prefix}{}", entry.file_name().display());
        let metadata = entry.metadata().with_context(cannot)?;
        match metadata.is_dir() {
            true => rows.extend(files(&entry.path(), &format!("{name}/"))?),
            false => rows.push((name, text::bytes(metadata.len()))),
        }
    }
    Ok(rows)
}

fn machine(Machine { host, processor, cores }: &Machine) -> String {
    format!("{host}, {processor}, {}", text::counted(*cores, "core"))
}

fn provenance(made: &Provenance) -> Vec<(String, String)> {
    let row = |name: &str, value: String| (name.to_owned(), value);
    let mut rows = vec![
        row("computed for", format!("{} of {}", made.node, made.recipe)),
        row("finished", made.finished.clone()),
        row("took", format!("{}, {}", text::duration(made.seconds), text::counted(made.attempts as usize, "attempt"))),
        row("machine", machine(&made.machine)),
        row("device", format!("{}, {}", made.device, text::counted(made.threads, "thread"))),
        row("versions", format!("pretext {}, worker {}", made.pretext_version, made.worker_version)),
    ];
    rows.extend(made.images_per_second.map(|rate| row("speed", format!("{} images/s", text::figure(rate)))));
    let percent = |share: f64| format!("{:.0}% of the training", 100.0 * share);
    rows.extend(made.data_wait_share.map(|share| row("waited for data", percent(share))));
    rows.extend(made.peak_bytes.map(|peak| row("peak memory", text::bytes(peak))));
    rows.extend(made.peak_rss_bytes.map(|peak| row("worker's peak", text::bytes(peak))));
    rows
}
