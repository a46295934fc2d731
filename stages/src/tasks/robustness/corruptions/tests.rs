use super::*;
use crate::nn::state;
use crate::random::Purpose;

/// Made by `generate.py` beside it, by scikit-image and PIL.
const EXPECTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/robustness/expected.safetensors");

fn named(name: &str) -> &'static Corruption {
    CORRUPTIONS.iter().find(|corruption| corruption.name() == name).unwrap()
}

fn rng() -> Rng {
    Rng::new(3, Purpose::Evaluate, &[7])
}

/// The largest and the mean difference of what a corruption makes of an image and what is expected, in steps of a byte, of all severities.
fn off(name: &str, expected: &str) -> [f32; 2] {
    let file = state::load(EXPECTED.as_ref()).unwrap();
    let flat = |name: &str| Vec::<f32>::try_from(&file[name].flatten(0, -1)).unwrap();
    let image: Vec<u8> = flat("image").iter().map(|&byte| byte as u8).collect();
    let of = |severity: usize| -> Vec<f32> {
        let made = named(name).of(&image, [24, 20, 3], severity, &mut rng());
        let expected = flat(&format!("{expected}.{}", SEVERITIES[severity]));
        assert_eq!(made.len(), expected.len());
        assert_ne!(made, image, "{name} changes something");
        made.iter().zip(expected).map(|(&made, expected)| (f32::from(made) - expected).abs()).collect()
    };
    let all: Vec<f32> = (0..SEVERITIES.len()).flat_map(of).collect();
    [all.iter().copied().fold(0.0, f32::max), all.iter().sum::<f32>() / all.len() as f32]
}

/// Theirs is not rounded yet.
#[test]
fn what_changes_values_by_a_formula_is_scikit_images() {
    for (name, expected) in [("gaussian_blur", "blur"), ("contrast", "contrast"), ("brightness", "brightness")] {
        let [most, _] = off(name, expected);
        assert!(most < 0.502, "{name}: {most}");
    }
}

/// PIL rounds when an image is smaller in one direction, and again when it is in the other.
#[test]
fn pixelated_images_are_pils() {
    let [most, mean] = off("pixelate", "pixelate");
    assert!(most <= 1.0 && mean < 0.2, "{most} {mean}");
}

/// Two encoders and decoders, which round differently.
#[test]
fn jpegs_are_pils() {
    let [most, mean] = off("jpeg", "jpeg");
    assert!(most <= 16.0 && mean < 0.6, "{most} {mean}");
}

/// What noise makes of an image of one value, in units of black to white.
fn of_flat(name: &str, value: u8, severity: usize) -> Vec<f64> {
    let made = named(name).of(&[value; 64 * 64 * 3], [64, 64, 3], severity, &mut rng());
    made.into_iter().map(|byte| f64::from(byte) / 255.0).collect()
}

fn moments(values: &[f64]) -> [f64; 2] {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    [mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64]
}

/// Four standard errors of 12,288 values, and what rounding to bytes adds.
#[test]
fn noise_has_its_deviation() {
    let grey = 102.0 / 255.0;
    for (severity, deviation) in [0.04f64, 0.08, 0.1].into_iter().enumerate() {
        let [mean, variance] = moments(&of_flat("gaussian_noise", 102, severity));
        assert!((mean - grey).abs() < 4.0 * deviation / 110.8, "{severity}: {mean}");
        assert!((variance.sqrt() / deviation - 1.0).abs() < 0.027, "{severity}: {variance}");
    }
    // A Poisson-distributed number varies by its mean.
    for (severity, events) in [500.0f64, 100.0, 50.0].into_iter().enumerate() {
        let [mean, variance] = moments(&of_flat("shot_noise", 102, severity));
        let deviation = (grey / events).sqrt();
        assert!((mean - grey).abs() < 4.0 * deviation / 110.8, "{severity}: {mean}");
        assert!((variance.sqrt() / deviation - 1.0).abs() < 0.03, "{severity}: {variance}");
    }
}

