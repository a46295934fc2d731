mod torchvision;

use super::*;
use crate::augment::{Image, MultiCropViews, Operation, Policy, Rgb8, SimClrViews, StandardViews, ViewKey};

/// A picture whose bytes say which region of four its place is in.
const SIDE: usize = 24;

fn regions() -> Vec<u8> {
    (0..SIDE * SIDE).map(|place| (place / SIDE * 3 / SIDE + 3 * (place % SIDE * 2 / SIDE)) as u8).collect()
}

/// Every operation that moves places.
fn policies() -> Vec<Policy> {
    let crop = |size| Operation::RandomResizedCrop { scale: [0.2, 1.0], ratio: [0.7, 1.4], size };
    vec![
        Policy::Operations(vec![crop(Some(33)), Operation::HorizontalFlip { p: 0.5 }]),
        Policy::Operations(vec![
            Operation::HorizontalFlip { p: 0.5 },
            crop(None),
            Operation::RandomCrop { padding: 6 },
        ]),
        Policy::Operations(vec![Operation::TrivialAugment]),
        Policy::Operations(vec![Operation::RandAugment { number: 2, strength: 9 }]),
        StandardViews::default_policy(),
        SimClrViews::default_policy(),
        MultiCropViews::default_policy(),
    ]
}

/// The mask moved, beside the picture moved, whose values are the mask's: they agree but for borders of regions, where values are
/// blended over as many places as a pixel of the picture has become.
#[test]
fn a_mask_goes_where_its_picture_goes() {
    const REACH: isize = 6;
    let mask = regions();
    let picture: Vec<u8> = mask.iter().flat_map(|&region| [40 * region; 3]).collect();
    let mut compared = 0;
    for policy in &policies()[..2] {
        for image in 0..200 {
            let mut view = Image::default();
            let place = ViewKey { seed: 3, epoch: 0, image, view: 0 };
            let moved = policy.apply(Rgb8::new(&picture, SIDE, SIDE), place, &mut view).mask(&mask);
            assert_eq!(moved.len(), view.height * view.width);
            let at = |x: isize, y: isize| {
                let is_inside = (0..view.width as isize).contains(&x) && (0..view.height as isize).contains(&y);
                is_inside.then(|| moved[y as usize * view.width + x as usize])
            };
            for (place, (&region, value)) in moved.iter().zip(view.planes()[0]).enumerate() {
                let [x, y] = [(place % view.width) as isize, (place / view.width) as isize];
                let mut around = (-REACH..=REACH).flat_map(|dy| (-REACH..=REACH).map(move |dx| (x + dx, y + dy)));
                if around.all(|(x, y)| at(x, y) == Some(region)) {
                    let expected = if region == OUTSIDE { 0.0 } else { f32::from(40 * region) / 255.0 };
                    assert!((value - expected).abs() < 1e-4, "{value} where the mask says {region}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 5_000, "{compared}");
}

/// One that a later turn would give a width again.
#[test]
fn a_box_that_has_left_the_picture_is_gone() {
    let size = Size { height: 32, width: 32 };
    let block = Region { class: 0, edges: [4.0, 4.0, 20.0, 20.0] };
    let turned = |right: isize| {
        let mut geometry = Geometry::none(size);
        geometry.shift(0, right);
        let half = 0.5f64.sqrt();
        geometry.by_inverse(Affine([[half, -half, 16.0], [half, half, -6.6]]));
        geometry.boxes(&[block]).len()
    };
    assert_eq!([turned(0), turned(40)], [1, 0]);
}

/// A box around a block of a mask is around that block in the view.
#[test]
fn a_box_goes_where_its_mask_goes() {
    let block = Region { class: 2, edges: [6.0, 9.0, 15.0, 20.0] };
    let inside = |x: usize, y: usize| (6..15).contains(&x) && (9..20).contains(&y);
    let mask: Vec<u8> = (0..SIDE * SIDE).map(|place| u8::from(inside(place % SIDE, place / SIDE))).collect();
    let picture = vec![100; SIDE * SIDE * 3];
    let mut seen = 0;
    for (number, policy) in policies().into_iter().enumerate() {
        let is_slanted = number == 2 || number == 3;
        for (image, view) in (0..60).flat_map(|image| [(image, 0), (image, 1)]) {
            let mut shown = Image::default();
            let geometry =
                policy.apply(Rgb8::new(&picture, SIDE, SIDE), ViewKey { seed: 5, epoch: 1, image, view }, &mut shown);
            let width = shown.width;
            let moved = geometry.mask(&mask);
            let places: Vec<[usize; 2]> =
                (0..moved.len()).filter(|&at| moved[at] == 1).map(|at| [at % width, at / width]).collect();
            let [region] = geometry.boxes(&[block])[..] else {
                let sides = [0, 1]
                    .map(|axis| places.iter().map(|place| place[axis]).collect::<std::collections::BTreeSet<_>>());
                assert!(sides.iter().any(|side| side.len() <= 1), "a box of {sides:?} was lost");
                continue;
            };
            assert_eq!(region.class, 2);
            for axis in [0, 1] {
                let low = places.iter().map(|place| place[axis]).min().unwrap_or(0) as f32;
                let high = places.iter().map(|place| place[axis] + 1).max().unwrap_or(0) as f32;
                if places.is_empty() {
                    continue;
                }
                // A slanted block's box is wider than what of it is inside.
                let off = [low - region.edges[axis], region.edges[axis + 2] - high];
                let most = if is_slanted { f32::INFINITY } else { 1.5 };
                assert!(
                    off.iter().all(|off| (-1.5..=most).contains(off)),
                    "{region:?}, {low} to {high} on axis {axis}"
                );
            }
            seen += 1;
        }
    }
    assert!(seen > 400, "{seen}");
}
