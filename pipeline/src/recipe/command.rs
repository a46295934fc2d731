//! `tool/command`: a shell command as a stage. It declares in its `with` what other kinds say in a catalogue.

use super::code;
use super::expression::Scope;
use super::kinds::Kind;
use super::problem::{Problem, nearest, nearest_name};
use super::references::part;
use super::sources::Sources;
use super::stages::RawStage;
use super::tree::{Content, Name, Tree};
use super::with::{Entry, entries};
use crate::plan::{Program, WorkerName};
use pretext_protocol::{Gpu, Measure, Output, Port, StageKind};
use serde_json::json;
use std::ops::Range;
use std::sync::Arc;

const CODE: &str = "code";
const MEASURES: &str = "measures";

/// How recipes name it.
pub const KIND: &str = "tool/command";

/// The kind before a stage has declared anything: what is there to be documented.
pub fn kind() -> StageKind {
    let names = json!({ "type": "string" });
    StageKind {
        name: KIND.to_owned(),
        version: 2,
        summary: "A shell command with declared inputs and outputs".to_owned(),
        docs: "The command runs in the recipe's folder, by bash with -euo pipefail: it fails where one of its \
               commands fails, within a pipe too, and where a variable is not set. Every name under `needs` is a port that takes an \
               artifact of any type: the stage's output of the port's name or of that type, or its only one. Its folder is \
               in $IN_NAME, and $OUT_NAME is the folder in which output NAME is to be written. `$(...)` is the recipe's; \
               the shell's own is written `$$(...)`: $$(date), $$((1 + 1)). Measurements are written as JSON lines to the file $MEASURES: {\"name\": \"accuracy\", \"split\": \"test\", \"value\": 0.9}. \
               What is declared must be there at the end: an output in which there is nothing, or a measurement that was not \
               written, fails the stage.\n\n\
               $SIDE takes pictures and curves, $SCRATCH what it needs in between, $THREADS and $DEVICE say what it may use. \
               What it keeps in the folder $SCRATCH/checkpoint is in $RESUME when the stage was interrupted and goes on; \
               otherwise $RESUME is empty. It is told to stop by SIGTERM and has 8 seconds. What it leaves running in the \
               background is ended with it.\n\n\
               It is started only where a person has allowed commands, and it should give the same for the same inputs, \
               byte for byte: its result is kept by what it was given."
            .to_owned(),
        needs: vec![],
        gives: vec![],
        params: json!({
            "type": "object",
            "required": ["run"],
            "properties": {
                "run": { "type": "string", "description": "the command: python3 count.py --in $IN_data --out $OUT_counts; a $(...) of the shell's is written $$(...)" },
                "shell": {
                    "type": "string", "default": "bash -euo pipefail",
                    "description": "what runs the command: a program that takes it behind -c, or as a file where it is long"
                },
                "outputs": {
                    "type": "object", "additionalProperties": names, "default": {},
                    "description": "the type of each output: { counts: dataset }"
                },
                MEASURES: {
                    "type": "object", "additionalProperties": { "type": "array", "items": names }, "default": {},
                    "description": "measurements, as a list or with their splits: { accuracy: [validation, test] }"
                },
                CODE: {
                    "type": "array", "items": names, "default": [],
                    "description": "files whose content counts, relative to the recipe's folder: [count.py]"
                }
            }
        }),
        measures: vec![],
        numerics: None,
        gpu: Gpu::Unused,
    }
}

/// What stands for the kind until a stage of it is read.
pub fn undeclared() -> Kind {
    Kind {
        stage: Arc::new(kind()),
        numerics: "".into(),
        worker: WorkerName::Command,
        program: Arc::default(),
        is_checked: true,
    }
}

/// The kind that a stage declares.
pub fn declared(stage: &RawStage, scope: &Scope, sources: &Sources, problems: &mut Vec<Problem>) -> Kind {
    let (mut found, _) = entries(stage, scope, &mut vec![]); // what is wrong with the maps is told when they are typed
    let mut declaration = |name: &str| fixed(&mut found, name, scope, problems);
    let (outputs, measures, files) = (declaration("outputs"), declaration(MEASURES), declaration(CODE));
    let mut stage_kind = kind();
    // It counts by what the files hold.
    let properties = stage_kind.params["properties"].as_object_mut();
    properties.and_then(|properties| properties.shift_remove(CODE));
    let ports = stage.needs.iter().map(|(name, _)| name);
    ports.clone().for_each(|name| shell_name(name, "a port of a command", problems));
    stage_kind.needs = ports.map(|name| port(&name.text)).collect();
    stage_kind.gives = outputs.as_ref().map(|tree| gives(tree, problems)).unwrap_or_default();
    stage_kind.measures = measures.as_ref().map(measured).unwrap_or_default();
    let code = code::digests(files.as_ref(), sources, problems);
    let mut unlisted = vec![];
    for run in found.iter().filter(|entry| entry.name.text == "run").flat_map(|entry| &entry.layers) {
        check_run(run, &stage_kind, problems);
        unlisted.extend(code::unlisted(words(run.text().unwrap_or_default()), sources.folder(&run.span), &code));
    }
    let program = Program { command: vec![], code, unlisted };
    Kind { stage: Arc::new(stage_kind), program: Arc::new(program), ..undeclared() }
}

