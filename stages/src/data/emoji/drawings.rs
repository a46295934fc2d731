//! The drawings that there are of emoji, in two styles, what they show, and which are trained on.

use super::groups::{CATEGORIES, Entry, Group};
use crate::context::Context;
use crate::data::fetched::{Fetched, Kept};
use crate::data::sources::Source;
use crate::data::split::by_groups;
use crate::json;
use anyhow::{Context as _, Result, ensure};
use image::RgbaImage;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Who drew them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    Twitter,
    Google,
}

/// Side of a drawing.
pub const SIDE: usize = 64;
/// Of the 1,911 in the list, but for colours of skin and flags that are others' flags.
const COUNT: usize = 1_897;

const EITHER: Fetched = Fetched {
    name: "",
    cache: "",
    size: [SIDE, SIDE, 4],
    labels: label(CATEGORIES.len() - 1, Group::ALL.len(), true) as usize + 1,
    images: [COUNT, 0, 0],
    sources: &[],
    download: 0,
    digest: None,
    decode,
    by_hand: "",
};

pub const TWITTER: Fetched = Fetched {
    name: "emoji in Twitter's style",
    cache: "emoji-twitter",
    sources: &[Source::Npm("emoji-datasource-twitter@16.0.0")],
    download: 62_000_000,
    digest: Some("0076cc6b2493deb25130c531acbbd5088aa9e15b7cfa164ebae3f310d31d093f"),
    by_hand: "the npm package emoji-datasource-twitter",
    ..EITHER
};

pub const GOOGLE: Fetched = Fetched {
    name: "emoji in Google's style",
    cache: "emoji-google",
    sources: &[Source::Npm("emoji-datasource-google@16.0.0")],
    download: 75_000_000,
    digest: Some("306bcb77f95729ef6ecc8c5f50c0bda100aca7361becd0f72c676f46fec62e06"),
    by_hand: "the npm package emoji-datasource-google",
    ..EITHER
};

impl Style {
    pub fn fetched(self) -> &'static Fetched {
        match self {
            Self::Twitter => &TWITTER,
            Self::Google => &GOOGLE,
        }
    }
}

/// What one of them shows; the same in both styles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawing {
    /// Its place among [`CATEGORIES`].
    pub category: usize,
    pub group: Option<Group>,
    /// Those of one emoji, as a man and a woman who run, have the same number.
    pub emoji: u32,
}

/// All of a style.
pub struct Drawings {
    kept: Kept,
    pub all: Vec<Drawing>,
}

impl Drawings {
    pub fn open(style: Style, context: &Context) -> Result<Self> {
        let kept = style.fetched().open(context)?;
        Ok(Self { all: what_is_drawn(&kept.labels), kept })
    }

    /// # Panics
    /// Never: a drawing has its size.
    pub fn picture(&self, number: usize) -> RgbaImage {
        let pixels = self.kept.image(number).to_vec();
        RgbaImage::from_raw(SIDE as u32, SIDE as u32, pixels).expect("a drawing has its size")
    }

    /// Numbers of drawings by share, ascending; `class` says which a drawing is of, or that it is not used. Every class has the same
    /// shares, and no emoji is in two parts.
    pub fn split<const N: usize>(
        &self,
        class: impl Fn(&Drawing) -> Option<usize>,
        shares: [f64; N],
        seed: u64,
    ) -> [Vec<usize>; N] {
        let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (number, drawing) in self.all.iter().enumerate() {
            class(drawing).into_iter().for_each(|class| members.entry(class).or_default().push(number));
        }
        let mut parts: [Vec<usize>; N] = std::array::from_fn(|_| vec![]);
        for members in members.into_values() {
            let emoji: Vec<i64> = members.iter().map(|&number| i64::from(self.all[number].emoji)).collect();
            for (part, places) in parts.iter_mut().zip(by_groups(&emoji, shares, seed)) {
                part.extend(places.into_iter().map(|place| members[place]));
            }
        }
        parts.iter_mut().for_each(|part| part.sort_unstable());
        parts
    }
}

/// A label is a category, a group (0: none) and whether it is another drawing of the emoji before it.
const fn label(category: usize, group: usize, is_another: bool) -> u8 {
    (2 * (CATEGORIES.len() * group + category) + is_another as usize) as u8
}

fn what_is_drawn(labels: &[u8]) -> Vec<Drawing> {
    let mut emoji = 0;
    let drawing = |(number, &label): (usize, &u8)| {
        emoji += u32::from(number > 0 && label % 2 == 0);
        let kind = usize::from(label / 2);
        let group = (kind / CATEGORIES.len()).checked_sub(1).map(|place| Group::ALL[place]);
        Drawing { category: kind % CATEGORIES.len(), group, emoji }
    };
    labels.iter().enumerate().map(drawing).collect()
}

