mod given_away;

use super::*;
use crate::data::Dataset;
use crate::data::emoji::SIDE;
use crate::data::fetched::{Fetched, write_stand_in};
use pretext_protocol::Run;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

const LABELS: usize = 162;

/// Stand-ins of one colour: photographs have no blue and drawings, which are opaque, all of it; red and green are a number.
fn cache() -> tempfile::TempDir {
    let cache = tempfile::tempdir().unwrap();
    let numbered = |number: usize, blue: u8| [(number / 256) as u8, (number % 256) as u8, blue];
    write_stand_in(&CIFAR10, cache.path(), |number| (0, numbered(number, 0).repeat(32 * 32)));
    let opaque = |number: usize| {
        let [red, green, blue] = numbered(number, 255);
        ((number % LABELS) as u8, [red, green, blue, 255].repeat(SIDE * SIDE))
    };
    let drawings: [&Fetched; 2] = [Style::Twitter, Style::Google].map(Style::fetched);
    write_stand_in(drawings[0], cache.path(), opaque);
    write_stand_in(drawings[1], cache.path(), |number| opaque(number ^ 1));
    cache
}

/// What the stage makes, few of it.
fn made(cache: &Path, change: impl Fn(&mut Params)) -> Result<(Dataset, tempfile::TempDir)> {
    let mut params = Params { train: 60, validation: 40, test: 50, unlabelled: 30, ..Params::default() };
    change(&mut params);
    let place = tempfile::tempdir().unwrap();
    let mut run = Run::in_folder("data/scenes", serde_json::Map::new(), &[], place.path()).unwrap();
    run.cache = cache.to_owned();
    let heard = Mutex::new(Vec::<u8>::new());
    Scenes::run(params, &Context::new(&run, &heard, &|| false).unwrap())?;
    Ok((Dataset::open(&run.out.join("dataset")).unwrap(), place))
}

/// Neither turned nor enlarged nor muted, so that whatever is inside something has its colour.
fn plain(params: &mut Params) {
    (params.rotation, params.blur, params.saturation) = (0.0, [1.0; 2], [1.0; 2]);
}

/// The number that a colour of [`cache`] says, where it is that of a photograph (blue 0) or a drawing (255).
fn numbers(image: &[u8], blue: u8) -> impl Iterator<Item = (usize, usize)> {
    let pixels = image.chunks_exact(3).enumerate().filter(move |(_, pixel)| pixel[2] == blue);
    pixels.map(|(place, pixel)| (place, usize::from(pixel[0]) * 256 + usize::from(pixel[1])))
}

#[test]
fn splits_share_nothing_and_masks_say_what_is_shown() {
    let cache = cache();
    let apart = |params: &mut Params| {
        plain(params);
        params.hidden = 0.0;
    };
    let (data, _place) = made(cache.path(), apart).unwrap();
    let classes = Params::default().classes;
    let used = |split: Split, blue: u8| -> BTreeSet<usize> {
        data.rows(split)
            .flat_map(|row| numbers(&data.image(row), blue).map(|(_, number)| number).collect::<Vec<_>>())
            .collect()
    };
    let photographs = Split::ALL.map(|split| used(split, 0));
    for (of_split, range) in photographs.iter().zip([0..45_000, 45_000..50_000, 50_000..60_000, 0..45_000]) {
        assert!(of_split.len() > 100 && of_split.iter().all(|number| range.contains(number)));
    }
    // Drawings of one emoji have an even number and the next.
    let emoji = Split::ALL.map(|split| used(split, 255).iter().map(|drawing| drawing / 2).collect::<BTreeSet<_>>());
    let [train, validation, test, unlabelled] = &emoji;
    assert!(train.is_disjoint(validation) && train.is_disjoint(test) && validation.is_disjoint(test));
    assert!(unlabelled.is_disjoint(validation) && unlabelled.is_disjoint(test));
    assert!(emoji.iter().all(|of_split| of_split.len() > 20));

    for row in data.rows(Split::Train) {
        let (image, mask) = (data.image(row), data.mask(row).unwrap());
        for (place, drawing) in numbers(&image, 255) {
            let group = (drawing % LABELS / 2 / 9).checked_sub(1).map(|group| Group::ALL[group]);
            let class = classes.iter().position(|class| Some(*class) == group);
            assert_eq!(usize::from(mask[place]), class.map_or(0, |class| class + 1), "scene {row}, pixel {place}");
        }
        assert!(numbers(&image, 0).all(|(place, _)| mask[place] == 0));
        assert_eq!(data.class(row), -1);
    }
    for row in data.rows(Split::Unlabelled) {
        assert!(data.mask(row).unwrap().iter().all(|&value| value == 255) && data.regions(row).unwrap().is_empty());
    }
}

