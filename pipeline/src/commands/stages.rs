use super::places::Places;
use super::print;
use crate::recipe::{command, nearest_and, schema};
use anyhow::{Result, bail};
use clap::Args;
use pretext_protocol::{Catalogue, Measure, Port, StageKind};
use serde_json::Value;
use std::process::ExitCode;

#[derive(Debug, Args)]
pub(super) struct StagesArgs {
    /// A kind, as recipes name it: pretrain/simclr; or a family: pretrain
    kind: Option<String>,
    #[command(flatten)]
    places: Places,
}

pub(super) fn stages(args: &StagesArgs) -> Result<ExitCode> {
    let mut catalogue = args.places.catalogue(&args.places.look()?)?;
    catalogue.kinds.push(command::kind());
    let text = match &args.kind {
        None => listing(&catalogue),
        Some(name) => match catalogue.kind(name) {
            Some(kind) => page(kind),
            None if catalogue.kinds.iter().any(|kind| kind.family() == name) => {
                catalogue.kinds.retain(|kind| kind.family() == name);
                listing(&catalogue)
            }
            None => {
                let same = catalogue.kinds.iter().filter(|kind| kind.name.ends_with(&format!("/{name}")));
                let same: Vec<String> = same.map(|kind| format!("`{}`", kind.name)).collect();
                if !same.is_empty() {
                    bail!("there is no kind `{name}`; did you mean {}?", same.join(" or "));
                }
                let names = catalogue.kinds.iter().map(|kind| kind.name.as_str());
                bail!("there is no kind `{name}`; {}", nearest_and(name, names, "`pretext stages` lists all"));
            }
        },
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

const WIDTH: usize = 100;

/// Every kind with its summary, an empty line between families.
pub fn listing(catalogue: &Catalogue) -> String {
    let mut families: Vec<&str> = vec![];
    for kind in &catalogue.kinds {
        if !families.contains(&kind.family()) {
            families.push(kind.family());
        }
    }
    let widest = catalogue.kinds.iter().map(|kind| kind.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for family in families {
        for kind in catalogue.kinds.iter().filter(|kind| kind.family() == family) {
            text += &hanging(&format!("{:<widest$}  ", kind.name), &kind.summary);
        }
        text.push('\n');
    }
    text + "`pretext stages KIND` describes one.\n"
}

/// What it is, its ports, what it gives, and every parameter with type, default and meaning.
pub fn page(kind: &StageKind) -> String {
    let paragraphs = kind.docs.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty());
    let (deviations, docs): (Vec<&str>, Vec<&str>) = paragraphs.partition(|text| text.starts_with("Deviations "));
    let written = |paragraphs: Vec<&str>| paragraphs.iter().map(|text| format!("\n{}", hanging("", text))).collect();
    let [docs, deviations]: [String; 2] = [docs, deviations].map(written);
    let mut text = hanging("", &kind.summary) + &docs;
    let ports = kind.needs.iter().map(|port| ("needs", port_line(port)));
    let gives =
        kind.gives.iter().map(|output| ("gives", format!("{}: {}{}", output.name, output.type_, note(&output.doc))));
    let measures = kind.measures.iter().map(|measure| ("measures", measure_line(measure)));
    let lines: Vec<(&str, String)> = ports.chain(gives).chain(measures).collect();
    if !lines.is_empty() {
        text.push('\n');
    }
    for (word, line) in lines {
        text += &hanging(&format!("{word:<8}  "), &line);
    }
    // What differs from papers is read once; ports and parameters whenever a recipe is written.
    text + &parameter_list(kind) + &deviations
}

fn port_line(port: &Port) -> String {
    let how = match (port.used, port.required) {
        (false, _) => ", ignored by this kind",
        (true, false) => ", optional",
        (true, true) => "",
    };
    format!("{}: {}{how}{}", port.name, port.type_, note(&port.doc))
}

fn measure_line(measure: &Measure) -> String {
    let of = if measure.splits.is_empty() { String::new() } else { format!(" of {}", measure.splits.join(", ")) };
    let unit = if measure.unit.is_empty() { String::new() } else { format!(" in {}", measure.unit) };
    format!("{}{of}{unit}{}", measure.name, note(&measure.doc))
}

fn note(doc: &str) -> String {
    if doc.is_empty() { String::new() } else { format!(" ({doc})") }
}

/// A type longer than this has no column of its own.
const WIDEST_SHAPE: usize = 40;

/// Name, type and default in columns, the meaning beneath.
fn parameter_list(kind: &StageKind) -> String {
    let mut parameters = vec![];
    collect(&kind.params, "", false, &mut parameters);
    let names = parameters.iter().map(|p| p.name.chars().count()).max().unwrap_or_default();
    let shapes = parameters.iter().map(|p| p.shape.chars().count()).filter(|length| *length <= WIDEST_SHAPE);
    let shapes = shapes.max().unwrap_or_default();
    let mut text = if parameters.is_empty() { String::new() } else { "\n".to_owned() };
    for Parameter { name, shape, default, doc } in &parameters {
        text += &match shape.chars().count() <= shapes {
            true => hanging(&format!("{name:<names$}  {shape:<shapes$}  "), default),
            false => hanging(&format!("{name:<names$}  "), &format!("{shape}, default {default}")),
        };
        text += &hanging("    ", doc);
    }
    text
}

struct Parameter {
    /// With the names of the maps that it stands in: `encoder.width`.
    name: String,
    shape: String,
    default: String,
    doc: String,
}

/// What is ignored is so with all that stands in it.
fn collect(schema: &Value, prefix: &str, ignored: bool, parameters: &mut Vec<Parameter>) {
    let is_required = |name: &str| schema["required"].as_array().is_some_and(|names| names.contains(&name.into()));
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{prefix}{name}");
        let ignored = ignored || property["x-unused"] == true;
        if property["properties"].is_object() {
            collect(property, &format!("{path}."), ignored, parameters);
            continue;
        }
        let default = if is_required(name) { "required".into() } else { schema::plain_default(property) };
        let doc = property["description"].as_str().unwrap_or_default();
        let doc = if ignored { format!("(ignored by this kind) {doc}") } else { doc.to_owned() };
        parameters.push(Parameter { name: path, shape: schema::shape(property), default, doc });
    }
}

/// `text` after `head`, in lines of at most [`WIDTH`] columns, the later ones indented as far as the first begins.
/// Nothing where there is nothing to say.
fn hanging(head: &str, text: &str) -> String {
    let indent = head.chars().count();
    let room = WIDTH.saturating_sub(indent).max(30);
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is one from the start");
        if line.is_empty() {
            line.push_str(word);
        } else if line.chars().count() + 1 + word.chars().count() <= room {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    let whole = format!("{head}{}", lines.join(&format!("\n{:indent$}", "")));
    if whole.trim().is_empty() { String::new() } else { format!("{}\n", whole.trim_end()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whole pages, beside the catalogue that they describe. `BLESS=1` writes them anew.
    #[test]
    fn pages_are_as_expected() {
        let folder = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/recipes"));
        let catalogue = std::fs::read(folder.join("catalogue.json")).unwrap();
        let catalogue: Catalogue = serde_json::from_slice(&catalogue).unwrap();
        let page_of = |name: &str| page(catalogue.kind(name).unwrap());
        let pages = [
            ("listing.txt", listing(&catalogue)),
            ("simclr.txt", page_of("pretrain/simclr")),
            ("pixels.txt", page_of("pretrain/pixels")),
            ("linear_probe.txt", page_of("eval/linear_probe")),
            ("folder.txt", page_of("data/folder")),
            ("command.txt", page(&command::kind())),
        ];
        for (name, text) in pages {
            let expected = folder.join("stages").join(name);
            if std::env::var_os("BLESS").is_some() {
                std::fs::create_dir_all(expected.parent().unwrap()).unwrap();
                std::fs::write(&expected, &text).unwrap();
            }
            assert_eq!(text, std::fs::read_to_string(&expected).unwrap(), "{name}");
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{name} is too wide");
        }
    }
}
