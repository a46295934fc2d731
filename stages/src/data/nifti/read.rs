//! A NIfTI-1 volume in the order in which people speak of a head: right, anterior, superior.

use super::orientation::Orientation;
use anyhow::{Context as _, Result, anyhow, ensure};
use flate2::read::MultiGzDecoder;
use nifti::{InMemNiftiVolume, NiftiHeader, RandomAccessNiftiVolume};
use rayon::prelude::*;
use std::io::Read;
use std::path::Path;

#[derive(Debug)]
pub struct Volume {
    /// Voxels from left to right, from back to front, from below to above.
    pub shape: [usize; 3],
    /// Millimetres from one to the next, in the same order.
    pub spacing: [f32; 3],
    /// Where the voxels at the corners lie, in millimetres, the first voxel first.
    pub corners: [[f32; 3]; 8],
    /// Scaled as the header says; the voxel `x, y, z` stands at `x + width * (y + depth * z)`.
    pub values: Vec<f32>,
    /// What a person should know of how it was read, of volumes that ...
    pub remark: Option<&'static str>,
}

/// By how much a voxel may be longer than it is wide.
const MOST_STRETCHED: f32 = 50.0;

impl Volume {
    pub fn read(path: &Path) -> Result<Self> {
        let file = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let (mut header, raw) = parts(file).with_context(|| {
            format!("{} is damaged, or no NIfTI-1 file (`.nii`, or `.nii.gz` packed by gzip)", path.display())
        })?;
        // Some write down that there is no scale as one that is no number.
        if !header.scl_slope.is_finite() {
            header.scl_slope = 0.0;
        }
        Self::of(&header, raw).with_context(|| format!("{} cannot be used", path.display()))
    }

    fn of(header: &NiftiHeader, raw: Vec<u8>) -> Result<Self> {
        let lengths = header.dim()?;
        ensure!(
            lengths.len() >= 3 && lengths[3..].iter().all(|&length| length == 1),
            "it is {lengths:?}, expected one volume of three dimensions: write each point of time or channel to a file of its own"
        );
        let kind = header.data_type()?;
        ensure!(
            usize::from(header.bitpix.unsigned_abs()) == 8 * kind.size_of(),
            "its header says {} bits a voxel, and {kind:?} has {}",
            header.bitpix,
            8 * kind.size_of()
        );
        let stored = [lengths[0], lengths[1], lengths[2]];
        let orientation = Orientation::of(header)?;
        let volume = InMemNiftiVolume::from_raw_data(header, raw)?;
        let shape = orientation.turned(stored.map(usize::from));
        let spacing = orientation.spacing;
        let is_stretched = spacing.iter().any(|long| spacing.iter().any(|short| *long > MOST_STRETCHED * short));
        ensure!(
            !is_stretched,
            "its voxels have {spacing:?} mm, expected none {MOST_STRETCHED} times as long as it is wide"
        );
        // Coordinates that follow the three say which point of time, of which there is one.
        let mut place = vec![0; lengths.len()];
        let mut values = Vec::with_capacity(shape.iter().product());
        for z in 0..shape[2] {
            for y in 0..shape[1] {
                for x in 0..shape[0] {
                    place[..3].copy_from_slice(&orientation.stored_at([x, y, z], shape));
                    values.push(volume.get_f32(&place).with_context(|| format!("voxels are {kind:?}"))?);
                }
            }
        }
        let is_whole = values.iter().all(|value| value.is_finite());
        let remark =
            orientation.remark.or((!is_whole).then_some("have voxels that are no numbers, which are black here"));
        Ok(Self { shape, spacing, corners: orientation.corners(shape), values, remark })
    }

    /// As bytes: 0 what is at or below the percentile .5 of all values that are not 0, 255 what is at or above that of 99.5. What is no
    /// number is 0.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        let mut seen: Vec<f32> =
            self.values.iter().copied().filter(|value| value.is_finite() && *value != 0.0).collect();
        ensure!(self.values.iter().any(|value| value.is_finite()), "none of its voxels is a number");
        ensure!(!seen.is_empty(), "all its voxels are 0");
        seen.par_sort_unstable_by(f32::total_cmp);
        let [low, high] = [0.005, 0.995].map(|share| quantile(&seen, share));
        let byte = |&value: &f32| {
            let share = (f64::from(value) - low) / (high - low);
            // Where there is one value only, it is light.
            if high > low { (share * 255.0).round() as u8 } else { 255 * u8::from(f64::from(value) >= high) }
        };
        Ok(self.values.par_iter().map(byte).collect())
    }
}