/// The bounds of pixels of one kind.
fn bounds(size: usize, is_it: impl Fn(usize) -> bool) -> [f32; 4] {
    let places = (0..size * size).filter(|&place| is_it(place)).map(|place| [place % size, place / size]);
    let empty = [size, size, 0, 0];
    let edges = places.fold(empty, |[left, top, right, bottom], [x, y]| {
        [left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)]
    });
    edges.map(|edge| edge as f32)
}

#[test]
fn boxes_are_tight_around_what_is_visible() {
    let cache = cache();
    let alone = |params: &mut Params| {
        (params.objects, params.distractors, params.saturation) = ([1, 1], [0, 0], [1.0; 2]);
    };
    let (data, _place) = made(cache.path(), alone).unwrap();
    let mut at_the_border = 0;
    for row in data.rows(Split::Train) {
        let (image, mask) = (data.image(row), data.mask(row).unwrap());
        let [region] = data.regions(row).unwrap() else { panic!("scene {row} has one object") };
        assert_eq!(region.edges, bounds(96, |place| mask[place] > 0));
        // Blue is how much of a pixel is covered.
        assert_eq!(region.edges, bounds(96, |place| image[place * 3 + 2] >= 128), "scene {row}");
        at_the_border += usize::from(region.edges[0] == 0.0 || region.edges[3] == 96.0);
    }
    assert!(at_the_border > 5);

    // Of one size and not hidden, all are whole; up to a half of them is, where they may be hidden.
    let sizes = |hidden: f64| {
        let (data, _place) = made(cache.path(), |params| {
            plain(params);
            (params.objects, params.object_size, params.hidden) = ([3, 3], [20.0, 20.0], hidden);
        })
        .unwrap();
        let regions = data.rows(Split::Train).flat_map(|row| data.regions(row).unwrap());
        regions
            .map(|region| (region.edges[2] - region.edges[0]) * (region.edges[3] - region.edges[1]))
            .collect::<Vec<_>>()
    };
    let [whole, cut] = [sizes(0.0), sizes(0.5)];
    assert!(whole.iter().all(|&area| (19.0 * 19.0..=21.0 * 21.0).contains(&area)), "{whole:?}");
    assert!(cut.iter().all(|&area| area >= 0.45 * 400.0) && cut.iter().any(|&area| area < 0.7 * 400.0), "{cut:?}");
}

/// All files of a data set.
fn bytes(place: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(place.join("out/dataset")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .map(|file| (file.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&file).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_scene_is_a_function_of_its_number_and_the_seed() {
    let cache = cache();
    let with_threads = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        // What stands in does so only on the thread that wrote it.
        pool.install(|| bytes(made(self::cache().path(), |_| ()).unwrap().1.path()))
    };
    assert_eq!(with_threads(1), with_threads(3));
    let (all, _all) = made(cache.path(), |_| ()).unwrap();
    let (few, _few) = made(cache.path(), |params| params.train = 7).unwrap();
    assert!((0..7).all(|row| all.image(row) == few.image(row) && all.regions(row) == few.regions(row)));
    let (other, _other) = made(cache.path(), |params| params.seed = 1).unwrap();
    assert_ne!(all.image(0), other.image(0));
    let (google, _google) = made(cache.path(), |params| params.style = Style::Google).unwrap();
    assert!(all.rows(Split::Test).all(|row| all.mask(row) == google.mask(row)));
    assert_ne!(all.image(0), google.image(0));
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let refused = |change: fn(&mut Params)| made(Path::new("nowhere"), change).unwrap_err().to_string();
    let said = refused(|params| params.object_size = [40.0, 16.0]);
    assert_eq!(said, "object_size is [40, 16], and the smaller comes first: write [16, 40]");
    let said = refused(|params| params.classes = vec![Group::Clocks; 2]);
    assert_eq!(said, "classes is [clocks, clocks], with a group that stands twice: name each once");
}