/// The pictures that the package's `emoji.json` lists, by category, those of an emoji beside each other.
fn decode(folder: &Path, to: &mut dyn Write) -> Result<()> {
    let package = folder.join("package");
    let list: Vec<Entry> = json::read(&package.join("emoji.json"))?;
    let mut by_emoji: BTreeMap<(usize, String), Vec<&Entry>> = BTreeMap::new();
    for entry in list.iter().filter(|entry| entry.is_used()) {
        by_emoji.entry((entry.category()?, entry.emoji())).or_default().push(entry);
    }
    let style = ["twitter", "google"].map(|style| package.join("img").join(style).join("64"));
    let pictures =
        style.iter().find(|folder| folder.is_dir()).context("the package has no pictures of 64 x 64 pixels")?;
    let (mut labels, mut images) = (vec![], vec![]);
    for ((category, _), entries) in &by_emoji {
        for (place, entry) in entries.iter().enumerate() {
            let group = entry.group().map_or(0, |group| 1 + group as usize);
            labels.push(label(*category, group, place > 0));
            let name = &entry.image;
            let picture =
                image::open(pictures.join(name)).with_context(|| format!("cannot decode {name}"))?.into_rgba8();
            ensure!(picture.dimensions() == (SIDE as u32, SIDE as u32), "{name} is not of {SIDE} x {SIDE} pixels");
            images.extend(picture.into_raw());
        }
    }
    to.write_all(&labels)?;
    Ok(to.write_all(&images)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgba;

    fn all_of(folder: &Path) -> Result<Vec<u8>> {
        let mut bytes = vec![];
        decode(folder, &mut bytes)?;
        Ok(bytes)
    }

    /// A package with pictures of one colour, its list's lines being code, name, category and subcategory.
    fn package(folder: &Path, lines: &[[&str; 4]]) {
        let pictures = folder.join("package/img/google/64");
        std::fs::create_dir_all(&pictures).unwrap();
        let mut list = vec![];
        for (number, [unified, name, category, subcategory]) in (0..).zip(lines) {
            let (side, image) = (SIDE as u32, format!("{name}.png"));
            RgbaImage::from_pixel(side, side, Rgba([number, 7, 8, 200])).save(pictures.join(&image)).unwrap();
            list.push(serde_json::json!({
                "unified": unified, "short_name": name, "category": category, "subcategory": subcategory, "image": image,
            }));
        }
        json::write(&folder.join("package/emoji.json"), &list).unwrap();
    }

    #[test]
    fn drawings_of_one_emoji_lie_together_and_are_told_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let people = "People & Body";
        package(
            folder.path(),
            &[
                ["1F469-200D-1F373", "female-cook", people, "person-role"],
                ["1F3FB", "skin-tone-2", "Component", "skin-tone"],
                ["1F600", "grinning", "Smileys & Emotion", "face-smiling"],
                ["1F469-200D-1F52C", "female-scientist", people, "person-role"],
                ["1F468-200D-1F373", "male-cook", people, "person-role"],
                ["1F1F8-1F1EF", "flag-sj", "Flags", "country-flag"],
                ["1F578-FE0F", "spider_web", "Animals & Nature", "animal-bug"],
                ["26BD", "soccer", "Activities", "sport"],
            ],
        );
        let decoded = all_of(folder.path()).unwrap();
        let picture = SIDE * SIDE * 4;
        let count = decoded.len() / (1 + picture);
        let reds: Vec<u8> = decoded[count..].chunks(picture).map(|picture| picture[0]).collect();
        assert_eq!(reds, [2, 0, 4, 3, 6, 7], "neither colours of skin nor flags that are others'");
        assert_eq!(decoded[count..][..4], [2, 7, 8, 200]);
        let drawn = what_is_drawn(&decoded[..count]);
        assert_eq!(drawn.iter().map(|drawing| drawing.emoji).collect::<Vec<_>>(), [0, 1, 1, 2, 3, 4]);
        let categories: Vec<&str> = drawn.iter().map(|drawing| CATEGORIES[drawing.category]).collect();
        assert_eq!(categories, ["Smileys & Emotion", people, people, people, "Animals & Nature", "Activities"]);
        let groups: Vec<Option<Group>> = drawn.iter().map(|drawing| drawing.group).collect();
        assert_eq!(groups, [Some(Group::Faces), None, None, None, None, Some(Group::Balls)], "a web is no animal");
    }

    #[test]
    fn what_the_list_does_not_keep_to_is_named() {
        let folder = tempfile::tempdir().unwrap();
        package(folder.path(), &[["1F600", "grinning", "Fluids", "face-smiling"]]);
        let said = all_of(folder.path()).unwrap_err().to_string();
        assert!(
            said.starts_with("grinning is of the category `Fluids`, expected one of Smileys & Emotion, "),
            "{said}"
        );
        package(folder.path(), &[["1F600", "grinning", "Smileys & Emotion", "face-smiling"]]);
        std::fs::write(folder.path().join("package/img/google/64/grinning.png"), "no picture").unwrap();
        assert_eq!(all_of(folder.path()).unwrap_err().to_string(), "cannot decode grinning.png");
    }
}
