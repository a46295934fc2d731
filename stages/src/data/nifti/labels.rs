//! Which numbers of a volume of labels are which classes.

use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeMap;
use std::path::Path;

/// Values of a mask but for the background and what nobody knows.
const MOST: usize = 254;

pub struct Names {
    pub classes: Vec<String>,
    /// Of each number what a mask has for it.
    masks: BTreeMap<i64, u8>,
}

impl Names {
    /// Numbers and names, in the order of the classes.
    pub fn of(named: Vec<(i64, String)>) -> Result<Self> {
        ensure!(!named.is_empty(), "the labels say nothing but 0, and there is nothing to learn from them");
        ensure!(named.len() <= MOST, "there are {} classes, and a mask tells {MOST} apart", named.len());
        let masks = named.iter().zip(1..).map(|(&(number, _), value)| (number, value)).collect();
        Ok(Self { classes: named.into_iter().map(|(_, name)| name).collect(), masks })
    }

    /// Of a file, `ID name` a line, that need not be there. 0 is no class.
    pub fn read(file: &Path) -> Result<Option<Self>> {
        if !file.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let mut named: Vec<(i64, String)> = vec![];
        for (line, number) in text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()) {
            let at = || format!("{}:{number}: `{line}`", file.display());
            let parts = line.trim().split_once(char::is_whitespace);
            let (id, name) =
                parts.with_context(|| format!("{}: expected a number and a name, as `7 hippocampus`", at()))?;
            let id: i64 = id.parse().with_context(|| format!("{}: `{id}` is no whole number", at()))?;
            let name = name.trim().to_owned();
            let again = named.iter().any(|(other, called)| *other == id || *called == name);
            ensure!(!again, "{}: a line before has the same number or name", at());
            named.push((id, name));
        }
        named.retain(|(id, _)| *id != 0);
        Ok(Some(Self::of(named).with_context(|| file.display().to_string())?))
    }

    /// What a mask has for each of a volume's numbers.
    pub fn places(&self, labels: &[i64]) -> Result<Vec<u8>> {
        let place = |&label: &i64| match (label, self.masks.get(&label)) {
            (0, _) => Ok(0),
            (_, Some(&value)) => Ok(value),
            (_, None) => {
                let known: Vec<String> = self.masks.keys().map(i64::to_string).collect();
                anyhow::bail!(
                    "it holds {label}, expected 0 or one of {}: add a line `{label} NAME` to labels.txt",
                    known.join(", ")
                )
            }
        };
        labels.iter().map(place).collect()
    }
}
