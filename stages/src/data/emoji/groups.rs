//! What emoji show: the categories of Unicode's list, and groups of our own whose members look alike.

use anyhow::{Context as _, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Those that have emoji of their own: colours of skin are parts of others.
pub const CATEGORIES: [&str; 9] = [
    "Smileys & Emotion",
    "People & Body",
    "Animals & Nature",
    "Food & Drink",
    "Travel & Places",
    "Activities",
    "Objects",
    "Symbols",
    "Flags",
];

/// Emoji that can be told from others by their look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    Faces,
    Animals,
    Fruit,
    Vehicles,
    Clocks,
    Hearts,
    Buildings,
    Balls,
}

impl Group {
    pub const ALL: [Self; 8] = [
        Self::Faces,
        Self::Animals,
        Self::Fruit,
        Self::Vehicles,
        Self::Clocks,
        Self::Hearts,
        Self::Buildings,
        Self::Balls,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Faces => "faces",
            Self::Animals => "animals",
            Self::Fruit => "fruit",
            Self::Vehicles => "vehicles",
            Self::Clocks => "clocks",
            Self::Hearts => "hearts",
            Self::Buildings => "buildings",
            Self::Balls => "balls",
        }
    }

    /// The list's, all of which are of the group but for [`OTHERS`].
    fn subcategories(self) -> &'static [&'static str] {
        match self {
            Self::Faces => &[
                "face-smiling",
                "face-affection",
                "face-tongue",
                "face-hand",
                "face-neutral-skeptical",
                "face-sleepy",
                "face-unwell",
                "face-hat",
                "face-glasses",
                "face-concerned",
            ],
            Self::Animals => {
                &["animal-mammal", "animal-bird", "animal-bug", "animal-marine", "animal-reptile", "animal-amphibian"]
            }
            Self::Fruit => &["food-fruit", "food-vegetable"],
            Self::Vehicles => &["transport-ground", "transport-water", "transport-air"],
            Self::Clocks => &["time"],
            Self::Hearts => &["heart"],
            Self::Buildings => &["place-building", "place-religious"],
            Self::Balls => &[],
        }
    }
}

/// Round things of several subcategories.
const BALLS: [&str; 11] = [
    "soccer",
    "baseball",
    "softball",
    "basketball",
    "volleyball",
    "football",
    "rugby_football",
    "tennis",
    "8ball",
    "yarn",
    "mirror_ball",
];

/// What stands in a group's subcategories and looks otherwise.
const OTHERS: [&str; 39] = [
    "spider_web",
    "feet",
    "pig_nose",
    "feather",
    "wing",
    "microbe",
    "shell",
    "coral",
    "oyster",
    "busstop",
    "motorway",
    "railway_track",
    "oil_drum",
    "fuelpump",
    "wheel",
    "rotating_light",
    "traffic_light",
    "vertical_traffic_light",
    "octagonal_sign",
    "construction",
    "anchor",
    "ring_buoy",
    "roller_skate",
    "motorized_wheelchair",
    "manual_wheelchair",
    "parachute",
    "seat",
    "satellite",
    "hourglass",
    "hourglass_flowing_sand",
    "love_letter",
    "heavy_heart_exclamation_mark_ornament",
    "heart_decoration",
    "building_construction",
    "bricks",
    "rock",
    "wood",
    "statue_of_liberty",
    "shinto_shrine",
];

/// Flags that are other countries' flags, pixel for pixel, in one of the styles or both.
const COPIES: [&str; 9] =
    ["flag-hm", "flag-cp", "flag-mf", "flag-dg", "flag-ea", "flag-sj", "flag-bv", "flag-um", "flag-sark"];

/// Parts of a code that say who does something (man, woman, person, as they are or by a sign), which way, and how it is drawn.
const WHO: [&str; 8] = ["1F468", "1F469", "1F9D1", "2640", "2642", "27A1", "200D", "FE0F"];

/// What the package's list says of an emoji, of which this is a part.
#[derive(Debug, Deserialize)]
pub struct Entry {
    /// Its code points: `1F469-200D-1F373`.
    unified: String,
    short_name: String,
    category: String,
    subcategory: String,
    /// The picture's file.
    pub image: String,
}

impl Entry {
    pub fn is_used(&self) -> bool {
        self.category != "Component" && !COPIES.contains(&self.short_name.as_str())
    }

    /// Its place among [`CATEGORIES`].
    pub fn category(&self) -> Result<usize> {
        CATEGORIES.iter().position(|category| *category == self.category).with_context(|| {
            format!(
                "{} is of the category `{}`, expected one of {}",
                self.short_name,
                self.category,
                CATEGORIES.join(", ")
            )
        })
    }

    /// What all drawings of it have in common, whoever is in it. Families differ in nothing else.
    pub fn emoji(&self) -> String {
        if self.subcategory == "family" {
            return self.subcategory.clone();
        }
        let parts: Vec<&str> = self.unified.split('-').filter(|part| !WHO.contains(part)).collect();
        if parts.is_empty() { self.unified.clone() } else { parts.join("-") }
    }

    pub fn group(&self) -> Option<Group> {
        let name = self.short_name.as_str();
        if BALLS.contains(&name) {
            return Some(Group::Balls);
        }
        let is_of = |group: &Group| group.subcategories().contains(&self.subcategory.as_str());
        Group::ALL.into_iter().find(is_of).filter(|_| !OTHERS.contains(&name))
    }
}
