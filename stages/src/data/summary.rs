//! What a data set turned out to be, for people: in full as a file of the artifact, in short on the screen.

use super::dataset::{Dataset, Split};
use super::samples;
use super::writer::Counts;
use crate::context::Context;
use crate::csv::quoted;
use anyhow::{Context as _, Result};
use std::path::Path;

/// Nothing in it may differ between two machines.
#[derive(Debug, Default)]
pub struct Summary {
    /// A line.
    pub title: String,
    /// Lines that stand below the table of classes.
    pub remarks: Vec<String>,
    /// Further lines of the file.
    pub details: Vec<String>,
    /// What each row was made of, where files were given: a path, or what else tells it.
    pub sources: Vec<String>,
}

/// Lines of a note, unless there is more to remark.
const LINES: usize = 12;
/// Classes that a line names.
const NAMED: usize = 5;

impl Summary {
    /// Writes `summary.txt` into the artifact's folder, and the note, and draws `samples.png` beside the result, where `files.csv` says what
    /// each row was made of.
    pub fn publish(mut self, counts: &Counts, folder: &Path, context: &Context) -> Result<()> {
        self.remarks.extend([Split::Validation, Split::Test].into_iter().filter_map(|split| without(counts, split)));
        context.note(&self.note(counts));
        std::fs::create_dir_all(context.side())
            .with_context(|| format!("cannot create {}", context.side().display()))?;
        samples::draw(&Dataset::open(folder)?, &context.side().join("samples.png"))?;
        if !self.sources.is_empty() {
            let file = context.side().join("files.csv");
            std::fs::write(&file, rows(&self.sources)).with_context(|| format!("cannot write {}", file.display()))?;
        }
        let file = folder.join("summary.txt");
        std::fs::write(&file, self.full(counts)).with_context(|| format!("cannot write {}", file.display()))
    }

    fn full(&self, counts: &Counts) -> String {
        let mut text = self.text(&table(counts));
        self.details.iter().for_each(|line| text += &format!("{line}\n"));
        text
    }

    fn note(&self, counts: &Counts) -> String {
        let table = table(counts);
        let is_short = 1 + table.lines().count() + self.remarks.len() <= LINES;
        self.text(&if is_short { table } else { ranges(counts) }).trim_end().to_owned()
    }

    fn text(&self, classes: &str) -> String {
        let mut text = format!("{}\n{classes}", self.title);
        self.remarks.iter().for_each(|line| text += &format!("{line}\n"));
        text
    }
}

/// A line a row.
fn rows(sources: &[String]) -> String {
    let lines = sources.iter().enumerate().map(|(row, source)| format!("{row},{}\n", quoted(source)));
    ["row,file\n".to_owned()].into_iter().chain(lines).collect()
}

/// A row a class, a column a split.
fn table(counts: &Counts) -> String {
    let splits: Vec<Split> = counts.images.keys().copied().collect();
    let all = if counts.add_up() { "all" } else { "images" };
    let [unknown, all] = ["no class", all].map(str::to_owned);
    let has_unknown = !counts.unknown.is_empty();
    let names = counts.classes.iter().chain(has_unknown.then_some(&unknown));
    let names = names.chain((has_unknown || counts.classes.len() > 1 || !counts.add_up()).then_some(&all));
    let width = names.clone().map(|name| name.chars().count()).max().unwrap_or(0);
    let mut text = format!("  {:width$}", "");
    splits.iter().for_each(|split| text += &format!("  {:>10}", split.name()));
    for (row, name) in names.enumerate() {
        text += &format!("\n  {name:width$}");
        for split in &splits {
            let count = match counts.images[split].get(row) {
                Some(&count) => count,
                None if *name == unknown => counts.unknown.get(split).copied().unwrap_or_default(),
                None => counts.total(*split),
            };
            text += &format!("  {count:>10}");
        }
    }
    text + "\n"
}

/// "train 300: 9 to 12 of each class", a line a split.
fn ranges(counts: &Counts) -> String {
    let line = |(split, of_class): (&Split, &Vec<usize>)| {
        if counts.unknown.get(split) == Some(&counts.total(*split)) {
            return format!("  {} {}\n", split.name(), counts.total(*split));
        }
        let (least, most) = (of_class.iter().min().unwrap_or(&0), of_class.iter().max().unwrap_or(&0));
        let each = if least == most { format!("{least}") } else { format!("{least} to {most}") };
        format!("  {} {}: {each} of each class\n", split.name(), counts.total(*split))
    };
    counts.images.iter().map(line).collect()
}

/// A line about the classes that a split has nothing of.
fn without(counts: &Counts, split: Split) -> Option<String> {
    let missing = counts.missing(split);
    let named = missing[..missing.len().min(NAMED)].join(", ");
    let more = if missing.len() > NAMED { ", ..." } else { "" };
    let classes = counts.classes.len();
    (!missing.is_empty()).then(|| {
        format!("no image of {} of {classes} classes in the {} split: {named}{more}", missing.len(), split.name())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(classes: usize) -> Counts {
        let count = |share: usize| -> Vec<usize> { (0..classes).map(|class| (class + 1) * share / 10).collect() };
        let rows = |share: usize| count(share).iter().sum();
        Counts {
            classes: (0..classes).map(|class| format!("class-{class}")).collect(),
            images: [(Split::Train, count(100)), (Split::Test, count(7))].into(),
            unknown: [].into(),
            rows: [(Split::Train, rows(100)), (Split::Test, rows(7))].into(),
        }
    }

    fn summary() -> Summary {
        Summary {
            title: "title".into(),
            remarks: vec!["remark".into()],
            details: vec!["detail".into()],
            ..Summary::default()
        }
    }

    #[test]
    fn few_classes_are_a_table() {
        let expected = "title\n                train        test\n  class-0          10           0\n  class-1          20           \
                        1\n  all              30           1\nremark";
        assert_eq!(summary().note(&counts(2)), expected);
        assert_eq!(summary().full(&counts(2)), format!("{expected}\ndetail\n"));
    }

    /// An image may show both, or nothing.
    #[test]
    fn images_are_counted_whatever_they_show() {
        let counts = Counts { rows: [(Split::Train, 25), (Split::Test, 4)].into(), ..counts(2) };
        let expected = "title\n                train        test\n  class-0          10           0\n  class-1          20           \
                        1\n  images           25           4\nremark";
        assert_eq!(summary().note(&counts), expected);
    }

    #[test]
    fn of_many_classes_a_note_says_the_extremes() {
        let expected = "title\n  train 50500: 10 to 1000 of each class\n  test 3490: 0 to 70 of each class\nremark";
        assert_eq!(summary().note(&counts(100)), expected);
        assert_eq!(summary().full(&counts(100)).lines().count(), 1 + 102 + 2);
        let all = without(&counts(100), Split::Test).unwrap();
        assert_eq!(all, "no image of 1 of 100 classes in the test split: class-0");
        assert_eq!(without(&counts(100), Split::Train), None);
    }
}
