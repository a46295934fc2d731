//! A file of annotations: one picture's objects.

use anyhow::{Context, Result, bail, ensure};
use roxmltree::{Document, Node};
use std::path::Path;

#[derive(Debug, PartialEq)]
pub struct Annotation {
    /// As the file has it: some write whole paths.
    pub file_name: Option<String>,
    /// Height and width.
    pub size: Option<[u32; 2]>,
    pub objects: Vec<Object>,
}

#[derive(Debug, PartialEq)]
pub struct Object {
    pub line: u32,
    pub name: String,
    pub is_difficult: bool,
    /// xmin, ymin, xmax, ymax.
    pub edges: [f32; 4],
}

pub fn read(path: &Path) -> Result<Annotation> {
    parsed(&std::fs::read_to_string(path).context("it cannot be read")?)
}

fn parsed(text: &str) -> Result<Annotation> {
    let document = Document::parse(text).context("it is no XML")?;
    let root = document.root_element();
    ensure!(root.has_tag_name("annotation"), "it begins with <{}>, expected <annotation>", root.tag_name().name());
    let size = child(root, "size").map(|size| -> Result<_> { Ok([number(size, "height")?, number(size, "width")?]) });
    let objects = root.children().filter(|node| node.has_tag_name("object")).map(object);
    Ok(Annotation {
        file_name: child(root, "filename").and_then(text_of).map(str::to_owned),
        // Some tools write 0 where they do not know.
        size: size
            .transpose()?
            .filter(|size| size.iter().all(|&side| side > 0.0))
            .map(|size| size.map(|side| side as u32)),
        objects: objects.collect::<Result<_>>()?,
    })
}

fn object(node: Node) -> Result<Object> {
    let name =
        child(node, "name").and_then(text_of).with_context(|| format!("{}: an object has no <name>", line(node)))?;
    let of = child(node, "bndbox").with_context(|| format!("{}: `{name}` has no <bndbox>", line(node)))?;
    let edges = ["xmin", "ymin", "xmax", "ymax"].map(|edge| number(of, edge));
    let [left, top, right, bottom] = edges;
    Ok(Object {
        line: line_number(of),
        name: name.to_owned(),
        is_difficult: is_difficult(node)?,
        edges: [left?, top?, right?, bottom?],
    })
}

fn is_difficult(node: Node) -> Result<bool> {
    match child(node, "difficult").and_then(text_of) {
        None | Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(found) => bail!("{}: <difficult> is `{found}`, expected 0 or 1", line(node)),
    }
}

/// The first of a name; an object's parts have names and boxes of their own, further down.
fn child<'a>(node: Node<'a, 'a>, name: &str) -> Option<Node<'a, 'a>> {
    node.children().find(|child| child.has_tag_name(name))
}

fn text_of<'a>(node: Node<'a, 'a>) -> Option<&'a str> {
    node.text().map(str::trim).filter(|text| !text.is_empty())
}

fn number(node: Node, name: &str) -> Result<f32> {
    let found = child(node, name).and_then(text_of);
    let number = found.and_then(|text| text.parse::<f32>().ok()).filter(|number| number.is_finite());
    number.with_context(|| format!("{}: <{name}> is `{}`, expected a number", line(node), found.unwrap_or("not there")))
}

fn line(node: Node) -> String {
    format!("line {}", line_number(node))
}

fn line_number(node: Node) -> u32 {
    node.document().text_pos_at(node.range().start).row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_an_object_are_not_the_object() {
        let text = "<annotation><filename>a.jpg</filename>\n<size><width>30</width><height>20</height></size><object><name>person</name>\n\
                    <part><name>head</name><bndbox><xmin>7</xmin><ymin>7</ymin><xmax>8</xmax><ymax>8</ymax></bndbox></part>\
                    <difficult>1</difficult><bndbox><xmax>9.5</xmax><xmin>1</xmin><ymin>2</ymin><ymax>10</ymax></bndbox></object>\
                    </annotation>";
        let object = Object { line: 3, name: "person".into(), is_difficult: true, edges: [1.0, 2.0, 9.5, 10.0] };
        let expected = Annotation { file_name: Some("a.jpg".into()), size: Some([20, 30]), objects: vec![object] };
        assert_eq!(parsed(text).unwrap(), expected);
    }

    #[test]
    fn what_is_missing_is_said_with_its_line() {
        let said = |text: &str| format!("{:#}", parsed(text).unwrap_err());
        assert_eq!(said("<html></html>"), "it begins with <html>, expected <annotation>");
        assert!(said("<annotation>").starts_with("it is no XML: "));
        assert_eq!(said("<annotation>\n\n<object></object></annotation>"), "line 3: an object has no <name>");
        let no_box = "<annotation>\n<object><name>cat</name></object></annotation>";
        assert_eq!(said(no_box), "line 2: `cat` has no <bndbox>");
        let no_number =
            "<annotation><object><name>cat</name>\n<bndbox><xmin>left</xmin></bndbox></object></annotation>";
        assert_eq!(said(no_number), "line 2: <xmin> is `left`, expected a number");
    }
}
