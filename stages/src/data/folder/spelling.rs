//! How folders of splits are called.

use super::super::dataset::Split;

/// In any case.
const SPELLINGS: [(Split, &[&str]); 4] = [
    (Split::Train, &["train", "training", "trn", "trainval"]),
    (Split::Validation, &["val", "valid", "validate", "validation", "dev", "development"]),
    (Split::Test, &["test", "testing", "tst", "eval", "evaluation", "holdout"]),
    (Split::Unlabelled, &["unlabelled", "unlabeled"]),
];

/// What may stand beside such a word or at its end: `train_images`, `Testset`.
const FILLERS: [&str; 9] = ["dataset", "set", "data", "split", "images", "image", "imgs", "pictures", "photos"];

/// The split that a folder's name says, and what else it says: of `seg_test_2` the test split and `seg`.
pub fn split_of(name: &str) -> Option<(Split, String)> {
    let name = spaced(name);
    let (mut splits, mut rest) = (vec![], vec![]);
    for word in name.split(|letter: char| !letter.is_alphanumeric()) {
        // `train2017`, `test1`.
        let word = word.trim_end_matches(|letter: char| letter.is_ascii_digit());
        if word.is_empty() || FILLERS.contains(&word) {
            continue;
        }
        let stem = FILLERS.iter().find_map(|filler| word.strip_suffix(filler)).unwrap_or(word);
        match SPELLINGS.iter().find(|(_, words)| words.contains(&stem)) {
            Some((split, _)) => splits.push(*split),
            None => rest.push(word),
        }
    }
    match splits[..] {
        [split] => Some((split, rest.join(" "))),
        _ => None,
    }
}

/// In small letters, with a space before what was a capital within a word: `trainA` has two words.
fn spaced(name: &str) -> String {
    let (mut spaced, mut before) = (String::new(), ' ');
    for letter in name.chars() {
        if letter.is_uppercase() && before.is_lowercase() {
            spaced.push(' ');
        }
        spaced.extend(letter.to_lowercase());
        before = letter;
    }
    spaced
}

/// Those of the names that are a split's: by themselves, or because another says the same of another split, as `seg_train`
/// does beside `seg_test`. A train station is none.
pub fn named_as_splits<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let said: Vec<_> = names.iter().map(|name| split_of(name)).collect();
    let is_split = |(split, rest): &(Split, String)| {
        rest.is_empty() || said.iter().flatten().any(|(other, same)| same == rest && other != split)
    };
    let named = names.iter().zip(&said).filter(|(_, said)| said.as_ref().is_some_and(is_split));
    named.map(|(name, _)| *name).collect()
}

/// For a person who has called them otherwise.
pub fn known() -> String {
    let words = SPELLINGS.map(|(split, words)| format!("{} ({})", split.name(), words.join(", ")));
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_are_spelt_in_many_ways() {
        for (name, split, rest) in [
            ("train", Split::Train, ""),
            ("Training", Split::Train, ""),
            ("TRAIN_SET", Split::Train, ""),
            ("train-images", Split::Train, ""),
            ("TrainingData", Split::Train, ""),
            ("train2017", Split::Train, ""),
            ("Valid", Split::Validation, ""),
            ("validation set", Split::Validation, ""),
            ("devset", Split::Validation, ""),
            ("Test", Split::Test, ""),
            ("test1", Split::Test, ""),
            ("Testing Images", Split::Test, ""),
            ("evaluation", Split::Test, ""),
            ("seg_test", Split::Test, "seg"),
            ("testA", Split::Test, "a"),
            ("train station", Split::Train, "station"),
            ("trainval2012", Split::Train, ""),
            ("Unlabeled_images", Split::Unlabelled, ""),
        ] {
            assert_eq!(split_of(name), Some((split, rest.to_owned())), "{name}");
        }
        for name in [
            "cat",
            "dataset",
            "images",
            "trains",
            "contest",
            "train_test",
            "2017",
            "invalid",
            "trainer",
            "train_unlabeled",
        ] {
            assert_eq!(split_of(name), None, "{name}");
        }
    }

    #[test]
    fn what_only_has_the_word_of_a_split_in_it_needs_another_that_fits() {
        assert_eq!(named_as_splits(&["car", "train", "truck"]), ["train"]);
        assert_eq!(named_as_splits(&["seg_pred", "seg_test", "seg_train"]), ["seg_test", "seg_train"]);
        assert!(named_as_splits(&["bus station", "train station", "test tube"]).is_empty());
    }
}
