//! Precision by recall as a picture: a line for each class.

use super::confusion_picture::escaped;
use super::detection::RECALLS;
use std::fmt::Write;

const SIDE: f64 = 320.0;
const LEFT: f64 = 44.0;
const TOP: f64 = 12.0;
const BELOW: f64 = 36.0;
const LETTER: f64 = 7.0;
const LINE: f64 = 18.0;
/// Told apart by those who see no red or no green too (Okabe & Ito); further classes begin anew, with dashes.
const COLOURS: [&str; 7] = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#000000"];

/// A scalable picture. A class that has no curve, because there is no object of it, is not shown.
pub fn svg(curves: &[Option<[f64; RECALLS]>], classes: &[String]) -> String {
    let longest = classes.iter().map(|class| class.chars().count()).max().unwrap_or(0) as f64;
    let right = LEFT + SIDE + 16.0;
    let shown = || classes.iter().zip(curves).filter_map(|(class, curve)| Some((class, curve.as_ref()?)));
    let height = (TOP + SIDE + BELOW).max(TOP + LINE * (shown().count() as f64 + 1.0));
    let width = right + 28.0 + LETTER * longest.max(4.0) + LETTER * 11.0;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    axes(&mut text);
    for (number, (class, curve)) in shown().enumerate() {
        let (colour, rounds) = (COLOURS[number % COLOURS.len()], number / COLOURS.len());
        let dashes = if rounds > 0 { format!(" stroke-dasharray=\"{}\"", 3 * rounds) } else { String::new() };
        let stroke = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"{dashes}");
        let points: Vec<String> = (0..).zip(curve).map(|(place, &precision)| at(place, precision)).collect();
        let _ = writeln!(text, "<polyline points=\"{}\" {stroke}/>", points.join(" "));
        let (y, mean) = (TOP + LINE * (number as f64 + 0.5), 100.0 * curve.iter().sum::<f64>() / RECALLS as f64);
        let _ = writeln!(text, "<line x1=\"{right}\" y1=\"{y}\" x2=\"{}\" y2=\"{y}\" {stroke}/>", right + 20.0);
        let class = escaped(class);
        let _ = writeln!(text, "<text x=\"{}\" y=\"{}\">{class} AP50 {mean:.1} %</text>", right + 26.0, y + 4.0);
    }
    text + "</svg>\n"
}

fn at(recall: usize, precision: f64) -> String {
    let x = LEFT + SIDE * recall as f64 / (RECALLS - 1) as f64;
    format!("{x:.1},{:.1}", TOP + SIDE * (1.0 - precision))
}

fn axes(text: &mut String) {
    let bottom = TOP + SIDE;
    let _ = writeln!(
        text,
        "<rect x=\"{LEFT}\" y=\"{TOP}\" width=\"{SIDE}\" height=\"{SIDE}\" fill=\"none\" stroke=\"#888\"/>"
    );
    for tenth in [0, 5, 10] {
        let (share, along) = (f64::from(tenth) / 10.0, SIDE * f64::from(tenth) / 10.0);
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{share}</text>",
            LEFT + along,
            bottom + 16.0
        );
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{share}</text>",
            LEFT - 6.0,
            bottom - along + 4.0
        );
    }
    let middle = TOP + SIDE / 2.0;
    let _ = writeln!(
        text,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">recall</text>",
        LEFT + SIDE / 2.0,
        bottom + 30.0
    );
    let turned = format!("transform=\"rotate(-90 12 {middle})\"");
    let _ = writeln!(text, "<text x=\"12\" y=\"{middle}\" text-anchor=\"middle\" {turned}>precision</text>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_has_a_line_and_its_mean_stands_beside_its_name() {
        let half: [f64; RECALLS] = std::array::from_fn(|place| if place <= 50 { 1.0 } else { 0.0 });
        let picture = svg(&[Some(half), None, Some([0.25; RECALLS])], &["cat", "dog", "a<b"].map(String::from));
        let lines: Vec<&str> = picture.lines().filter(|line| line.starts_with("<polyline")).collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].contains("points=\"44.0,12.0 47.2,12.0 ") && lines[0].contains(" 204.0,12.0 207.2,332.0 "));
        assert!(lines[1].contains(" 364.0,252.0\""), "{}", lines[1]);
        assert!(
            picture.contains(">cat AP50 50.5 %<")
                && picture.contains(">a&lt;b AP50 25.0 %<")
                && !picture.contains("dog")
        );
    }
}
