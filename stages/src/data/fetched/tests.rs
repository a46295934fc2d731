//! What may lie in the cache, and what is drawn of it.

use super::*;
use crate::data::Dataset;
use pretext_protocol::Run;
use std::sync::Mutex;

/// A set of 20 training and 4 test images of a value each, of two classes.
const SMALL: Fetched = Fetched {
    name: "Small",
    cache: "small",
    size: [2, 2, 1],
    labels: 2,
    images: [20, 4, 0],
    sources: &[],
    download: 0,
    digest: None,
    decode: |_, to| Ok(to.write_all(&content())?),
    by_hand: "nothing",
};

fn content() -> Vec<u8> {
    let labels = (0..24).map(|image| image % 2);
    labels.chain((0..24).flat_map(|image| [image; 4])).collect()
}

/// What the stage makes of what lies in its cache, and its summary.
fn made(set: &Fetched, kept: &[(&str, &[u8])]) -> Result<(Dataset, String)> {
    let place = tempfile::tempdir().unwrap();
    let run = Run::in_folder("data/small", serde_json::Map::new(), &[], place.path()).unwrap();
    let folder = run.cache.join("small");
    std::fs::create_dir_all(&folder).unwrap();
    kept.iter().for_each(|(name, bytes)| std::fs::write(folder.join(name), bytes).unwrap());
    let heard = Mutex::new(Vec::<u8>::new());
    let context = Context::new(&run, &heard, &|| false).unwrap();
    let splits = Splits::<20, 0> { train: 10, validation: 10, unlabelled: Some(0), seed: 0 };
    set.publish(&set.open(&context)?, &["even", "odd"], i32::from, &splits, &context)?;
    let folder = run.out.join("dataset");
    Ok((Dataset::open(&folder).unwrap(), std::fs::read_to_string(folder.join("summary.txt")).unwrap()))
}

#[test]
fn where_no_digest_is_known_the_summary_shows_the_contents() {
    let content = content();
    let (data, summary) = made(&SMALL, &[("small.bin", &content[..])]).unwrap();
    assert_eq!(Split::LABELLED.map(|split| data.len(split)), [10, 10, 4]);
    let digest = blake3::hash(&content).to_hex();
    assert!(summary.ends_with(&format!("\nblake3 of the decoded data set: {digest}\n")), "{summary}");
    let known = Fetched { digest: Some(Box::leak(digest.to_string().into_boxed_str())), ..SMALL };
    let (_, summary) = made(&known, &[("small.bin", &content[..])]).unwrap();
    assert!(!summary.contains("blake3"), "{summary}");
    let error = format!("{:#}", made(&known, &[("small.bin", &content[1..])]).err().unwrap());
    assert!(error.contains("small.bin: remove it, and it is fetched again: its content is not Small's: digest "));
}

#[test]
fn nothing_stands_in_for_a_data_set_unless_a_test_asks_for_it() {
    let content = content();
    let digest = blake3::hash(&content).to_hex();
    let kept = [("small.bin", content.as_slice()), ("small.stand-in", digest.as_bytes())];
    for set in [SMALL, Fetched { digest: Some("another"), ..SMALL }] {
        let error = format!("{:#}", made(&set, &kept).expect_err("it is not what it is called"));
        assert!(error.starts_with("other images stand in for Small's, as "), "{error}");
        assert!(error.contains("small.stand-in says: remove both files, and it is fetched"), "{error}");
    }
}

#[test]
fn what_was_decoded_is_kept_if_it_is_what_was_looked_for() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("partial");
    SMALL.write_decoded(place.path(), &file).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), content());
    let other = Fetched { digest: Some("another"), ..SMALL };
    assert!(other.write_decoded(place.path(), &file).is_err() && !file.exists());
}

#[test]
fn what_is_left_may_be_used_without_its_classes() {
    let splits = |unlabelled| Splits::<100, 10> { unlabelled, ..Splits::default() };
    let used: [Vec<usize>; 2] = [(0..60).collect(), (60..70).collect()];
    let rest = |unlabelled| splits(unlabelled).left_over(0..100, [&used[0], &used[1]]);
    assert!(rest(Some(0)).unwrap().is_empty());
    assert_eq!(rest(None).unwrap(), (70..100).collect::<Vec<_>>());
    let some = rest(Some(12)).unwrap();
    assert!(some.len() == 12 && some.is_sorted() && some.iter().all(|image| (70..100).contains(image)));
    let error = rest(Some(31)).unwrap_err().to_string();
    assert!(error.starts_with("unlabelled is 31, and the other splits leave 30 images: "), "{error}");
    let written: Splits<100, 10> = serde_json::from_str(r#"{ "unlabelled": null }"#).unwrap();
    assert_eq!((written.train, written.validation, written.unlabelled), (90, 10, None));
    assert_eq!(serde_json::from_str::<Splits<100, 10>>("{}").unwrap().unlabelled, Some(0));
    // Those that never had a class are there to be used.
    assert_eq!(serde_json::from_str::<Splits<100, 10, 50>>("{}").unwrap().unlabelled, None);
}
