use super::UNKNOWN;

/// False positive rate up to which overlaps count.
const LIMIT: f64 = 0.3;

/// What a pixel is, but for those of which nobody knows.
#[derive(Clone, Copy)]
struct Pixel {
    score: f32,
    /// One divided by the size of its region; 0 where it is normal.
    share: f32,
}

/// The area under the per-region overlap curve (Bergmann et al. 2021, "The MVTec Anomaly Detection Dataset", section 4.3; first in
/// arXiv:1911.02357): where all pixels of at least a score are told as anomalous, the mean over all regions of the share of a region that
/// is told, as a function of the share of normal pixels that is; from 0 to .3 of those, divided by that, so that it is in [0, 1]. Every
/// score is a threshold. Small regions count as much as large ones; a region is what is anomalous and touches, at corners too.
///
/// `scores` and `masks`: `[image, height, width]`; of a mask 0 is normal, [`UNKNOWN`] counts nowhere, everything else is anomalous. `None`
/// where nothing is anomalous, or nothing normal.
///
/// # Panics
/// When the two differ in length.
pub fn aupro(scores: &[f32], masks: &[u8], [height, width]: [usize; 2]) -> Option<f64> {
    assert_eq!(scores.len(), masks.len(), "one score for each pixel of the masks");
    let (mut pixels, mut regions) = (Vec::with_capacity(scores.len()), 0.0);
    for (scores, mask) in scores.chunks_exact(height * width).zip(masks.chunks_exact(height * width)) {
        let shares = shares(mask, width, &mut regions);
        let known = scores.iter().zip(shares).zip(mask).filter(|(_, shown)| **shown != UNKNOWN);
        pixels.extend(known.map(|((&score, share), _)| Pixel { score, share }));
    }
    let normal = pixels.iter().filter(|pixel| pixel.share == 0.0).count() as f64;
    if regions == 0.0 || normal == 0.0 {
        return None;
    }
    pixels.sort_unstable_by(|a, b| b.score.total_cmp(&a.score));
    Some(area(&pixels, regions, normal) / LIMIT)
}

/// Under the curve up to the limit, by trapezia; within the last one it is a straight line.
fn area(pixels: &[Pixel], regions: f64, normal: f64) -> f64 {
    let (mut false_positives, mut overlap, mut before, mut area) = (0.0, 0.0, [0.0, 0.0], 0.0);
    for equal in pixels.chunk_by(|a, b| a.score == b.score) {
        false_positives += equal.iter().filter(|pixel| pixel.share == 0.0).count() as f64;
        overlap += equal.iter().map(|pixel| f64::from(pixel.share)).sum::<f64>();
        let [rate, mean] = [false_positives / normal, overlap / regions];
        if rate > LIMIT {
            let there = before[1] + (mean - before[1]) * (LIMIT - before[0]) / (rate - before[0]);
            return area + (LIMIT - before[0]) * (before[1] + there) / 2.0;
        }
        area += (rate - before[0]) * (before[1] + mean) / 2.0;
        before = [rate, mean];
    }
    area
}

/// Of each pixel of a mask one divided by the size of its region, and 0 where it is in none. Counts the regions.
fn shares(mask: &[u8], width: usize, regions: &mut f64) -> Vec<f32> {
    let is_anomalous = |place: usize| mask[place] != 0 && mask[place] != UNKNOWN;
    let mut shares = vec![0.0; mask.len()];
    for first in 0..mask.len() {
        if !is_anomalous(first) || shares[first] > 0.0 {
            continue;
        }
        *regions += 1.0;
        let (mut region, mut seen) = (vec![first], 0);
        shares[first] = 1.0;
        while let Some(&place) = region.get(seen) {
            seen += 1;
            for next in neighbours(place, width, mask.len() / width) {
                if is_anomalous(next) && shares[next] == 0.0 {
                    shares[next] = 1.0;
                    region.push(next);
                }
            }
        }
        region.iter().for_each(|&place| shares[place] = 1.0 / region.len() as f32);
    }
    shares
}

/// The places around one, and itself.
fn neighbours(place: usize, width: usize, height: usize) -> impl Iterator<Item = usize> {
    let (y, x) = (place / width, place % width);
    let (rows, columns) = (y.saturating_sub(1)..(y + 2).min(height), x.saturating_sub(1)..(x + 2).min(width));
    rows.flat_map(move |y| columns.clone().map(move |x| y * width + x))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three images of 12 x 10 pixels: two regions that touch at a corner and a small one; one that is larger; none.
    fn masks() -> Vec<u8> {
        let mut masks = vec![0; 3 * 120];
        for (image, rows, columns) in
            [(0, 1..4, 1..4), (0, 4..6, 4..8), (0, 9..10, 8..9), (1, 2..9, 3..7), (1, 10..12, 0..1)]
        {
            rows.for_each(|y: usize| columns.clone().for_each(|x: usize| masks[image * 120 + y * 10 + x] = 1));
        }
        masks
    }

    fn scores(steps: f32) -> Vec<f32> {
        let score = |(place, &shown): (usize, &u8)| (1.3 * place as f32).sin() + 0.6 * f32::from(shown);
        masks().iter().enumerate().map(score).map(|score| (score * steps).round() / steps).collect()
    }

    /// By `stages/tests/anomaly/reference.py`, which tries every threshold with scipy's regions. Scores of few steps have many ties.
    #[test]
    fn it_is_what_trying_every_threshold_gives() {
        for (steps, expected) in [(1000.0, EXPECTED[0]), (3.0, EXPECTED[1])] {
            let found = aupro(&scores(steps), &masks(), [12, 10]).unwrap();
            assert!((found - expected).abs() < 1e-6, "{steps}: {found} in place of {expected}");
        }
    }

    const EXPECTED: [f64; 2] = [0.4742142049127343, 0.4627500095060649];

    #[test]
    fn perfect_scores_have_1_and_equal_ones_half_of_the_limit() {
        let perfect: Vec<f32> = masks().iter().map(|&shown| f32::from(shown)).collect();
        assert!((aupro(&perfect, &masks(), [12, 10]).unwrap() - 1.0).abs() < 1e-6);
        let equal = aupro(&[7.0; 360], &masks(), [12, 10]).unwrap();
        assert!((equal - LIMIT / 2.0).abs() < 1e-6, "{equal}");
    }

    #[test]
    fn what_nobody_knows_counts_nowhere() {
        let (mut masks, mut scores) = (masks(), scores(1000.0));
        let before = aupro(&scores, &masks, [12, 10]).unwrap();
        masks.extend([UNKNOWN; 120]);
        scores.extend([99.0; 120]);
        assert_eq!(aupro(&scores, &masks, [12, 10]), Some(before));
        assert_eq!(aupro(&[1.0; 120], &[0; 120], [12, 10]), None, "nothing is anomalous");
        assert_eq!(aupro(&[1.0; 120], &[1; 120], [12, 10]), None, "nothing is normal");
    }
}