/// A file's header, and what follows where that says that the voxels begin: behind extensions, and whatever else there is. The whole of
/// what is packed is unpacked, and with it its checksum is looked at.
fn parts(file: Vec<u8>) -> Result<(NiftiHeader, Vec<u8>)> {
    const GZIP: [u8; 2] = [0x1f, 0x8b];
    const IN_ONE_FILE: &[u8; 4] = b"n+1\0";
    const FIRST: usize = 352;
    let mut bytes = file;
    if bytes.starts_with(&GZIP) {
        let mut unpacked = vec![];
        MultiGzDecoder::new(&bytes[..]).read_to_end(&mut unpacked)?;
        bytes = unpacked;
    }
    // The crate's own words are for programmers.
    let header =
        NiftiHeader::from_reader(&bytes[..]).map_err(|_| anyhow!("it does not begin with NIfTI-1's header"))?;
    ensure!(
        &header.magic == IN_ONE_FILE,
        "its voxels are in another file (`.hdr` and `.img`): write them as one `.nii`"
    );
    let begin = (header.vox_offset as usize).max(FIRST);
    let length =
        header.dim()?.iter().try_fold(header.data_type()?.size_of(), |length, &side| length.checked_mul(side.into()));
    let end = length.and_then(|length| begin.checked_add(length)).filter(|&end| end <= bytes.len());
    let end = end.with_context(|| {
        format!("it has {} bytes, and its header tells of {:?} voxels from byte {begin} on", bytes.len(), header.dim)
    })?;
    bytes.truncate(end);
    bytes.drain(..begin);
    Ok((header, bytes))
}

