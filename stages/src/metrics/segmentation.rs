//! How well masks are predicted, over all pixels of a set together, as PASCAL VOC counts (Everingham et al. 2015, section 4.2).

use super::Confusion;
use super::classification::mean;
use crate::csv::quoted;

/// What a mask holds where nobody knows what a pixel shows.
pub const UNKNOWN: u8 = 255;

/// Of each class: which pixels are of it, and which are predicted as it. Pixels of which nobody knows what they show count nowhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Overlap {
    pixels: Confusion,
    classes: usize,
}

impl Overlap {
    /// Of nothing yet. `classes`: the background among them.
    pub fn new(classes: usize) -> Self {
        Self { pixels: Confusion::empty(classes), classes }
    }

    /// Counts the pixels of a mask.
    ///
    /// # Panics
    /// When the masks differ in size, or hold what is no class.
    pub fn add(&mut self, truth: &[u8], predicted: &[u8]) {
        assert_eq!(truth.len(), predicted.len(), "both masks have a value for every pixel");
        for (&truth, &predicted) in truth.iter().zip(predicted) {
            if truth != UNKNOWN {
                self.pixels.count(truth.into(), predicted.into());
            }
        }
    }

    /// `[class][class that is predicted]`, in pixels.
    pub fn pixels(&self) -> &Confusion {
        &self.pixels
    }

    /// The pixels that are of the class and predicted as it, as a share of those that are either, in [0, 1]. `None` where there are
    /// none of either.
    pub fn iou(&self, class: usize) -> Option<f64> {
        let (both, of_class) = (self.pixels.right(class), self.pixels.images(class));
        let either = of_class + self.pixels.predicted(class) - both;
        (either > 0.0).then(|| both / either)
    }

    /// Mean over the classes that have one.
    pub fn mean_iou(&self) -> f64 {
        mean((0..self.classes).filter_map(|class| self.iou(class)))
    }

    /// The Dice coefficient of a class (Dice 1945): twice the pixels that are of the class and predicted as it, as a share of those of it
    /// and those predicted as it, in [0, 1]. `None` where there are none of either.
    pub fn dice(&self, class: usize) -> Option<f64> {
        let (both, of_class) = (self.pixels.right(class), self.pixels.images(class));
        let sum = of_class + self.pixels.predicted(class);
        (sum > 0.0).then(|| 2.0 * both / sum)
    }

    /// Mean over the classes that have one, without the first, which is the background: as medical papers count. NaN where there is none.
    pub fn mean_dice(&self) -> f64 {
        mean((1..self.classes).filter_map(|class| self.dice(class)))
    }

    /// A line for each class: its IoU and its Dice, empty where it has none, and its pixels in truth and in prediction.
    pub fn to_csv(&self, classes: &[String]) -> String {
        let line = |(class, name): (usize, &String)| {
            let [iou, dice] =
                [self.iou(class), self.dice(class)].map(|share| share.map_or_else(String::new, |x| x.to_string()));
            let [truth, predicted] = [self.pixels.images(class), self.pixels.predicted(class)];
            format!("{},{iou},{dice},{truth},{predicted}\n", quoted(name))
        };
        "class,iou,dice,pixels,predicted\n".to_owned() + &classes.iter().enumerate().map(line).collect::<String>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counted by hand: of class 0 two of three are told and one of 1 is taken for it; 2 is only predicted; 3 is not there at all, and
    /// what is said of the last pixel does not matter.
    #[test]
    fn absent_classes_and_unknown_pixels_do_not_count() {
        let mut overlap = Overlap::new(4);
        overlap.add(&[0, 0, 0, 1], &[0, 0, 2, 1]);
        overlap.add(&[1, UNKNOWN], &[0, 3]);
        assert_eq!([0, 1, 2, 3].map(|class| overlap.iou(class)), [Some(2.0 / 4.0), Some(1.0 / 2.0), Some(0.0), None]);
        assert_eq!(overlap.mean_iou(), 1.0 / 3.0);
        assert_eq!(overlap.pixels().accuracy(), 3.0 / 5.0);
        let names = ["sky", "tree", "a \"b\"", "d"].map(str::to_owned);
        let two_thirds = 2.0 / 3.0;
        assert_eq!(
            [0, 1, 2, 3].map(|class| overlap.dice(class)),
            [Some(two_thirds), Some(two_thirds), Some(0.0), None]
        );
        assert_eq!(overlap.mean_dice(), (two_thirds + 0.0) / 2.0, "of tree and what is only predicted");
        let csv = "class,iou,dice,pixels,predicted\n\"sky\",0.5,0.6666666666666666,3,3\n\"tree\",0.5,0.6666666666666666,2,1\n\
                   \"a \"\"b\"\"\",0,0,0,1\n\"d\",,,0,0\n";
        assert_eq!(overlap.to_csv(&names), csv);
    }

    /// Over all pixels together, and not the mean over images.
    #[test]
    fn images_are_counted_together() {
        let mut overlap = Overlap::new(2);
        overlap.add(&[1; 9], &[1; 9]);
        overlap.add(&[1], &[0]);
        assert_eq!([overlap.iou(0), overlap.iou(1)], [Some(0.0), Some(0.9)]);
    }

    /// Beside the sets of pixels themselves, counted slowly: 2 |A and B| / (|A| + |B|).
    #[test]
    fn dice_is_that_of_the_sets_of_pixels() {
        let at = |seed: usize| -> Vec<u8> {
            (0..600).map(|place| [0, 1, 1, 2, 3, UNKNOWN][(place * seed + place / 7) % (5 + seed % 2)]).collect()
        };
        let (truth, predicted): (Vec<u8>, Vec<u8>) = (at(13), at(6).into_iter().map(|shown| shown % 4).collect());
        let mut overlap = Overlap::new(5);
        overlap.add(&truth, &predicted);
        let known: Vec<usize> = (0..600).filter(|&place| truth[place] != UNKNOWN).collect();
        assert!(known.len() < 600);
        let mut shares = vec![];
        for class in 0..4 {
            let set = |of: &[u8]| -> Vec<usize> { known.iter().copied().filter(|&place| of[place] == class).collect() };
            let (is, told) = (set(&truth), set(&predicted));
            let both = is.iter().filter(|place| told.contains(place)).count();
            shares.push(2.0 * both as f64 / (is.len() + told.len()) as f64);
        }
        assert!((0..4).all(|class| overlap.dice(class) == Some(shares[class])) && overlap.dice(4).is_none());
        assert!(shares.iter().all(|share| *share > 0.0 && *share < 1.0), "{shares:?}");
        assert!((overlap.mean_dice() - shares[1..].iter().sum::<f64>() / 3.0).abs() < 1e-12);
        assert!(Overlap::new(1).mean_dice().is_nan());
    }
}
