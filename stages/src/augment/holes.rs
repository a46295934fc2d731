//! What is missing from an image that is to be drawn again (Pathak et al. 2016, arXiv:1604.07379, section 3.3).

use crate::random::Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Holes {
    /// what is missing. centre: a square in the middle; blocks: squares of a quarter of the image's side at random places, that may overlap
    pub region: Region,
    /// share of the image that is missing (blocks: at least)
    #[schemars(range(min = 0.01, max = 0.9))]
    pub missing: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Region {
    Centre,
    Blocks,
}

impl Default for Holes {
    fn default() -> Self {
        Self { region: Region::Blocks, missing: 0.25 }
    }
}

impl Holes {
    /// Of every pixel, row by row, whether it is missing.
    pub fn cut(&self, [height, width]: [usize; 2], rng: &mut Rng) -> Vec<bool> {
        let mut hole = vec![false; height * width];
        let mut cut = |[top, left]: [usize; 2], [tall, wide]: [usize; 2]| {
            (top..top + tall).for_each(|row| hole[row * width + left..][..wide].fill(true));
            hole.iter().filter(|missing| **missing).count()
        };
        match self.region {
            Region::Centre => {
                let [tall, wide] =
                    [height, width].map(|side| ((side as f64 * self.missing.sqrt()).round() as usize).max(1));
                cut([(height - tall) / 2, (width - wide) / 2], [tall, wide]);
            }
            Region::Blocks => {
                let [tall, wide] = [height, width].map(|side| side.div_ceil(4));
                let enough = self.missing * (height * width) as f64;
                while (cut([rng.below(height - tall + 1), rng.below(width - wide + 1)], [tall, wide]) as f64) < enough {
                }
            }
        }
        hole
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    fn hole(region: Region, image: u64) -> Vec<bool> {
        Holes { region, missing: 0.25 }.cut([32, 32], &mut Rng::new(3, Purpose::Mask, &[image]))
    }

    #[test]
    fn a_quarter_in_the_centre_is_half_the_side() {
        let expected = (0..32 * 32).map(|at| (8..24).contains(&(at / 32)) && (8..24).contains(&(at % 32)));
        assert!(hole(Region::Centre, 0).into_iter().eq(expected));
    }

    #[test]
    fn blocks_cover_what_is_asked_for_at_other_places_in_every_image() {
        let made = [0, 1, 2].map(|image| hole(Region::Blocks, image));
        for hole in &made {
            let missing = hole.iter().filter(|missing| **missing).count();
            // The last block adds 64 pixels at most.
            assert!((256..320).contains(&missing), "{missing}");
        }
        assert!(made[0] != made[1] && made[1] != made[2]);
    }
}
