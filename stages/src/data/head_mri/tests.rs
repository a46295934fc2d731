use super::super::dataset::Dataset;
use super::super::fetched::write_stand_in;
use super::subject::HUMAN;
use super::*;
use pretext_protocol::Run;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

const PLANE: usize = 217 * 181;

/// A head whose slices say which they are: brain from 10 to 160 along every axis, whose regions go through all numbers.
fn slice(number: usize) -> (u8, Vec<u8>) {
    let inside = |place: usize| (10..160).contains(&place);
    let voxel = |place: usize| {
        let (x, y) = (place % 181, place / 181);
        let is_brain = inside(x) && inside(y) && inside(number);
        [number as u8, if is_brain { (x * y % 117) as u8 } else { 0 }, u8::from(is_brain)]
    };
    (0, (0..PLANE).flat_map(voxel).collect())
}

/// With that head in its cache.
fn run_in(place: &Path) -> Run {
    let run = Run::in_folder("data/head_mri", serde_json::Map::new(), &[], place).unwrap();
    if !run.cache.join(HUMAN.cache).exists() {
        write_stand_in(&HUMAN, &run.cache, slice);
    }
    run
}

fn made(place: &Path, params: Params) -> Result<PathBuf> {
    let run = run_in(place);
    let heard = Mutex::new(Vec::<u8>::new());
    HeadMri::run(params, &Context::new(&run, &heard, &|| false).unwrap())?;
    Ok(run.out.join("dataset"))
}

/// Told by the slices themselves: their intensities are their numbers.
#[test]
fn ten_millimetres_are_between_any_two_splits() {
    let place = tempfile::tempdir().unwrap();
    for regions in [Regions::Lobes, Regions::Brain] {
        let folder = made(place.path(), Params { size: 217, regions, ..Params::default() }).unwrap();
        let data = Dataset::open(&folder).unwrap();
        assert_eq!(data.manifest.classes.len(), if regions == Regions::Lobes { 7 } else { 1 });
        assert_eq!(Split::ALL.map(|split| data.len(split)), [42, 12, 15, 0]);
        let splits = Split::LABELLED.into_iter().flat_map(|split| data.rows(split).map(move |row| (row, split)));
        let of_slice: BTreeMap<u8, Split> =
            splits.map(|(row, split)| (data.image(row)[108 * 217 + 108], split)).collect();
        assert_eq!(of_slice.len(), 69, "no slice is twice there");
        let neighbours = of_slice.iter().zip(of_slice.iter().skip(1));
        let gaps: Vec<u8> = neighbours.filter(|(a, b)| a.1 != b.1).map(|(a, b)| b.0 - a.0 - 1).collect();
        assert_eq!(gaps, [10; 8]);
        let within: Vec<u8> = of_slice.keys().copied().collect();
        assert!(within[0] == 10 && within[within.len() - 1] < 160, "{within:?}");
    }
}

/// What lies as far to the left of the middle as something to the right looks like it. The phantom's brain is not in the middle of its volume.
#[test]
fn both_halves_of_a_brain_are_in_one_split() {
    let place = tempfile::tempdir().unwrap();
    let run = run_in(place.path());
    let heard = Mutex::new(Vec::<u8>::new());
    let head = Subject::Human.open(&Context::new(&run, &heard, &|| false).unwrap()).unwrap();
    let slices = Slices { axis: Axis::Sagittal, shape: head.shape, spacing: [head.spacing; 3] };
    let rows = split_slices(&head, &slices, Subject::Human);
    let middle = |number: usize| (number as f32 - (10.0 + 159.0) / 2.0).abs();
    assert!(rows.iter().any(|&(split, number)| split == Split::Test && number < 84));
    for &(split, number) in &rows {
        let others = rows.iter().filter(|(other, _)| *other != split);
        let nearest = others.map(|&(_, other)| (middle(number) - middle(other)).abs()).fold(f32::MAX, f32::min);
        assert!(nearest >= GAP, "slice {number} is {nearest} mm from one of another split, or from what mirrors it");
    }
}

/// Of both heads, by the thickness of their slices.
#[test]
fn slabs_are_apart_by_their_gap_whatever_the_voxels_are() {
    // Of the sagittal axis as many slices as one half of the brain has.
    for (subject, axis, spacing, slices) in [
        (Subject::Human, Axis::Axial, 1.0, 180),
        (Subject::Macaque, Axis::Axial, 0.5, 155),
        (Subject::Human, Axis::Sagittal, 1.0, 72),
        (Subject::Macaque, Axis::Sagittal, 0.5, 61),
    ] {
        let split_of: Vec<Option<Split>> =
            (0..slices).map(|number| split_at(subject, axis, number as f32 * spacing)).collect();
        let runs: Vec<(Option<Split>, usize)> =
            split_of.chunk_by(|a, b| a == b).map(|run| (run[0], run.len())).collect();
        for around in runs.windows(3).filter(|around| around[1].0.is_none()) {
            assert_ne!(around[0].0, around[2].0, "{subject:?}");
            assert_eq!(around[1].1 as f32 * spacing, GAP, "{subject:?}");
        }
        let touch = runs.windows(2).any(|pair| pair[0].0.is_some() && pair[1].0.is_some());
        assert!(!touch && runs.len() > if axis == Axis::Sagittal { 4 } else { 6 }, "{runs:?}");
        assert!(Split::LABELLED.into_iter().all(|split| split_of.contains(&Some(split))), "{subject:?}");
    }
}

/// Names as `aal.nii.txt` has them beside their numbers.
#[test]
fn regions_are_joined_to_lobes() {
    let named = |region: u8| lobe(region).checked_sub(1).map(|place| LOBES[usize::from(place)].0);
    for (region, name, expected) in [
        (1, "Precentral_L", "frontal"),
        (28, "Rectus_R", "frontal"),
        (29, "Insula_L", "limbic"),
        (42, "Amygdala_R", "limbic"),
        (43, "Calcarine_L", "occipital"),
        (54, "Occipital_Inf_R", "occipital"),
        (55, "Fusiform_L", "temporal"),
        (57, "Postcentral_L", "parietal"),
        (70, "Paracentral_Lobule_R", "parietal"),
        (71, "Caudate_L", "subcortical"),
        (78, "Thalamus_R", "subcortical"),
        (79, "Heschl_L", "temporal"),
        (90, "Temporal_Inf_R", "temporal"),
        (91, "Cerebelum_Crus1_L", "cerebellum"),
        (116, "Vermis_10", "cerebellum"),
    ] {
        assert_eq!(named(region), Some(expected), "{name}");
    }
    assert!((1..=116).all(|region| named(region).is_some()) && named(0).is_none() && named(117).is_none());
}

#[test]
fn of_a_macaque_lobes_are_not_told() {
    let place = tempfile::tempdir().unwrap();
    let error = made(place.path(), Params { subject: Subject::Macaque, ..Params::default() }).unwrap_err().to_string();
    assert_eq!(error, "regions is lobes, and of the macaque only brain is told: write `regions: brain`");
}
