//! Of boxes that say the same thing, the surest.

/// Whether what one box holds is of the same thing as what another does: `f32`, operation by operation as torchvision's `nms`.
fn iou(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let area = |[left, top, right, bottom]: &[f32; 4]| (right - left) * (bottom - top);
    let along = |axis: usize| (a[axis + 2].min(b[axis + 2]) - a[axis].max(b[axis])).max(0.0);
    let both = along(0) * along(1);
    both / (area(a) + area(b) - both)
}

/// Non-maximum suppression: the places of the boxes `[left, top, right, bottom]` that are kept, the surest first. One is dropped that
/// overlaps a surer one that is kept, by an intersection over union of more than `most`, if the two are of one class.
///
/// # Panics
/// Where a score is not a number.
pub fn nms(boxes: &[[f32; 4]], scores: &[f32], classes: &[usize], most: f32) -> Vec<usize> {
    let mut order: Vec<usize> = (0..boxes.len()).collect();
    order.sort_by(|&a, &b| scores[b].partial_cmp(&scores[a]).expect("a score is a number"));
    let mut kept: Vec<usize> = vec![];
    for place in order {
        let is_said = |&surer: &usize| classes[surer] == classes[place] && iou(&boxes[surer], &boxes[place]) > most;
        if !kept.iter().any(is_said) {
            kept.push(place);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_is_dropped_for_a_surer_one_of_its_class_only() {
        let boxes = [[0.0, 0.0, 10.0, 10.0], [1.0, 0.0, 11.0, 10.0], [0.0, 1.0, 10.0, 11.0], [20.0, 0.0, 30.0, 10.0]];
        let scores = [0.5, 0.9, 0.7, 0.9];
        assert_eq!(nms(&boxes, &scores, &[0, 0, 1, 0], 0.5), [1, 3, 2]);
        assert_eq!(nms(&boxes, &scores, &[0; 4], 0.5), [1, 3]);
        assert_eq!(nms(&boxes, &scores, &[0; 4], 0.9), [1, 3, 2, 0], "an overlap of .82 is let pass");
        assert!(nms(&[], &[], &[], 0.5).is_empty());
    }
}
