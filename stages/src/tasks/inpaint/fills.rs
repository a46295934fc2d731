//! What fills a hole and has learned nothing, of images `[height, width, channels]`. `missing` says of each value whether it is; an image with
//! nothing but a hole stays as it is.

/// From the border of the hole inwards: each round every missing pixel that touches a known one becomes, channel by channel, the median of
/// the known ones among the 3 x 3 pixels around it (of an even number the mean of the middle two).
pub fn median(values: &[f32], missing: &[bool], shape: [usize; 3]) -> Vec<f32> {
    let (mut values, mut missing) = (values.to_vec(), missing.to_vec());
    loop {
        let filled: Vec<(usize, f32)> = (0..values.len())
            .filter(|&place| missing[place])
            .filter_map(|place| {
                let known = around(place, shape, true).filter(|&near| !missing[near]);
                let mut known: Vec<f32> = known.map(|near| values[near]).collect();
                known.sort_unstable_by(f32::total_cmp);
                let half = known.len() / 2;
                (!known.is_empty()).then(|| {
                    (place, if known.len() % 2 == 1 { known[half] } else { (known[half - 1] + known[half]) / 2.0 })
                })
            })
            .collect();
        if filled.is_empty() {
            return values;
        }
        for (place, value) in filled {
            values[place] = value;
            missing[place] = false;
        }
    }
}

/// How much a pixel may still change at last.
const ENOUGH: f64 = 1e-7;

/// The solution of Laplace's equation: each missing pixel is the mean of the up to four beside it, of which those that are known stay what
/// they are.
pub fn harmonic(values: &[f32], missing: &[bool], shape: [usize; 3]) -> Vec<f32> {
    if missing.iter().all(|missing| *missing) {
        return values.to_vec();
    }
    let relaxation = relaxation(missing, shape);
    let mut values: Vec<f64> = values.iter().map(|&value| f64::from(value)).collect();
    let places: Vec<(usize, Vec<usize>)> = (0..values.len())
        .filter(|&place| missing[place])
        .map(|place| (place, around(place, shape, false).collect()))
        .collect();
    loop {
        let mut most = 0f64;
        for (place, beside) in &places {
            let mean = beside.iter().map(|&near| values[near]).sum::<f64>() / beside.len() as f64;
            let step = relaxation * (mean - values[*place]);
            values[*place] += step;
            most = most.max(step.abs());
        }
        if most < ENOUGH {
            return values.into_iter().map(|value| value as f32).collect();
        }
    }
}

/// Of successive over-relaxation: the best there is of a square as wide as the hole is, which ends in as many sweeps as that has pixels in
/// a row, or a few times that.
fn relaxation(missing: &[bool], [_, width, channels]: [usize; 3]) -> f64 {
    let places = || missing.iter().enumerate().filter(|(_, missing)| **missing).map(|(place, _)| place / channels);
    let length = |along: &dyn Fn(usize) -> usize| {
        let (first, last) = (places().map(along).min(), places().map(along).max());
        last.zip(first).map_or(0, |(last, first)| last - first + 1)
    };
    let side = length(&|place| place / width).max(length(&|place| place % width));
    2.0 / (1.0 + (std::f64::consts::PI / (side as f64 + 1.0)).sin())
}

/// The same channel of the pixels around one, with those at its corners or without.
fn around(place: usize, [height, width, channels]: [usize; 3], corners: bool) -> impl Iterator<Item = usize> {
    let (row, column, channel) = (place / channels / width, place / channels % width, place % channels);
    let near = |place: usize, side: usize| place.saturating_sub(1)..(place + 2).min(side);
    let pixels = near(row, height).flat_map(move |y| near(column, width).map(move |x| (y, x)));
    pixels
        .filter(move |&(y, x)| (y, x) != (row, column) && (corners || y == row || x == column))
        .map(move |(y, x)| (y * width + x) * channels + channel)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: [usize; 3] = [9, 7, 2];

    /// A slope down the rows in one channel and across the columns in the other, with a hole.
    fn slopes() -> (Vec<f32>, Vec<f32>, Vec<bool>) {
        let value = |place: usize| {
            if place.is_multiple_of(2) { (place / 2 / 7) as f32 / 10.0 } else { (place / 2 % 7) as f32 / 10.0 }
        };
        let whole: Vec<f32> = (0..9 * 7 * 2).map(value).collect();
        let missing: Vec<bool> = (0..9 * 7 * 2)
            .map(|place| (2..6).contains(&(place / 2 / 7)) && (2..5).contains(&(place / 2 % 7)))
            .collect();
        let holed = whole.iter().zip(&missing).map(|(&value, &missing)| if missing { 0.5 } else { value }).collect();
        (whole, holed, missing)
    }

    /// Planes are harmonic: nothing of them is lost.
    #[test]
    fn a_slope_goes_on_through_a_hole() {
        let (whole, holed, missing) = slopes();
        let filled = harmonic(&holed, &missing, SHAPE);
        assert!(filled.iter().zip(&whole).all(|(filled, whole)| (filled - whole).abs() < 1e-4));
    }

    /// A hole that reaches the image's border has fewer neighbours there.
    #[test]
    fn every_missing_pixel_is_the_mean_of_its_neighbours() {
        let (_, holed, _) = slopes();
        let missing: Vec<bool> = (0..9 * 7 * 2).map(|place| place / 2 / 7 < 4 && place / 2 % 7 > 2).collect();
        let filled = harmonic(&holed, &missing, SHAPE);
        for place in (0..filled.len()).filter(|&place| missing[place]) {
            let beside: Vec<f32> = around(place, SHAPE, false).map(|near| filled[near]).collect();
            let mean = beside.iter().sum::<f32>() / beside.len() as f32;
            assert!((filled[place] - mean).abs() < 1e-5, "{place}");
        }
        assert!(filled.iter().zip(&holed).zip(&missing).all(|((filled, was), missing)| *missing || filled == was));
        let all = vec![true; holed.len()];
        assert!(harmonic(&holed, &all, SHAPE) == holed && median(&holed, &all, SHAPE) == holed, "nothing is known");
    }

    #[test]
    fn medians_come_from_the_border_inwards() {
        // One channel, one row of known values above three rows of a hole.
        let shape = [4, 3, 1];
        let values = [0.1, 0.5, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        let missing: Vec<bool> = (0..12).map(|place| place >= 3).collect();
        let filled = median(&values, &missing, shape);
        // Of 0.1 and 0.5; of all three; of 0.5 and 0.2.
        let first = [0.3, 0.2, 0.35];
        let second = [(0.3 + 0.2) / 2.0, 0.3, (0.2 + 0.35) / 2.0];
        let near = |found: &[f32], expected: [f32; 3]| found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6);
        assert!(near(&filled[3..6], first) && near(&filled[6..9], second), "{filled:?}");
        assert_eq!(filled[..3], values[..3]);
    }
}
