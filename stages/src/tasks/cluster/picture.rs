use crate::context::Context;
use crate::data::{Dataset, Split, samples};
use crate::features::FeatureSet;
use anyhow::Result;

/// The training images that are nearest to the centres, where the images are at hand: a row a cluster.
pub fn draw(set: &FeatureSet, clusters: &[u32], distances: &[f64], count: usize, context: &Context) -> Result<()> {
    let Some(folder) = context.optional_input("data") else { return Ok(()) };
    let (data, ids) = (Dataset::open(folder)?, &set.split(Split::Train)?.ids);
    set.check_is_of(&data)?;
    let rows: Vec<Vec<usize>> = nearest(clusters, distances, count)
        .iter()
        .map(|places| places.iter().map(|&place| ids[place] as usize).collect())
        .collect();
    samples::draw_rows(&data, &rows, &context.side().join("nearest.png"))
}

/// Of each of the first clusters the places of the images that are nearest to its centre, the nearest first.
fn nearest(clusters: &[u32], distances: &[f64], count: usize) -> Vec<Vec<usize>> {
    let of_cluster = |cluster: usize| {
        let mut places: Vec<usize> = (0..clusters.len()).filter(|&place| clusters[place] as usize == cluster).collect();
        places.sort_by(|&a, &b| distances[a].total_cmp(&distances[b]));
        places.truncate(samples::COLUMNS);
        places
    };
    (0..count.min(samples::ROWS)).map(of_cluster).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_of_each_cluster_come_first() {
        let clusters: Vec<u32> = (0..40).map(|place| place % 2).collect();
        let distances: Vec<f64> = (0..40).map(|place| f64::from((place * 7) % 40)).collect();
        let rows = nearest(&clusters, &distances, 3);
        assert_eq!(rows.iter().map(Vec::len).collect::<Vec<_>>(), [12, 12, 0]);
        // 0, 14, 28, 2 (42 % 40 = 2 is place 6), ...: even places have even distances.
        assert_eq!(rows[0][..3], [0, 6, 12]);
        assert!(
            rows[1].iter().all(|place| place % 2 == 1) && rows[1].is_sorted_by_key(|&place| distances[place] as u32)
        );
    }
}
