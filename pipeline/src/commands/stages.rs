use super::places::Places;
use super::print;
use crate::recipe::schema;
use anyhow::{Result, bail};
use clap::Args;
use pretext_protocol::{Catalogue, StageKind};
use serde_json::Value;
use std::fmt::Write;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct StagesArgs {
    /// A kind, as recipes name it: pretrain/simclr
    kind: Option<String>,
    #[command(flatten)]
    places: Places,
}

pub(super) fn stages(args: &StagesArgs) -> Result<ExitCode> {
    let catalogue = args.places.catalogue(&args.places.store()?)?;
    let text = match &args.kind {
        None => listing(&catalogue),
        Some(name) => match catalogue.kind(name) {
            Some(kind) => page(kind),
            None => {
                let names = catalogue.kinds.iter().map(|kind| kind.name.as_str());
                bail!("there is no kind `{name}`; {}", crate::recipe::nearest(name, names));
            }
        },
    };
    print(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

const WIDTH: usize = 100;

fn listing(catalogue: &Catalogue) -> String {
    let widest = catalogue.kinds.iter().map(|kind| kind.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for kind in &catalogue.kinds {
        let _ = writeln!(text, "{:<widest$}  {}", kind.name, kind.summary);
    }
    text + "\n`pretext stages KIND` describes one.\n"
}

/// What it is, its ports, what it gives, and every parameter with type, default and meaning.
fn page(kind: &StageKind) -> String {
    let mut text = format!("{}\n", kind.summary);
    if !kind.docs.is_empty() {
        text += &wrap(&kind.docs, 0);
    }
    text.push('\n');
    for port in &kind.needs {
        let how = match (port.used, port.required) {
            (false, _) => ", ignored by this kind",
            (true, false) => ", optional",
            (true, true) => "",
        };
        let _ = writeln!(text, "needs  {}: {}{how}: {}", port.name, port.type_, port.doc);
    }
    for output in &kind.gives {
        let _ = writeln!(text, "gives  {}: {}: {}", output.name, output.type_, output.doc);
    }
    for measure in &kind.measures {
        let of = if measure.splits.is_empty() { String::new() } else { format!(" of {}", measure.splits.join(", ")) };
        let _ = writeln!(text, "measures  {}{of}: {}", measure.name, measure.doc);
    }
    let mut rows = vec![];
    parameters(&kind.params, "", &mut rows);
    let width =
        |column: fn(&[String; 3]) -> &String| rows.iter().map(|row| column(row).len()).max().unwrap_or_default();
    let (names, shapes, defaults) = (width(|r| &r[0]), width(|r| &r[1]), width(|r| &r[2]));
    if !rows.is_empty() {
        text.push('\n');
    }
    for (row, doc) in rows.iter().zip(docs(&kind.params)) {
        let head = format!("{:<names$}  {:<shapes$}  {:<defaults$}", row[0], row[1], row[2]);
        let _ = writeln!(text, "{}", head.trim_end());
        text += &wrap(&doc, 4);
    }
    text
}

/// Name, shape and default of every parameter, those of nested maps by their paths.
fn parameters(schema: &Value, prefix: &str, rows: &mut Vec<[String; 3]>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{prefix}{name}");
        if property["properties"].is_object() {
            parameters(property, &format!("{path}."), rows);
        } else {
            rows.push([path, schema::shape(property), schema::plain(&property["default"])]);
        }
    }
}

fn docs(schema: &Value) -> Vec<String> {
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .flat_map(|(_, property)| {
            if property["properties"].is_object() {
                return docs(property);
            }
            let doc = property["description"].as_str().unwrap_or_default().replace('\n', " ");
            vec![if property["x-unused"] == true { format!("(ignored by this kind) {doc}") } else { doc }]
        })
        .collect()
}

/// Lines of at most [`WIDTH`] columns, each indented.
fn wrap(text: &str, indent: usize) -> String {
    let (mut wrapped, mut line) = (String::new(), String::new());
    let room = WIDTH.saturating_sub(indent).max(30);
    for word in text.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
            let _ = writeln!(wrapped, "{:indent$}{line}", "");
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        let _ = writeln!(wrapped, "{:indent$}{line}", "");
    }
    wrapped
}
