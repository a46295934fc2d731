use super::Drawing;
use crate::text::{count, counted};
use unicode_width::UnicodeWidthStr;

impl Drawing {
    /// A line for each shape, indented by how much comes before it, with what it needs.
    pub fn text(&self) -> String {
        let mut needs: Vec<Vec<String>> = vec![vec![]; self.shapes.len()];
        for arrow in &self.arrows {
            let ignored = if arrow.used { "" } else { " (ignored)" };
            let port = format!("{}: {}{ignored}", arrow.ports.join(", "), self.shapes[arrow.from].name);
            needs[arrow.to].push(port);
        }
        let names = self.shapes.iter().map(|shape| format!("{:indent$}{}", "", shape.name, indent = 2 * shape.depth));
        let columns = [
            names.collect(),
            self.shapes.iter().map(super::Shape::size).collect(),
            self.shapes.iter().map(|shape| shape.kind.clone()).collect(),
            self.shapes.iter().map(super::Shape::fate).collect(),
            needs.into_iter().map(|needs| if needs.is_empty() { needs.concat() } else { arrow(&needs) }).collect(),
        ];
        let nodes = self.nodes() as u64;
        let header = match self.shapes.len() as u64 == nodes {
            true => format!("{}: {}\n", self.title, counted(self.shapes.len(), "stage")),
            false => format!("{}: {} for {} nodes\n", self.title, counted(self.shapes.len(), "stage"), count(nodes)),
        };
        header + &aligned(&columns)
    }
}

fn arrow(needs: &[String]) -> String {
    format!("<- {}", needs.join(", "))
}

/// Columns under one another; one in which there is nothing is left out.
fn aligned(columns: &[Vec<String>]) -> String {
    let widths: Vec<usize> =
        columns.iter().map(|column| column.iter().map(|cell| cell.width()).max().unwrap_or_default()).collect();
    let mut text = String::new();
    for row in 0..columns[0].len() {
        let mut line = String::new();
        for (column, width) in columns.iter().zip(&widths).filter(|(_, width)| **width > 0) {
            let fill = width - column[row].width();
            line += &format!("{}{:fill$}   ", column[row], "");
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}
