//! What annotations cover of a picture.

use anyhow::{Context, Result, ensure};

#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Corners, x and y in turn; what is inside of any.
    Polygons(Vec<Vec<f64>>),
    /// Of pixels outside and inside in turn, column by column.
    Runs {
        runs: Vec<u32>,
        /// Height and width.
        size: [u32; 2],
    },
}

impl Shape {
    /// Of each pixel `[height, width]` whether it is covered: of a polygon, whether its middle is inside (pycocotools draws edges on a grid
    /// five times as fine, and may differ along them).
    pub fn covers(&self, [height, width]: [u32; 2]) -> Result<Vec<bool>> {
        match self {
            Self::Polygons(polygons) => {
                let mut covered = vec![false; (height * width) as usize];
                polygons.iter().for_each(|corners| fill(corners, width as usize, &mut covered));
                Ok(covered)
            }
            Self::Runs { runs, size } => {
                let all: u64 = runs.iter().map(|&run| u64::from(run)).sum();
                ensure!(
                    *size == [height, width] && all == u64::from(height) * u64::from(width),
                    "runs are of {} pixels in {} x {}, and the picture has {width} x {height}",
                    all,
                    size[1],
                    size[0]
                );
                let down = height as usize;
                let mut covered = vec![false; down * width as usize];
                let values = runs.iter().enumerate().flat_map(|(turn, &run)| (0..run).map(move |_| turn % 2 == 1));
                values
                    .enumerate()
                    .for_each(|(place, is_in)| covered[place % down * width as usize + place / down] = is_in);
                Ok(covered)
            }
        }
    }
}

/// Rows one by one: between the first and the second edge that its middle line meets, the third and the fourth, and so on.
fn fill(corners: &[f64], width: usize, covered: &mut [bool]) {
    let corners = corners.as_chunks::<2>().0;
    let edges = || corners.iter().zip(corners.iter().cycle().skip(1));
    for (row, covered) in covered.chunks_mut(width).enumerate() {
        let y = row as f64 + 0.5;
        let meets = |(&[x0, y0], &[x1, y1]): (&[f64; 2], &[f64; 2])| {
            ((y0 <= y) != (y1 <= y)).then(|| x0 + (y - y0) / (y1 - y0) * (x1 - x0))
        };
        let mut met: Vec<f64> = edges().filter_map(meets).collect();
        met.sort_by(f64::total_cmp);
        for &[from, to] in met.as_chunks::<2>().0 {
            // The first and the last pixel whose middle lies between.
            let column = |x: f64| (x - 0.5).ceil().clamp(0.0, width as f64) as usize;
            covered[column(from)..column(to)].fill(true);
        }
    }
}

/// Runs from the text that pycocotools packs them into: 5 bits a letter from the lowest on, the sixth says that more follow; from the
/// fourth run on, what is packed is the difference to the run before the last.
pub fn unpacked(text: &str) -> Result<Vec<u32>> {
    let mut letters = text.bytes();
    let mut runs: Vec<i64> = vec![];
    while let Some(first) = letters.next() {
        let (mut value, mut bits, mut letter) = (0i64, 0, first);
        loop {
            ensure!((48..112).contains(&letter) && bits < 60, "`{}` is no letter of theirs", char::from(letter));
            let code = i64::from(letter - 48);
            value |= (code & 31) << bits;
            bits += 5;
            if code & 32 == 0 {
                // The highest bit is the sign's.
                value |= if code & 16 == 0 { 0 } else { -1 << bits };
                break;
            }
            letter = letters.next().context("the text ends within a run")?;
        }
        let before = if runs.len() > 2 { runs[runs.len() - 2] } else { 0 };
        runs.push(value + before);
    }
    runs.into_iter().map(|run| u32::try_from(run).context("a run is less than nothing")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(shape: &Shape, [height, width]: [u32; 2]) -> Vec<String> {
        let covered = shape.covers([height, width]).unwrap();
        let letter = |&is_in: &bool| if is_in { '#' } else { '.' };
        covered.chunks(width as usize).map(|row| row.iter().map(letter).collect()).collect()
    }

    #[test]
    fn a_pixel_is_covered_where_its_middle_is_inside() {
        let square = Shape::Polygons(vec![vec![1.0, 1.0, 3.0, 1.0, 3.0, 3.0, 1.0, 3.0]]);
        assert_eq!(picture(&square, [4, 5]), [".....", ".##..", ".##..", "....."]);
        let triangle = Shape::Polygons(vec![vec![0.0, 0.0, 5.0, 5.0, 0.0, 5.0]]);
        assert_eq!(picture(&triangle, [5, 5]), [".....", "#....", "##...", "###..", "####."]);
        // With a notch, and beside another; what is outside of the picture is nowhere.
        let both = Shape::Polygons(vec![
            vec![0.0, 0.0, 4.0, 0.0, 4.0, 4.0, 2.0, 1.0, 0.0, 4.0],
            vec![4.0, -3.0, 9.0, -3.0, 9.0, 9.0, 4.0, 9.0],
        ]);
        assert_eq!(picture(&both, [4, 6]), ["######", "######", "#..###", "....##"]);
    }

    /// pycocotools 2.0: `mask.encode(np.asfortranarray(m))["counts"]` of the masks that the runs say.
    #[test]
    fn runs_are_read_as_pycocotools_writes_them() {
        let runs = Shape::Runs { runs: vec![1, 2, 2, 1], size: [3, 2] };
        assert_eq!(picture(&runs, [3, 2]), ["..", "#.", "##"]);
        let packed: [(&str, &[u32]); 3] =
            [("122O", &[1, 2, 2, 1]), ("031", &[0, 3, 1]), ("W3U1d0mNT2`1n1", &[103, 37, 20, 2, 88, 50, 150])];
        for (text, expected) in packed {
            assert_eq!(unpacked(text).unwrap(), expected, "{text}");
        }
        assert!(unpacked("h").unwrap_err().to_string().contains("ends within a run"));
        assert!(unpacked("0 ").unwrap_err().to_string().contains("no letter"));
        let short = runs.covers([3, 3]).unwrap_err().to_string();
        assert_eq!(short, "runs are of 6 pixels in 2 x 3, and the picture has 3 x 3");
    }
}
