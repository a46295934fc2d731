//! Which voxel of a file lies where in the head: by the header's sform, or else its qform (nifti1.h, methods 3 and 2).

use anyhow::{Result, ensure};
use nifti::NiftiHeader;

#[derive(Debug)]
pub struct Orientation {
    /// Of right, anterior and superior: the axis of the file that is nearest to it.
    axes: [usize; 3],
    /// Whether that goes the other way.
    flips: [bool; 3],
    /// Millimetres, of right, anterior and superior.
    pub spacing: [f32; 3],
    /// From a voxel of the file to millimetres.
    affine: [[f32; 4]; 3],
    /// What a person should know of it, of volumes that ...
    pub remark: Option<&'static str>,
}

/// The cosine of 5 degrees: what is turned by less is as good as straight.
const STRAIGHT: f32 = 0.9962;

impl Orientation {
    pub fn of(header: &NiftiHeader) -> Result<Self> {
        let (form, affine) = affine(header);
        // Of each axis of the file, the direction in the head.
        let lengths = [0, 1, 2].map(|axis| affine.iter().map(|row| row[axis] * row[axis]).sum::<f32>().sqrt());
        ensure!(
            lengths.iter().all(|length| length.is_finite() && *length > 0.0),
            "its {form} gives its voxels {lengths:?} mm, expected lengths above 0"
        );
        let cosine = |direction: usize, axis: usize| affine[direction][axis] / lengths[axis];
        let nearness = |axes: &[usize; 3]| -> f32 { (0..3).map(|to| cosine(to, axes[to]).abs()).sum() };
        const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
        let nearest = |best: [usize; 3], axes| if nearness(&axes) > nearness(&best) { axes } else { best };
        let axes = ORDERS.into_iter().fold(ORDERS[0], nearest);
        let along = [0, 1, 2].map(|to| cosine(to, axes[to]));
        let remark = match form {
            _ if along.iter().any(|along| along.abs() < STRAIGHT) => {
                Some("are oblique, and taken as if along the nearest axes")
            }
            "pixdim" => Some("say nothing of their orientation, and are taken as right, anterior, superior"),
            _ => None,
        };
        let flips = along.map(|along| along < 0.0);
        Ok(Self { axes, flips, spacing: axes.map(|axis| lengths[axis]), affine, remark })
    }

    /// How many voxels there are to the right, to the front and upwards, of those along the file's axes.
    pub fn turned(&self, stored: [usize; 3]) -> [usize; 3] {
        self.axes.map(|axis| stored[axis])
    }

    /// Where in the file a voxel is.
    pub fn stored_at(&self, place: [usize; 3], shape: [usize; 3]) -> [u16; 3] {
        let mut stored = [0; 3];
        for to in 0..3 {
            let along = if self.flips[to] { shape[to] - 1 - place[to] } else { place[to] };
            stored[self.axes[to]] = along as u16;
        }
        stored
    }

    /// Where the voxels at the corners lie in the head, in millimetres, the first voxel first.
    pub fn corners(&self, shape: [usize; 3]) -> [[f32; 3]; 8] {
        std::array::from_fn(|corner| {
            let place = [0, 1, 2].map(|to| if corner >> to & 1 == 1 { shape[to] - 1 } else { 0 });
            let [i, j, k] = self.stored_at(place, shape).map(f32::from);
            self.affine.map(|[x, y, z, start]| x * i + y * j + z * k + start)
        })
    }
}

/// From a voxel's place in the file to millimetres to the right, to the front and upwards; and what of the header says so.
fn affine(header: &NiftiHeader) -> (&'static str, [[f32; 4]; 3]) {
    let [_, across, down, deep, ..] = header.pixdim;
    if header.sform_code > 0 {
        ("sform", [header.srow_x, header.srow_y, header.srow_z])
    } else if header.qform_code > 0 {
        ("qform", of_quaternion(header, [across, down, deep]))
    } else {
        ("pixdim", [[across, 0.0, 0.0, 0.0], [0.0, down, 0.0, 0.0], [0.0, 0.0, deep, 0.0]])
    }
}

/// The matrix of a unit quaternion (nifti1.h, "QUATERNION REPRESENTATION OF ROTATION MATRIX"), whose first number is not written: where it is
/// no larger than float32's rounding of the others, it is half a turn, as in nifti1_io.c.
fn of_quaternion(header: &NiftiHeader, spacing: [f32; 3]) -> [[f32; 4]; 3] {
    const HALF_A_TURN: f64 = 1e-7;
    let written = [header.quatern_b, header.quatern_c, header.quatern_d].map(f64::from);
    let sum: f64 = written.iter().map(|part| part * part).sum();
    let (a, [b, c, d]) = if 1.0 - sum < HALF_A_TURN {
        (0.0, written.map(|part| part / sum.sqrt()))
    } else {
        ((1.0 - sum).sqrt(), written)
    };
    let turn = [
        [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
        [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
        [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ];
    // The first of `pixdim` says whether the third axis is mirrored.
    let mirror = if header.pixdim[0] < 0.0 { -1.0 } else { 1.0 };
    let start = [header.quatern_x, header.quatern_y, header.quatern_z];
    [0, 1, 2].map(|row: usize| {
        let [x, y, z] = turn[row].map(|cosine| cosine as f32);
        [x * spacing[0], y * spacing[1], z * spacing[2] * mirror, start[row]]
    })
}