#[test]
fn a_count_has_its_probabilities_up_to_the_most() {
    let mut rng = rng();
    let mut counts = [0.0; 5];
    let draws = 40_000;
    (0..draws).for_each(|_| counts[poisson(1.5, 4.0, &mut rng) as usize] += 1.0 / f64::from(draws));
    // exp(-1.5) 1.5^n / n!; the last is all that is left.
    let expected = [0.22313016, 0.33469524, 0.25102143, 0.12551072, 0.06564245];
    assert!(counts.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 0.0095), "{counts:?}");
    assert_eq!([poisson(0.0, 50.0, &mut rng), poisson(50.0, 0.0, &mut rng)], [0.0, 0.0]);
}

#[test]
fn an_impulse_is_black_or_white() {
    for (severity, share) in [0.01, 0.03, 0.07].into_iter().enumerate() {
        let made = of_flat("impulse_noise", 102, severity);
        let is = |wanted: f64| made.iter().filter(|&&value| value == wanted).count() as f64 / made.len() as f64;
        let [black, white, kept] = [is(0.0), is(1.0), is(0.4)];
        assert_eq!(((black + white + kept) * made.len() as f64).round() as usize, made.len());
        // Four standard errors of each half.
        let error = 4.0 * (share / 2.0f64 / made.len() as f64).sqrt();
        assert!((black - share / 2.0).abs() < error && (white - share / 2.0).abs() < error, "{black} {white}");
    }
}

/// Of the plane itself, by the formulas.
#[test]
fn grey_images_are_corrupted_by_the_same_formulas() {
    let grey: Vec<u8> = (0..10 * 12).map(|place| (60 + place * 37 % 101) as u8).collect();
    let mean = grey.iter().map(|&value| f64::from(value)).sum::<f64>() / grey.len() as f64;
    let near = |name: &str, formula: &dyn Fn(f64) -> f64| {
        let made = named(name).of(&grey, [10, 12, 1], 1, &mut rng());
        let off = made.iter().zip(&grey).map(|(&made, &was)| (f64::from(made) - formula(f64::from(was))).abs());
        let off = off.fold(0.0, f64::max);
        assert!(off <= 0.51, "{name}: {off}");
    };
    near("contrast", &|value| (value - mean) * 0.4 + mean);
    near("brightness", &|value| (value + 0.15 * 255.0).min(255.0));
}

/// The first of the colours that a colour image of the same values has.
#[test]
fn grey_images_are_corrupted_alike() {
    let grey: Vec<u8> = (0..10 * 12).map(|place| (place * 37 % 251) as u8).collect();
    let colours: Vec<u8> = grey.iter().flat_map(|&value| [value; 3]).collect();
    for corruption in &CORRUPTIONS {
        let made = corruption.of(&grey, [10, 12, 1], 2, &mut rng());
        let coloured = corruption.of(&colours, [10, 12, 3], 2, &mut rng());
        assert_eq!(made, coloured.into_iter().step_by(3).collect::<Vec<_>>(), "{}", corruption.name());
        assert_ne!(made, grey, "{}", corruption.name());
    }
}

/// An image has its own noise, and more of the same at greater severities.
#[test]
fn what_is_drawn_does_not_depend_on_the_severity() {
    let [little, much] = [0, 2].map(|severity| of_flat("gaussian_noise", 102, severity));
    let same_side = little.iter().zip(&much).filter(|(a, b)| (**a - 0.4) * (**b - 0.4) >= 0.0).count();
    assert_eq!(same_side, little.len());
    let of = |severity: usize| named("impulse_noise").of(&[102; 3072], [32, 32, 3], severity, &mut rng());
    let [little, much] = [of(0), of(2)];
    assert!(little.iter().zip(&much).all(|(little, much)| *little == 102 || little == much));
}
