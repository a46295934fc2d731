use super::{Drawing, Shape};
use std::fmt::Write;

/// Colours that are told apart in light and dark, and by those who see few.
const CLASSES: [(&str, &str); 4] = [
    ("hit", "fill:#d9ead3,stroke:#38761d,color:#000"),
    ("run", "fill:#fce5cd,stroke:#b45f06,color:#000"),
    ("open", "fill:#eeeeee,stroke:#666666,color:#000"),
    ("unchecked", "fill:#ffffff,stroke:#666666,color:#000,stroke-dasharray:4"),
];

impl Drawing {
    /// A flowchart as Mermaid, which GitHub and many editors draw.
    pub fn mermaid(&self) -> String {
        let mut text = "flowchart TD\n".to_owned();
        for (place, shape) in self.shapes.iter().enumerate() {
            let class = shape.status().map_or(String::new(), |status| format!(":::{status}"));
            let _ = writeln!(text, "    n{place}[\"{}\"]{class}", label(shape));
        }
        for arrow in &self.arrows {
            let line = if arrow.used { "-->" } else { "-.->" };
            let ports = escaped(&arrow.ports.join(", "));
            let _ = writeln!(text, "    n{} {line}|\"{ports}\"| n{}", arrow.from, arrow.to);
        }
        for (class, style) in CLASSES {
            if self.shapes.iter().any(|shape| shape.status() == Some(class)) {
                let _ = writeln!(text, "    classDef {class} {style}");
            }
        }
        text
    }
}

fn label(shape: &Shape) -> String {
    let lines = [shape.name.clone(), shape.size(), shape.kind.clone(), shape.fate()];
    let lines = lines.iter().filter(|line| !line.is_empty()).map(|line| escaped(line));
    lines.collect::<Vec<_>>().join("<br>")
}

/// Mermaid has no backslashes: what means something to it is written by its number.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '"' | '#' | '<' | '>' | '&' | '`' | '\\' | '|' | ';' => {
                let _ = write!(escaped, "#{};", u32::from(c));
            }
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