/// Of ascending values, linear between two, as numpy has it.
fn quantile(ascending: &[f32], share: f64) -> f64 {
    let place = share * (ascending.len() - 1) as f64;
    let [low, high] = [place.floor(), place.ceil()].map(|place| f64::from(ascending[place as usize]));
    low + (high - low) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src/data/nifti/fixture/orientation").join(name)
    }

    /// At x, y, z the fixtures are 100 x + 10 y + z + 1.
    fn places() -> Vec<f32> {
        let at = |place: usize| 100 * (place % 4) + 10 * (place / 4 % 3) + place / 12 + 1;
        (0..60).map(|place| at(place) as f32).collect()
    }

    /// However nibabel wrote it: in any order of axes, by sform or qform, scaled, in any number format and order of bytes.
    #[test]
    fn a_volume_is_read_as_it_lies_in_the_head() {
        for (name, spacing, remark) in [
            ("ras.nii.gz", [1.0; 3], None),
            ("lps.nii.gz", [1.0; 3], None),
            ("ipr.nii", [1.0, 2.0, 3.0], None),
            ("scaled.nii", [1.0; 3], None),
            ("big_endian.nii", [1.0; 3], None),
            ("oblique.nii.gz", [1.0, 1.0, 2.0], Some("oblique")),
            ("neither.nii", [1.0; 3], Some("nothing of their orientation")),
        ] {
            let volume = Volume::read(&fixture(name)).unwrap();
            assert_eq!((volume.shape, volume.values), ([4, 3, 5], places()), "{name}");
            assert!(volume.spacing.iter().zip(spacing).all(|(found, expected)| (found - expected).abs() < 1e-5));
            assert_eq!(volume.remark.is_some(), remark.is_some(), "{name}: {:?}", volume.remark);
            assert!(volume.remark.unwrap_or_default().contains(remark.unwrap_or_default()), "{:?}", volume.remark);
            let [first, .., last] = volume.corners;
            let is_at_0 = first.iter().all(|start| start.abs() < 1e-4);
            let ends = [3.0, 2.0, 4.0].iter().zip(spacing).zip(last).all(|((n, mm), end)| (n * mm - end).abs() < 1e-4);
            assert!(is_at_0 && ends || remark.is_some(), "{name}: {:?}", volume.corners);
        }
    }

    /// Whatever lies between header and voxels, and behind them.
    #[test]
    fn voxels_begin_where_the_header_says() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.nii");
        let mut bytes = std::fs::read(fixture("scaled.nii")).unwrap();
        bytes[108..112].copy_from_slice(&368f32.to_le_bytes());
        bytes.splice(352..352, [7; 16]);
        bytes.extend([9; 5]);
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(Volume::read(&file).unwrap().values, places());
    }

    /// In the checksum at the end, and in what it is of.
    #[test]
    fn what_was_packed_and_has_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.nii.gz");
        let packed = std::fs::read(fixture("ras.nii.gz")).unwrap();
        let mut other = packed.clone();
        let crc = packed.len() - 8;
        other[crc] ^= 1;
        std::fs::write(&file, other).unwrap();
        let error = format!("{:#}", Volume::read(&file).unwrap_err());
        assert!(error.contains("is damaged, or no NIfTI-1 file"), "{error}");
    }

    #[test]
    fn what_is_no_volume_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let whole = std::fs::read(fixture("scaled.nii")).unwrap();
        let refused = |bytes: &[u8]| {
            let file = folder.path().join("a.nii");
            std::fs::write(&file, bytes).unwrap();
            let error = format!("{:#}", Volume::read(&file).unwrap_err());
            assert!(error.starts_with(&file.display().to_string()), "{error}");
            error
        };
        let changed = |place: usize, bytes: &[u8]| {
            let mut file = whole.clone();
            file[place..place + bytes.len()].copy_from_slice(bytes);
            refused(&file)
        };
        assert!(refused(&whole[..whole.len() - 2]).contains("is damaged, or no NIfTI-1 file"));
        assert!(refused(b"Pictures of a head").contains("is damaged, or no NIfTI-1 file"));
        // The numbers of dimensions and of voxels along the second and the fourth, the bits of a voxel, its kind, and the first row of sform.
        let two = [4u8, 0, 2, 0, 3, 0, 5, 0, 2, 0];
        assert!(changed(40, &two).contains("it is [2, 3, 5, 2], expected one volume of three dimensions"));
        assert!(changed(72, &[8, 0]).contains("8 bits a voxel, and Int16 has 16"));
        assert!(changed(280, &[0; 12]).contains("sform"));
        assert!(changed(280, &f32::NAN.to_le_bytes()).contains("sform"));
        assert!(changed(280, &1000f32.to_le_bytes()).contains("times as long as it is wide"));
    }

    #[test]
    fn voxels_that_are_no_numbers_are_told() {
        let place = tempfile::tempdir().unwrap();
        let mut bytes = std::fs::read(fixture("ipr.nii")).unwrap();
        let last = bytes.len() - 8;
        bytes[last..].copy_from_slice(&f64::NAN.to_le_bytes());
        std::fs::write(place.path().join("a.nii"), bytes).unwrap();
        let volume = Volume::read(&place.path().join("a.nii")).unwrap();
        assert_eq!(volume.remark, Some("have voxels that are no numbers, which are black here"));
    }

    /// numpy.percentile([1, ..., 60 times 2, ...], [.5, 99.5]) of what is not 0.
    #[test]
    fn light_is_what_is_light_in_its_own_volume() {
        let volume = |values: Vec<f32>| Volume {
            shape: [values.len(), 1, 1],
            spacing: [1.0; 3],
            corners: [[0.0; 3]; 8],
            values,
            remark: None,
        };
        let bytes = volume((0..=1000).map(|value| value as f32).chain([f32::NAN]).collect()).bytes().unwrap();
        // Of 1 to 1000 they are 5.995 and 995.005.
        assert_eq!([bytes[0], bytes[5], bytes[6], bytes[996], bytes[1000], bytes[1001]], [0, 0, 0, 255, 255, 0]);
        assert_eq!([bytes[500], bytes[8], bytes[250]], [127, 1, 63]);
        assert_eq!(volume(vec![0.0, 7.0, 7.0]).bytes().unwrap(), [0, 255, 255]);
        assert_eq!(volume(vec![0.0; 4]).bytes().unwrap_err().to_string(), "all its voxels are 0");
    }
}
