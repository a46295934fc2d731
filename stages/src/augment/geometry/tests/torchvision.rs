//! Masks and boxes beside torchvision's transforms v2. `generate.py` beside the file says which crops of its masks are compared, whose
//! nearest place is another than ours.

use super::*;
use crate::augment::ops;
use serde::Deserialize;

#[derive(Deserialize)]
struct Expected {
    /// A text a row, a digit a pixel and `.` outside.
    mask: Vec<String>,
    boxes: Vec<[f32; 4]>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    steps: Vec<(String, Vec<f32>)>,
    mask: Vec<String>,
    boxes: Vec<[f32; 4]>,
    /// Which of all boxes each is.
    of: Vec<i32>,
}

fn size(mask: &[String]) -> Size {
    Size { height: mask.len(), width: mask[0].len() }
}

/// The values of a mask.
fn values(mask: &[String]) -> Vec<u8> {
    let value = |letter: char| letter.to_digit(10).map_or(OUTSIDE, |digit| digit as u8);
    mask.iter().flat_map(|row| row.chars().map(value)).collect()
}

/// What an operation on images says of their places.
fn note(geometry: &mut Geometry, operation: &str, by: &[f32]) {
    let Size { height, width } = geometry.size();
    let image = &mut Image::black(height, width);
    match (operation, by) {
        ("crop", &[top, left, height, width, to_height, to_width]) => {
            let [top, left, height, width, to_height, to_width] =
                [top, left, height, width, to_height, to_width].map(|value| value as usize);
            geometry.crop(Crop { top, left, height, width }, Size { height: to_height, width: to_width });
        }
        ("shift" | "pad_crop", &[down, right]) => geometry.shift(down as isize, right as isize),
        ("flip", []) => geometry.flip(),
        ("rotate", &[degrees]) => geometry.by_inverse(ops::rotate(image, degrees)),
        ("shear", &[right, down]) => geometry.by_inverse(ops::shear(image, right, down)),
        other => panic!("nothing does {other:?}"),
    }
}

/// Masks are the same in every place. Boxes are upright ones around the turned, as torchvision's, which calculates in 32 bits: a
/// thousandth of a pixel is 500 times what those round away at 20 pixels.
#[test]
fn masks_and_boxes_go_where_torchvision_takes_them() {
    let expected: Expected = serde_json::from_str(include_str!("../../../../tests/geometry/expected.json")).unwrap();
    let numbered = expected.boxes.iter().zip(0..);
    let regions: Vec<Region> = numbered.map(|(&edges, class)| Region { class, edges }).collect();
    let mask = values(&expected.mask);
    let mut seen = std::collections::BTreeSet::new();
    for case in &expected.cases {
        let mut geometry = Geometry::none(size(&expected.mask));
        for (operation, by) in &case.steps {
            note(&mut geometry, operation, by);
            seen.insert(operation.as_str());
        }
        assert_eq!(geometry.size(), size(&case.mask), "{:?}", case.steps);
        assert!(geometry.mask(&mask) == values(&case.mask), "the mask after {:?}", case.steps);
        let boxes = geometry.boxes(&regions);
        let which: Vec<i32> = boxes.iter().map(|region| region.class).collect();
        assert_eq!(which, case.of, "the boxes that are left after {:?}", case.steps);
        for (region, expected) in boxes.iter().zip(&case.boxes) {
            let is_near = region.edges.iter().zip(expected).all(|(edge, expected)| (edge - expected).abs() < 1e-3);
            assert!(is_near, "{:?}: {region:?} in place of {expected:?}", case.steps);
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["crop", "flip", "pad_crop", "rotate", "shear", "shift"]);
}
