use crate::data::palette::hex;
use std::collections::BTreeSet;
use std::fmt::Write;

const SIDE: f32 = 720.0;
const EDGE: f32 = 12.0;

/// Width of the classes' numbers beside the picture.
const LEGEND: f32 = 90.0;
const LINE: f32 = 18.0;
/// Of more classes no legend would fit.
const MOST_NAMED: usize = 40;

/// Each place a dot in the colour of its class, as a scalable picture, and the classes by their numbers beside it.
pub fn svg(places: &[[f32; 2]], classes: &[i32]) -> String {
    let along = |axis: usize| places.iter().map(move |place| place[axis]);
    let ends =
        [0, 1].map(|axis| [along(axis).fold(f32::INFINITY, f32::min), along(axis).fold(f32::NEG_INFINITY, f32::max)]);
    let longest = ends.iter().map(|[low, high]| high - low).fold(f32::MIN_POSITIVE, f32::max);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{SIDE}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{SIDE}\" fill=\"white\"/>\n",
        width = SIDE + LEGEND
    );
    let there: BTreeSet<i32> = classes.iter().copied().collect();
    for (line, &class) in there.iter().take(MOST_NAMED).enumerate() {
        let (x, y) = (SIDE + EDGE, EDGE + LINE * (line as f32 + 0.5));
        let _ = writeln!(
            text,
            "<rect x=\"{x}\" y=\"{}\" width=\"10\" height=\"10\" fill=\"{}\"/><text x=\"{}\" y=\"{}\">class {class}</text>",
            y - 9.0,
            colour(class),
            x + 16.0,
            y
        );
    }
    for (place, &class) in places.iter().zip(classes) {
        let [x, y] = [0, 1].map(|axis| EDGE + (place[axis] - ends[axis][0]) / longest * (SIDE - 2.0 * EDGE));
        let _ = writeln!(
            text,
            "<circle cx=\"{x:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{}\" fill-opacity=\"0.75\"/>",
            SIDE - y,
            colour(class)
        );
    }
    text + "</svg>\n"
}

fn colour(class: i32) -> String {
    // The palette's first colour is black, for what is no class.
    hex((class + 1) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_side_fills_the_picture_and_up_is_up() {
        let text = svg(&[[0.0, 0.0], [2.0, 1.0]], &[0, 1]);
        let circles: Vec<&str> = text.lines().filter(|line| line.starts_with("<circle")).collect();
        assert!(text.contains(">class 0</text>") && text.contains(">class 1</text>"), "{text}");
        assert!(circles[0].starts_with("<circle cx=\"12.0\" cy=\"708.0\""), "{}", circles[0]);
        assert!(circles[1].starts_with("<circle cx=\"708.0\" cy=\"360.0\""), "{}", circles[1]);
    }
}
