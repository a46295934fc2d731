//! Which slices of a head are in which split.

use super::super::dataset::Split;
use super::super::slices::Axis;
use super::Subject;

/// Millimetres between two splits that are in none: what lies beside a slice looks as it does.
pub const GAP: f32 = 10.0;

/// Thickness of the slabs that take turns, in millimetres. The human's were chosen so that all splits show all lobes along the axial and the
/// coronal axis; along the sagittal one, on which they count from the middle, only validation lacks one, the subcortical. Of the macaque
/// most is for the test, since it is a shift to judge by.
const HUMAN: [(Split, f32); 3] = [(Split::Train, 14.0), (Split::Test, 5.0), (Split::Validation, 4.0)];
const MACAQUE: [(Split, f32); 3] = [(Split::Train, 3.0), (Split::Test, 24.0), (Split::Validation, 3.0)];
/// Half of its brain, 30 mm, is no more than these and the gaps between them.
const MACAQUE_FROM_THE_MIDDLE: [(Split, f32); 3] = [(Split::Train, 3.0), (Split::Test, 4.0), (Split::Validation, 3.0)];

/// The split of the slice that begins so many millimetres from where the first slab does; `None` between two slabs.
pub fn split_at(subject: Subject, axis: Axis, along: f32) -> Option<Split> {
    let turn = match (subject, axis) {
        (Subject::Human, _) => HUMAN,
        (Subject::Macaque, Axis::Sagittal) => MACAQUE_FROM_THE_MIDDLE,
        (Subject::Macaque, _) => MACAQUE,
    };
    let mut left = along % turn.iter().map(|(_, thickness)| thickness + GAP).sum::<f32>();
    for (split, thickness) in turn {
        if left < thickness {
            return Some(split);
        }
        left -= thickness + GAP;
        if left < 0.0 {
            return None;
        }
    }
    None
}
