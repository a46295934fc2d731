//! What scores are worth: the only place that sees labels and masks of test.

use super::picture::{heat_maps, heat_rows};
use super::{Images, Scored};
use crate::csv::quoted;
use crate::data::{Dataset, Split, npy, samples};
use crate::metrics::{UNKNOWN, aupro, auroc, average_precision, histogram};
use anyhow::{Context as _, Result, ensure};
use std::fmt::Write;

/// An error where nothing could be measured.
pub fn check(data: &Dataset) -> Result<()> {
    data.manifest.check_anomalies()?;
    let (name, normal) = (&data.manifest.name, data.labels(Split::Test).iter().filter(|&&class| class == 0).count());
    let test = data.len(Split::Test);
    ensure!(
        normal > 0 && normal < test,
        "of {test} test images of {name} {normal} are normal, and some have to be and some not: give the data set a test split with both"
    );
    Ok(())
}

pub fn evaluate(images: &Images, scored: &Scored) -> Result<()> {
    let Images { data, context, .. } = images;
    let rows: Vec<usize> = data.rows(Split::Test).collect();
    let is_anomalous: Vec<bool> = data.labels(Split::Test).iter().map(|&class| class > 0).collect();
    let scores: Vec<f64> = scored.scores.iter().map(|&score| f64::from(score)).collect();
    let both = "a data set without both kinds is refused";
    context.measure("auroc", "test", auroc(&scores, &is_anomalous).expect(both));
    context.measure("average_precision", "test", average_precision(&scores, &is_anomalous).expect(both));
    let [pixels, overlap] = of_pixels(data, &rows, &scored.maps);
    context.measure("pixel_auroc", "test", pixels);
    context.measure("aupro", "test", overlap);

    let folder = context.output("scores")?;
    let ids: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
    npy::write_with_ids(&folder, "test", &[rows.len()], &scored.scores, &ids)?;

    let side = |name: &str| context.side().join(name);
    let write = |name: &str, text: String| {
        std::fs::write(side(name), text).with_context(|| format!("cannot write {}", side(name).display()))
    };
    std::fs::create_dir_all(context.side())?;
    write("scores.csv", csv(data, &rows, &scored.scores))?;
    let of = |wanted: bool| -> Vec<f64> {
        scores.iter().zip(&is_anomalous).filter(|(_, is)| **is == wanted).map(|(&score, _)| score).collect()
    };
    write("histogram.svg", histogram([("normal", &of(false)), ("anomalous", &of(true))]))?;
    samples::draw_rows(data, &extremes(&rows, &scores), &side("extremes.png"))?;
    if !scored.maps.is_empty() {
        heat_maps(data, &heat_rows(&is_anomalous), &scored.maps, &side("heatmaps.png"))?;
    }
    Ok(())
}

/// AUROC and AUPRO of all pixels of which something is known; no numbers where there are no masks or no maps, or all is of one kind.
fn of_pixels(data: &Dataset, rows: &[usize], maps: &[f32]) -> [f64; 2] {
    let masks: Option<Vec<&[u8]>> = rows.iter().map(|&row| data.mask(row)).collect();
    let Some(masks) = masks.filter(|_| !maps.is_empty()) else { return [f64::NAN; 2] };
    let masks = masks.concat();
    let size = [data.manifest.height, data.manifest.width];
    let Some(overlap) = aupro(maps, &masks, size) else { return [f64::NAN; 2] };
    let known = || masks.iter().zip(maps).filter(|(shown, _)| **shown != UNKNOWN);
    let scores: Vec<f64> = known().map(|(_, &score)| f64::from(score)).collect();
    let is_anomalous: Vec<bool> = known().map(|(&shown, _)| shown > 0).collect();
    [auroc(&scores, &is_anomalous).unwrap_or(f64::NAN), overlap]
}

/// A line an image, the highest score first.
fn csv(data: &Dataset, rows: &[usize], scores: &[f32]) -> String {
    let mut lines: Vec<(usize, f32)> = rows.iter().copied().zip(scores.iter().copied()).collect();
    lines.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut text = "id,class,score\n".to_owned();
    for (row, score) in lines {
        let class = quoted(&data.manifest.classes[data.class(row) as usize]);
        let _ = writeln!(text, "{row},{class},{score}");
    }
    text
}

/// The rows of the highest scores, three lines of them, and then of the lowest, the lowest last.
fn extremes(rows: &[usize], scores: &[f64]) -> Vec<Vec<usize>> {
    const LINES: usize = 3;
    let mut order: Vec<usize> = (0..rows.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let shown = (LINES * samples::COLUMNS).min(rows.len() / 2);
    let lines = |places: &[usize]| -> Vec<Vec<usize>> {
        places.chunks(samples::COLUMNS).map(|line| line.iter().map(|&place| rows[place]).collect()).collect()
    };
    [lines(&order[..shown]), lines(&order[rows.len() - shown..])].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_scores_come_first_and_the_lowest_last() {
        let rows: Vec<usize> = (100..200).collect();
        let scores: Vec<f64> = (0..100).map(|place| f64::from(place * 37 % 100)).collect();
        let found = extremes(&rows, &scores);
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [12; 6]);
        let score = |row: usize| scores[row - 100];
        assert_eq!(
            (score(found[0][0]), score(found[2][11]), score(found[3][0]), score(found[5][11])),
            (99.0, 64.0, 35.0, 0.0)
        );
        assert_eq!(extremes(&rows[..3], &scores[..3]).concat().len(), 2);
    }
}
