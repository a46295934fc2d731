//! The fourteen operations that TrivialAugment and RandAugment draw from, and how strong each gets in either: a strength is
//! one of 31 between nothing and the space's most, in either direction where there are two. Both are torchvision's.
//!
//! TrivialAugment (Müller & Hutter 2021, arXiv:2103.10158, algorithm 1): one operation at a drawn strength, of the wide space
//! (section 3, table 1). RandAugment (Cubuk et al. 2019, arXiv:1909.13719, section 3): a given number of operations, one after
//! the other, at one given strength; each operation is drawn from all.

use super::{Geometry, Image, ops};
use crate::random::Rng;

const OPERATIONS: usize = 14;
/// The strongest of the strengths, which count from 0.
pub const STRONGEST: usize = 30;

/// What an operation does at full strength.
struct Space {
    shear: f32,
    /// The way of an image's height or width of so many pixels, in pixels.
    shift: fn(usize) -> f32,
    /// Degrees.
    turn: f32,
    /// The distance from 1 of the factor of brightness, contrast, saturation and sharpness.
    colour: f32,
    /// Bits of eight that are lost.
    posterize: f32,
}

const WIDE: Space = Space { shear: 0.99, shift: |_| 32.0, turn: 135.0, colour: 0.99, posterize: 6.0 };
const RAND: Space =
    Space { shear: 0.3, shift: |side| 150.0 / 331.0 * side as f32, turn: 30.0, colour: 0.9, posterize: 4.0 };

pub fn trivial_augment(image: &mut Image, geometry: &mut Geometry, rng: &mut Rng) {
    let operation = rng.below(OPERATIONS);
    let strength = rng.below(STRONGEST + 1);
    WIDE.apply(image, geometry, operation, strength, rng.chance(0.5));
}

/// `number` operations at `strength` of [`STRONGEST`].
pub fn rand_augment(image: &mut Image, geometry: &mut Geometry, number: usize, strength: usize, rng: &mut Rng) {
    for _ in 0..number {
        let operation = rng.below(OPERATIONS);
        RAND.apply(image, geometry, operation, strength, rng.chance(0.5));
    }
}

impl Space {
    /// Operation number `operation` at `strength` of [`STRONGEST`]; `forward` or the other way.
    fn apply(&self, image: &mut Image, geometry: &mut Geometry, operation: usize, strength: usize, forward: bool) {
        let strength = strength as f32 / STRONGEST as f32;
        let signed = if forward { strength } else { -strength };
        match operation {
            0 => {}
            1 => geometry.by_inverse(ops::shear(image, self.shear * signed, 0.0)),
            2 => geometry.by_inverse(ops::shear(image, 0.0, self.shear * signed)),
            3 | 4 => {
                let side = if operation == 3 { image.width } else { image.height };
                let by = ((self.shift)(side) * signed) as isize;
                let (down, right) = if operation == 3 { (0, by) } else { (by, 0) };
                ops::shift(image, down, right);
                geometry.shift(down, right);
            }
            5 => geometry.by_inverse(ops::rotate(image, self.turn * signed)),
            6 => ops::brightness(image, 1.0 + self.colour * signed),
            7 => ops::saturation(image, 1.0 + self.colour * signed),
            8 => ops::contrast(image, 1.0 + self.colour * signed),
            9 => ops::sharpness(image, 1.0 + self.colour * signed),
            10 => ops::posterize(image, (8.0 - self.posterize * strength).round_ties_even() as u32),
            11 => ops::solarize(image, 1.0 - strength),
            12 => ops::autocontrast(image),
            13 => ops::equalize(image),
            _ => unreachable!("there are {OPERATIONS} operations"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Rgb8;
    use crate::random::Purpose;
    use safetensors::SafeTensors;

    /// Made by `generate.py` beside it, with torchvision.
    const EXPECTED: &[u8] = include_bytes!("../../tests/augmentation_spaces/expected.safetensors");

    #[test]
    fn every_operation_is_torchvisions_at_its_strengths() {
        let expected = SafeTensors::deserialize(EXPECTED).unwrap();
        let source = expected.tensor("source").unwrap();
        let [height, width, _] = *source.shape() else { panic!("an image has three dimensions") };
        let mut seen = std::collections::BTreeSet::new();
        for (name, tensor) in expected.iter().filter(|(name, _)| *name != "source") {
            let [space, operation, strength, direction] = name.split('.').collect::<Vec<_>>()[..] else {
                panic!("{name} is not SPACE.OPERATION.STRENGTH.DIRECTION")
            };
            let space = if space == "wide" { &WIDE } else { &RAND };
            let (operation, strength) = (operation.parse().unwrap(), strength.parse().unwrap());
            let mut image = Image::default();
            image.load(Rgb8::new(source.data(), height, width));
            let mut geometry = Geometry::none(ops::Size { height, width });
            space.apply(&mut image, &mut geometry, operation, strength, direction == "1");
            let off = image.data.iter().zip(tensor.data()).map(|(a, b)| (a * 255.0 - f32::from(*b)).abs());
            // The expected values are rounded to whole numbers.
            let worst = off.fold(0.0, f32::max);
            assert!(worst < 0.52, "operation {name} (number, strength, direction) is off by {worst}/255");
            seen.insert((std::ptr::eq(space, &WIDE), operation));
        }
        assert_eq!(seen.len(), 2 * OPERATIONS);
    }

    /// How many of 200 images are changed; all must be images.
    fn changed(augment: impl Fn(&mut Image, &mut Geometry, &mut Rng)) -> usize {
        let mut original = Image::default();
        original.load(crate::augment::samples()[2].source());
        let changes = (0..200).filter(|&seed| {
            let mut image = original.clone();
            let mut geometry = Geometry::none(ops::Size { height: image.height, width: image.width });
            augment(&mut image, &mut geometry, &mut Rng::new(seed, Purpose::View, &[]));
            assert!(image.data.iter().all(|v| (0.0..=1.0).contains(v)));
            image != original
        });
        changes.count()
    }

    #[test]
    fn operations_are_drawn_and_the_result_is_an_image() {
        // All but the identity, and strength 0 of most: about 180.
        let trivial = changed(trivial_augment);
        assert!((160..200).contains(&trivial), "{trivial}");
        // Identity twice is one in 196.
        let rand = changed(|image, geometry, rng| rand_augment(image, geometry, 2, 9, rng));
        assert!((185..=200).contains(&rand), "{rand}");
        assert_eq!(changed(|image, geometry, rng| rand_augment(image, geometry, 0, 9, rng)), 0);
    }
}
