use crate::data::palette::colour;
use std::fmt::Write;

const SIDE: f32 = 720.0;
const EDGE: f32 = 12.0;

/// Each place a dot in the colour of its class, as a scalable picture.
pub fn svg(places: &[[f32; 2]], classes: &[i32]) -> String {
    let along = |axis: usize| places.iter().map(move |place| place[axis]);
    let ends =
        [0, 1].map(|axis| [along(axis).fold(f32::INFINITY, f32::min), along(axis).fold(f32::NEG_INFINITY, f32::max)]);
    let longest = ends.iter().map(|[low, high]| high - low).fold(f32::MIN_POSITIVE, f32::max);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{SIDE}\" height=\"{SIDE}\">\n\
         <rect width=\"{SIDE}\" height=\"{SIDE}\" fill=\"white\"/>\n"
    );
    for (place, &class) in places.iter().zip(classes) {
        let [x, y] = [0, 1].map(|axis| EDGE + (place[axis] - ends[axis][0]) / longest * (SIDE - 2.0 * EDGE));
        // The palette's first colour is black, for what is no class.
        let [red, green, blue] = colour((class + 1) as u8);
        let _ = writeln!(
            text,
            "<circle cx=\"{x:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"#{red:02x}{green:02x}{blue:02x}\" fill-opacity=\"0.75\"/>",
            SIDE - y
        );
    }
    text + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longer_side_fills_the_picture_and_up_is_up() {
        let text = svg(&[[0.0, 0.0], [2.0, 1.0]], &[0, 1]);
        let circles: Vec<&str> = text.lines().filter(|line| line.starts_with("<circle")).collect();
        assert!(circles[0].starts_with("<circle cx=\"12.0\" cy=\"708.0\""), "{}", circles[0]);
        assert!(circles[1].starts_with("<circle cx=\"708.0\" cy=\"360.0\""), "{}", circles[1]);
    }
}