/// The value of a parameter that is the same for all instances.
fn fixed(entries: &mut [Entry], name: &str, scope: &Scope, problems: &mut Vec<Problem>) -> Option<Tree> {
    let entry = entries.iter().find(|entry| entry.name.text == name)?;
    if entry.varies() {
        let title = format!("`{name}` of {KIND} varies along an axis");
        let label = "it is the same for all instances of a stage; `run` may have expressions";
        problems.push(Problem::new(entry.name.span.clone(), title, label));
        return None;
    }
    Some(entry.resolved(scope, problems))
}

/// Its type is empty: it takes any.
fn port(name: &str) -> Port {
    Port { name: name.to_owned(), type_: String::new(), required: true, used: true, doc: "of any type".to_owned() }
}

fn gives(tree: &Tree, problems: &mut Vec<Problem>) -> Vec<Output> {
    let mut outputs = vec![];
    for (name, type_) in tree.entries().unwrap_or_default() {
        shell_name(name, "an output of a command", problems);
        match type_.text() {
            Some(text) if is_plain(text) => {
                outputs.push(Output { name: name.text.clone(), type_: text.to_owned(), doc: String::new() });
            }
            Some(_) => problems.push(Problem::wrong_value("a type", type_, "a name: dataset, features")),
            None => {} // told when it is typed
        }
    }
    outputs
}

fn measured(tree: &Tree) -> Vec<Measure> {
    let measure = |name: &str, splits: Vec<String>| Measure {
        name: name.to_owned(),
        splits,
        unit: String::new(),
        setting: false,
        doc: String::new(),
    };
    let splits = |tree: &Tree| match &tree.content {
        Content::List(items) => items.iter().filter_map(Tree::text).map(String::from).collect(),
        _ => vec![],
    };
    match &tree.content {
        Content::List(items) => items.iter().filter_map(Tree::text).map(|name| measure(name, vec![])).collect(),
        Content::Map(entries) => entries.iter().map(|(name, tree)| measure(&name.text, splits(tree))).collect(),
        _ => vec![],
    }
}

/// What a stage is given, as the parameters that the kind has then.
pub fn parameters(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.retain(|entry| entry.name.text != CODE);
    for entry in entries.iter_mut().filter(|entry| entry.name.text == MEASURES) {
        entry.layers = std::mem::take(&mut entry.layers).into_iter().map(measures_as_map).collect();
    }
    entries
}

/// `measures: [a, b]` is short for `{ a: [], b: [] }`.
fn measures_as_map(tree: Tree) -> Tree {
    match tree.content {
        Content::List(items) if items.iter().all(|item| item.text().is_some()) => {
            let entry = |item: Tree| {
                let name = Name { text: item.text().unwrap_or_default().to_owned(), span: item.span.clone() };
                (name, Tree { span: item.span, content: Content::List(vec![]) })
            };
            Tree { span: tree.span, content: Content::Map(items.into_iter().map(entry).collect()) }
        }
        content => Tree { span: tree.span, content },
    }
}

/// Complains of what the command names and does not have.
fn check_run(run: &Tree, kind: &StageKind, problems: &mut Vec<Problem>) {
    let Some(text) = run.text() else { return };
    if text.trim().is_empty() {
        problems.push(Problem::new(run.span.clone(), "`run` is empty", "a shell command"));
    }
    let ports: Vec<&str> = kind.needs.iter().map(|port| port.name.as_str()).collect();
    let outputs: Vec<&str> = kind.gives.iter().map(|output| output.name.as_str()).collect();
    for (prefix, names, word) in [("IN_", ports, "`needs`"), ("OUT_", outputs, "`outputs`")] {
        for (name, range) in variables(text, prefix).filter(|(name, _)| !names.contains(name)) {
            let title = format!("`run` has ${prefix}{name}, and {word} has no `{name}`");
            let label = match nearest_name(name, &names) {
                Some(near) => format!("did you mean ${prefix}{near}?"),
                None => nearest(name, names.iter().copied()),
            };
            problems.push(Problem::new(run.span.clone(), title, label).at(part(run, &range)));
        }
    }
}

/// The words of a command that may name files which it reads: none that it writes to.
fn words(command: &str) -> impl Iterator<Item = &str> {
    let parts =
        command.split(|c: char| c.is_whitespace() || "'\"`;|&()<={}".contains(c)).filter(|part| !part.is_empty());
    let mut is_target = false;
    parts.filter(move |part| {
        let was_target = std::mem::replace(&mut is_target, part.ends_with('>'));
        !was_target && !part.contains(['$', '>'])
    })
}

/// `data` of `$IN_data` and `${IN_data}`, and where it stands, with the dollar.
fn variables<'a>(text: &'a str, prefix: &'a str) -> impl Iterator<Item = (&'a str, Range<usize>)> {
    text.match_indices('$').filter_map(move |(dollar, _)| {
        let name = text[dollar + 1..].trim_start_matches('{').strip_prefix(prefix)?;
        let start = text.len() - name.len();
        let name = &name[..name.find(|c: char| !is_of_shell(c)).unwrap_or(name.len())];
        Some((name, dollar..start + name.len()))
    })
}

fn shell_name(name: &Name, what: &str, problems: &mut Vec<Problem>) {
    if name.text.is_empty() || !name.text.chars().all(is_of_shell) {
        let title = format!("`{}` is not a name for {what}", name.text);
        let label = "letters a-z, digits and _: a shell knows it as a variable";
        problems.push(Problem::new(name.span.clone(), title, label));
    }
}

fn is_of_shell(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}
