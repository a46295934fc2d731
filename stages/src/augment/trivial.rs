//! TrivialAugment (Müller & Hutter 2021, arXiv:2103.10158, algorithm 1), with the wide space of operations and strengths
//! (section 3, table 1) as torchvision's `TrivialAugmentWide` has it: one operation of fourteen, all as likely, at one of 31
//! strengths, in either direction where there are two.

use super::{Image, ops};
use crate::random::Rng;

const OPERATIONS: usize = 14;
const STRENGTHS: usize = 31;

pub fn apply(image: &mut Image, rng: &mut Rng) {
    let operation = rng.below(OPERATIONS);
    let strength = rng.below(STRENGTHS) as f32 / (STRENGTHS - 1) as f32;
    let direction = if rng.chance(0.5) { 1.0 } else { -1.0 };
    apply_one(image, operation, strength, direction * strength);
}

/// Operation number `operation` at a strength from 0 to 1; `signed` is the strength with its direction.
fn apply_one(image: &mut Image, operation: usize, strength: f32, signed: f32) {
    match operation {
        0 => {}
        1 => ops::shear(image, 0.99 * signed, 0.0),
        2 => ops::shear(image, 0.0, 0.99 * signed),
        3 => ops::shift(image, 0, (32.0 * signed) as isize),
        4 => ops::shift(image, (32.0 * signed) as isize, 0),
        5 => ops::rotate(image, 135.0 * signed),
        6 => ops::brightness(image, 1.0 + 0.99 * signed),
        7 => ops::saturation(image, 1.0 + 0.99 * signed),
        8 => ops::contrast(image, 1.0 + 0.99 * signed),
        9 => ops::sharpness(image, 1.0 + 0.99 * signed),
        10 => ops::posterize(image, (8.0 - 6.0 * strength).round_ties_even() as u32),
        11 => ops::solarize(image, 1.0 - strength),
        12 => ops::autocontrast(image),
        13 => ops::equalize(image),
        _ => unreachable!("there are {OPERATIONS} operations"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::Rgb8;
    use crate::random::Purpose;
    use safetensors::SafeTensors;

    /// Made by `generate.py` beside it, with torchvision.
    const EXPECTED: &[u8] = include_bytes!("../../tests/trivial_augment/expected.safetensors");

    #[test]
    fn every_operation_is_torchvisions_at_its_strengths() {
        let expected = SafeTensors::deserialize(EXPECTED).unwrap();
        let source = expected.tensor("source").unwrap();
        let [height, width, _] = *source.shape() else { panic!("an image has three dimensions") };
        let mut seen = [false; OPERATIONS];
        for (name, tensor) in expected.iter().filter(|(name, _)| *name != "source") {
            let numbers: Vec<i32> = name.split('.').map(|part| part.parse().unwrap()).collect();
            let strength = numbers[1] as f32 / (STRENGTHS - 1) as f32;
            let mut image = Image::default();
            image.load(Rgb8::new(source.data(), height, width));
            apply_one(&mut image, numbers[0] as usize, strength, numbers[2] as f32 * strength);
            let off = image.data.iter().zip(tensor.data()).map(|(a, b)| (a * 255.0 - f32::from(*b)).abs());
            // The expected values are rounded to whole numbers.
            let worst = off.fold(0.0, f32::max);
            assert!(worst < 0.52, "operation {name} (number, strength, direction) is off by {worst}/255");
            seen[numbers[0] as usize] = true;
        }
        assert_eq!(seen, [true; OPERATIONS]);
    }

    #[test]
    fn operations_are_drawn_and_the_result_is_an_image() {
        let sample = &crate::augment::samples()[2];
        let (mut original, mut changed) = (Image::default(), 0);
        original.load(sample.source());
        for seed in 0..200 {
            let mut image = original.clone();
            apply(&mut image, &mut Rng::new(seed, Purpose::View, &[]));
            assert!(image.data.iter().all(|v| (0.0..=1.0).contains(v)));
            changed += usize::from(image != original);
        }
        // All but the identity, and strength 0 of most: about 180.
        assert!((160..200).contains(&changed), "{changed}");
    }
}
