//! Colours that stand for classes.

use std::collections::BTreeMap;

/// PASCAL VOC's colours: the bits of a class's number from the lowest on, dealt out to the highest bits of red, green and blue. So 255 has
/// what it calls void.
pub fn colour(class: u8) -> [u8; 3] {
    let bit = |place: u8| (u32::from(class) >> place & 1) as u8;
    [0, 1, 2].map(|channel| (0..3).map(|turn| bit(3 * turn + channel) << (7 - turn)).sum())
}

/// The same as scalable pictures want it.
pub fn hex(class: u8) -> String {
    let [red, green, blue] = colour(class);
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// The class that each colour stands for.
pub fn classes() -> BTreeMap<[u8; 3], u8> {
    (0..=u8::MAX).map(|class| (colour(class), class)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first of the development kit's table, and its void.
    #[test]
    fn colours_are_those_of_pascal_voc() {
        let known = [[0; 3], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128]];
        assert_eq!([0, 1, 2, 3, 4].map(colour), known);
        assert_eq!([colour(8), colour(20), colour(255)], [[64, 0, 0], [0, 64, 128], [224, 224, 192]]);
        assert_eq!(classes().len(), 256, "no two are alike");
    }
}
