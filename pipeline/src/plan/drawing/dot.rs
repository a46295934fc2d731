use super::{Drawing, Shape};
use std::fmt::Write;

impl Drawing {
    /// A digraph as Graphviz's `dot` draws it.
    pub fn dot(&self) -> String {
        let mut text = format!("digraph {} {{\n", quoted(std::slice::from_ref(&self.title)));
        text += "    node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"sans-serif\"];\n";
        for (place, shape) in self.shapes.iter().enumerate() {
            let lines = [shape.name.clone(), shape.size(), shape.kind.clone(), shape.fate()];
            let colour = colour(shape).map_or(String::new(), |colour| format!(", fillcolor=\"{colour}\""));
            let _ = writeln!(text, "    n{place} [label={}{colour}];", quoted(&lines));
        }
        for arrow in &self.arrows {
            let style = if arrow.used { "" } else { ", style=dashed" };
            let ports = quoted(&[arrow.ports.join(", ")]);
            let _ = writeln!(text, "    n{} -> n{} [label={ports}{style}];", arrow.from, arrow.to);
        }
        text + "}\n"
    }
}

fn colour(shape: &Shape) -> Option<&'static str> {
    shape.status().map(|status| match status {
        "hit" => "#d9ead3",
        "run" => "#fce5cd",
        "open" => "#eeeeee",
        _ => "#ffffff",
    })
}

/// Lines of a label between quotes.
fn quoted(lines: &[String]) -> String {
    let escape = |line: &String| line.replace('\\', "\\\\").replace('"', "\\\"").replace(char::is_control, " ");
    let lines = lines.iter().filter(|line| !line.is_empty()).map(escape);
    format!("\"{}\"", lines.collect::<Vec<_>>().join("\\n"))
}
