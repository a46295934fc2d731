//! Recipes drawn. `BLESS=1` writes the expected drawings anew.

mod common;

use common::{catalogue, folder};
use pretext::ids::{Key, NodeId};
use pretext::plan::{Drawing, Known, Lookup, evaluate};
use pretext::recipe::{Recipe, parse};
use pretext::store::LastRun;
use std::fs;

fn recipe(text: &str) -> Recipe {
    parse("recipe.yaml", text, &catalogue()).unwrap_or_else(|errors| panic!("{errors}"))
}

struct Nothing;

impl Known for Nothing {
    fn result(&self, _: &Key) -> Lookup {
        Lookup::Missing
    }
    fn last(&self, _: &NodeId) -> Option<LastRun> {
        None
    }
}

fn assert_drawn(name: &str, drawing: &Drawing) {
    for (extension, text) in [("txt", drawing.text()), ("mmd", drawing.mermaid()), ("dot", drawing.dot())] {
        let expected = folder().join("graphs").join(name).with_extension(extension);
        if std::env::var_os("BLESS").is_some() {
            fs::create_dir_all(expected.parent().unwrap()).unwrap();
            fs::write(&expected, &text).unwrap();
        }
        assert_eq!(text, fs::read_to_string(&expected).unwrap_or_default(), "{}", expected.display());
    }
}

#[test]
fn stages_are_folded_along_their_axes() {
    let design = recipe(&fs::read_to_string(folder().join("design.yaml")).unwrap());
    assert_drawn("folded", &Drawing::of(&design.name, &design.graph, None, false));
    let statuses = evaluate(&design.graph, &Nothing);
    assert_drawn("folded_with_status", &Drawing::of(&design.name, &design.graph, Some(&statuses), false));
}

/// What means something in a notation is escaped in it.
#[test]
fn every_instance_is_drawn_whatever_it_is_called() {
    let text = r##"
name: tricky
axes: { method: [random, simclr], size: ['a"b\c', '<x>|#1;&`y`'] }
stages:
  photos: { use: data/folder, with: { path: $(size) } }
  pretrain: { use: pretrain/$(method), needs: { data: photos }, with: { epochs: 5 } }
"##;
    let recipe = recipe(text);
    let statuses = evaluate(&recipe.graph, &Nothing);
    assert_drawn("unfolded", &Drawing::of(&recipe.name, &recipe.graph, Some(&statuses), true));
}
