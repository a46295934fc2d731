//! How often which score is met, by what has it.

use super::confusion_picture::escaped;
use std::fmt::Write;

const BINS: usize = 40;
/// Of a bin, and of the highest.
const WIDTH: usize = 12;
const HEIGHT: usize = 160;
const EDGE: usize = 24;
const COLOURS: [&str; 2] = ["#1f77b4", "#d62728"];

/// Two groups of scores as a scalable picture, each as a share of its own. All scores are finite.
pub fn histogram(groups: [(&str, &[f64]); 2]) -> String {
    let all = || groups.iter().flat_map(|(_, scores)| *scores).copied();
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    let counts = groups.map(|(_, scores)| counts(scores, [low, high]));
    let highest = counts.iter().flatten().copied().fold(0.0, f64::max);
    let (width, height) = (BINS * WIDTH + 2 * EDGE, HEIGHT + 3 * EDGE);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" font-family=\"sans-serif\" \
         font-size=\"14\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"white\"/>\n"
    );
    for (place, ((name, scores), counts)) in groups.iter().zip(counts).enumerate() {
        for (bin, share) in counts.iter().enumerate().filter(|(_, share)| **share > 0.0) {
            let tall = (share / highest * HEIGHT as f64).round().max(1.0) as usize;
            let _ = writeln!(
                text,
                "<rect x=\"{}\" y=\"{}\" width=\"{WIDTH}\" height=\"{tall}\" fill=\"{}\" fill-opacity=\"0.5\"/>",
                EDGE + bin * WIDTH,
                EDGE + HEIGHT - tall,
                COLOURS[place]
            );
        }
        let (left, name) = (EDGE + place * BINS * WIDTH / 2, escaped(name));
        let _ = writeln!(
            text,
            "<text x=\"{left}\" y=\"16\" fill=\"{}\">{name}: {} images</text>",
            COLOURS[place],
            scores.len()
        );
    }
    let base = EDGE + HEIGHT + 18;
    let _ = writeln!(text, "<text x=\"{EDGE}\" y=\"{base}\">{low:.4}</text>");
    let _ = writeln!(text, "<text x=\"{}\" y=\"{base}\" text-anchor=\"end\">{high:.4}</text>", width - EDGE);
    text + "</svg>\n"
}

/// The share of the scores in each bin.
fn counts(scores: &[f64], [low, high]: [f64; 2]) -> [f64; BINS] {
    let mut counts = [0.0; BINS];
    for score in scores {
        let place = if high > low { (score - low) / (high - low) } else { 0.0 };
        counts[((place * BINS as f64) as usize).min(BINS - 1)] += 1.0 / scores.len() as f64;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_group_is_counted_by_itself() {
        let text = histogram([("good", &[0.0, 0.0, 0.0, 1.0]), ("a<b", &[4.0])]);
        let bars: Vec<&str> = text.lines().filter(|line| line.contains("fill-opacity")).collect();
        let expected = [(24, 64, 120, "#1f77b4"), (144, 144, 40, "#1f77b4"), (492, 24, 160, "#d62728")];
        for (bar, (x, y, tall, colour)) in bars.iter().zip(expected) {
            let start = format!("<rect x=\"{x}\" y=\"{y}\" width=\"12\" height=\"{tall}\" fill=\"{colour}\"");
            assert!(bar.starts_with(&start), "{bar}");
        }
        assert_eq!(bars.len(), 3);
        assert!(
            text.contains(">a&lt;b: 1 images</text>")
                && text.contains(">0.0000</text>")
                && text.contains(">4.0000</text>")
        );
    }

    #[test]
    fn scores_that_are_all_the_same_are_one_bar_each() {
        let text = histogram([("good", &[2.0; 5]), ("bad", &[2.0; 3])]);
        assert_eq!(text.matches("height=\"160\"").count(), 2);
    }
}
