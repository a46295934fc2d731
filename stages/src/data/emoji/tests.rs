use super::*;
use crate::data::fetched::write_stand_in;
use crate::data::{Dataset, column};
use pretext_protocol::Run;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

/// A cache with what stands in for the drawings of both styles: half transparent, of one value in each style.
fn cache() -> tempfile::TempDir {
    let cache = tempfile::tempdir().unwrap();
    for (set, value) in [(drawings::TWITTER, 100), (drawings::GOOGLE, 200)] {
        let row = [[value, value, value, 255], [9, 9, 9, 0]].map(|pixel| pixel.repeat(drawings::SIDE / 2)).concat();
        write_stand_in(&set, cache.path(), |number| ((number % 162) as u8, row.repeat(drawings::SIDE)));
    }
    cache
}

fn made(cache: &Path, change: impl Fn(&mut Params)) -> Result<(Dataset, Vec<u32>)> {
    let mut params = Params::default();
    change(&mut params);
    let place = tempfile::tempdir().unwrap();
    let mut run = Run::in_folder("data/emoji", serde_json::Map::new(), &[], place.path()).unwrap();
    run.cache = cache.to_owned();
    let heard = Mutex::new(Vec::<u8>::new());
    Emoji::run(params, &Context::new(&run, &heard, &|| false).unwrap())?;
    let folder = run.out.join("dataset");
    let data = Dataset::open(&folder).unwrap();
    let rows = Split::ALL.iter().map(|&split| data.len(split)).sum();
    Ok((data, column(&folder, "group", rows).unwrap()))
}

#[test]
fn styles_have_the_same_emoji_in_the_same_splits() {
    let cache = cache();
    let (twitter, emoji) = made(cache.path(), |_| ()).unwrap();
    let (google, in_google) = made(cache.path(), |params| params.style = Style::Google).unwrap();
    assert_eq!(twitter.manifest.images, google.manifest.images);
    assert_eq!(emoji, in_google);
    assert_eq!([twitter.image(0)[0], google.image(0)[0]], [100, 200]);
    let mut splits = BTreeMap::new();
    for split in Split::LABELLED {
        for row in twitter.rows(split) {
            assert_eq!(*splits.entry(emoji[row]).or_insert(split), split, "emoji {}", emoji[row]);
        }
        let classes = twitter.labels(split);
        assert!((0..8).all(|class| classes.contains(&class)), "every class is in the {} split", split.name());
    }
    let (_, others) = made(cache.path(), |params| params.shares.seed = 1).unwrap();
    assert_ne!(emoji, others);
}

#[test]
fn what_is_transparent_shows_the_background() {
    let cache = cache();
    let (data, _) = made(cache.path(), |params| {
        (params.by, params.background, params.size) = (By::Category, [10, 20, 30], 16);
    })
    .unwrap();
    assert_eq!((data.manifest.input(), data.manifest.classes.len()), ([3, 16, 16], 9));
    assert_eq!(Split::LABELLED.map(|split| data.len(split)).iter().sum::<usize>(), 1897);
    let image = data.image(5);
    assert_eq!((&image[..3], &image[45..48]), (&[100; 3][..], &[10, 20, 30][..]));
}

#[test]
fn a_group_that_stands_twice_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let twice = |params: &mut Params| params.groups = vec![Group::Faces, Group::Balls, Group::Faces];
    let said = made(place.path(), twice).unwrap_err().to_string();
    assert_eq!(said, "groups is [faces, balls, faces], with a group that stands twice: name each once");
}
