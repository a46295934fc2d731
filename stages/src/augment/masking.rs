//! Which patches of an image a masked autoencoder sees (He et al. 2021, arXiv:2111.06377, section 3).

use crate::random::{Purpose, Rng};

/// The patches of image number `image` in `epoch`, shuffled: the network sees the first of them, as many as it likes, and
/// the rest are masked. Every order is as likely, so that what is seen is a uniform sample without replacement.
pub fn patch_order(patches: usize, seed: u64, epoch: usize, image: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..patches).collect();
    Rng::new(seed, Purpose::Mask, &[epoch as u64, image as u64]).shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_patch_and_every_pair_is_seen_as_often() {
        const PATCHES: usize = 16;
        const SEEN: usize = 4;
        const IMAGES: usize = 20_000;
        let (mut alone, mut pairs) = ([0u32; PATCHES], [[0u32; PATCHES]; PATCHES]);
        for image in 0..IMAGES {
            let order = patch_order(PATCHES, 3, image % 7, image);
            for &a in &order[..SEEN] {
                alone[a] += 1;
                order[..SEEN].iter().filter(|&&b| a < b).for_each(|&b| pairs[a][b] += 1);
            }
            let mut sorted = order;
            sorted.sort();
            assert!(sorted.into_iter().eq(0..PATCHES));
        }
        // 5,000 expected, sd 61; five of them.
        assert!(alone.iter().all(|&count| count.abs_diff(5000) < 306), "{alone:?}");
        // A pair in 4/16 * 3/15 of the images: 1,000, sd 31; five of them.
        let fair = (0..PATCHES).all(|a| (a + 1..PATCHES).all(|b| pairs[a][b].abs_diff(1000) < 154));
        assert!(fair, "{pairs:?}");
    }

    #[test]
    fn an_order_depends_on_its_place() {
        let order = patch_order(64, 1, 2, 3);
        assert_eq!(order, patch_order(64, 1, 2, 3));
        for other in [patch_order(64, 2, 2, 3), patch_order(64, 1, 3, 3), patch_order(64, 1, 2, 4)] {
            assert_ne!(order, other);
        }
    }
}
