//! A confusion matrix as a picture: a row for each class, a column for each class that is told.

use super::Confusion;
use std::fmt::Write;

/// Of a cell; smaller where there are so many that the picture would not fit on a screen.
const CELL: usize = 36;
const SMALL: usize = 12;
const MANY: usize = 24;
const LETTER: usize = 8;
const EDGE: usize = 8;

/// A scalable picture. A cell is the darker the larger a share of its row's class it has; the share of a class that is told
/// stands at the end of its row.
pub fn svg(confusion: &Confusion, classes: &[String]) -> String {
    let cell = if classes.len() > MANY { SMALL } else { CELL };
    let longest = classes.iter().map(|class| class.chars().count()).max().unwrap_or(0);
    let (names, side) = (EDGE + LETTER * longest, cell * classes.len());
    let (width, height) = (names + side + 7 * LETTER, names + side + EDGE);
    let size = cell.min(24) / 2 + 1;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"{size}\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (row, name) in classes.iter().enumerate() {
        let (middle, name) = (names + row * cell + cell / 2 + size / 3, escaped(name));
        let _ = writeln!(text, "<text x=\"{}\" y=\"{middle}\" text-anchor=\"end\">{name}</text>", names - 4);
        let turned = format!("transform=\"rotate(-90 {middle} {})\"", names - 4);
        let _ = writeln!(text, "<text x=\"{middle}\" y=\"{}\" {turned}>{name}</text>", names - 4);
        let counts = confusion.row(row);
        let images: f64 = counts.iter().sum();
        for (column, &count) in counts.iter().enumerate() {
            let share = if images > 0.0 { count / images } else { 0.0 };
            text += &square([names + column * cell, names + row * cell], cell, share, count);
        }
        if images > 0.0 {
            let recall = 100.0 * counts[row] / images;
            let _ = writeln!(text, "<text x=\"{}\" y=\"{middle}\">{recall:.1} %</text>", names + side + 4);
        }
    }
    text + "</svg>\n"
}

fn square([x, y]: [usize; 2], cell: usize, share: f64, count: f64) -> String {
    let light = |full: f64| (255.0 - share * (255.0 - full)).round() as u8;
    let colour = format!("#{:02x}{:02x}{:02x}", light(8.0), light(48.0), light(107.0));
    let mut text = format!("<rect x=\"{x}\" y=\"{y}\" width=\"{cell}\" height=\"{cell}\" fill=\"{colour}\"/>\n");
    if cell == CELL && count > 0.0 {
        let ink = if share > 0.5 { "white" } else { "black" };
        let (middle, base) = (x + cell / 2, y + cell / 2 + 4);
        let count = (count * 10.0).round() / 10.0;
        let _ =
            writeln!(text, "<text x=\"{middle}\" y=\"{base}\" text-anchor=\"middle\" fill=\"{ink}\">{count}</text>");
    }
    text
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_has_a_row_and_what_is_told_of_it_stands_at_its_end() {
        // Of three images of class 0 two are told, of one of class 1 none.
        let confusion = Confusion::new(&[1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0], &[0, 0, 0, 1], 2);
        let picture = svg(&confusion, &["cat".to_owned(), "a<b".to_owned()]);
        let squares: Vec<&str> = picture.lines().filter(|line| line.contains("width=\"36\"")).collect();
        let colours: Vec<&str> = squares.iter().map(|line| line.split("fill=").nth(1).unwrap()).collect();
        assert_eq!(colours, ["\"#5a759c\"/>", "\"#adbace\"/>", "\"#08306b\"/>", "\"#ffffff\"/>"]);
        let texts: Vec<&str> = picture
            .lines()
            .filter_map(|line| line.strip_suffix("</text>")?.rsplit_once('>'))
            .map(|(_, text)| text)
            .collect();
        assert_eq!(texts, ["cat", "cat", "2", "1", "66.7 %", "a&lt;b", "a&lt;b", "1", "0.0 %"]);
    }

    #[test]
    fn many_classes_are_small_and_a_class_without_images_has_no_share() {
        let classes: Vec<String> = (0..100).map(|class| class.to_string()).collect();
        let picture = svg(&Confusion::new(&[1.0; 100], &[7], 100), &classes);
        assert_eq!(picture.matches("width=\"12\"").count(), 10_000);
        assert_eq!(picture.matches(" %</text>").count(), 1);
    }
}
